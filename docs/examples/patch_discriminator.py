"""A discriminator of patches in place of another: one score for each square of 16x16 pixels.

Any loss takes the map of scores, over which it is averaged. Isola et al., "Image-to-Image
Translation with Conditional Adversarial Networks" (2017), section 3.2.2, whose patches of 70x70 are
those of layers=3.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import data, losses, networks

BATCH = 8


def main(steps: int = 100) -> dict[str, float]:
    shapes = data.Dataset.from_arrays(data.paired_shapes("test", resolution=16).arrays["real"])
    generator = networks.dcgan(shapes.shape, latent_size=16, width=8)
    patches = networks.PatchDiscriminator(width=8, layers=1, norm="instance")

    def init(rng):
        samples = jnp.zeros((1, *shapes.shape))
        return generator.init(rng)[0], patches.init(jax.random.fold_in(rng, 1), samples)

    nets = generator._replace(init=init, score=patches.apply, features=None)
    objective = gan_jax.adversarial(nets, losses.hinge())

    adam = optax.adam(2e-4, b1=0.5)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam), data.decode))
    key = jax.random.key(0)
    state = gan_jax.init_state(nets, adam, adam, key)
    state, metrics = train(state, data.batches(shapes, 0, 0, steps, 1, BATCH), key)
    scores = nets.score(state.discriminator.params, jnp.zeros((1, *shapes.shape)))
    return {"scores per image": scores.size, "hinge": float(metrics["discriminator/hinge"][-1])}


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value:.3f}")
