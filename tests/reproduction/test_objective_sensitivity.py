"""The figure objective_sensitivity: its statistics, its draws, its follow-up and its verdicts."""

import itertools
import sys

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import load, verdict_list

from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import differences
from gan_jax.experiment.overrides import flat, with_value

FIELDS = {"learning_rate": "LEARNING_RATES", "b1": "MOMENTUMS", "bound": "BOUNDS"}


@pytest.fixture(scope="module")
def figure():
    return load("objective_sensitivity")


@pytest.fixture(scope="module")
def shared(figure):  # figure: which makes the folder importable
    return sys.modules["_draws_of_settings"]


def row(objective, draw, distance, covered=8, group=None, stage="wide"):
    return {
        "objective": objective,
        "group": group,
        "stage": stage,
        "discriminator_steps": 1 + 4 * (draw % 2),
        "norm": ("none", "batch")[draw % 2],
        "part": 0,
        "draw": draw,
        "numbers": {"discriminator_optimizer.adam.b1": 0.5},
        "diverged": distance is None,
        "distance": distance,
        "covered": covered,
        "high_quality": 0.5,
    }


def fresh_row(objective, seed, distance, covered):
    return {"objective": objective, "seed": seed, "distance": distance, "covered": covered}


def test_the_expected_best_of_n_draws_is_the_mean_over_all_choices(figure):
    scores = np.random.default_rng(0).exponential(size=6)
    expected = [
        np.mean([min(choice) for choice in itertools.combinations(scores, n)]) for n in range(1, 7)
    ]
    np.testing.assert_allclose(figure.expected_best(scores), expected, rtol=1e-12)


def test_draws_are_within_the_ranges_and_change_the_settings(figure, shared):
    for name, run in figure.RUNS.items():
        group = shared.GROUPS[name]
        settings = load_settings(str(ROOT / run.config), run.overrides)
        assert build(settings).dataset.shape == (2,)
        for path, values in run.numbers.items():
            field = FIELDS.get(path.split(".")[-1], "PENALTY_WEIGHTS")
            low, high = getattr(shared, field)[group.stage]
            assert len(values) == 25 and low <= min(values) and max(values) <= high
            assert min(values) < low + (high - low) / 4 or low == high
            assert set(differences(settings, with_value(settings, path, values[3]))) <= {path}
        assert settings.discriminator_steps * settings.steps == 10_000
        assert flat(settings)["networks.mlp.discriminator_norm"] == group.norm
    rates = [run.numbers["generator_optimizer.adam.learning_rate"] for run in figure.RUNS.values()]
    assert len(set(itertools.chain(*rates))) == 42 * 25  # no draw twice


def test_each_objective_has_100_wide_and_50_narrow_draws_and_penalties_no_batch_norm(shared):
    for objective in shared.OBJECTIVES:
        groups = [group for group in shared.groups() if group.objective == objective]
        wide = [group for group in groups if group.stage == "wide"]
        narrow = [group for group in groups if group.stage == "narrow"]
        assert len(wide) * shared.DRAWS == 100 and len(narrow) * shared.DRAWS == 50
        assert {(group.discriminator_steps, group.norm) for group in wide} == set(
            itertools.product((1, 5), ("none", "batch"))
        )
        with_batch_norm = sum(group.norm == "batch" for group in narrow)
        assert with_batch_norm == (0 if objective in ("WGAN-GP", "DRAGAN") else 1)


def test_the_best_draw_is_trained_again_with_its_own_settings(figure, monkeypatch):
    names = [name for name in figure.RUNS if name.startswith(("MM GAN", "WGAN-GP"))]
    best = {"MM GAN": (names[1], 7), "WGAN-GP": (names[-1], 24)}
    rows = [
        row(name.split(",")[0], draw, 0.1 if (name, draw) in best.values() else 0.2, group=name)
        for name in names
        for draw in range(25)
    ]
    monkeypatch.setattr(figure, "draw_rows", lambda runs: rows)
    followed = figure.follow_up({}, smoke=False)
    assert len(followed) == 2
    for again, (group, draw) in zip(followed.values(), best.values(), strict=True):
        settings = load_settings(str(ROOT / again.config), again.overrides)
        original = load_settings(
            str(ROOT / figure.RUNS[group].config), figure.RUNS[group].overrides
        )
        for path, values in figure.RUNS[group].numbers.items():
            original = with_value(original, path, values[draw])
        assert differences(settings, original) == {}


def test_similar_best_draws_pass_and_a_worse_objective_misses(figure):
    rows = [
        row(name, i, 0.1 + 0.02 * i * luck)
        for luck, name in ((1, "a"), (3, "b"))
        for i in range(10)
    ]
    rows += [row("b", 10, None, 0), row("b", 11, 50.0, 0)]
    fresh = [fresh_row(name, seed, 0.1, 8) for name in "ab" for seed in range(3)]
    made = figure.claims({"rows": rows, "fresh": fresh})
    assert verdict_list(made) == ["pass", "pass", "pass", "not judged", "not judged"]
    assert made[0].measured == (1, 1) and made[1].measured == (8, 8)
    assert "1 of 12 diverged; 10 cover all modes" in made[4].note
    assert made[3].measured == pytest.approx((0.1, 0.1))
    worse = [
        one | ({"distance": None, "covered": 0} if one["objective"] == "b" else {}) for one in fresh
    ]
    uneven = [
        one
        | ({"distance": 0.1} if one["objective"] == "a" else {"distance": 0.5 + 0.01 * one["draw"]})
        for one in rows[:20]
    ]
    made = figure.claims({"rows": uneven, "fresh": worse})
    assert verdict_list(made) == ["miss", "miss", "miss", "not judged", "not judged"]
    assert made[0].measured == pytest.approx((1, 20))  # a point in the middle scores 2


def test_the_gains_of_budget_and_algorithm_are_those_by_hand(figure):
    """Scores are 1 (n - 1 times) and 1/e: 5 of n draws hold the 1/e with probability 5 / n."""
    lucky, even = np.array([1.0] * 19 + [np.exp(-1)]), np.ones(20)
    few = 1 + 5 / 20 * (np.exp(-1) - 1)
    np.testing.assert_allclose(figure.gains([lucky, even, even], 5), (0, 1), atol=1e-12)
    np.testing.assert_allclose(
        figure.gains([lucky, lucky, even], 5), (np.log(few) + 1, 0), atol=1e-12
    )
