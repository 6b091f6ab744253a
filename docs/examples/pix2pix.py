"""pix2pix on outlines of shapes: a loss on patches, and the distance from each target.

Both networks are given the outline, the batch's "input". There are no latents: the noise is the
U-Net's dropout. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks"
(2017).
"""

import jax
import optax

import gan_jax
from gan_jax import data, losses, networks, reconstruction

BATCH = 8


def main(steps: int = 200) -> dict[str, float]:
    pairs = data.paired_shapes(split="test", resolution=16)
    nets = networks.pix2pix(pairs.shape, conditions=pairs.conditions, width=8, depth=3, layers=1)
    terms = losses.non_saturating() + reconstruction.reconstruction(weight=100.0, norm="l1")
    objective = gan_jax.adversarial(nets, terms)

    adam = optax.adam(2e-4, b1=0.5)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam), data.decode))
    key = jax.random.key(0)
    state = gan_jax.init_state(nets, adam, adam, key)
    state, metrics = train(state, data.batches(pairs, 0, 0, steps, 1, BATCH), key)
    return {
        "l1 at the first step": float(metrics["generator/reconstruction"][0]) / 100,
        "l1 at the last step": float(metrics["generator/reconstruction"][-1]) / 100,
        "discriminator": float(metrics["discriminator/non_saturating"][-1]),
    }


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value:.3f}")
