"""Bottlenecks against NumPy, closed forms, finite differences and PyTorch."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.networks import bottlenecks

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(3, 2, 4))
CODEBOOK = DRAWS.normal(size=(7, 4))


def test_vectors_become_their_nearest_codes(float64):
    values, codes = bottlenecks.vector_quantise(jnp.asarray(X), jnp.asarray(CODEBOOK))
    expected = ((X[..., None, :] - CODEBOOK) ** 2).sum(-1).argmin(-1)
    assert codes.dtype == jnp.int32
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(values, CODEBOOK[expected])


def test_the_straight_through_estimator_has_the_value_of_one_and_the_slope_of_the_other():
    x, rounded = jnp.asarray(X, jnp.float32), jnp.round(jnp.asarray(1e6 * X, jnp.float32))
    value, pull_back = jax.vjp(bottlenecks.straight_through, x, rounded)
    np.testing.assert_array_equal(value, rounded)
    cotangent = jnp.cos(value)
    for_x, for_rounded = pull_back(cotangent)
    np.testing.assert_array_equal(for_x, cotangent)
    np.testing.assert_array_equal(for_rounded, 0)


def test_quantisation_is_pytorchs(float64):
    """The forward and backward pass of the authors' formulation, written in PyTorch."""
    torch = pytest.importorskip("torch")
    beta, weights = 0.25, DRAWS.normal(size=X.shape)

    def loss(x, codebook):
        values, _ = bottlenecks.vector_quantise(x, codebook)
        own = bottlenecks.codebook_loss(x, values) + beta * bottlenecks.commitment_loss(x, values)
        through = bottlenecks.straight_through(x, values)
        return jnp.mean(own) + jnp.sum(weights * jnp.sin(through))

    value, gradients = jax.value_and_grad(loss, (0, 1))(jnp.asarray(X), jnp.asarray(CODEBOOK))
    z = torch.tensor(X, requires_grad=True)
    table = torch.nn.Embedding(*CODEBOOK.shape).double()
    table.weight.data = torch.tensor(CODEBOOK)
    quantised = table(torch.cdist(z.reshape(-1, 4), table.weight).argmin(1)).reshape(z.shape)
    own = torch.mean((quantised - z.detach()) ** 2) + beta * torch.mean(
        (quantised.detach() - z) ** 2
    )
    through = z + (quantised - z).detach()
    total = own + (torch.tensor(weights) * torch.sin(through)).sum()
    total.backward()
    np.testing.assert_allclose(value, total.item(), rtol=1e-12)
    np.testing.assert_allclose(gradients[0], z.grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradients[1], table.weight.grad, rtol=1e-9, atol=1e-12)


def test_each_of_the_losses_moves_one_side(float64):
    """Codebook and commitment loss have one value, and together the gradient of the distance."""
    codes = bottlenecks.vector_quantise(jnp.asarray(X), jnp.asarray(CODEBOOK)).codes
    moved = {}
    for function in (bottlenecks.codebook_loss, bottlenecks.commitment_loss):
        moved[function.__name__] = jax.grad(
            lambda x, e, function=function: jnp.sum(function(x, e[codes])), (0, 1)
        )(jnp.asarray(X), jnp.asarray(CODEBOOK))
    assert not np.any(moved["codebook_loss"][0]) and not np.any(moved["commitment_loss"][1])

    def distance(x, e):
        return jnp.sum(jnp.mean(jnp.square(x - e[codes]), (1, 2)))

    for side, name in enumerate(("commitment_loss", "codebook_loss")):
        at, towards = (X, CODEBOOK)[side], tiny.direction((X, CODEBOOK)[side])
        other = (CODEBOOK, X)[side]
        slope = tiny.slope_along(
            lambda leaf, s=side, o=other: distance(*((leaf, o) if s == 0 else (o, leaf))),
            at,
            towards,
        )
        np.testing.assert_allclose(tiny.dot(moved[name][side], towards), slope, rtol=1e-8)


