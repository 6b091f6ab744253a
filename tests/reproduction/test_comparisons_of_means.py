"""What claims about means over seeds share."""

import pytest
from figure_modules import load, verdict_list


@pytest.fixture
def comparisons():
    load("limited_data")
    import _comparisons

    return _comparisons


def test_a_mean_has_to_be_above_another_one(comparisons):
    above = comparisons.mean_above("x", [3.0, 5.0], [1.0, 2.0, 3.0], "why", "note")
    assert above[0].measured == (2.0,) and above[0].note == "note"
    below = comparisons.mean_above("x", [1.0], [2.0], "why")
    level = comparisons.mean_above("x", [1.0], [1.0], "why")
    assert verdict_list([*above, *below, *level]) == ["pass", "miss", "miss"]
    assert comparisons.mean_above("x", [], [1.0], "") == []
    assert comparisons.mean_above("x", [1.0], [], "") == []


def test_a_difference_has_a_band(comparisons):
    made = [comparisons.difference("x", [x], [1.0], "", 0.2, 0.4)[0] for x in (1.1, 1.3, 1.5)]
    assert verdict_list(made) == ["miss", "pass", "miss"]


def test_diverged_seeds_are_named_with_their_run(comparisons):
    rows = [
        {"run": run, "diverged": lost} for run, lost in (("a", True), ("b", False), ("a", True))
    ]
    assert comparisons.diverged({"rows": rows}, "a", "b") == "a: 2 of its seeds diverged"
    assert comparisons.diverged({"rows": rows}, "b") == ""
    assert verdict_list([comparisons.images.to_be_shown("x", [1.0])]) == ["not judged"]
