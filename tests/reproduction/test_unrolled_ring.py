"""The figures unrolled_ring_ablation, unrolled_ring_notebook and unrolled_ring_rates."""

import numpy as np
import pytest
from figure_modules import load, verdict_list, verdicts


def test_fishers_test_counts_the_tables_that_are_as_extreme():
    """3 of 4 against 1 of 4: (16 + 1) / 70 of the tables with these margins are as extreme."""
    assert load("unrolled_ring_ablation").fisher(3, 4, 1, 4) == pytest.approx(17 / 70)


def test_the_interval_of_all_is_that_of_clopper_and_pearson():
    low, high = load("unrolled_ring_ablation").interval(3, 3)
    assert low == pytest.approx(0.025 ** (1 / 3)) and high == 1


def test_a_run_whose_seeds_all_diverged_is_drawn():
    state = {"covered": 8, "high_quality": 0.9, "near": 8, "nearest": [1] * 8}
    row = {
        "run": "full, K = 1",
        "seed": 0,
        "modes": 8,
        "diverged": False,
        "checkpoints": [state | {"step": step} for step in (1, 2)],
    }
    diverged = row | {"run": "K = 0", "diverged": True, "checkpoints": []}
    assert load("unrolled_ring_ablation").draw(
        {"rows": [row, diverged], "pictures": {}, "steps": 2}
    )


def test_coverage_by_the_term_alone_passes():
    figure, ring = load("unrolled_ring_ablation"), np.eye(8, dtype=int) * 100

    def row(run, seed, covered, quality, near):
        state = {"covered": covered, "high_quality": quality, "near": near}
        states = [state | {"step": i, "nearest": ring[i % 8].tolist()} for i in range(10)]
        return {"run": run, "seed": seed, "modes": 8, "diverged": False, "checkpoints": states}

    rows = [row("K = 0", seed, 0, 0.01, 1) for seed in range(10)]
    for k in figure.UNROLLS:
        covered, quality = (8, 0.8) if k == 10 else (1, 0.02)
        for seed in range(10):
            rows.append(row(f"full, K = {k}", seed, 8, 0.85, 8))
            rows.append(row(f"stopped, K = {k}", seed, covered, quality, 2))
    by_name = verdicts(figure.claims({"rows": rows}))
    not_judged = [name for name, verdict in by_name.items() if verdict == "not judged"]
    assert len(by_name) == 9 and list(by_name.values()).count("pass") == 6
    assert [name.split(":")[0] for name in not_judged] == ["K = 10", "K = 2", "K = 1"]
    worse = [
        good | {"checkpoints": [state | {"covered": 7} for state in good["checkpoints"]]}
        for good in rows
    ]
    # The coverage of K = 10, and K = 3 and 5.
    assert verdict_list(figure.claims({"rows": worse})).count("miss") == 3


def test_shares_of_fewer_seeds_than_were_asked_for_are_not_judged():
    figure = load("unrolled_ring")
    rows = [
        last_row(run, seed, near, quality, covered)
        for seed in range(10)
        for run, near, quality, covered in (("K = 10", 8, 0.9, 8), ("K = 0", 1, 0.0, 0))
    ]
    assert verdict_list(figure.claims({"rows": rows})) == ["pass"] * 3
    assert verdict_list(figure.claims({"rows": rows[:18]})) == ["not judged"] * 3


def test_medians_are_over_the_seeds_that_were_sampled_at_a_step():
    curves = [{1: 0.1, 2: 0.2, 3: 0.3}, {1: 0.3, 3: 0.5}, {1: 0.2}, {}]
    rows = [
        {
            "run": "a",
            "checkpoints": [{"step": step, "high_quality": value} for step, value in curve.items()],
        }
        for curve in curves
    ]
    steps, values = load("unrolled_ring_ablation").quality_over_training({"rows": rows}, "a")
    assert steps == [1, 2, 3]
    np.testing.assert_allclose(np.nanmedian(values, 0), [0.2, 0.2, 0.4])


def last_row(run, seed, near, quality, covered):
    state = {"step": 1, "covered": covered, "high_quality": quality, "near": near, "nearest": []}
    modes = 7 if "7" in run else 8
    return {"run": run, "seed": seed, "modes": modes, "diverged": False, "checkpoints": [state]}


def without_coverage(rows):
    worse = {"near": 6, "covered": 0, "high_quality": 0.3}
    return [row | {"checkpoints": [row["checkpoints"][0] | worse]} for row in rows]


def test_the_notebooks_verdicts_follow_from_its_rows():
    notebook = load("unrolled_ring_notebook")
    rows = []
    for data, modes in (("8 modes", 8), ("its 7 modes", 7)):
        for k, near in ((0, 2), (5, modes)):
            name = f"notebook, {data}, K = {k}"
            rows += [last_row(name, seed, near, 0.05, 0) for seed in range(10)]
    assert {row["run"] for row in rows} == set(notebook.RUNS)
    claims = notebook.claims({"rows": rows})
    assert verdict_list(claims) == ["pass"] * 4
    assert "all modes in 10 of 10 seeds" in claims[1].note
    assert verdict_list(notebook.claims({"rows": without_coverage(rows)})) == ["miss"] * 4


def test_the_verdicts_on_the_rates_follow_from_new_seeds_alone():
    rates = load("unrolled_ring_rates")
    rows = [
        last_row(f"{kind}, {name} the rate", seed, 8, 0.8, covered)
        for kind, covered in (("full", 8), ("stopped", 2))
        for name in rates.RATES
        for seed in range(10, 30)
    ]
    assert {row["run"] for row in rows} == set(rates.RUNS)
    assert verdict_list(rates.claims({"rows": rows})) == ["pass"] * 2
    assert verdict_list(rates.claims({"rows": without_coverage(rows)})) == ["miss"] * 2
    known_seeds = [row | {"seed": row["seed"] - 10} for row in rows if row["seed"] < 20]
    assert verdict_list(rates.claims({"rows": known_seeds})) == ["not judged"] * 2
