"""Deep convolutional networks: strided convolutions down, transposed ones up, no pooling."""

from typing import TypedDict, Unpack

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.attention import attend_at, check_attention
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import Norm, append_minibatch_features, nonlinearity
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Conv, Dense, TransposedConv, initializer

KERNEL_INIT = initializer("normal")  # N(0, 0.02^2)


class Generator(nn.Module):
    """``(latents, label) -> samples``: dense layers, then transposed convolutions.

    Attributes:
      sizes: heights and widths of the feature maps, smallest first; the last is the image's.
      widths: channels at each size.
      channels: of the image.
      final_conv: whether the last layer is a convolution at full size.
      hidden: units of a dense layer before the feature maps, 0 for none.
      kernel: size of the convolutions.
      affine: whether norms have a gain and an offset.
      activation: of the hidden layers.
      slope: of a leaky ReLU.
      output: activation of the last layer.
      attention: height of the map with self-attention, 0 for none.
      settings: those that all networks share.
    """

    sizes: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]
    channels: int
    final_conv: bool
    hidden: int
    kernel: int
    affine: bool
    activation: str
    slope: float
    output: str
    attention: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings = self.settings
        code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        x = append_code(latents, code)
        if self.hidden:
            x = append_code(self._activate(self._dense(self.hidden, "hidden")(x), "hidden"), code)
        height, width = self.sizes[0]
        project = self._dense(height * width * self.widths[0], "project")
        x = self._activate(project(x), "project")
        x = x.reshape(-1, height, width, self.widths[0])
        x = attend_at(self.attention, x, dtype=settings.dtype)
        last = len(self.sizes) - 1
        hidden_maps = range(1, last + 1) if self.final_conv else range(1, last)
        for index in hidden_maps:
            up = TransposedConv(
                self.widths[index],
                KERNEL_INIT,
                bias=settings.norm == "none",  # a norm has an offset
                dtype=settings.dtype,
                size=self.kernel,
                output_size=self.sizes[index],
                name=f"up_{index}",
            )
            x = self._activate(up(append_code(x, code)), str(index))
            x = attend_at(self.attention, x, dtype=settings.dtype)
        output: Conv | TransposedConv
        if self.final_conv:
            output = Conv(
                self.channels, KERNEL_INIT, dtype=settings.dtype, size=self.kernel, name="output"
            )
        else:
            output = TransposedConv(
                self.channels,
                KERNEL_INIT,
                dtype=settings.dtype,
                size=self.kernel,
                output_size=self.sizes[last],
                name="output",
            )
        return nonlinearity(self.output)(output(append_code(x, code)))

    def _dense(self, features: int, name: str) -> Dense:
        bias = self.settings.norm == "none"  # a norm has an offset
        return Dense(features, KERNEL_INIT, bias=bias, dtype=self.settings.dtype, name=name)

    def _activate(self, x: Array, name: str) -> Array:
        norm = Norm(self.settings.norm, self.affine, dtype=self.settings.dtype, name=f"norm_{name}")
        return nonlinearity(self.activation, self.slope)(norm(x))


