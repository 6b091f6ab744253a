"""A condition of any shape: both networks are given an embedding, as of a text or an image.

Everything in a batch but "real" is passed to both networks by name. The discriminator scores a
sample by the product of its features with the embedding: Miyato & Koyama, "cGANs with Projection
Discriminator" (2018). The embeddings here are of 4 words; samples lie where their word says.
"""

import jax
import jax.numpy as jnp
import optax

import gan_jax
from gan_jax import losses, penalties

PLACES = jnp.array([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
WORDS = jax.random.normal(jax.random.key(7), (4, 8))


def init(rng):
    k = jax.random.split(rng, 5)
    generator = {"in": 0.3 * jax.random.normal(k[0], (10, 64)), "out": jnp.zeros((64, 2))}
    discriminator = {
        "in": 0.3 * jax.random.normal(k[1], (2, 64)),
        "score": 0.1 * jax.random.normal(k[2], (64,)),
        "word": 0.1 * jax.random.normal(k[3], (8, 64)),
    }
    return generator, discriminator


def generate(params, latents, embedding):
    return jnp.tanh(jnp.concatenate([latents, embedding], 1) @ params["in"]) @ params["out"]


def score(params, samples, embedding):
    features = jnp.tanh(samples @ params["in"])
    return features @ params["score"] + jnp.sum(features * (embedding @ params["word"]), 1)


def main(steps: int = 1500) -> dict[str, float]:
    """Returns the mean distance of generated points from the place of their word."""
    networks = gan_jax.Networks(
        init, lambda rng, n: jax.random.normal(rng, (n, 2)), generate, score
    )
    objective = gan_jax.adversarial(networks, losses.non_saturating() + penalties.r1(gamma=0.1))
    adam, key = optax.adam(3e-3, b1=0.0, b2=0.9), jax.random.key(0)
    train = jax.jit(gan_jax.fused(gan_jax.alternating(objective, adam, adam)))
    word = jax.random.randint(key, (steps, 1, 64), 0, 4)
    noise = 0.1 * jax.random.normal(key, (steps, 1, 64, 2))
    batches = {"real": PLACES[word] + noise, "embedding": WORDS[word]}
    state, _ = train(gan_jax.init_state(networks, adam, adam, key), batches, key)
    asked = jnp.arange(256) % 4
    samples = generate(state.generator.params, networks.latent(key, 256), WORDS[asked])
    return {"distance": float(jnp.linalg.norm(samples - PLACES[asked], axis=1).mean())}


if __name__ == "__main__":
    print(main())
