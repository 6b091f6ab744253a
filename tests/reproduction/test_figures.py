"""The paper figures: each found by its file, measured in its smoke form and drawn; the command; numbers in closed form."""

import csv
import json
import runpy

import numpy as np
import pytest
from conftest import ROOT

from gan_jax import reproduction

reproduce = runpy.run_path(str(ROOT / "experiments" / "reproduce.py"))["reproduce"]
FIGURES = ROOT / "experiments" / "figures"
LONG = {
    "deep_critic_gradients", "dirac_gan", "gradient_regularised_ring", "label_bias", "loss_penalty_unroll_rule",
    "objective_sensitivity", "parallel_lines", "ring_and_grid", "toy_generators", "two_gaussians", "unrolled_ring",
    "unrolled_ring_notebook", "unrolled_ring_rates", "value_surfaces", "vanishing_gradient",
}  # fmt: skip
"""Figures whose smoke form takes more than a few seconds, mostly to compile."""


def load(name):
    """The module of a figure."""
    return reproduction.load_figure(FIGURES, name).module


@pytest.fixture
def once(tmp_path):
    """Reproduces a figure's smoke form and reads what it wrote."""

    def made(name):
        reproduce(
            [name, "--scale=smoke", f"--out={tmp_path / 'out'}", f"--workdir={tmp_path / 'runs'}"]
        )
        return json.loads((tmp_path / "out" / name / "results.json").read_text())

    return made


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in LONG else ())
        for n in reproduction.figure_names(FIGURES)
    ],
)
def test_the_quick_form_of_each_figure_is_measured_and_drawn(name, once, tmp_path):
    from PIL import Image

    record = once(name)
    claims = load(name).claims(record["numbers"])
    assert [claim.name for claim in claims] == [
        claim["name"] for claim in record["claims"]
    ] and claims
    missed = [claim.name for claim in claims if claim.smoke and claim.verdict(True) != "pass"]
    assert not missed
    folder = tmp_path / "out" / name
    with Image.open(folder / "figure.png") as picture:
        assert (
            min(picture.size) > 400
            and len(set(picture.convert("L").resize((64, 64)).getdata())) > 8
        )
    assert "<svg" in (folder / "figure.svg").read_text()
    rows = list(csv.reader((folder / "claims.csv").read_text().splitlines()))
    assert rows[0] == list(reproduction.COLUMNS) and len(rows) == len(claims) + 1
    assert record["command"] == f"python experiments/reproduce.py {name} --scale=smoke" + (
        f" --seeds={load(name).SMOKE_SEEDS}" if hasattr(load(name), "RUNS") else ""
    )
    assert (
        record["scale"] == "smoke"
        and record["not_run"]
        and record["seconds"] >= 0
        and record["settings"]
    )
    judged = sum(row[3] in ("pass", "miss") for row in rows)
    assert len(record["verdict"]) == 2 and f" of {judged} claims are inside" in record["verdict"][0]


@pytest.mark.parametrize("name", reproduction.figure_names(FIGURES))
def test_each_figure_says_where_it_is_from_and_what_is_to_be_met(name):
    case = load(name)
    assert "Source: " in case.__doc__ and f"reproduce.py {name}" in case.__doc__
    assert (
        "o be met" in case.__doc__
        and callable(case.measure)
        and callable(case.claims)
        and callable(case.draw)
    )


@pytest.mark.parametrize(
    "name",
    [name for name in reproduction.figure_names(FIGURES) if (ROOT / "results" / name).exists()],
)
def test_committed_numbers_are_what_the_claims_are_judged_by(name):
    """The files of results say what their own numbers say, by the bands of today."""
    folder = ROOT / "results" / name
    record = json.loads((folder / "results.json").read_text())
    claims = load(name).claims(record["numbers"])
    found = [(claim.name, claim.verdict(record["scale"] != "paper")) for claim in claims]
    assert (
        found == [(claim["name"], claim["verdict"]) for claim in record["claims"]]
        and record["scale"] != "smoke"
    )
    assert record["verdict"] == list(
        reproduction.summarize(name, claims, record["scale"] != "paper")
    )
    assert all((folder / file).exists() for file in ("figure.png", "figure.svg", "claims.csv"))


# --- numbers in closed form, by other means


def test_the_published_consensus_field_halves_one_summand():
    """Against central differences of |v|^2 / 2: ours is the gradient, the published one is not."""
    from gan_jax import theory

    case, ours = load("dirac_gan"), theory.dirac_field("consensus", 1.0)
    plain = theory.dirac_field("minimax")
    energy = lambda theta, psi: 0.5 * sum(np.square(plain(theta, psi)))
    theta, psi, h = 0.7, -1.3, 1e-5
    gradient = np.array(
        [
            energy(theta + h, psi) - energy(theta - h, psi),
            energy(theta, psi + h) - energy(theta, psi - h),
        ]
    )
    expected = np.array(plain(theta, psi)) - gradient / (2 * h)
    np.testing.assert_allclose(ours(theta, psi), expected, atol=1e-9)
    assert np.abs(np.array(case.published_consensus(theta, psi)) - expected).max() > 0.01


