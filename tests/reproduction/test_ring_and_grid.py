"""The figure ring_and_grid: its verdicts."""

import pytest
from figure_modules import load, verdict_list


def row(seed, modes, kl=0.1):
    return {
        "run": "ring, GAN",
        "seed": seed,
        "diverged": modes is None,
        "step": 400_000,
        "modes/covered": modes,
        "modes/high_quality": modes and 0.9,
        "modes/reverse_kl": kl,
    }


ROWS = [row(0, 8.0), row(1, 8.0, kl=None), row(2, None, kl=None), row(3, 8.0)]
"""Near no mode there is no divergence; seed 2 diverged."""


def test_a_run_that_diverged_counts_as_covering_nothing():
    figure = load("ring_and_grid")
    modes, quality, divergence = figure.claims({"rows": ROWS})
    assert modes.measured == (6.0,) and modes.verdict(shortened=False) == "pass"
    assert "standard error 2 of 4 seeds" in modes.note and "1 diverged" in modes.note
    assert quality.measured == pytest.approx((0.675,))
    assert divergence.measured == pytest.approx((0.1,))
    assert divergence.note.startswith("2 of 4 seeds")


def test_runs_that_all_diverged_miss_their_bands():
    figure = load("ring_and_grid")
    claims = figure.claims({"rows": [row(seed, None, None) for seed in range(2)]})
    assert verdict_list(claims) == ["miss", "not judged", "not judged"]


def test_one_seed_has_no_standard_error():
    assert load("ring_and_grid").claims({"rows": ROWS[:1]})[0].note == ""


def test_runs_that_diverged_are_drawn():
    figure = load("ring_and_grid")
    assert figure.draw({"rows": ROWS}) and figure.draw({"rows": ROWS[2:3]})
