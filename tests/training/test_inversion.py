"""Inversion against least squares and ridge regression, and of a generator's own samples."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.training.inversion import invert
from gan_jax.training.sampling import sampler

MATRIX = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
TARGETS = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)


def linear_generator():
    """G(z) = z A of latents of size 3 and samples of size 6."""
    pair = tiny.networks()._replace(
        latent=lambda rng, n: jax.random.normal(rng, (n, 3)),
        generate=lambda params, latents: latents @ params["A"],
        init=None,
    )
    return sampler(pair, {"A": jnp.asarray(MATRIX)}, batch_size=8)


@pytest.mark.parametrize(
    ("optimizer", "steps"), [(None, 15), (optax.adam(0.1), 400)], ids=["lbfgs", "adam"]
)
def test_the_latents_of_a_linear_generator_are_those_of_least_squares(optimizer, steps):
    found = invert(
        linear_generator(), TARGETS, jax.random.key(0), steps=steps, optimizer=optimizer, restarts=2
    )
    expected = np.linalg.lstsq(MATRIX.T, TARGETS.T)[0].T
    np.testing.assert_allclose(found.latents, expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found.samples, expected @ MATRIX, atol=5e-3)
    residual = np.mean((expected @ MATRIX - TARGETS) ** 2, axis=1)
    np.testing.assert_allclose(found.distances, residual, rtol=1e-3)
    assert found.all_distances.shape == (5, 2)


def test_the_weight_of_the_prior_is_ridge_regression():
    weight = 0.3
    adam = {"optimizer": optax.adam(0.1), "steps": 400}
    found = invert(linear_generator(), TARGETS, jax.random.key(0), prior_weight=weight, **adam)
    gram = MATRIX @ MATRIX.T / 6 + weight * np.eye(3) / 3
    expected = np.linalg.solve(gram, MATRIX @ TARGETS.T / 6).T
    np.testing.assert_allclose(found.latents, expected, rtol=2e-3, atol=2e-3)


def test_a_weighted_distance_is_weighted_least_squares():
    weights = np.float32([1, 2, 3, 4, 5, 6])
    found = invert(
        linear_generator(),
        TARGETS,
        jax.random.key(0),
        steps=400,
        optimizer=optax.adam(0.1),
        distance=lambda samples, targets: jnp.square(samples - targets) @ weights,
    )
    root = np.sqrt(weights)
    expected = np.linalg.lstsq((MATRIX * root).T, (TARGETS * root).T)[0].T
    np.testing.assert_allclose(found.latents, expected, rtol=2e-3, atol=2e-3)


def test_a_target_has_its_latents_whatever_its_neighbours_and_the_batches():
    draw, key = linear_generator(), jax.random.key(3)
    # Stopped where starts still matter.
    search = functools.partial(invert, draw, rng=key, steps=2, optimizer=optax.adam(0.1))
    together, in_twos = search(TARGETS), search(TARGETS, batch_size=2)
    np.testing.assert_allclose(in_twos.latents, together.latents, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(search(TARGETS[:3]).latents, together.latents[:3], rtol=1e-5)
    twins = search(np.repeat(TARGETS[:1], 2, axis=0))
    assert np.abs(np.diff(twins.latents, axis=0)).max() > 1e-3  # each has starts of its own
    more = search(TARGETS, restarts=5)
    assert (more.distances <= together.distances + 1e-6).all()
    np.testing.assert_allclose(more.all_distances[:, :3], together.all_distances, rtol=1e-4)
    np.testing.assert_allclose(together.all_distances.min(1), together.distances)


@pytest.mark.slow
def test_the_samples_of_a_generator_are_found_again():
    pair = networks.dcgan((8, 8, 1), classes=3, latent_size=4, width=4, labels="concatenation")
    generator, _ = pair.init(jax.random.key(0))
    noisy = jax.tree.map(lambda leaf: leaf * 10 if leaf.ndim > 1 else leaf, generator)
    draw = sampler(pair, noisy, classes=3, batch_size=8, standing_latents=64)
    labels = np.array([2, 0, 1, 1])
    samples = draw(jax.random.key(5), 4, labels)
    found = invert(draw, samples, jax.random.key(0), labels, restarts=6, steps=60)
    spread = np.mean(samples**2)
    assert found.distances.max() < 1e-2 * spread
    made = draw.generate(found.latents, labels)
    np.testing.assert_allclose(made, found.samples, rtol=1e-3, atol=1e-3)
    wrong = invert(draw, samples, jax.random.key(0), (labels + 1) % 3, restarts=6, steps=60)
    assert wrong.distances.mean() > found.distances.mean()


@pytest.mark.parametrize(
    ("targets", "settings", "says"),
    [
        (TARGETS[:, :5], {}, r"the targets are \(5, 5\), and the samples of this generator \(6,\)"),
        (TARGETS, {"restarts": 0}, "restarts is at least 1"),
        (TARGETS[:0], {}, r"pass \[n, 6\]"),
    ],
)
def test_what_cannot_be_inverted_is_refused(targets, settings, says):
    with pytest.raises(UserError, match=says):
        invert(linear_generator(), targets, jax.random.key(0), **settings)
