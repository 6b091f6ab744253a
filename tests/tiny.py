"""A game small and smooth enough for finite differences: what the tests of the core share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.game import Networks

LATENT, WIDTH, SIZE, CLASSES = 2, 3, 2, 3


def dense(rng, fan_in, fan_out):
    w, b = jax.random.split(rng)
    return {
        "w": 0.7 * jax.random.normal(w, (fan_in, fan_out)),
        "b": 0.1 * jax.random.normal(b, (fan_out,)),
    }


def affine(layer, x):
    return x @ layer["w"] + layer["b"][None]


def one_hot(label, like):
    return jax.nn.one_hot(label, CLASSES, dtype=like.dtype)


def networks(labels: bool = False) -> Networks:
    """Tanh networks of one hidden layer on points in the plane; ``labels``: conditional ones."""

    def init(rng):
        keys = jax.random.split(rng, 5)
        generator = {
            "in": dense(keys[0], LATENT + CLASSES * labels, WIDTH),
            "out": dense(keys[1], WIDTH, SIZE),
        }
        heads = {"score": dense(keys[3], WIDTH, 1), "classes": dense(keys[4], WIDTH, CLASSES)}
        return generator, {"in": dense(keys[2], SIZE, WIDTH)} | heads

    def generate(params, latents, label=None):
        x = jnp.concatenate([latents, one_hot(label, latents)], 1) if labels else latents
        return affine(params["out"], jnp.tanh(affine(params["in"], x)))

    def features(params, samples, label=None):
        return jnp.tanh(affine(params["in"], samples))

    return Networks(
        init=init,
        latent=lambda rng, n: jax.random.normal(rng, (n, LATENT)),
        generate=generate,
        score=lambda params, samples, label=None: affine(
            params["score"], features(params, samples)
        )[:, 0],
        classify=lambda params, samples: affine(params["classes"], features(params, samples)),
        features=features,
    )


def key(seed: int):
    """A key whose draws compile in a fraction of the time, for tests of anything but the draws."""
    return jax.random.key(seed, impl="unsafe_rbg")


def batch(
    size: int = 5, discriminator_steps: int | None = None, labels: bool = False, seed: int = 0
):
    """Real points ``[(discriminator_steps,) size, 2]`` and, with ``labels``, their labels."""
    draws = np.random.default_rng(seed)
    shape = (size,) if discriminator_steps is None else (discriminator_steps, size)
    leaves = {"real": jnp.asarray(draws.normal(size=(*shape, SIZE)) + 1.0)}
    return leaves | (
        {"label": jnp.asarray(draws.integers(0, CLASSES, shape), jnp.int32)} if labels else {}
    )


def dot(a, b):
    """The inner product of two pytrees."""
    return sum(jnp.sum(x * y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def direction(tree, seed: int = 1):
    """A random direction of a pytree's shape."""
    draws = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape), leaf.dtype), tree)


def slope_along(function, at, towards, h: float = 1e-5):
    """The derivative of ``function`` in a direction, by a central difference of order 4."""
    moved = lambda k: function(jax.tree.map(lambda p, d: p + k * h * d, at, towards))
    return (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * h)


def assert_trees_close(a, b, **tolerances):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(functools.partial(np.testing.assert_allclose, **tolerances), a, b)


def assert_trees_equal(a, b):
    """Bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)
