"""Networks that translate images: pix2pix for pairs, CycleGAN for two domains without pairs."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks.layers import BOUNDS, DISCRIMINATOR_NORMS, NORMS
from gan_jax.networks.linen_pair import apply_module, init_module
from gan_jax.networks.patch_discriminator import MultiScaleDiscriminator, PatchDiscriminator
from gan_jax.networks.resnet_translator import ResnetTranslator
from gan_jax.networks.settings import check_name
from gan_jax.networks.unet import UNet

GENERATORS = ("unet", "resnet")
# With BatchNorm a translated image would depend on its neighbours.
GENERATOR_NORMS = ("none", "layer", "instance")


def pix2pix(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    conditions: Mapping[str, tuple[int, ...]] | None = None,
    generator: str = "unet",
    width: int = 64,
    depth: int | None = None,
    blocks: int = 9,
    dropout: float = 0.5,
    norm: str = "instance",
    discriminator_width: int | None = None,
    layers: int = 3,
    scales: int = 1,
    discriminator_norm: str = "instance",
    conditional: bool = True,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns pix2pix's networks: a generator of images from images, and one of patches' scores.

    Both take the condition "input", an image of the samples' size, ``[batch, h, w, in]``. There are
    no latents: the noise is the U-Net's dropout, in training as in sampling. The paper's batches
    are of one image, in which its BatchNorm is "instance".

    Args:
      shape: shape of one sample, ``(height, width, channels)``.
      classes: not used.
      conditions: the shapes of what comes with each sample; "input" is needed. A config takes them
        from the dataset.
      generator: "unet" (`UNet`) or "resnet" (`ResnetTranslator`, which draws nothing).
      width: channels of the generator's first layer.
      depth: the U-Net's halvings; None: down to one pixel, but at most 8.
      blocks: of the resnet.
      dropout: the U-Net's rate.
      norm: the generator's, "none", "layer" or "instance".
      discriminator_width: channels of the discriminator's first layer; None: ``width``.
      layers: of the `PatchDiscriminator`; 3 see 70x70 pixels, 1 sees 16x16.
      scales: above 1, a `MultiScaleDiscriminator` of as many scales.
      discriminator_norm: one of `layers.DISCRIMINATOR_NORMS`.
      conditional: whether the discriminator sees the input too.
      dtype: of the computations in hidden layers.

    Raises:
      UserError: no "input", or of another size; an unknown name; images that are too small.

    References:
      Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017).
      Wang et al., pix2pixHD (2018), for ``scales``.
    """
    source = (conditions or {}).get("input")
    if source is None or len(shape) != 3 or len(source) != 3 or source[:2] != tuple(shape[:2]):
        raise UserError(
            "pix2pix translates images 'input' of the samples' size, and this dataset has samples "
            f"{tuple(shape)} with {_listed(conditions)}: choose one of pairs, such as paired_shapes"
        )
    check_name("generator", generator, GENERATORS)
    check_name("norm", norm, GENERATOR_NORMS)
    check_name("discriminator_norm", discriminator_norm, DISCRIMINATOR_NORMS)
    _check_rate(dropout)
    translator = _translator(generator, shape[2], width, depth, blocks, norm, True, dropout, dtype)
    discriminator = _discriminator(
        scales, discriminator_width or width, layers, discriminator_norm, True, dtype
    )

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        samples = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
        inputs = jax.ShapeDtypeStruct((2, *source), jnp.float32)
        generator_rng, discriminator_rng = jax.random.split(rng)
        seen = {"input": inputs} if conditional else {}
        return (
            init_module(translator, generator_rng, inputs),
            init_module(discriminator, discriminator_rng, samples, **seen),
        )

    def generate(
        params: Params, latents: None, /, input: Array, rng: Array | None = None, **_: Array
    ) -> Array:
        return _translate(translator, params, input, rng)

    def seen_with(input: Array) -> dict[str, Array]:
        return {"input": input} if conditional else {}

    def score(params: Params, samples: Array, /, input: Array, **_: Array) -> Any:
        return apply_module(discriminator, params, samples, seen_with(input))

    def features(params: Params, samples: Array, /, input: Array, **_: Array) -> Any:
        return _features(discriminator, params, samples, seen_with(input))

    return Networks(
        init=jax.jit(init),
        latent=None,
        generate=generate,
        score=score,
        features=features,
        independent_scores=discriminator_norm != "batch",
        random=("generate",) if generator == "unet" and dropout else (),
        bounds=BOUNDS["tanh"],
    )


