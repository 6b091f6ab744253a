"""The figure second_order_term: its test and power, and the seeds that it judges."""

import json

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdict_list
from scipy.stats import hypergeom

from gan_jax.reproduction import load_figure


@pytest.fixture
def figure():
    return load("second_order_term")


def numbers(figure, full, stopped, seeds=40):
    """The first ``full`` and ``stopped`` seeds of either kind cover the ring at step 2."""
    rows = []
    for run, covering in ((figure.FULL, full), (figure.STOPPED, stopped)):
        for i in range(seeds):
            states = [
                {"step": 1, "covered": 0, "high_quality": 0.0, "near": 1, "nearest": []},
                {"step": 2, "covered": 8 if i < covering else 2, "high_quality": 0.5},
            ]
            row = {"run": run, "seed": 30 + i, "modes": 8, "diverged": False}
            rows.append(row | {"checkpoints": states})
    return {"rows": rows, "steps": 2}


def test_earlier_counts_are_those_of_the_committed_record_and_the_docstring(figure):
    record = json.loads((ROOT / "results" / "unrolled_ring_rates" / "results.json").read_text())
    for seeds, group in figure.EARLIER.items():
        first, last = map(int, seeds.split(" to "))
        for run, count in group.items():
            at_end = [
                row["checkpoints"][-1]["covered"]
                for row in record["numbers"]["rows"]
                if row["run"] == run and first <= row["seed"] <= last
            ]
            assert count == (at_end.count(8), len(at_end))
    assert "in 8 of them and stopped in 1 (p = 0.013)" in figure.__doc__
    assert hypergeom.sf(7, 60, 30, 9) == pytest.approx(0.013, abs=0.0005)


def test_the_power_is_how_often_simulated_experiments_reject(figure):
    """Simulates 40 runs of either kind; p is the tail of the hypergeometric distribution."""
    rng, n = np.random.default_rng(0), 40
    a, b = rng.binomial(n, 0.3, 20_000), rng.binomial(n, 0.05, 20_000)
    rejected = np.mean(hypergeom.sf(a - 1, 2 * n, n, a + b) < 0.025)
    assert figure.power(n, 0.3, 0.05, 0.025) == pytest.approx(rejected, abs=4 * 0.4 / 20_000**0.5)
    assert figure.power(20, 0.3, 0.05, 0.025) == pytest.approx(0.45, abs=0.005)


def test_the_verdict_is_of_new_seeds_and_the_pooled_test_is_not_judged(figure):
    claims = figure.claims(numbers(figure, full=12, stopped=2))
    assert verdict_list(claims) == ["pass", "not judged"]
    assert "full 12 of 40 seeds, stopped 2 of 40; power 82%" in claims[0].note
    assert "full 20 of 70 seeds, stopped 3 of 70" in claims[1].note
    assert claims[1].measured == pytest.approx((hypergeom.sf(19, 140, 70, 23),))
    # All seeds together would be below the level, and the new ones alone are not.
    claims = figure.claims(numbers(figure, full=9, stopped=3))
    assert claims[1].measured[0] < 0.025 and verdict_list(claims) == ["miss", "not judged"]
    # Every seed that is there agrees, but the test was planned for 40.
    early = figure.claims(numbers(figure, full=20, stopped=0, seeds=20))
    assert early[0].measured[0] < 1e-9 and verdict_list(early) == ["not judged"] * 2


def test_shares_over_training_count_runs_that_diverged_as_failed(figure):
    diverged = numbers(figure, full=10, stopped=1)
    diverged["rows"][0]["diverged"] = True
    steps, covering = figure.coverage_over_training(diverged, figure.FULL)
    assert steps == [1, 2] and covering.tolist() == [0, 9]
    assert figure.counts_of(diverged, figure.FULL) == (9, 40)
    assert figure.draw(diverged)


def test_the_seeds_to_train_are_new():
    loaded = load_figure(FIGURES, "second_order_term")
    assert loaded.seeds_to_train(loaded.seeds("paper"), 0) == range(30, 70)
