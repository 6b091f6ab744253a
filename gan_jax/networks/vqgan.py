"""VQGAN: an autoencoder trained against a patch discriminator."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks.autoencoder import BOTTLENECKS, Autoencoder, Bottleneck, Decoder, Encoder
from gan_jax.networks.bottlenecks import check_levels
from gan_jax.networks.initializers import init_from_one_draw
from gan_jax.networks.layers import NORMS
from gan_jax.networks.patch_discriminator import PatchDiscriminator
from gan_jax.networks.settings import check_name


def vqgan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    bottleneck: str = "vq",
    widths: tuple[int, ...] = (64, 128, 128),
    blocks: int = 1,
    codes: int = 512,
    code_size: int = 32,
    levels: tuple[int, ...] = (8, 8, 8),
    discriminator_width: int = 64,
    discriminator_layers: int = 2,
    discriminator_norm: str = "batch",
    dtype: DTypeLike = jnp.float32,
    rematerialise: bool = False,
) -> Networks:
    """Returns VQGAN's networks: a convolutional autoencoder and a patch discriminator.

    The generator takes no latents: it is given the real images, encodes them into a map of codes,
    each side ``2 ** (len(widths) - 1)`` times smaller, and decodes them again. It reports what its
    bottleneck computes (`Networks.outputs`), for the terms of these names:

    - "vq", vector quantisation: ``codebook`` and ``commitment``, and the ``codes``;
    - "fsq", finite scalar quantisation: no losses, and the ``codes``;
    - "kl", a diagonal Gaussian as in latent diffusion: ``kl``.

    The usual objective is ``reconstruction + perceptual + codebook + commitment`` with ``hinge``
    from a step on (`after`), under `gan_jax.objectives.weighting.adaptive_weight` at the layer
    ``params/decoder/output/kernel``. Unlike the paper's, the networks have no attention. Labels
    condition nothing.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, which are not used.
      bottleneck: "vq", "fsq" or "kl".
      widths: channels at each size, largest size first.
      blocks: residual blocks at each size; 2 in the paper.
      codes: entries of the codebook of "vq"; 1024 and 16384 in the paper.
      code_size: channels of the codes of "vq" and of the Gaussian of "kl"; 256 in the paper.
      levels: of each channel of "fsq", whose codebook has as many codes as their product.
      discriminator_width: channels of the discriminator's first layer.
      discriminator_layers: how often it halves the image, see `PatchDiscriminator`.
      discriminator_norm: its normalisation: "batch" in the authors' code.
      dtype: of the computations in hidden layers, "float32" or "bfloat16".
      rematerialise: whether the backward pass computes the inside of the autoencoder's blocks again
        from their inputs, which alone are kept: less memory for a third more work. On CPUs XLA
        undoes it.

    Raises:
      UserError: an unknown name, numbers out of bounds, or images that cannot be halved so often.

    References:
      Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), table 7.
    """
    check_name("bottleneck", bottleneck, BOTTLENECKS)
    check_name("discriminator_norm", discriminator_norm, NORMS)
    check_levels(levels)
    _check_numbers(
        blocks=blocks,
        codes=codes,
        code_size=code_size,
        discriminator_width=discriminator_width,
        discriminator_layers=discriminator_layers,
    )
    if not widths or not all(isinstance(width, int) and width >= 1 for width in widths):
        raise UserError(f"widths are whole numbers of at least 1, not {widths!r}")
    factor = 2 ** (len(widths) - 1)
    if len(shape) != 3 or any(side % factor for side in shape[:2]):
        raise UserError(
            f"vqgan with {len(widths)} widths takes images whose sides are multiples of {factor}, "
            f"not samples {tuple(shape)}"
        )
    channels = {"vq": code_size, "fsq": len(levels), "kl": 2 * code_size}[bottleneck]
    generator = Autoencoder(
        Encoder(widths, blocks, channels, dtype, rematerialise),
        Bottleneck(bottleneck, codes, levels),
        Decoder(widths[::-1], blocks, shape[2], dtype, rematerialise),
    )
    discriminator = PatchDiscriminator(
        discriminator_width, discriminator_layers, discriminator_norm, dtype=dtype
    )

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator_rng, discriminator_rng = jax.random.split(rng)
        images, keys = jnp.zeros((1, *shape)), jax.random.split(rng, 1)

        def init_of(module: nn.Module, rng: PRNGKey, *inputs: Any) -> Params:
            # Without "statistics", which BatchNorm would keep and use.
            variables: Params = init_from_one_draw(
                lambda key: module.init(key, *inputs, mutable=("params",)), rng
            )
            return variables

        return (
            init_of(generator, generator_rng, images, keys),
            init_of(discriminator, discriminator_rng, images),
        )

    def outputs(
        params: Params,
        latents: None,
        /,
        *,
        real: Array,
        rng: PRNGKey | None = None,
        **conditions: Any,
    ) -> tuple[Array, dict[str, Array]]:
        made: Any = generator.apply(params, real, rng)
        images, computed = made
        return images, computed

    def score(params: Params, samples: Array, /, **conditions: Any) -> Array:
        applied: Any = discriminator.apply(params, samples)
        scores: Array = applied
        return scores

    return Networks(
        init=jax.jit(init),
        latent=None,
        generate=lambda *args, **conditions: outputs(*args, **conditions)[0],
        score=score,
        independent_scores=discriminator_norm != "batch",
        random=("generate", "outputs") if bottleneck == "kl" else (),
        outputs=outputs,
        autoencoder=True,
    )


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"{name} is at least 1, not {number}")
