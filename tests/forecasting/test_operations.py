"""Operations counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.forecasting import flops_of
from gan_jax.networks.convolution import conv
from gan_jax.platforms import programs_for


def count(function, *shapes):
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return flops_of(jax.make_jaxpr(function)(*arguments))


def test_a_matrix_product():
    assert count(lambda a, b: jnp.tanh(a @ b), (3, 5), (5, 7)) == 2 * 3 * 5 * 7


def test_a_batched_product_counts_each_of_the_batch():
    product = lambda a, b: jnp.einsum("bij,bjk->bik", a, b)
    assert count(product, (4, 3, 5), (4, 5, 7)) == 4 * 2 * 3 * 5 * 7


def test_a_gradient_takes_two_more_products():
    gradient = jax.value_and_grad(lambda w, x: jnp.sum(x @ w), argnums=(0, 1))
    assert count(gradient, (5, 7), (3, 5)) == 3 * 2 * 3 * 5 * 7


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution(groups):
    with programs_for("tpu"):  # one convolution, not the forms that are quick on a CPU
        found = count(lambda x, w: conv(x, w, 2, groups), (8, 16, 16, 6), (3, 3, 6 // groups, 4))
    assert found == 2 * (8 * 8 * 8 * 4) * (3 * 3 * 6 // groups)


def test_a_loop_counts_as_often_as_it_runs():
    def loop(x, w):
        return jax.lax.scan(lambda h, _: (jnp.tanh(h @ w), None), x, None, length=11)[0]

    assert count(loop, (3, 5), (5, 5)) == 11 * 2 * 3 * 5 * 5
    assert count(jax.jit(jax.checkpoint(loop)), (3, 5), (5, 5)) == 11 * 2 * 3 * 5 * 5


def test_a_branch_counts_as_the_longest():
    def either(x, w):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ w @ w, lambda: x @ w)

    assert count(either, (3, 5), (5, 5)) == 2 * 2 * 3 * 5 * 5


def test_xla_counts_the_same_without_loops():
    def loss(w, x):
        return jnp.sum(jnp.tanh(x @ w) @ w.T)

    gradient = jax.value_and_grad(loss)
    w, x = np.ones((32, 64), np.float32), np.ones((16, 32), np.float32)
    analysis = jax.jit(gradient).lower(w, x).compile().cost_analysis()
    assert count(gradient, w.shape, x.shape) == pytest.approx(analysis["flops"], rel=0.05)
