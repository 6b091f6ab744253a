"""The figure loss_penalty_unroll_rule: its analysis of variance, its cells and its verdicts."""

import itertools

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import load, verdict_list

from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings


def test_explained_shares_are_the_mean_squares_of_orthogonal_parts():
    """Additive parts and products of centred parts are orthogonal."""
    figure, rng = load("loss_penalty_unroll_rule"), np.random.default_rng(0)
    a, b, c, d = (part - part.mean() for part in (rng.normal(size=n) for n in (5, 3, 2, 3)))
    a, b, c = a[:, None, None, None], b[:, None, None], c[:, None]
    parts = {
        "objective": a,
        "penalty": 2 * b,
        "objective x unroll": 3 * a * c,
        "penalty x unroll x rule": b * c * d,
    }
    squares = {
        name: np.mean(np.broadcast_to(part, (5, 3, 2, 3)) ** 2) for name, part in parts.items()
    }
    effects = figure.explained_variance((0.3 + sum(parts.values()))[..., None])
    assert sum(effects.shares.values()) == pytest.approx(1) and len(effects.shares) == 15
    for name, share in effects.shares.items():
        expected = squares.get(name, 0) / sum(squares.values())
        assert share == pytest.approx(expected, abs=1e-12)
        assert effects.standard_error(name) == 0


def test_factors_of_one_level_and_equal_cells_explain_nothing():
    figure, rng = load("loss_penalty_unroll_rule"), np.random.default_rng(0)
    two_factors = figure.explained_variance(rng.normal(size=(2, 1, 1, 3, 1)))
    assert set(two_factors.shares) == {"objective", "rule", "objective x rule"}
    equal = figure.explained_variance(np.ones((2, 2, 1, 1, 3)))
    assert set(equal.shares.values()) == {0}


def test_shares_are_unbiased_and_as_far_off_as_their_errors_say():
    """Estimates known main effects from many tables with noise."""
    figure, rng = load("loss_penalty_unroll_rule"), np.random.default_rng(0)
    level = np.array([-1.0, 0.0, 1.0])[None, :, None, None, None]  # mean square 2/3
    other = np.array([-0.5, 0.5])[None, None, :, None, None]  # 1/4
    tables = [
        figure.explained_variance(level + other + rng.normal(size=(5, 3, 2, 3, 2)))
        for _ in range(100)
    ]
    shares = {name: np.array([table.shares[name] for table in tables]) for name in tables[0].shares}
    truth = {"penalty": (2 / 3) / (2 / 3 + 1 / 4), "unroll": (1 / 4) / (2 / 3 + 1 / 4)}
    for name, values in shares.items():
        error = values.std(ddof=1)
        bias = abs(values.mean() - truth.get(name, 0))
        assert bias < 4 * error / np.sqrt(len(values)) + 0.01, name
        # The error of a share of 0 is too large, because a share below 0 counts as 0 in it.
        ratio = np.mean([table.standard_error(name) for table in tables]) / error
        assert 0.7 < ratio < (1.4 if name in truth else 1.8), name
    error = (shares["penalty"] - shares["unroll"]).std(ddof=1)
    stated = np.mean([table.standard_error("penalty", "unroll") for table in tables])
    assert 0.7 < stated / error < 1.4


@pytest.mark.slow
def test_every_cell_has_the_settings_that_its_name_says():
    figure, seen = load("loss_penalty_unroll_rule"), set()
    for name, run in figure.RUNS.items():
        settings = load_settings(str(ROOT / run.config), run.overrides)
        data, _, penalty, unroll, rule = name.split("; ")
        assert len(build(settings).dataset.centres) == figure.MODES[data]
        assert settings.unroll == int(unroll[-1]) and settings.update_rule.name == rule
        assert (penalty == "no penalty") == (len(settings.objective) == 1)
        choices = (settings.dataset, settings.objective, settings.unroll, settings.update_rule)
        seen.add(repr(choices))
    assert len(seen) == len(figure.RUNS) == 180


def test_a_strong_penalty_and_helpful_unrolling_pass():
    figure = load("loss_penalty_unroll_rule")
    levels = {"objective": "ab", "penalty": "pq", "unroll": ("K = 0", "K = 5"), "rule": "r"}

    def numbers(covered, scatter=0.1):
        rows = []
        for cell in itertools.product(*levels.values()):
            choices = dict(zip(levels, cell, strict=True))
            for seed in range(3):
                count = covered(**choices) - (scatter if seed == 2 else 0)
                row = {"data": "ring", "seed": seed, "covered": count}
                rows.append(choices | row | {"diverged": False, "high_quality": 0.5})
        return {"rows": rows}

    def good(objective, penalty, unroll, rule):
        return 2 + (objective == "a") + 2 * (penalty == "q") + 3 * (unroll == "K = 5")

    def bad(objective, penalty, unroll, rule):
        return 5 + 2 * (objective == "a") + (penalty == "q") - (unroll == "K = 5")

    claims = figure.claims(numbers(good))
    assert verdict_list(claims) == ["pass", "pass", "not judged"]
    # 24 values with a variance of 0.1^2 / 3 within cells, all divided by 8.
    assert claims[1].measured == pytest.approx((3 / (2 * np.sqrt(0.01 / 3 / 24)),))
    note = "all modes with every seed: 0 of 8 cells; 0.0% of runs diverged; best: a, q, K = 5, r"
    assert note in claims[2].note
    assert verdict_list(figure.claims(numbers(bad))) == ["miss", "miss", "not judged"]
    # Without any scatter nothing says how certain the differences are.
    assert verdict_list(figure.claims(numbers(good, scatter=0))) == ["not judged"] * 3
