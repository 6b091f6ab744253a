"""The settings that the networks of this package share, documented and checked in one place."""

from dataclasses import dataclass

from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import LatentFn
from gan_jax.networks.label_conditioning import label_conditioning
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.layers import DISCRIMINATOR_NORMS, MINIBATCH_LAYERS, NORMS


@dataclass(frozen=True)
class CommonSettings:
    """The settings that `mlp`, `dcgan`, `resnet`, `progan` and `r3gan` share, checked.

    Attributes:
      classes: number of labels, 0 for none.
      latent_size: numbers in one latent vector, at least 1.
      latent: the distribution of the latents: "normal", "uniform", "standard_uniform" or
        "spherical", see `latents.latent_distribution`.
      labels: how labels condition the networks: "none", "concatenation", "projection" or
        "auxiliary", see `label_conditioning.label_conditioning`; None: ``default_labels`` if there
        are classes, otherwise "none".
      default_labels: the network's own default for data with labels.
      embedding_size: labels enter as learned embeddings of this size, or one-hot if it is 0.
      dtype: of the computations in hidden layers, "float32" or "bfloat16"; parameters, statistics
        and scores are float32.
      norm: the generator's normalisation, "none", "batch", "layer" or "instance".
      discriminator_norm: the discriminator's, one of these or "spectral".
      minibatch: what shows the discriminator how samples differ: "none", "std" (Karras et al. 2018)
        or "discrimination" (Salimans et al. 2016). It compares the samples of the batch that is
        scored.
      rematerialise: whether the backward pass computes the inside of residual blocks again from
        their inputs, which alone are kept: less memory for a third more work. On CPUs XLA undoes
        it.

    Raises:
      UserError: an unknown name, a ``latent_size`` below 1, or labels without classes.
    """

    classes: int
    latent_size: int
    latent: str
    labels: str | None
    default_labels: str
    embedding_size: int
    dtype: DTypeLike
    norm: str = "none"
    discriminator_norm: str = "none"
    minibatch: str = "none"
    rematerialise: bool = False

    def __post_init__(self) -> None:
        latent_distribution(self.latent, self.latent_size)
        check_name("norm", self.norm, NORMS)
        check_name("discriminator_norm", self.discriminator_norm, DISCRIMINATOR_NORMS)
        check_name("minibatch", self.minibatch, MINIBATCH_LAYERS)
        label_conditioning(self.labels, self.classes, self.default_labels)

    @property
    def conditioning(self) -> str:
        """How labels condition the networks, one of `label_conditioning.LABEL_CONDITIONINGS`."""
        return label_conditioning(self.labels, self.classes, self.default_labels)

    @property
    def draw_latents(self) -> LatentFn:
        """The function that draws latents, ``(rng, batch size) -> [batch, latent_size]``."""
        return latent_distribution(self.latent, self.latent_size)

    @property
    def weight(self) -> str:
        """How the discriminator's kernels are rescaled: see `weights.WeightLayer`."""
        return "spectral" if self.discriminator_norm == "spectral" else "plain"

    @property
    def discriminator_layer_norm(self) -> str:
        """The discriminator's normalisation of activations: spectral normalisation is of
        kernels."""
        return "none" if self.discriminator_norm == "spectral" else self.discriminator_norm

    @property
    def independent_scores(self) -> bool:
        """Whether a sample's score depends on no other sample of its batch."""
        return self.discriminator_norm != "batch" and self.minibatch == "none"


def check_name(setting: str, name: str, known: tuple[str, ...]) -> None:
    """Raises UserError if ``name`` is not one of the ``known`` values of a setting."""
    if name not in known:
        raise UserError(f"{setting} cannot be {name!r}: choose one of {', '.join(known)}")
