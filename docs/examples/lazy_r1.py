"""Lazy regularisation: a penalty at every 16th step, 16 times as strong.

R1 needs the gradient of a gradient. Computed at every 16th step it costs a sixteenth and has nearly
the same effect; Adam's numbers are adjusted for it. Karras et al., "Analyzing and Improving the
Image Quality of StyleGAN" (2020), section 3.1 and appendix B.
"""

import jax
import optax

import gan_jax
from gan_jax import data, losses, penalties
from gan_jax.networks import mlp
from gan_jax.training.optimizers import lazy_adam


def main(steps: int = 800) -> dict[str, float]:
    """Trains on a ring of Gaussians and returns the last losses."""
    networks = mlp((2,), latent_size=16)
    terms = losses.non_saturating() + gan_jax.every(16, penalties.r1(gamma=1.0))
    objective = gan_jax.adversarial(networks, terms)
    generator = optax.adam(1e-3, b1=0.0, b2=0.99)
    discriminator = lazy_adam(1e-3, every=16)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, generator, discriminator)))
    key = jax.random.key(0)
    state = gan_jax.init_state(networks, generator, discriminator, key, objective)
    batches = data.batches(data.ring(), 0, 0, steps, discriminator_steps=1, batch_size=128)
    _, metrics = train(state, batches, key)
    names = ("discriminator/non_saturating", "generator/non_saturating")
    return {name: float(metrics[name][-1]) for name in names} | {
        "steps at which R1 acted": float((metrics["discriminator/r1"] != 0).sum())
    }


if __name__ == "__main__":
    print(main())
