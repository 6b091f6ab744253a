"""WaveGAN's networks for signals: DCGAN with long kernels in one dimension."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import Norm, nonlinearity
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Conv, Dense, TransposedConv, initializer

KERNEL_INIT = initializer("glorot_uniform")
SHORTEST = 16
"""Signals are shortened while they are longer than this."""


class Generator(nn.Module):
    """``(latents, label) -> signals``: a dense layer, then transposed convolutions.

    Attributes:
      lengths: of the feature maps, shortest first; the last is the signal's.
      widths: channels at each length but the last.
      shape: of one signal, ``[t]`` or ``[t, channels]``.
      kernel: length of the convolutions.
      stride: of the convolutions.
      output: activation of the last layer.
      settings: those that all networks share.
    """

    lengths: tuple[int, ...]
    widths: tuple[int, ...]
    shape: tuple[int, ...]
    kernel: int
    stride: int
    output: str
    settings: CommonSettings

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings = self.settings
        code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        project = Dense(
            self.lengths[0] * self.widths[0], KERNEL_INIT, dtype=settings.dtype, name="project"
        )
        x = project(append_code(latents, code)).reshape(-1, self.lengths[0], 1, self.widths[0])
        channels = self.shape[1] if len(self.shape) == 2 else 1
        for index, length in enumerate(self.lengths[1:]):
            x = jax.nn.relu(Norm(settings.norm, dtype=settings.dtype, name=f"norm_{index}")(x))
            up = TransposedConv(
                (*self.widths[1:], channels)[index],
                KERNEL_INIT,
                dtype=settings.dtype,
                size=(self.kernel, 1),
                stride=self.stride,
                output_size=(length, 1),
                name=f"up_{index}",
            )
            x = up(append_code(x, code))
        return nonlinearity(self.output)(x).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """``(signals, label, rng) -> (scores, label logits or None)``: strided convolutions.

    Attributes:
      widths: channels after each convolution.
      kernel: length of the convolutions.
      stride: of the convolutions.
      phase_shuffle: the largest shift of `shuffle_phase` after each convolution but the last.
      settings: those that all networks share.
    """

    widths: tuple[int, ...]
    kernel: int
    stride: int
    phase_shuffle: int
    settings: CommonSettings

    @nn.compact
    def __call__(
        self, samples: Array, label: Array | None = None, rng: Array | None = None
    ) -> tuple[Array, Array | None]:
        settings = self.settings
        code = None
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        x = samples.reshape(*samples.shape[:2], 1, -1)
        for index, width in enumerate(self.widths):
            down = Conv(
                width,
                KERNEL_INIT,
                weight=settings.weight,
                dtype=settings.dtype,
                size=(self.kernel, 1),
                stride=self.stride,
                name=f"down_{index}",
            )
            kind = settings.discriminator_layer_norm if index else "none"
            norm = Norm(kind, dtype=settings.dtype, name=f"norm_{index}")
            x = nonlinearity("leaky_relu")(norm(down(append_code(x, code))))
            if self.phase_shuffle and rng is not None and index + 1 < len(self.widths):
                keys = jax.vmap(lambda key, index=index: jax.random.fold_in(key, index))(rng)
                x = shuffle_phase(x, keys, self.phase_shuffle)
        head = Head(
            settings.conditioning,
            settings.classes,
            KERNEL_INIT,
            weight=settings.weight,
            name="head",
        )
        return head(append_code(x.reshape(len(x), -1), code), label)


def shuffle_phase(x: Array, rng: Array, n: int) -> Array:
    """Shifts each sample along its first axis by a random step from -n to n.

    What is missing at an end is filled by reflection about the last entry. The transposed
    convolutions of a generator leave artefacts of a fixed phase, by which a discriminator could
    tell its signals.

    Args:
      x: ``[batch, length, ...]``, with a length above n.
      rng: a key for each sample, ``[batch]``.
      n: the largest shift.

    References:
      Donahue, McAuley and Puckette, "Adversarial Audio Synthesis" (2019), section 3.3.
    """
    length = x.shape[1]

    def shift(sample: Array, key: Array) -> Array:
        index = jnp.abs(jnp.arange(length) - jax.random.randint(key, (), -n, n + 1))
        return sample[jnp.minimum(index, 2 * (length - 1) - index)]

    shifted: Array = jax.vmap(shift)(x, rng)
    return shifted


def wavegan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 100,
    latent: str = "uniform",
    width: int = 64,
    kernel: int = 25,
    stride: int = 4,
    depth: int | None = None,
    phase_shuffle: int = 2,
    output: str = "tanh",
    norm: str = "none",
    discriminator_norm: str = "none",
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns WaveGAN's networks for signals of any length, ``[t]`` or ``[t, channels]``.

    The generator lengthens a feature map by ``stride`` in each layer, and the discriminator
    shortens it again; lengths that it does not divide are rounded up on the way down. The paper
    trains them, on 16,384 samples of audio with five layers, by ``wasserstein + gradient_penalty``
    and Adam with learning rate 1e-4, b1 0.5, b2 0.9.

    The arguments ``latent_size``, ``latent``, ``norm``, ``discriminator_norm``, ``labels``,
    ``embedding_size`` and ``dtype`` are those of `settings.CommonSettings`; ``labels`` is
    "concatenation" by default if there are classes.

    Args:
      shape: of one signal, ``(t,)`` or ``(t, channels)``.
      classes: number of labels, 0 for none.
      width: channels of the generator's last hidden map, ``d`` in the paper; they double towards
        the shortest.
      kernel: length of the convolutions.
      stride: factor between the lengths of two layers.
      depth: how often signals are shortened; None: while they are longer than 16.
      phase_shuffle: the largest shift between the discriminator's layers, see `shuffle_phase`; 0
        for none. It is left out for features and classes.
      output: the generator's last activation, "tanh" for signals in [-1, 1].

    Raises:
      UserError: an unknown name, another shape, or a signal that cannot be shortened so often.

    References:
      Donahue, McAuley and Puckette, "Adversarial Audio Synthesis" (2019), tables 3 and 4.
    """
    if len(shape) not in (1, 2):
        raise UserError(f"wavegan makes signals [t] or [t, channels], not samples {tuple(shape)}")
    for name, number in {"width": width, "kernel": kernel, "stride": stride - 1}.items():
        if number < 1:
            raise UserError(f"{name} is at least {2 if name == 'stride' else 1}")
    nonlinearity(output)
    lengths = _lengths(shape[0], stride, depth)
    if not 0 <= phase_shuffle < max(lengths[0], 2):
        raise UserError(
            f"phase_shuffle is a shift from 0 to {lengths[0] - 1}, below the shortest length, "
            f"not {phase_shuffle}"
        )
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
    )
    layers = len(lengths) - 1
    widths = tuple(width * 2**index for index in range(layers))
    # The paper's generator starts with as many channels as the discriminator ends with.
    generator = Generator(lengths, widths[::-1], tuple(shape), kernel, stride, output, settings)
    discriminator = Discriminator(widths, kernel, stride, phase_shuffle, settings)
    return LinenPair(
        generator,
        discriminator,
        tuple(shape),
        settings,
        output=output,
        draws=phase_shuffle > 0 and layers > 1,
    ).networks()


def _lengths(length: int, stride: int, depth: int | None) -> tuple[int, ...]:
    """The lengths of the feature maps, shortest first."""
    lengths = [length]
    while lengths[0] > SHORTEST if depth is None else len(lengths) <= depth:
        if lengths[0] == 1:
            raise UserError(f"a signal of {length} cannot be shortened {depth} times by {stride}")
        lengths.insert(0, -(-lengths[0] // stride))
    if len(lengths) == 1:
        raise UserError(
            f"a signal of {length} is not longer than {SHORTEST}: give depth, or choose mlp"
        )
    return tuple(lengths)