@pytest.mark.parametrize("levels", [(4,), (2, 3), (8, 5, 5)])
def test_fsq_has_exactly_its_levels(float64, levels):
    """On a fine grid every code occurs, values are those of a code, 0 is the code of 0."""
    quantise = jax.jit(bottlenecks.finite_scalar_quantise, static_argnums=1)
    half = np.array([level // 2 for level in levels])
    grid = np.meshgrid(*[np.linspace(-5, 5, 41)] * len(levels), indexing="ij")
    values, codes = quantise(jnp.asarray(np.stack(grid, -1)), levels)
    for channel, level in enumerate(levels):
        levels_of_channel = np.unique(np.round(values[..., channel], 9))
        expected = np.arange(-half[channel], half[channel] + level % 2) / half[channel]
        np.testing.assert_allclose(levels_of_channel, expected, atol=1e-9)
        assert np.all(np.diff(values[..., channel], axis=channel) >= -1e-12)
    digits = np.round(np.asarray(values) * half + half).astype(int)
    np.testing.assert_array_equal(codes, digits @ np.cumprod([1, *levels[:-1]]))
    assert set(np.asarray(codes).ravel()) == set(range(math.prod(levels)))
    zero = bottlenecks.finite_scalar_quantise(jnp.zeros((1, len(levels))), levels)
    np.testing.assert_array_equal(zero.values, 0)


def test_fsq_is_pytorchs(float64):
    """Lucidrains' form, written in PyTorch: values, codes and straight-through gradients."""
    torch = pytest.importorskip("torch")
    levels, x = (8, 5, 4), DRAWS.normal(size=(50, 3)) * 2
    weights = DRAWS.normal(size=x.shape)

    def loss(x):
        return jnp.sum(weights * bottlenecks.finite_scalar_quantise(x, levels).values ** 2)

    gradient = jax.grad(loss)(jnp.asarray(x))
    values, codes = bottlenecks.finite_scalar_quantise(jnp.asarray(x), levels)
    z, counts = torch.tensor(x, requires_grad=True), torch.tensor(levels).double()
    half = (counts - 1) * (1 + 1e-3) / 2
    offset = torch.where(counts % 2 == 0, 0.5, 0.0).double()
    bounded = (z + (offset / half).atanh()).tanh() * half - offset
    rounded = bounded + (bounded.round() - bounded).detach()
    expected = rounded / (counts // 2)
    (torch.tensor(weights) * expected**2).sum().backward()
    basis = torch.cumprod(torch.tensor([1, *levels[:-1]]), 0).double()
    indices = ((expected * (counts // 2) + counts // 2).round() * basis).sum(-1)
    np.testing.assert_allclose(values, expected.detach(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(codes, indices.detach())
    np.testing.assert_allclose(gradient, z.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("levels", [(), (1, 5), (5, 2.5)])
def test_bad_levels_are_refused(levels):
    with pytest.raises(UserError, match="levels are whole numbers of at least 2"):
        bottlenecks.finite_scalar_quantise(jnp.zeros((2, 2)), levels)
    with pytest.raises(UserError, match="2 of them, not 3"):
        bottlenecks.finite_scalar_quantise(jnp.zeros((2, 2)), (5, 5, 5))


def test_kl_is_that_of_normal_distributions(float64):
    """Against torch.distributions, and zero for N(0, 1)."""
    torch = pytest.importorskip("torch")
    moments = DRAWS.normal(size=(3, 2, 2, 8))
    gaussian = bottlenecks.diagonal_gaussian(jnp.asarray(moments))
    mean, log_variance = torch.tensor(moments).chunk(2, -1)
    normal = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(normal, standard).sum((1, 2, 3))
    np.testing.assert_allclose(bottlenecks.kl_divergence(gaussian), expected, rtol=1e-12)
    standard = bottlenecks.diagonal_gaussian(jnp.zeros((2, 5, 8)))
    np.testing.assert_array_equal(bottlenecks.kl_divergence(standard), 0)


def test_draws_have_the_moments_and_slopes_of_the_gaussian(float64):
    keys = jax.random.split(jax.random.key(1), 40_000)
    mean, log_variance = np.array([0.3, -1.0]), np.array([-0.5, 0.7])
    moments = jnp.tile(jnp.concatenate([mean, log_variance])[None], (len(keys), 1))
    draws = bottlenecks.draw_gaussian(bottlenecks.diagonal_gaussian(moments), keys)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(draws.var(0), np.exp(log_variance), rtol=0.03)

    def value(moments):
        gaussian = bottlenecks.diagonal_gaussian(moments)
        return jnp.sum(jnp.sin(bottlenecks.draw_gaussian(gaussian, keys[:4])))

    towards = tiny.direction(moments[:4])
    slope = tiny.slope_along(value, moments[:4], towards)
    np.testing.assert_allclose(tiny.dot(jax.grad(value)(moments[:4]), towards), slope, rtol=1e-8)


def test_a_draw_depends_on_its_own_key_alone():
    moments = jnp.ones((4, 3, 2))
    keys = jax.random.split(jax.random.key(0), 4)
    whole = bottlenecks.draw_gaussian(bottlenecks.diagonal_gaussian(moments), keys)
    for rows in itertools.combinations(range(4), 2):
        part = bottlenecks.diagonal_gaussian(moments[jnp.asarray(rows)])
        drawn = bottlenecks.draw_gaussian(part, keys[jnp.asarray(rows)])
        np.testing.assert_array_equal(drawn, whole[jnp.asarray(rows)])