def test_the_gradient_that_the_optimal_discriminator_leaves():
    """By a million draws, where the two Gaussians overlap."""
    case = load("vanishing_gradient")
    z = np.random.default_rng(0).normal(size=1_000_000)
    answers = 1 / (1 + np.exp(4.0 * (2 + z)))  # s = 1: D*(x) = sigmoid(-4 x)
    drawn = 4.0 * np.hypot(np.mean(answers), np.mean(answers * z))
    assert case.optimal_norm(1.0) == pytest.approx(drawn, rel=0.02)


def test_fishers_test_of_the_ablation():
    """3 of 4 against 1 of 4: (16 + 1) / 70 of the tables with these margins are as extreme."""
    assert load("unrolled_ring").fisher(3, 4, 1, 4) == pytest.approx(17 / 70)


def test_the_ablations_verdicts_follow_from_its_rows():
    case, ring = load("unrolled_ring"), np.eye(8, dtype=int) * 100

    def row(run, seed, covered, quality, near):
        one = {"covered": covered, "high_quality": quality, "near": near}
        return {"run": run, "seed": seed, "modes": 8, "diverged": False,
                "checkpoints": [one | {"step": i, "nearest": ring[i % 8].tolist()} for i in range(10)]}  # fmt: skip

    rows = [row("K = 0", seed, 0, 0.01, 1) for seed in range(10)]
    for k in case.UNROLLS:
        rows += [row(f"full, K = {k}", seed, 8, 0.85, 8) for seed in range(10)]
        rows += [
            row(f"stopped, K = {k}", seed, 8 if k == 10 else 1, 0.8 if k == 10 else 0.02, 2)
            for seed in range(10)
        ]
    verdicts = {claim.name: claim.verdict(False) for claim in case.claims({"rows": rows})}
    unjudged = [name for name, verdict in verdicts.items() if verdict == "not judged"]
    assert len(verdicts) == 9 and list(verdicts.values()).count("pass") == 6
    assert [name.split(":")[1] for name in unjudged] == [" K = 10", " K = 2", " K = 1"]  # no band
    worse = [
        row | {"checkpoints": [one | {"covered": 7} for one in row["checkpoints"]]} for row in rows
    ]
    verdicts = [claim.verdict(False) for claim in case.claims({"rows": worse})]
    assert verdicts.count("miss") == 3  # A1a's coverage, and K = 3 and 5


def test_seeds_that_were_not_looked_at_everywhere_are_in_the_median_where_they_were():
    looks = lambda **at: [
        {"step": int(step[1:]), "high_quality": value} for step, value in at.items()
    ]
    rows = [looks(s1=0.1, s2=0.2, s3=0.3), looks(s1=0.3, s3=0.5), looks(s1=0.2), []]
    found = load("unrolled_ring")._curves(
        {"rows": [{"run": "a", "checkpoints": one} for one in rows]}, "a"
    )
    assert found[0] == [1, 2, 3]
    np.testing.assert_allclose(np.nanmedian(found[1], 0), [0.2, 0.2, 0.4])


def test_the_notebooks_and_the_rates_verdicts_follow_from_their_rows():
    notebook, rates = load("unrolled_ring_notebook"), load("unrolled_ring_rates")

    def row(run, seed, near, quality, covered):
        one = {"step": 1, "covered": covered, "high_quality": quality, "near": near, "nearest": []}
        return {
            "run": run,
            "seed": seed,
            "modes": 7 if "7" in run else 8,
            "diverged": False,
            "checkpoints": [one],
        }

    both = [
        (notebook, 4, [row(f"notebook, {data}, K = {k}", seed, int(data[-7]) if k else 2, 0.05, 0)
                       for data in notebook.DATA for k in (0, 5) for seed in range(10)]),
        (rates, 2, [row(f"{kind}, {name} the rate", seed, 8, 0.8, 8 if kind == "full" else 2)
                    for kind in ("full", "stopped") for name in rates.RATES for seed in range(10, 30)]),
    ]  # fmt: skip
    for case, count, rows in both:
        assert {row["run"] for row in rows} == set(case.RUNS)
        found = case.claims({"rows": rows})
        assert [claim.verdict(False) for claim in found] == ["pass"] * count
        worse = {"near": 6, "covered": 0, "high_quality": 0.3}
        fewer = [row | {"checkpoints": [row["checkpoints"][0] | worse]} for row in rows]
        assert [claim.verdict(False) for claim in case.claims({"rows": fewer})] == ["miss"] * count
    seen = [
        row | {"seed": row["seed"] - 10} for row in both[1][2] if row["seed"] < 20
    ]  # by which the question was set
    assert [claim.verdict(False) for claim in rates.claims({"rows": seen})] == ["not judged"] * 2
    assert "10 of 10 seeds all" in notebook.claims({"rows": both[0][2]})[1].note