class Discriminator(nn.Module):
    """``(samples, label) -> (scores, label logits or None)``: strided convolutions.

    Attributes:
      widths: channels after each halving.
      hidden: units of a dense layer after the feature maps, 0 for none.
      kernel: size of the convolutions.
      first_norm: whether the first layer is normalised.
      affine: whether norms have a gain and an offset.
      slope: of the leaky ReLU.
      attention: height of the map with self-attention, 0 for none.
      settings: those that all networks share.
    """

    widths: tuple[int, ...]
    hidden: int
    kernel: int
    first_norm: bool
    affine: bool
    slope: float
    attention: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        settings = self.settings
        code = None
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        x = samples
        for index, width in enumerate(self.widths):
            is_normalised = self.first_norm or index > 0
            norm = settings.discriminator_layer_norm if is_normalised else "none"
            down = Conv(
                width,
                KERNEL_INIT,
                bias=norm == "none",  # a norm has an offset
                weight=settings.weight,
                dtype=settings.dtype,
                size=self.kernel,
                stride=2,
                name=f"down_{index}",
            )
            x = self._activate(down(append_code(x, code)), norm, str(index))
            x = attend_at(self.attention, x, settings.weight, settings.dtype)
        x = append_code(x.reshape(len(x), -1), code)
        if self.hidden:
            norm = settings.discriminator_layer_norm
            dense = Dense(
                self.hidden,
                KERNEL_INIT,
                bias=norm == "none",
                weight=settings.weight,
                dtype=settings.dtype,
                name="hidden",
            )
            x = append_code(self._activate(dense(x), norm, "hidden"), code)
        x = append_minibatch_features(settings.minibatch, x)
        head = Head(
            settings.conditioning,
            settings.classes,
            KERNEL_INIT,
            weight=settings.weight,
            name="head",
        )
        return head(x, label)

    def _activate(self, x: Array, norm: str, name: str) -> Array:
        layer = Norm(norm, self.affine, dtype=self.settings.dtype, name=f"norm_{name}")
        return nonlinearity("leaky_relu", self.slope)(layer(x))


def halvings(shape: tuple[int, ...], depth: int | None) -> tuple[tuple[int, int], ...]:
    """Returns the sizes of the feature maps, smallest first; each is half of the next, rounded up.

    Args:
      shape: of one image, ``(height, width, channels)``.
      depth: how often the image is halved; None: while both sides are even and above 4.

    Returns:
      ``depth + 1`` pairs of height and width, the last of which is the image's.

    Raises:
      UserError: the shape is not that of an image, or too small for the depth.
    """
    if len(shape) != 3:
        raise UserError(
            "this network makes images [height, width, channels], "
            f"not samples of shape {tuple(shape)}"
        )
    height, width = shape[:2]
    sizes = [(height, width)]
    while _is_halved_again(sizes, depth):
        if min(sizes[0]) == 1:
            raise UserError(f"an image of {height}x{width} cannot be halved {depth} times")
        sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
    if len(sizes) == 1:
        raise UserError(
            f"an image of {height}x{width} cannot be halved: give depth, or resize the images"
        )
    return tuple(sizes)


def _is_halved_again(sizes: list[tuple[int, int]], depth: int | None) -> bool:
    if depth is not None:
        return len(sizes) <= depth
    return all(side % 2 == 0 and side > 4 for side in sizes[0])


class DcganSettings(TypedDict, total=False):
    """The keyword arguments of `dcgan`."""

    latent_size: int
    latent: str
    width: int
    discriminator_width: int | None
    max_width: int
    depth: int | None
    kernel: int
    hidden: int
    final_conv: bool
    norm: str
    discriminator_norm: str
    first_norm: bool
    affine: bool
    activation: str
    slope: float
    output: str
    attention: int
    minibatch: str
    labels: str | None
    embedding_size: int
    dtype: DTypeLike