def cyclegan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    generator: str = "resnet",
    width: int = 64,
    depth: int | None = None,
    blocks: int = 9,
    dropout: float = 0.0,
    norm: str = "instance",
    discriminator_width: int | None = None,
    layers: int = 3,
    discriminator_norm: str = "instance",
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns CycleGAN's networks: two generators and two discriminators of patches.

    A sample is a pair of images, ``[2, height, width, channels]``: one of domain A, one of domain
    B. The generators ``G: A -> B`` and ``F: B -> A`` map the condition "input", such a pair
    ``(a, b)``, to ``(F(b), G(a))``, and the scores are ``{"a": D_A(...), "b": D_B(...)}``, so that
    each term is summed over both. See `reconstruction.cycle_consistency`.

    Args:
      shape: shape of one sample, ``(2, height, width, channels)``.
      classes: not used.
      generator, width, depth, blocks, dropout, norm: as in `pix2pix`.
      discriminator_width, layers: as in `pix2pix`.
      discriminator_norm: one of `layers.NORMS`.
      dtype: of the computations in hidden layers.

    Raises:
      UserError: samples that are not pairs of images; an unknown name; images that are too small.

    References:
      Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
      (2017), section 3 and appendix 7.2: instance norm without gain and offset.
    """
    if len(shape) != 4 or shape[0] != 2:
        raise UserError(
            "cyclegan takes pairs of images, (2, height, width, channels), not samples of shape "
            f"{tuple(shape)}: choose a dataset of two domains, such as unpaired_shapes"
        )
    check_name("generator", generator, GENERATORS)
    check_name("norm", norm, GENERATOR_NORMS)
    check_name("discriminator_norm", discriminator_norm, NORMS)
    _check_rate(dropout)
    translator = _translator(generator, shape[3], width, depth, blocks, norm, False, dropout, dtype)
    discriminator = _discriminator(
        1, discriminator_width or width, layers, discriminator_norm, False, dtype
    )

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        images = jax.ShapeDtypeStruct((2, *shape[1:]), jnp.float32)
        keys = jax.random.split(rng, 4)
        return (
            {
                "a_to_b": init_module(translator, keys[0], images),
                "b_to_a": init_module(translator, keys[1], images),
            },
            {
                "a": init_module(discriminator, keys[2], images),
                "b": init_module(discriminator, keys[3], images),
            },
        )

    def generate(
        params: Params, latents: None, /, input: Array, rng: Array | None = None, **_: Array
    ) -> Array:
        a, b = input[:, 0], input[:, 1]
        to_a = _translate(translator, params["b_to_a"], b, rng)
        return jnp.stack([to_a, _translate(translator, params["a_to_b"], a, rng)], 1)

    def score(params: Params, samples: Array, /, **_: Array) -> dict[str, Array]:
        return {
            domain: apply_module(discriminator, params[domain], samples[:, index], {})
            for index, domain in enumerate(("a", "b"))
        }

    def features(params: Params, samples: Array, /, **_: Array) -> dict[str, Any]:
        return {
            domain: _features(discriminator, params[domain], samples[:, index], {})
            for index, domain in enumerate(("a", "b"))
        }

    return Networks(
        init=jax.jit(init),
        latent=None,
        generate=generate,
        score=score,
        features=features,
        independent_scores=discriminator_norm != "batch",
        random=("generate",) if generator == "unet" and dropout else (),
        bounds=BOUNDS["tanh"],
    )


def _translator(
    generator: str,
    channels: int,
    width: int,
    depth: int | None,
    blocks: int,
    norm: str,
    affine: bool,
    dropout: float,
    dtype: DTypeLike,
) -> nn.Module:
    if generator == "resnet":
        return ResnetTranslator(channels, width, blocks, norm=norm, affine=affine, dtype=dtype)
    return UNet(channels, width, depth, norm, affine, dropout, dtype=dtype)


def _discriminator(
    scales: int, width: int, layers: int, norm: str, affine: bool, dtype: DTypeLike
) -> nn.Module:
    if scales < 1 or layers < 0:
        raise UserError(f"scales is 1 or more and layers 0 or more, not {scales} and {layers}")
    if scales == 1:
        return PatchDiscriminator(width, layers, norm, affine, dtype)
    return MultiScaleDiscriminator(scales, width, layers, norm, affine, dtype)


def _translate(module: nn.Module, params: Params, image: Array, rng: Array | None) -> Array:
    samples: Array = apply_module(module, params, image, {"rng": rng})
    return samples.astype(jnp.promote_types(samples.dtype, jnp.float32))


def _features(
    module: nn.Module, params: Params, samples: Array, conditions: dict[str, Array]
) -> Any:
    _, variables = apply_module(module, params, samples, conditions, "features")
    return variables["features"]


def _check_rate(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is from 0 to below 1, not {dropout}")


def _listed(conditions: Mapping[str, tuple[int, ...]] | None) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in (conditions or {}).items()) or "no input"
