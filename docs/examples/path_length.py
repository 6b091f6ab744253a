"""Path length regularisation: steps of a latent move samples by the same length everywhere.

The penalty acts on the generator, at every 4th step, and remembers the mean length. Karras et al.,
"Analyzing and Improving the Image Quality of StyleGAN" (2020), section 3.2.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import data, losses, regularisers
from gan_jax.networks import mlp


def main(steps: int = 600) -> dict[str, float]:
    """Trains on a ring and returns how much path lengths scatter, without and with the penalty."""
    networks, adam, key = mlp((2,), latent_size=4), optax.adam(1e-3, b1=0.5), jax.random.key(0)
    batches = data.batches(data.ring(std=0.2), 0, 0, steps, discriminator_steps=1, batch_size=128)
    latents = jax.random.normal(jax.random.key(1), (1000, 4))
    results = {}
    for name, terms in {
        "plain": losses.non_saturating(),
        "regularised": losses.non_saturating() + gan_jax.every(4, regularisers.path_length()),
    }.items():
        objective = gan_jax.adversarial(networks, terms)
        train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam)))
        state, _ = train(gan_jax.init_state(networks, adam, adam, key, objective), batches, key)

        def sample(latent, params=state.generator.params):
            return networks.generate(params, latent[None])[0]

        jacobians = jax.vmap(jax.jacobian(sample))(latents)  # [1000, 2, 4]
        lengths = jnp.sqrt(jnp.sum(jacobians**2, (1, 2)))
        results[f"scatter of lengths, {name}"] = float(lengths.std() / lengths.mean())
    return results


if __name__ == "__main__":
    print(main())
