"""Fully connected networks: for points in the plane, and the first GAN's for images."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import Norm, append_minibatch_features, nonlinearity
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Dense, Maxout, initializer

DEFAULT_GAINS = {"orthogonal": 0.8, "normal": 0.02}


class HiddenLayers(nn.Module):
    """Dense layers with normalisation and activation, or maxout layers.

    Attributes:
      widths: of the layers.
      activations: their activations' names.
      kernel_init: initializer of their kernels.
      norm: their normalisation, one of `layers.NORMS`.
      weight: how their kernels are rescaled, see `weights.WeightLayer`.
      pieces: if positive, the layers are maxout over so many pieces, without norm or activation.
      dtype: of the computation.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    kernel_init: Initializer
    norm: str
    weight: str
    pieces: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for index, (width, activation) in enumerate(
            zip(self.widths, self.activations, strict=True)
        ):
            if self.pieces:
                maxout = Maxout(
                    width, self.pieces, self.kernel_init, self.dtype, name=f"maxout_{index}"
                )
                x = maxout(x)
                continue
            dense = Dense(
                width, self.kernel_init, weight=self.weight, dtype=self.dtype, name=f"dense_{index}"
            )
            x = Norm(self.norm, dtype=self.dtype, name=f"norm_{index}")(dense(x))
            x = nonlinearity(activation)(x)
        return x


class Generator(nn.Module):
    """``(latents, label) -> samples [batch, *shape]``."""

    shape: tuple[int, ...]
    widths: tuple[int, ...]
    activations: tuple[str, ...]
    output: str
    kernel_init: Initializer
    settings: CommonSettings

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings = self.settings
        code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        hidden = HiddenLayers(
            self.widths,
            self.activations,
            self.kernel_init,
            norm=settings.norm,
            weight="plain",
            pieces=0,
            dtype=settings.dtype,
            name="hidden",
        )
        x = hidden(append_code(latents, code))
        size = math.prod(self.shape)
        x = Dense(size, self.kernel_init, dtype=settings.dtype, name="output")(x)
        return nonlinearity(self.output)(x).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """``(samples, label) -> (scores, label logits or None)``."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    pieces: int
    input_scale: float
    kernel_init: Initializer
    settings: CommonSettings

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        settings = self.settings
        x = self.input_scale * samples.reshape(len(samples), -1)
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
            x = append_code(x, code)
        hidden = HiddenLayers(
            self.widths,
            self.activations,
            self.kernel_init,
            norm=settings.discriminator_layer_norm,
            weight=settings.weight,
            pieces=self.pieces,
            dtype=settings.dtype,
            name="hidden",
        )
        x = append_minibatch_features(settings.minibatch, hidden(x))
        head = Head(
            settings.conditioning,
            settings.classes,
            self.kernel_init,
            weight=settings.weight,
            name="head",
        )
        return head(x, label)


def _activation_names(
    activation: str | tuple[str, ...], widths: tuple[int, ...]
) -> tuple[str, ...]:
    """One activation's name for each hidden layer; UserError if there are more or fewer."""
    names = (activation,) * len(widths) if isinstance(activation, str) else tuple(activation)
    if len(names) != len(widths):
        raise UserError(
            f"activation names {len(names)} layers, but there are {len(widths)} widths: "
            f"{tuple(widths)}"
        )
    for name in names:
        nonlinearity(name)
    return names


def mlp(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 256,
    latent: str = "normal",
    generator_widths: tuple[int, ...] = (128, 128),
    discriminator_widths: tuple[int, ...] = (128,),
    activation: str | tuple[str, ...] = "relu",
    output: str | None = None,
    init: str = "orthogonal",
    gain: float | None = None,
    norm: str = "none",
    discriminator_norm: str = "none",
    pieces: int = 0,
    input_scale: float = 0.25,
    minibatch: str = "none",
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns fully connected networks, by default those of the unrolled GAN paper's ring.

    The arguments ``latent_size``, ``latent``, ``norm``, ``discriminator_norm``, ``minibatch``,
    ``labels``, ``embedding_size`` and ``dtype`` are those of `settings.CommonSettings`; ``labels``
    is "concatenation" by default if there are classes.

    Args:
      shape: shape of one sample; images are flattened.
      classes: number of labels, 0 for none.
      generator_widths: widths of the generator's hidden layers; may be empty.
      discriminator_widths: widths of the discriminator's hidden layers; may be empty.
      activation: of the hidden layers, one name or one for each layer of both networks, see
        `layers.ACTIVATIONS`.
      output: activation of the generator's last layer; None: "linear" for vectors, "tanh" for
        images.
      init: initializer of all kernels, see `weights.initializer`.
      gain: its gain; None: 0.8 for "orthogonal", 0.02 for "normal", otherwise 1.
      pieces: if positive, the discriminator's hidden layers are maxout over so many pieces, without
        norm or activation.
      input_scale: the discriminator sees ``input_scale * samples``.

    Settings of other papers:

    - Gulrajani et al. (2017), toys: widths (512,) * 3 in both networks, latent_size 2, init
      "he_uniform", input_scale 1.
    - PacGAN (2018), section 4.1: generator (400,) * 4, discriminator (200,) * 3, norm "batch",
      pieces 5, latent_size 2, init "normal", input_scale 1.
    - Goodfellow et al. (2014), MNIST: generator (1200, 1200), discriminator (240, 240), pieces 5,
      latent_size 100, latent "standard_uniform"; theirs also has dropout.

    Raises:
      UserError: an unknown name, or more or fewer activations than layers.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (2017), appendix A.
    """
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent=latent,
        labels=labels,
        default_labels="concatenation",
        embedding_size=embedding_size,
        dtype=dtype,
        norm=norm,
        discriminator_norm=discriminator_norm,
        minibatch=minibatch,
    )
    kernel_init = initializer(init, DEFAULT_GAINS.get(init) if gain is None else gain)
    output = output or ("linear" if len(shape) == 1 else "tanh")
    nonlinearity(output)
    generator = Generator(
        shape=tuple(shape),
        widths=tuple(generator_widths),
        activations=_activation_names(activation, generator_widths),
        output=output,
        kernel_init=kernel_init,
        settings=settings,
    )
    discriminator = Discriminator(
        widths=tuple(discriminator_widths),
        activations=_activation_names(activation, discriminator_widths),
        pieces=pieces,
        input_scale=input_scale,
        kernel_init=kernel_init,
        settings=settings,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings, output=output).networks()
