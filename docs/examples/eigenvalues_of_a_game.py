"""Eigenvalues of a game: unrolling and R1 damp the rotation of a GAN.

The Jacobian of a game's vector field has imaginary eigenvalues if the players circle; a positive
real part damps that, and allows larger steps. Mescheder et al., "Which Training Methods for GANs do
actually Converge?" (2018); Berard et al., "A Closer Look at the Optimization Landscapes of
Generative Adversarial Networks" (2020). Here a generator with one parameter, the Dirac-GAN.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import dynamics, losses, penalties


def main(steps: int = 100) -> dict[str, float]:
    """Trains towards the equilibrium, and returns what is left and the eigenvalues there."""
    networks = gan_jax.Networks(
        init=lambda rng: (jnp.ones(()), jnp.ones(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda theta, latents: theta * jnp.ones_like(latents),
        score=lambda psi, samples: psi * samples[:, 0],
    )
    sgd, key, batch = optax.sgd(0.2), jax.random.key(0), {"real": jnp.zeros((4, 1))}
    plain = gan_jax.adversarial(networks, losses.minimax())
    objectives = {
        "plain": plain,
        "unrolled": gan_jax.unrolled(plain, 5, sgd),
        "R1": gan_jax.adversarial(networks, losses.minimax() + penalties.r1(0.5)),
    }
    numbers = {}
    for name, objective in objectives.items():
        train = jax.jit(gan_jax.fused(gan_jax.simultaneous(objective, sgd, sgd)))
        state = gan_jax.init_state(networks, sgd, sgd, key)
        state, _ = train(state, {"real": jnp.zeros((steps, 1, 4, 1))}, key)
        numbers[f"{name}: distance"] = float(
            jnp.hypot(state.generator.params, state.discriminator.params)
        )
        field, _ = dynamics.vector_field(objective, state, batch, key)
        spectrum = dynamics.leading_eigenvalues(field, (jnp.zeros(()), jnp.zeros(())), 2)
        numbers[f"{name}: real part"] = float(spectrum.eigenvalues[0].real)
        numbers[f"{name}: imaginary part"] = float(abs(spectrum.eigenvalues[0].imag))
        numbers[f"{name}: greatest stable step"] = dynamics.greatest_stable_step_size(
            spectrum.eigenvalues
        )
    return numbers


if __name__ == "__main__":
    for name, number in main().items():
        print(f"{name:30} {number:.3f}")
