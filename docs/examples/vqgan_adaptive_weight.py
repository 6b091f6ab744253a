"""VQGAN's adaptive weight: an adversarial loss that pushes as hard as the reconstruction.

An autoencoder with a codebook, the generator, reconstructs points of a ring. After half of the
steps the adversarial loss sets in, weighted by the ratio of both losses' gradients at the decoder's
last layer. Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), eq. 7.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import data, losses
from gan_jax.networks import bottlenecks, mlp
from gan_jax.objectives import autoencoding, reconstruction

critic = mlp((2,), latent_size=2)
SHAPES = {"encode": (2, 32), "code": (32, 4), "codebook": (16, 4), "decode": (4, 32)}


def init(rng):
    keys = jax.random.split(rng, 5)
    autoencoder = {n: 0.5 * jax.random.normal(k, s) for (n, s), k in zip(SHAPES.items(), keys)}
    return autoencoder | {"last": jnp.zeros((32, 2))}, critic.init(keys[4])[1]


def reconstruct(params, latents, real, **_):
    """An autoencoder takes no latents. Its own losses are outputs beside the samples."""
    code = jnp.tanh(real @ params["encode"]) @ params["code"]
    values, _ = bottlenecks.vector_quantise(code, params["codebook"])
    samples = jnp.tanh(bottlenecks.straight_through(code, values) @ params["decode"])
    moves_codebook = bottlenecks.codebook_loss(code, values)
    moves_encoder = bottlenecks.commitment_loss(code, values)
    return samples @ params["last"], {"codebook": moves_codebook, "commitment": moves_encoder}


def main(steps: int = 2_000) -> dict[str, float]:
    """Trains and returns the last losses, and the weight before the start and at the end."""
    generate = lambda *args, **conditions: reconstruct(*args, **conditions)[0]
    networks = gan_jax.Networks(
        init, None, generate, critic.score, outputs=reconstruct, autoencoder=True
    )
    start, adam, key = steps // 2, optax.adam(1e-3), jax.random.key(0)
    terms = reconstruction.reconstruction() + autoencoding.codebook() + autoencoding.commitment()
    objective = gan_jax.adversarial(networks, terms + gan_jax.after(start, losses.hinge()))
    objective = gan_jax.adaptive_weight(
        objective, terms="hinge", against="reconstruction", layer="last"
    )
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam)))
    batches = data.batches(data.ring(), 0, 0, steps, discriminator_steps=1, batch_size=128)
    _, metrics = train(gan_jax.init_state(networks, adam, adam, key, objective), batches, key)
    weights = metrics.pop("generator/adaptive_weight")
    last = {n: float(metrics[f"generator/{n}"][-1]) for n in ("reconstruction", "hinge")}
    return last | {"weight, idle": float(weights[start - 1]), "weight": float(weights[-1])}


if __name__ == "__main__":
    print(main())
