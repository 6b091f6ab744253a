"""Signals: WaveGAN on sines of random frequency and phase, scored without a network.

One-dimensional convolutions with long kernels, and a discriminator whose features are shifted at
random. The score is the sliced Wasserstein distance of the signals themselves; that of as many
other real ones says how low it can get. Donahue et al., "Adversarial Audio Synthesis" (2019).
"""

import jax
import numpy as np
import optax

import gan_jax
from gan_jax import data, losses, metrics, networks, penalties


def sines(n: int, seed: int) -> np.ndarray:
    """Signals ``[n, 64]``."""
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(1, 4, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    time = np.linspace(0, 1, 64)
    return (0.8 * np.sin(2 * np.pi * frequency * time + phase)).astype(np.float32)


def main(steps: int = 400) -> dict[str, float]:
    """Trains on 2,000 sines and returns distances to 1,000 others."""
    real, test, other = sines(2000, 0), sines(1000, 1), sines(1000, 2)
    pair = networks.wavegan((64,), width=16, latent_size=16, stride=2, phase_shuffle=1)
    terms = losses.wasserstein() + penalties.gradient_penalty(10.0)
    adam, key = optax.adam(1e-3, b1=0.5, b2=0.9), jax.random.key(0)
    objective = gan_jax.adversarial(pair, terms)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam)))
    state = gan_jax.init_state(pair, adam, adam, key)

    def distance(samples: np.ndarray) -> float:
        return metrics.sliced_wasserstein_distance(test, samples, directions=128)

    def generated() -> np.ndarray:
        return gan_jax.sampler(pair, state.generator_ema)(jax.random.key(1), len(test))

    results = {"of real signals": distance(other), "before training": distance(generated())}
    dataset = data.Dataset.from_arrays(real)
    state, _ = train(state, data.batches(dataset, 0, 0, steps, 2, batch_size=32), key)
    return results | {"after training": distance(generated())}


if __name__ == "__main__":
    print(main())
