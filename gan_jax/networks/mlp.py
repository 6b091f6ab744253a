"""Fully connected networks: for points in the plane, and the first GAN's for images."""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.adapters import assemble
from gan_jax.networks.initializers import Initializer
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
from gan_jax.networks.weights import Dense, Maxout, initializer

DEFAULT_GAINS = {"orthogonal": 0.8, "normal": 0.02}


class Hidden(nn.Module):
    """The hidden layers: dense (or maxout), normalisation, activation; ``weight`` is that of weights.py."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    kernel_init: Initializer
    norm: str
    weight: str
    pieces: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for index, (width, name) in enumerate(zip(self.widths, self.activations, strict=True)):
            if self.pieces:
                x = Maxout(
                    width, self.pieces, self.kernel_init, self.dtype, name=f"maxout_{index}"
                )(x)
                continue
            x = Dense(
                width, self.kernel_init, weight=self.weight, dtype=self.dtype, name=f"dense_{index}"
            )(x)
            x = Norm(self.norm, dtype=self.dtype, name=f"norm_{index}")(x)
            x = nonlinearity(name)(x)
        return x


class Generator(nn.Module):
    hidden: dict[str, Any]
    shape: tuple[int, ...]
    output: str
    code: tuple[int, int]

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        x = beside(latents, Code(*self.code, name="label")(label))
        x = Hidden(**self.hidden, name="hidden")(x)
        size, dtype = math.prod(self.shape), self.hidden["dtype"]
        x = Dense(size, self.hidden["kernel_init"], dtype=dtype, name="output")(x)
        return nonlinearity(self.output)(x).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    hidden: dict[str, Any]
    scale: float
    minibatch: str
    labels: str
    code: tuple[int, int]

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        x = self.scale * samples.reshape(len(samples), -1)
        if self.labels == "concatenation":
            x = beside(x, Code(*self.code, name="label")(label))
        x = Hidden(**self.hidden, name="hidden")(x)
        x = compare_batch(self.minibatch, x)
        head = Head(
            self.labels,
            self.code[0],
            self.hidden["kernel_init"],
            weight=self.hidden["weight"],
            name="head",
        )
        return head(x, label)


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
    dtype: Any = jnp.float32,
) -> Networks:
    """Fully connected networks; the defaults are those of the ring of Gaussians in the unrolled GAN paper.

    Args:
      shape: of one sample; images are flattened.
      classes: how many labels there are, 0 for none.
      latent_size, latent: the latents' size and distribution, see ``latents.sampler``.
      generator_widths, discriminator_widths: of the hidden layers, none where empty.
      activation: of the hidden layers, one name or one for each layer of both networks.
      output: of the generator's last layer; None: "linear" for vectors, "tanh" for images.
      init, gain: of all kernels, see ``weights.initializer``; gain None: 0.8 for "orthogonal", 0.02 for "normal", else 1.
      norm: the generator's, "none", "batch", "layer" or "instance".
      discriminator_norm: these, or "spectral".
      pieces: with it the discriminator's hidden layers are maxout over so many pieces, without norm or activation.
      input_scale: the discriminator sees ``input_scale * samples``.
      minibatch: what tells the discriminator how samples differ, "none", "std" (ProGAN's) or "discrimination" (Salimans
        et al. 2016); it looks at the batch that is scored.
      labels: what becomes of labels, see ``labels.way``; None: "concatenation" where there are classes.
      embedding_size: labels enter as learned embeddings of this size, or one-hot where it is 0.
      dtype: of the work in the hidden layers, "float32" or "bfloat16"; parameters, statistics and scores are float32.

    Other papers' settings: Gulrajani et al. (2017), toys: widths (512,) * 3 in both, latent_size 2, init "he_uniform",
    input_scale 1. PacGAN (2018), section 4.1: generator (400,) * 4, discriminator (200,) * 3, norm "batch", pieces 5,
    latent_size 2, init "normal", input_scale 1. Goodfellow et al. (2014), MNIST: generator (1200, 1200), discriminator
    (240, 240), pieces 5, latent_size 100, latent "standard_uniform" (theirs has dropout besides).

    Raises UserError for names that are not known.
    Source: Metz et al., "Unrolled Generative Adversarial Networks" (2017), appendix A.
    """
    sampler_ = latent_distribution(latent, latent_size)
    check_norm(norm)
    check_norm(discriminator_norm, DISCRIMINATOR_NORMS)
    check_minibatch(minibatch)
    labels = way(labels, classes, "concatenation")
    weight = "spectral" if discriminator_norm == "spectral" else "plain"
    settings: dict[str, Any] = {
        "kernel_init": initializer(init, DEFAULT_GAINS.get(init) if gain is None else gain),
        "dtype": jnp.dtype(dtype),
    }
    code = (classes if labels != "none" else 0, embedding_size)

    def hidden(widths: tuple[int, ...], norm: str, weight: str, pieces: int) -> dict[str, Any]:
        names = (activation,) * len(widths) if isinstance(activation, str) else tuple(activation)
        if len(names) != len(widths):
            raise UserError(
                f"activation names {len(names)} layers, but the widths {tuple(widths)} are {len(widths)}"
            )
        for name in names:
            nonlinearity(name)
        norm = "none" if norm == "spectral" else norm
        layers: dict[str, Any] = {
            "widths": tuple(widths),
            "activations": names,
            "norm": norm,
            "weight": weight,
            "pieces": pieces,
        }
        return settings | layers

    nonlinearity(output or "linear")
    output = output or ("linear" if len(shape) == 1 else "tanh")
    return assemble(
        Generator(hidden(generator_widths, norm, "plain", 0), tuple(shape), output, code),
        Discriminator(
            hidden(discriminator_widths, discriminator_norm, weight, pieces),
            input_scale,
            minibatch,
            labels,
            code,
        ),
        tuple(shape),
        sampler_,
        labels,
        standing=norm == "batch",
        independent_scores=discriminator_norm != "batch" and minibatch == "none",
    )
