"""LeCam: a term that remembers, here moving averages of the discriminator's scores.

With little data the discriminator's scores of real and generated samples drift apart. LeCam holds
each near the average of the other kind. The averages are part of the train state. Tseng et al.,
"Regularizing Generative Adversarial Networks under Limited Data" (2021).
"""

import jax
import optax

import gan_jax
from gan_jax import data, losses, regularisers
from gan_jax.networks import mlp


def main(steps: int = 600) -> dict[str, float]:
    """Trains on 64 points of a ring and returns the gap between scores without and with LeCam."""
    networks, adam, key = mlp((2,), latent_size=16), optax.adam(1e-3, b1=0.5), jax.random.key(0)
    batches = data.batches(data.ring(finite=64), 0, 0, steps, discriminator_steps=1, batch_size=64)
    results = {}
    for name, terms in {
        "hinge": losses.hinge(),
        "LeCam": losses.hinge() + regularisers.lecam(weight=0.3, start=steps // 6),
    }.items():
        objective = gan_jax.adversarial(networks, terms)
        train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam)))
        state = gan_jax.init_state(networks, adam, adam, key, objective)
        state, metrics = train(state, batches, key)
        gaps = (metrics["scores/real"] - metrics["scores/fake"])[-steps // 6 :]
        results[f"gap of the scores, {name}"] = float(gaps.mean())
    results["remembered, real"] = float(state.memory["lecam"]["real"])
    return results


if __name__ == "__main__":
    print(main())
