"""Reconstruction terms against NumPy: masks, norms, cycles and identities of two domains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.game import Networks, Player, adversarial
from gan_jax.objectives import losses, reconstruction

SHAPE = (3, 4, 5, 2)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def value(term, batch, generate, features=None):
    """A term's value for a generator of inputs alone."""
    networks = Networks(
        init=lambda rng: ({}, {}),
        latent=None,
        generate=lambda params, latents, input=None, **_: generate(input),
        score=lambda params, samples, **_: jnp.mean(samples, tuple(range(1, samples.ndim))),
        features=features,
    )
    objective = adversarial(networks, losses.wasserstein() + term)
    _, (metrics, _) = objective.generator({}, Player({}), batch, jax.random.key(0))
    return metrics[f"generator/{term.name}"]


NORMS = {"l1": np.abs, "l2": np.square, "charbonnier": lambda d: np.sqrt(d**2 + 1e-6)}


@pytest.mark.parametrize("norm", NORMS)
def test_reconstruction_is_a_mean_distance(float64, norm):
    real, given = draws(*SHAPE), draws(*SHAPE, seed=1)
    term = reconstruction.reconstruction(3.0, norm)
    found = value(term, {"real": real, "input": given}, lambda input: 2 * input)
    np.testing.assert_allclose(found, 3 * NORMS[norm](2 * given - real).mean(), rtol=1e-12)


def test_a_mask_weights_entries_and_an_empty_one_gives_nothing(float64):
    real, given = draws(*SHAPE), draws(*SHAPE, seed=1)
    mask = (draws(3, 4, 5, 1, seed=2) > 0).astype(float)
    mask[1] = 0
    term = reconstruction.reconstruction(3.0, target="goal", mask="mask")
    batch = {"real": real, "input": given, "goal": real + 1, "mask": mask}
    found = value(term, batch, lambda input: input)
    expected = []
    for x, y, m in zip(given, real + 1, mask, strict=True):
        chosen = m[..., 0] > 0
        expected.append(np.abs(x - y)[chosen].mean() if chosen.any() else 0.0)
    np.testing.assert_allclose(found, 3 * np.mean(expected), rtol=1e-12)


def test_paired_feature_matching_sums_over_layers(float64):
    real, given = draws(*SHAPE), draws(*SHAPE, seed=1)

    def features(params, samples, **_):
        return {"first": samples[:, ::2], "second": [samples**2]}

    found = value(
        reconstruction.paired_feature_matching(), {"real": real, "input": given}, jnp.sin, features
    )
    fake = np.sin(given)
    first = np.abs(real[:, ::2] - fake[:, ::2]).mean()
    np.testing.assert_allclose(found, 10 * (first + np.abs(real**2 - fake**2).mean()), rtol=1e-12)


def test_cycles_and_identities_of_two_generators(float64):
    """``G(a) = 2 a + 1`` and ``F(b) = b^2``, written out."""
    a, b = draws(3, 4, 5, 1), draws(3, 4, 5, 1, seed=1)
    batch = {"real": np.stack([a, b], 1), "input": np.stack([a, b], 1)}

    def G(a):
        return 2 * a + 1

    def F(b):
        return b**2

    def generate(input):
        return jnp.stack([F(input[:, 1]), G(input[:, 0])], 1)

    cycles = np.abs(F(G(a)) - a).mean() + np.abs(G(F(b)) - b).mean()
    found = value(reconstruction.cycle_consistency(), batch, generate)
    np.testing.assert_allclose(found, 10 * cycles, rtol=1e-12)
    unchanged = np.abs(G(b) - b).mean() + np.abs(F(a) - a).mean()
    found = value(reconstruction.identity(), batch, generate)
    np.testing.assert_allclose(found, 5 * unchanged, rtol=1e-12)


def test_bad_use_gets_one_line():
    with pytest.raises(UserError, match="no norm 'l3': choose one of l1, l2, charbonnier"):
        reconstruction.reconstruction(norm="l3")
    batch = {"real": jnp.ones(SHAPE), "input": jnp.ones(SHAPE), "goal": jnp.ones((3, 4))}
    for term, line in (
        (reconstruction.reconstruction(target="aim"), "needs 'aim' in the batch, which has input"),
        (reconstruction.reconstruction(target="goal"), r"'goal', which is \[3, 4\]"),
        (reconstruction.reconstruction(mask="hole"), "needs 'hole'"),
        (reconstruction.cycle_consistency(), r"needs pairs, \[batch, 2, ...\]"),
        (reconstruction.identity(condition="source"), "needs 'source'"),
        (reconstruction.paired_feature_matching(), "networks with features"),
    ):
        with pytest.raises(UserError, match=line):
            value(term, batch, lambda input: input)
