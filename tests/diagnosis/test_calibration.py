"""The study of how often rules are right: its thresholds, intervals and tables."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study():
    from pathlib import Path

    file = Path(__file__).resolve().parents[2] / "experiments" / "calibrate_diagnosis.py"
    spec = importlib.util.spec_from_file_location("calibrate_diagnosis", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_intervals_are_those_of_wilson(study):
    stats = pytest.importorskip("scipy.stats")
    for count, n in ((0, 10), (3, 10), (10, 10), (19, 20)):
        expected = stats.binomtest(count, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(study.wilson(count, n), tuple(expected), atol=1e-4)


def test_the_threshold_is_halfway_or_has_the_fewest_errors(study):
    assert study.best_threshold(np.array([3.0, 4.0]), np.array([0.0, 1.0])) == 2.0
    cut = study.best_threshold(np.array([0.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0]))
    assert 1 < cut < 3


def test_a_run_is_judged_by_its_second_half_and_by_its_first_detection(study):
    values = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]
    rows = [{"step": 100 * (i + 1), "health/diversity": value} for i, value in enumerate(values)]
    extreme, first = study.judge_run("mode collapse", rows)
    assert first == 300 and extreme == pytest.approx(0.9)


def test_the_table_has_a_row_for_each_trouble(study):
    ill = [[{"step": i, "health/weights_at_bound": 0.9} for i in range(6)]] * 4
    well = [[{"step": i, "health/weights_at_bound": 0.0} for i in range(6)]] * 4
    found = study.calibrate("clipped weights", ill, well)
    assert found["found"]["count"] == 2 and found["false_alarms"]["count"] == 0
    assert found["own_found"] == {"count": 4, "n": 4, "interval": study.wilson(4, 4)}
    text = study.table({"clipped weights": found}, 4, 1000)
    assert "| clipped weights | clipped critic | WGAN-GP | 0.45 | 2/2 (34% to 100%) |" in text
