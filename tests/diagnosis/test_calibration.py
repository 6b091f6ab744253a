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


def test_the_threshold_is_in_the_middle_or_has_the_fewest_errors(study):
    assert study.best_threshold(np.array([3.0, 4.0]), np.array([-1.0, 1.0])) == 2.0
    assert study.best_threshold(np.array([1e8, 1e9]), np.array([1.0, 100.0])) == pytest.approx(1e5)
    assert study.best_threshold(np.array([0.2, 0.3]), np.array([0.0, 0.0])) == pytest.approx(0.1)
    cut = study.best_threshold(np.array([0.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0]))
    assert 1 < cut < 3
    assert study.best_threshold(np.array([2.0]), np.array([2.0])) == 2.0


def test_a_run_is_judged_by_its_second_half_and_by_its_first_detection(study):
    values = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]
    rows = [{"step": 100 * (i + 1), "health/diversity": value} for i, value in enumerate(values)]
    extreme, first = study.judge_run("mode collapse", rows)
    assert first == 300 and extreme == pytest.approx(0.9)


def test_the_table_has_a_row_for_each_pair(study):
    def rows(value, n):
        return [[{"step": i, "health/weights_at_bound": value} for i in range(6)]] * n

    # The threshold is of the first halves of both pairs.
    pairs = [(rows(0.9, 4), rows(0.0, 4)), (rows(0.4, 4), rows(0.1, 2) + rows(0.5, 2))]
    found = study.calibrate("clipped weights", pairs)
    assert found["threshold"] == pytest.approx(0.25)
    first, second = found["pairs"]
    assert first["found"] == {"count": 2, "n": 2, "interval": study.wilson(2, 2)}
    assert first["false_alarms"]["count"] == 0 and second["false_alarms"]["count"] == 2
    assert second["found"]["count"] == 2
    assert first["own_found"]["count"] == 2
    text = study.table({"clipped weights": found}, 4, 1000, "")
    assert text.count("| clipped weights | clipped critic | WGAN-GP | 0.25 | 2/2 (34% to 100%) |")
    assert "| clipped weights | images: clipped critic | images: WGAN-GP | 0.25 | 2/2" in text


def test_both_groups_of_each_pair_are_trained(study):
    named = {group for pairs in study.STUDY.values() for pair in pairs for group in pair}
    assert named == set(study.GROUPS)


def test_candidates_are_judged_by_the_median_of_the_newest_values(study):
    rows = [{"health/separation": value, "health/gradient_ratio": 0.2} for value in (0.9, 1, 0.99)]
    found = study.RULES["separation"](rows)
    assert found.detected and found.value == 0.99
    assert not study.RULES["gradient_ratio"](rows).detected
    assert study.RULES["gradient_ratio"]([row | {"health/gradient_ratio": 0.01} for row in rows])[0]
    assert study.RULES["separation"](rows[:2]) is None
    assert study.RULES["separation"]([*rows, {"health/separation": float("nan")}]) is None
    assert {group for pair in study.STRONG_PAIRS for group in pair} <= set(study.GROUPS)


def test_groups_whose_rows_are_kept_are_not_trained_again(study, tmp_path, monkeypatch):
    trained = []

    def train(overrides, seeds, steps):
        trained.append((overrides, seeds, steps))
        return [[{"step": steps}]] * seeds

    monkeypatch.setattr(study, "train_group", train)
    monkeypatch.setattr(study, "GROUPS", {"a": ("a=1",), "b": ("b=1",)})
    file = str(tmp_path / "rows.json")
    first = study.rows_of_groups(["a"], 4, 1000, file)
    assert study.rows_of_groups(["a", "b"], 4, 1000, file)["a"] == first["a"]
    study.rows_of_groups(["a"], 4, 2000, file)
    assert trained == [(("a=1",), 4, 1000), (("b=1",), 4, 1000), (("a=1",), 4, 2000)]
