"""Two discriminators of patches, the second of which sees images of half the resolution.

Their scores are a dict, over which each term is summed; `on_scores` restricts a term to one of
them. Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs"
(pix2pixHD, 2018), section 3.2.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import data, losses, networks, penalties
from gan_jax.objectives.timing import on_scores

BATCH = 8


def main(steps: int = 50) -> dict[str, float]:
    shapes = data.Dataset.from_arrays(data.paired_shapes("test", resolution=16).arrays["real"])
    generator = networks.dcgan(shapes.shape, latent_size=16, width=8)
    scales = networks.MultiScaleDiscriminator(scales=2, width=8, layers=1, norm="instance")

    def init(rng):
        samples = jnp.zeros((1, *shapes.shape))
        return generator.init(rng)[0], scales.init(jax.random.fold_in(rng, 1), samples)

    nets = generator._replace(init=init, score=scales.apply, features=None)
    terms = losses.hinge() + on_scores("scale_1", penalties.r1(gamma=1e-3))
    objective = gan_jax.adversarial(nets, terms)

    adam = optax.adam(2e-4, b1=0.5)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam), data.decode))
    key = jax.random.key(0)
    state = gan_jax.init_state(nets, adam, adam, key)
    state, metrics = train(state, data.batches(shapes, 0, 0, steps, 1, BATCH), key)
    scores = nets.score(state.discriminator.params, jnp.zeros((1, *shapes.shape)))
    sizes = {f"scores of {name}": leaf.size for name, leaf in scores.items()}
    return sizes | {
        "hinge": float(metrics["discriminator/hinge"][-1]),
        "r1 of scale_1": float(metrics["discriminator/r1_scale_1"][-1]),
    }


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value:.3f}")