def dcgan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 100,
    latent: str = "uniform",
    width: int = 128,
    discriminator_width: int | None = None,
    max_width: int = 1024,
    depth: int | None = None,
    kernel: int = 5,
    hidden: int = 0,
    final_conv: bool = False,
    norm: str = "batch",
    discriminator_norm: str = "batch",
    first_norm: bool = False,
    affine: bool = True,
    activation: str = "relu",
    slope: float = 0.2,
    output: str = "tanh",
    attention: int = 0,
    minibatch: str = "none",
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns DCGAN's networks for images of any size.

    Sizes are 28 (from 7x7), 32, 64, 128 (from 4x4) and others.

    The arguments ``latent_size``, ``latent``, ``norm``, ``discriminator_norm``, ``minibatch``,
    ``labels``, ``embedding_size`` and ``dtype`` are those of `settings.CommonSettings`. ``labels``
    is "concatenation" by default if there are classes; labels are then appended in every layer. The
    generator's last layer has no norm, and the discriminator's first layer only with
    ``first_norm``. Kernels are N(0, 0.02^2) at the start.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      width: channels of the generator's largest hidden feature map; each halving doubles them up to
        ``max_width``.
      discriminator_width: the same for the discriminator; None: ``width``.
      max_width: the most channels.
      depth: how often the image is halved (rounding up); None: while its sides are even and above
        4.
      kernel: size of the convolutions.
      hidden: units of a dense layer beyond the feature maps in both networks, 0 for none.
      final_conv: whether the generator ends in a convolution of stride 1 at full size rather than
        in a transposed one.
      first_norm: whether the discriminator's first layer is normalised.
      affine: whether norms have a gain and an offset.
      activation: of the generator, see `layers.ACTIVATIONS`; the discriminator's is leaky ReLU.
      slope: of the discriminator's leaky ReLU, and of the generator's if ``activation`` is
        "leaky_relu".
      output: the generator's last activation, "tanh" for images in [-1, 1].
      attention: the height of the feature maps, one in each network, after which there is
        self-attention (SAGAN, see `attention.SelfAttention`); 0 for none.

    Settings of other papers:

    - Conditional DCGAN for MNIST (Radford et al., released code): width 64, hidden 1024, affine
      False.
    - Unrolled GAN (Metz et al. 2017), stacked MNIST: width 8, depth 3, kernel 3, final_conv,
      first_norm, slope 0.3, latent_size 256, latent "normal", discriminator_width 2 or 4; CIFAR:
      width 64, discriminator_width 64.

    Raises:
      UserError: an unknown name, or a shape that is not an image's or cannot be halved so often.

    References:
      Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
      Adversarial Networks" (2016), section 3 and figure 1.
    """
    sizes = halvings(shape, depth)
    nonlinearity(activation)
    nonlinearity(output)
    hidden_heights = {height for height, _ in sizes[:-1]}
    full_height = {shape[0]} if final_conv else set()
    check_attention(attention, hidden_heights | full_height, hidden_heights)
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
    halved = len(sizes) - 1
    # The generator's largest hidden map has the image's size, or half of it without a final conv.
    largest_hidden = halved if final_conv else halved - 1
    generator_widths = [
        min(width * 2 ** max(largest_hidden - index, 0), max_width) for index in range(halved + 1)
    ]
    smallest_width = discriminator_width or width
    discriminator_widths = [min(smallest_width * 2**index, max_width) for index in range(halved)]
    generator = Generator(
        sizes=sizes,
        widths=tuple(generator_widths),
        channels=shape[2],
        final_conv=final_conv,
        hidden=hidden,
        kernel=kernel,
        affine=affine,
        activation=activation,
        slope=slope,
        output=output,
        attention=attention,
        settings=settings,
    )
    discriminator = Discriminator(
        widths=tuple(discriminator_widths),
        hidden=hidden,
        kernel=kernel,
        first_norm=first_norm,
        affine=affine,
        slope=slope,
        attention=attention,
        settings=settings,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings, output=output).networks()


def infogan(
    shape: tuple[int, ...], classes: int = 0, **settings: Unpack[DcganSettings]
) -> Networks:
    """Returns InfoGAN's networks: `dcgan` with a dense layer of 1024 in both and two halvings.

    Images in [0, 1] want output "sigmoid".

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      **settings: those of `dcgan`. Defaults that differ: latent_size 64, latent "uniform", width
        64, depth 2, kernel 4, hidden 1024, activation "leaky_relu".

    Raises:
      UserError: as `dcgan`.

    References:
      Chen et al., "InfoGAN" (2016), table 1, as used on (Fashion-)MNIST by Lucic et al., "Are GANs
      Created Equal?" (2018).
    """
    defaults: DcganSettings = {
        "latent_size": 64,
        "latent": "uniform",
        "width": 64,
        "depth": 2,
        "kernel": 4,
        "hidden": 1024,
        "activation": "leaky_relu",
    }
    merged: DcganSettings = {**defaults, **settings}
    return dcgan(shape, classes, **merged)
