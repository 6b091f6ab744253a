"""The figure generator_slopes: singular values against a linear generator, and its verdicts."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from figure_modules import FIGURES, load, verdicts

from gan_jax.reproduction import load_figure


@pytest.fixture
def figure():
    return load("generator_slopes")


def row(run, seed, stretch, late=(1.0, 1.0)):
    """Ten checkpoints, of which the last two have the stretch times ``late``."""
    values = [stretch] * 8 + [stretch * factor for factor in late]
    return {
        "run": run,
        "seed": seed,
        "diverged": False,
        "step": list(range(1000, 11_000, 1000)),
        "stretch": values,
        "log_condition": [1.0] * 10,
    }


def numbers(plain=0.1, unrolled=0.4, late=(1.0, 1.0)):
    rows = [row("K = 0", seed, plain, (2.0, 1.0)) for seed in range(3)]
    return {"rows": rows + [row("K = 10", seed, unrolled, late) for seed in range(3)]}


def test_the_singular_values_of_a_linear_generator_are_those_of_its_matrix(figure):
    matrix = np.random.default_rng(0).normal(size=(5, 2))
    run = SimpleNamespace(
        networks=SimpleNamespace(
            latent=lambda key, n: jax.random.normal(key, (n, 5)),
            generate=lambda params, latents: latents @ params,
        ),
        state=SimpleNamespace(generator=SimpleNamespace(params=matrix)),
    )
    singular = figure.spectrum(run)
    assert singular.shape == (figure.LATENTS, 2)
    expected = np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix))[::-1]
    np.testing.assert_allclose(singular, np.tile(expected, (figure.LATENTS, 1)), rtol=1e-5)
    root_mean_square = np.sqrt(np.trace(matrix.T @ matrix) / 2)
    assert figure.stretch(singular) == pytest.approx(root_mean_square / 2, rel=1e-5)
    condition = np.linalg.cond(matrix.T @ matrix)
    assert figure.log_condition(singular) == pytest.approx(np.log10(condition), rel=1e-4)


def test_a_generator_that_does_not_move_has_a_finite_condition_number(figure):
    assert figure.stretch(np.zeros((4, 2))) == 0
    assert 0 <= figure.log_condition(np.zeros((4, 2))) <= 30
    assert figure.log_condition(np.array([[1.0, 0.0]])) == pytest.approx(30)


def test_the_scatter_is_that_of_the_last_fifth(figure):
    assert figure.scatter(row("K = 0", 0, 5.0)) == 0
    assert figure.scatter(row("K = 0", 0, 5.0, late=(10, 0.1))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ["pass", "pass"]),
        ({"unrolled": 0.15}, ["miss", "pass"]),
        ({"late": (3.0, 1.0)}, ["pass", "miss"]),
    ],
)
def test_a_wide_and_steady_generator_meets_the_claims(figure, change, expected):
    found = verdicts(figure.claims(numbers(**change)))
    assert list(found.values()) == [*expected, "not judged", "not judged"]


def test_a_run_that_diverged_is_left_out(figure):
    rows = numbers()["rows"] + [{"run": "K = 0", "seed": 3, "diverged": True}]
    assert figure.claims({"rows": rows})[0].measured == pytest.approx((4, 4, 4))


def test_both_quantities_are_drawn(figure):
    drawn = load_figure(FIGURES, "generator_slopes").draw(numbers())
    assert [len(ax.lines) for ax in drawn.axes] == [8, 8]
