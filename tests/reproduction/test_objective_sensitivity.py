"""The figure objective_sensitivity: its statistics, its draws and its verdicts."""

import itertools

import numpy as np
from conftest import ROOT
from figure_modules import load, verdict_list

from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import differences
from gan_jax.experiment.overrides import with_value

RANGES = {"learning_rate": (1e-5, 1e-2), "b1": (0, 1), "bound": (1e-3, 1), "weight": (0.1, 100)}


def test_the_expected_best_of_n_draws_is_the_mean_over_all_choices():
    scores = np.random.default_rng(0).exponential(size=6)
    expected = [
        np.mean([min(choice) for choice in itertools.combinations(scores, n)]) for n in range(1, 7)
    ]
    best = load("objective_sensitivity").expected_best(scores)
    np.testing.assert_allclose(best, expected, rtol=1e-12)


def test_draws_are_within_the_ranges_and_change_the_settings():
    figure = load("objective_sensitivity")
    for name, run in figure.RUNS.items():
        settings = load_settings(str(ROOT / run.config), run.overrides)
        assert build(settings).dataset.shape == (2,)
        assert all(len(values) == 50 for values in run.numbers.values())
        for path, values in run.numbers.items():
            low, high = RANGES[path.split(".")[-1]]
            assert low <= min(values) < low + (high - low) / 10 and max(values) <= high
            assert set(differences(settings, with_value(settings, path, values[3]))) == {path}
        assert settings.discriminator_steps == (5 if name.endswith("5") else 1)
    rates = [run.numbers["generator_optimizer.adam.learning_rate"] for run in figure.RUNS.values()]
    assert len(set(itertools.chain(*rates))) == 14 * 50  # no draw twice


def test_similar_best_scores_pass_and_a_better_objective_misses():
    figure = load("objective_sensitivity")
    numbers = {"generator_optimizer.adam.learning_rate": 1e-3, "generator_optimizer.adam.b1": 0.5}

    def row(objective, draw, distance, covered):
        return {
            "objective": objective,
            "discriminator_steps": 1 + 4 * (draw % 2),
            "draw": draw,
            "numbers": numbers,
            "diverged": distance is None,
            "distance": distance,
            "covered": covered,
            "high_quality": 0.5,
        }

    rows = [
        row(name, i, 0.1 + 0.02 * i * luck, 8 if i < 3 else 2)
        for luck, name in ((1, "a"), (3, "b"))
        for i in range(10)
    ]
    rows += [row("b", 10, None, 0), row("b", 11, 50.0, 0)]
    claims = figure.claims({"rows": rows})
    assert verdict_list(claims) == ["pass", "not judged", "not judged", "pass"]
    assert claims[0].measured == (8, 8)
    assert "1 of 12 diverged" in claims[2].note and "9% above 2" in claims[2].note
    assert claims[1].measured == claims[2].measured == (0.1,)
    uneven = []
    for good in rows[:20]:
        distance = 5 * good["distance"] if good["objective"] == "b" else 0.1
        uneven.append(good | {"distance": distance, "covered": 7})
    uneven_claims = figure.claims({"rows": uneven})
    assert verdict_list(uneven_claims) == ["miss", "not judged", "not judged", "miss"]


def test_the_gains_of_budget_and_algorithm_are_those_by_hand():
    """Scores are 1 (n - 1 times) and 1/e: 5 of n draws hold the 1/e with probability 5 / n."""
    figure = load("objective_sensitivity")
    lucky, even = np.array([1.0] * 19 + [np.exp(-1)]), np.ones(20)
    few = 1 + 5 / 20 * (np.exp(-1) - 1)
    np.testing.assert_allclose(figure.gains([lucky, even, even]), (0, 1), atol=1e-12)
    np.testing.assert_allclose(figure.gains([lucky, lucky, even]), (np.log(few) + 1, 0), atol=1e-12)
