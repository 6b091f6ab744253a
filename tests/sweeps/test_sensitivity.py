"""Sensitivity: shares and p-values against closed forms and against chance, and their plots."""

import itertools

import numpy as np
import pytest

from gan_jax.loggers import plots
from gan_jax.sweeps import sensitivity


def design(*sizes: int) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, sizes))))


def test_shares_of_a_grid_are_those_of_the_model_and_add_up_to_one():
    a, b, seed = design(3, 2, 4).T
    noise = np.tile([0.3, -0.1, -0.4, 0.2], 6)  # from the seeds, with mean 0 in each cell
    y = 2.0 * a + 1.0 * b + 0.5 * (a - 1) * (2 * b - 1) + noise
    analysis = sensitivity.analyse(
        {"a": a.tolist(), "b": b.tolist()}, seed.tolist(), y, maximize=True, grid=True
    )
    parts = {
        "a": 4 * np.var([0, 1, 2]),
        "b": np.var([0, 1]),
        "both": 0.25 * np.mean([1, 0, 1]),
        "seeds": np.var(noise),
    }
    total = sum(parts.values())
    assert total == pytest.approx(np.var(y))
    assert [effect.parameter for effect in analysis.effects] == ["a", "b"]
    assert [effect.share for effect in analysis.effects] == pytest.approx(
        [parts["a"] / total, parts["b"] / total]
    )
    assert analysis.seeds == pytest.approx(parts["seeds"] / total)
    first = analysis.effects[0]
    assert (first.best, first.best_mean, first.effect, first.levels) == (
        "2",
        pytest.approx(4.5),
        pytest.approx(4.0),
        3,
    )
    spread = np.sqrt(24 * np.var(noise) / (24 - 6))
    assert first.standard_error == pytest.approx(spread * np.sqrt(2 / 8))
    lowest = sensitivity.analyse(
        {"a": a.tolist()}, seed.tolist(), y, maximize=False, grid=True
    ).effects[0]
    assert (lowest.best, lowest.effect) == ("0", pytest.approx(-4.0))


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_cut_grid_says_so_and_its_shares_overlap(seeds):
    a, b, seed = design(3, 3, seeds).T
    y = 1.0 * a + 1.0 * b
    whole = sensitivity.analyse({"a": a, "b": b}, seed, y, True, grid=True)
    assert not whole.cut and sum(effect.share for effect in whole.effects) == pytest.approx(1)
    kept = np.abs(a - b) < 2  # without two corners: a and b are correlated
    columns = {"a": a[kept], "b": b[kept]}
    cut = sensitivity.analyse(columns, seed[kept], y[kept], True, grid=True)
    assert cut.cut and sum(effect.share for effect in cut.effects) == pytest.approx(1.5)
    assert not sensitivity.analyse(columns, seed[kept], y[kept], True, grid=False).cut
    of_levels = a < 2  # a grid of fewer values is whole
    columns = {"a": a[of_levels], "b": b[of_levels]}
    assert not sensitivity.analyse(columns, seed[of_levels], y[of_levels], True, grid=True).cut


def test_an_effect_beyond_chance_has_a_small_p_value():
    a, b, seed = design(2, 2, 6).T
    y = 1.0 * a + np.random.default_rng(0).normal(size=24) * 0.2
    first, second = sensitivity.analyse(
        {"b": b.tolist(), "a": a.tolist()}, seed.tolist(), y, True, grid=True
    ).effects
    assert first.parameter == "a" and first.p_value == 0.001
    assert second.p_value > 0.05


def test_p_values_of_parameters_without_effect_are_uniform():
    """If no parameter does anything, one p-value in ten is at most 0.1, though seeds are shared."""
    draws = np.random.default_rng(1)
    a, b, seed = design(3, 2, 3).T
    below = 0
    for _ in range(120):
        y = draws.normal(size=3)[seed] + 0.3 * draws.normal(size=18)  # runs of one seed are alike
        effects = sensitivity.analyse(
            {"a": a.tolist(), "b": b.tolist()}, seed.tolist(), y, True, grid=True
        ).effects
        below += next(effect.p_value for effect in effects if effect.parameter == "a") <= 0.1
    assert 3 <= below <= 23  # 12 expected; 3.3 standard deviations


def test_random_search_puts_numbers_into_bins():
    draws = np.random.default_rng(0)
    x, z = draws.random(30), draws.random(30)
    analysis = sensitivity.analyse(
        {"x": x.tolist(), "z": z.tolist()}, [0] * 30, 3 * x, True, grid=False
    )
    assert [effect.parameter for effect in analysis.effects] == ["x", "z"]
    first, second = analysis.effects
    assert first.levels == 5 and first.share > 0.85 and first.p_value == 0.001
    assert second.p_value > 0.05
    # No settings were repeated with another seed.
    assert np.isnan(analysis.seeds) and np.isnan(first.standard_error)


def test_levels_keep_their_order_and_bins_are_equally_full():
    assert sensitivity.levels(["b", "a", "b"]).names == ("b", "a")
    assert sensitivity.levels([True, False]).names == ("True", "False")
    assert sensitivity.levels([10, 2, 2]).names == ("2", "10")
    binned = sensitivity.levels(np.arange(25.0).tolist())
    assert np.bincount(binned.indices).tolist() == [5] * 5 and binned.names[0] == "0 to 4.8"


def test_a_parameter_or_a_metric_that_does_not_vary_moves_nothing():
    metrics = np.array([1.0, 2.0])
    assert sensitivity.analyse({"a": [1, 1]}, [0, 1], metrics, True, True).effects == ()
    metrics = np.array([1.0, 1.0])
    assert sensitivity.analyse({"a": [1, 2]}, [0, 0], metrics, True, True).effects == ()


def test_the_best_runs_are_bright_and_last_in_parallel_coordinates():
    _, axes = plots.figure()
    columns = {
        "unroll": [0, 5, 0],
        "rate": [1e-4, 1e-2, 1e-3],
        "objective": ["hinge", "minimax", "hinge"],
    }
    ax = plots.parallel_coordinates(
        axes[0, 0],
        columns,
        np.array([3.0, 1.0, 2.0]),
        "fid",
        maximize=False,
        levels=2,
        logarithmic=("rate",),
    )
    lines = [line for line in ax.lines if len(line.get_xdata()) == 4]
    assert [line.get_ydata()[-1] for line in lines] == pytest.approx(
        [0.95, 0.5, 0.05]
    )  # the worst first
    assert [line.get_ydata()[1] for line in lines] == pytest.approx(
        [0.05, 0.5, 0.95]
    )  # by logarithm: evenly
    assert sum(lines[-1].get_color()[:3]) > sum(lines[0].get_color()[:3])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [
        "unroll",
        "rate",
        "objective",
        "fid",
    ]
    assert {"hinge", "minimax", "0.001"} <= {text.get_text() for text in ax.texts}


def test_a_heat_map_shows_its_numbers_and_leaves_gaps():
    _, axes = plots.figure()
    ax = plots.heat_map(
        axes[0, 0],
        np.array([[0.5, np.nan], [1.0, 0.25]]),
        (["0", "5"], ["a" * 40, "b"]),
        ("k", "o"),
        "m",
    )
    assert sorted(text.get_text() for text in ax.texts) == ["0.25", "0.5", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("o", "k", "m")
    assert len(ax.get_xticklabels()[0].get_text()) == 28
