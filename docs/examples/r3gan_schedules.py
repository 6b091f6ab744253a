"""R3GAN's recipe: a relativistic loss, R1 and R2, and five numbers that follow a schedule.

Learning rate, beta2, gamma and the half-life of the moving average go from one value to another by
half a cosine. Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024), and
the authors' code; configs/r3gan.py has the recipe for images.
"""

import jax
import optax

import gan_jax
from gan_jax import data, losses, metrics, penalties
from gan_jax.networks import mlp
from gan_jax.training.moving_averages import ema_half_life
from gan_jax.training.schedules import cosine


def main(steps: int = 1500) -> dict[str, float]:
    """Trains on a ring of 8 Gaussians and returns what the moving average has found of it."""

    def schedule(start: float, end: float):
        return cosine(start, end, steps)

    networks, ring, key = mlp((2,), latent_size=16), data.ring(std=0.1), jax.random.key(0)
    gamma = schedule(1.0, 0.1)
    terms = losses.relativistic() + penalties.r1(gamma) + penalties.r2(gamma)
    objective = gan_jax.adversarial(networks, terms)
    adam = optax.inject_hyperparams(optax.adam)(
        learning_rate=schedule(2e-3, 5e-4), b1=0.0, b2=schedule(0.9, 0.99)
    )
    average = ema_half_life(schedule(0.0, steps / 20))
    step = gan_jax.alternating(objective, adam, adam, ema_decay=average)
    batches = data.batches(ring, 0, 0, steps, discriminator_steps=1, batch_size=128)
    state = gan_jax.init_state(networks, adam, adam, key)
    state, _ = jax.jit(gan_jax.fused(step))(state, batches, key)
    samples = gan_jax.sampler(networks, state.generator_ema)(jax.random.key(1), 2500)
    coverage = metrics.mode_coverage(samples, ring.centres, ring.std)
    b2 = float(state.generator.opt_state.hyperparams["b2"])
    return {
        "modes": float(coverage.modes),
        "high quality": float(coverage.high_quality),
        "beta2": b2,
    }


if __name__ == "__main__":
    print(main())
