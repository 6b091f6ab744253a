"""Deep convolutional networks: strided convolutions down, transposed ones up, no pooling."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.adapters import assemble
from gan_jax.networks.label_conditioning import Code, Head, beside, way
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.layers import (
    DISCRIMINATOR_NORMS,
    Norm,
    check_minibatch,
    check_norm,
    compare_batch,
    nonlinearity,
)
from gan_jax.networks.variants import variant_of
from gan_jax.networks.weights import Conv, Dense, TransposedConv, initializer


class Generator(nn.Module):
    sizes: tuple[tuple[int, int], ...]  # of the feature maps, the smallest first
    widths: tuple[int, ...]  # channels at each size
    channels: int  # of the image
    final_conv: bool
    hidden: int
    kernel: int
    norm: str
    affine: bool
    activation: str
    slope: float
    output: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        code = Code(*self.code, name="label")(label)
        settings: dict[str, Any] = {"kernel_init": initializer("normal"), "dtype": self.dtype}
        bias = self.norm == "none"  # a norm's offset does a bias' work

        def finish(x: Array, name: str) -> Array:
            x = Norm(self.norm, self.affine, dtype=self.dtype, name=f"norm_{name}")(x)
            return nonlinearity(self.activation, self.slope)(x)

        x = beside(latents, code)
        if self.hidden:
            x = beside(
                finish(Dense(self.hidden, bias=bias, **settings, name="hidden")(x), "hidden"), code
            )
        height, width = self.sizes[0]
        x = finish(
            Dense(height * width * self.widths[0], bias=bias, **settings, name="project")(x),
            "project",
        )
        x = x.reshape(-1, height, width, self.widths[0])
        last = len(self.sizes) - 1
        for index in range(1, last + (1 if self.final_conv else 0)):
            up = TransposedConv(
                self.widths[index],
                size=self.kernel,
                to=self.sizes[index],
                bias=bias,
                **settings,
                name=f"up_{index}",
            )
            x = finish(up(beside(x, code)), str(index))
        if self.final_conv:
            x = Conv(self.channels, size=self.kernel, **settings, name="output")(beside(x, code))
        else:
            to = self.sizes[last]
            x = TransposedConv(self.channels, size=self.kernel, to=to, **settings, name="output")(
                beside(x, code)
            )
        return nonlinearity(self.output)(x)


class Discriminator(nn.Module):
    widths: tuple[int, ...]  # channels after each halving
    hidden: int
    kernel: int
    norm: str
    first_norm: bool
    affine: bool
    activation: str
    slope: float
    minibatch: str
    labels: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        code = Code(*self.code, name="label")(label) if self.labels == "concatenation" else None
        weight, norm = ("spectral", "none") if self.norm == "spectral" else ("plain", self.norm)
        settings: dict[str, Any] = {"kernel_init": initializer("normal"), "weight": weight}

        def finish(x: Array, name: str, normed: bool = True) -> Array:
            x = Norm(
                norm if normed else "none", self.affine, dtype=self.dtype, name=f"norm_{name}"
            )(x)
            return nonlinearity(self.activation, self.slope)(x)

        x = samples
        for index, width in enumerate(self.widths):
            normed = self.first_norm or index > 0
            bias = norm == "none" or not normed
            down = Conv(
                width,
                size=self.kernel,
                stride=2,
                bias=bias,
                dtype=self.dtype,
                **settings,
                name=f"down_{index}",
            )
            x = finish(down(beside(x, code)), str(index), normed)
        x = beside(x.reshape(len(x), -1), code)
        if self.hidden:
            dense = Dense(
                self.hidden, bias=norm == "none", dtype=self.dtype, **settings, name="hidden"
            )
            x = beside(finish(dense(x), "hidden"), code)
        x = compare_batch(self.minibatch, x)
        return Head(self.labels, self.code[0], **settings, name="head")(x, label)


def halvings(shape: tuple[int, ...], depth: int | None) -> tuple[tuple[int, int], ...]:
    """The sizes of the feature maps from smallest to largest, each half of the next, rounded up.

    ``depth`` None: halve while both sides are even and above 4. Raises UserError where the shape is no image, or too
    small for the depth.
    """
    if len(shape) != 3:
        raise UserError(
            f"this network makes images [height, width, channels], not samples of shape {tuple(shape)}"
        )
    sizes = [(shape[0], shape[1])]
    while len(sizes) <= depth if depth is not None else all(n % 2 == 0 and n > 4 for n in sizes[0]):
        if min(sizes[0]) == 1:
            raise UserError(f"an image of {shape[0]}x{shape[1]} cannot be halved {depth} times")
        sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
    if len(sizes) == 1:
        raise UserError(
            f"an image of {shape[0]}x{shape[1]} cannot be halved: give depth, or resize the images"
        )
    return tuple(sizes)


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
    minibatch: str = "none",
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: Any = jnp.float32,
) -> Networks:
    """DCGAN's networks for images of any size: 28 (from 7x7), 32, 64, 128 (from 4x4) and others.

    Args:
      shape: of one image, ``(height, width, channels)``.
      classes: how many labels there are, 0 for none.
      latent_size, latent: the latents' size and distribution, see ``latents.sampler``.
      width: channels of the generator's largest hidden feature map; each halving doubles them up to ``max_width``.
      discriminator_width: the same for the discriminator; None: ``width``.
      depth: how often the image is halved (rounding up); None: while its sides are even and above 4.
      kernel: the convolutions' size.
      hidden: units of a fully connected layer beyond the feature maps in both networks, 0 for none.
      final_conv: the generator ends in a convolution of stride 1 at full size rather than in a transposed one.
      norm: the generator's, "none", "batch", "layer" or "instance"; not on its output.
      discriminator_norm: these, or "spectral"; not on its first layer unless ``first_norm``.
      affine: whether norms have a gain and an offset.
      activation: the generator's; the discriminator's is leaky ReLU with ``slope``, as is the generator's "leaky_relu".
      output: the generator's last activation, "tanh" for images in [-1, 1].
      minibatch: what tells the discriminator how samples differ, "none", "std" (ProGAN's) or "discrimination" (Salimans
        et al. 2016); it looks at the batch that is scored.
      labels: what becomes of labels, see ``labels.way``; None: "concatenation", in every layer, where there are classes.
      embedding_size: labels enter as learned embeddings of this size, or one-hot where it is 0.
      dtype: of the work in the hidden layers, "float32" or "bfloat16"; parameters, statistics and scores are float32.

    Kernels are N(0, 0.02^2) at first.

    Other papers' settings: the conditional one for MNIST (Radford et al., released code): width 64, hidden 1024, affine
    False. Unrolled GAN, stacked MNIST (Metz et al. 2017): width 8, depth 3, kernel 3, final_conv, first_norm, slope 0.3,
    latent_size 256, latent "normal", discriminator_width 2 or 4; CIFAR: width 64, discriminator_width 64.

    Raises UserError for names that are not known and for shapes that are no image or cannot be halved so often.
    Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks" (2016), section 3 and figure 1.
    """
    sizes = halvings(shape, depth)
    sample = latent_distribution(latent, latent_size)
    nonlinearity(activation)
    nonlinearity(output)
    check_norm(norm)
    check_norm(discriminator_norm, DISCRIMINATOR_NORMS)
    check_minibatch(minibatch)
    labels = way(labels, classes, "concatenation")
    code = (classes if labels != "none" else 0, embedding_size)
    steps, own = len(sizes) - 1, discriminator_width or width
    offset = 0 if final_conv else 1
    shared: dict[str, Any] = {
        "hidden": hidden,
        "kernel": kernel,
        "affine": affine,
        "slope": slope,
        "code": code,
    }
    shared["dtype"] = jnp.dtype(dtype)
    generator = Generator(
        sizes,
        tuple(
            min(width * 2 ** max(steps - index - offset, 0), max_width)
            for index in range(steps + 1)
        ),
        shape[2],
        final_conv,
        norm=norm,
        activation=activation,
        output=output,
        **shared,
    )
    discriminator = Discriminator(
        tuple(min(own * 2**index, max_width) for index in range(steps)),
        norm=discriminator_norm,
        first_norm=first_norm,
        activation="leaky_relu",
        minibatch=minibatch,
        labels=labels,
        **shared,
    )
    independent_scores = discriminator_norm != "batch" and minibatch == "none"
    return assemble(
        generator,
        discriminator,
        tuple(shape),
        sample,
        labels,
        standing=norm == "batch",
        independent_scores=independent_scores,
    )


@variant_of(dcgan)
def infogan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 64,
    latent: str = "uniform",
    width: int = 64,
    depth: int = 2,
    kernel: int = 4,
    hidden: int = 1024,
    activation: str = "leaky_relu",
    **settings: Any,
) -> Networks:
    """InfoGAN's networks: :func:`dcgan` with a fully connected layer of 1024 in both and two halvings by 4x4 kernels.

    Arguments, result and errors are those of :func:`dcgan`; only the defaults differ. Images in [0, 1] want output
    "sigmoid". Source: Chen et al., "InfoGAN" (2016), table 1, as used on (Fashion-)MNIST by Lucic et al., "Are GANs
    Created Equal?" (2018).
    """
    defaults: dict[str, Any] = {
        "latent_size": latent_size,
        "latent": latent,
        "width": width,
        "depth": depth,
        "kernel": kernel,
    }
    return dcgan(shape, classes, **defaults, hidden=hidden, activation=activation, **settings)
