"""CycleGAN on filled shapes and outlines without pairs: what is translated twice comes back.

A sample is a pair of images, one of each domain. The generators G: A -> B and F: B -> A map it to
(F(b), G(a)), so that one network of the game holds both, and scores are a dict, {"a": ..., "b":
...}, over which each term is summed. Zhu et al., "Unpaired Image-to-Image Translation using
Cycle-Consistent Adversarial Networks" (2017).
"""

import jax
import optax

import gan_jax
from gan_jax import data, losses, networks, reconstruction

BATCH = 4


def main(steps: int = 100) -> dict[str, float]:
    domains = data.unpaired_shapes(resolution=16)
    nets = networks.cyclegan(domains.shape, width=8, blocks=1, layers=1)
    # The paper's weights, 10 and 5, belong to squared scores that are not halved.
    terms = losses.least_squares()
    terms += reconstruction.cycle_consistency(weight=5.0) + reconstruction.identity(weight=2.5)
    objective = gan_jax.adversarial(nets, terms)

    adam = optax.adam(2e-4, b1=0.5)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam), data.decode))
    key = jax.random.key(0)
    state = gan_jax.init_state(nets, adam, adam, key)
    state, metrics = train(state, data.batches(domains, 0, 0, steps, 1, BATCH), key)
    return {
        "cycles at the first step": float(metrics["generator/cycle_consistency"][0]) / 5,
        "cycles at the last step": float(metrics["generator/cycle_consistency"][-1]) / 5,
        "discriminators": float(metrics["discriminator/least_squares"][-1]),
    }


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value:.3f}")
