"""The paper figures: each found by its file, measured in its smoke form and drawn; the command; numbers in closed form."""

import csv
import json
import math
import runpy
import shutil

import numpy as np
import pytest
from conftest import ROOT

from gan_jax import reproduction
from gan_jax.errors import UserError
from gan_jax.reproduction import Claim, within

PROGRAM = runpy.run_path(str(ROOT / "experiments" / "reproduce.py"))
reproduce, figures, load = (PROGRAM[name] for name in ("reproduce", "figures", "load"))
LONG = {
    "deep_critic_gradients", "dirac_gan", "gradient_regularised_ring", "label_bias", "loss_penalty_unroll_rule",
    "objective_sensitivity", "parallel_lines", "ring_and_grid", "toy_generators", "two_gaussians", "unrolled_ring",
    "unrolled_ring_notebook", "unrolled_ring_rates", "value_surfaces", "vanishing_gradient",
}  # fmt: skip
"""Figures whose smoke form takes more than a few seconds, mostly to compile."""


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
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LONG else ()) for n in figures()]
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


@pytest.mark.parametrize("name", figures())
def test_each_figure_says_where_it_is_from_and_what_is_to_be_met(name):
    case = load(name)
    assert "Source: " in case.__doc__ and f"reproduce.py {name}" in case.__doc__
    assert (
        "o be met" in case.__doc__
        and callable(case.measure)
        and callable(case.claims)
        and callable(case.draw)
    )


@pytest.mark.parametrize("name", [name for name in figures() if (ROOT / "results" / name).exists()])
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
    assert record["verdict"] == list(reproduction.verdict(name, claims, record["scale"] != "paper"))
    assert all((folder / file).exists() for file in ("figure.png", "figure.svg", "claims.csv"))


def test_the_gallery_tells_apart_the_machines_of_seeds_that_were_added():
    took = PROGRAM["_took"]
    assert took({"seconds": 60.4, "machine": "a"}) == "60 seconds on a"
    earlier = [{"seconds": 60.0, "machine": "a"}, {"seconds": 160.0, "machine": "b"}]
    assert (
        took({"seconds": 7960.0, "machine": "a", "earlier": earlier})
        == "2.2 hours on a and 1.7 minutes on b"
    )


def test_the_gallery_shows_what_has_been_run():
    text = (ROOT / "results" / "README.md").read_text()
    assert text == PROGRAM["gallery"](ROOT / "results")
    shown = [name for name in figures() if (ROOT / "results" / name).exists()]
    assert shown and all(f"]({name}/figure.png)" in text for name in shown)


# --- the command


def test_what_is_there_is_not_measured_or_drawn_again(once, tmp_path, capsys):
    once("generator_losses")
    files = [
        tmp_path / "out" / "generator_losses" / name
        for name in ("results.json", "claims.csv", "figure.png", "figure.svg")
    ]
    times = [file.stat().st_mtime_ns for file in files]
    capsys.readouterr()
    once("generator_losses")
    said = capsys.readouterr().out
    assert "is there; --overwrite measures again" in said and "pass" in said
    assert [file.stat().st_mtime_ns for file in files] == times
    files[2].unlink()  # as after a stop between the numbers and the picture
    once("generator_losses")
    assert files[2].exists() and files[0].stat().st_mtime_ns == times[0]
    before, numbers = files[2].stat().st_mtime_ns, json.loads(files[0].read_text())
    files[0].write_text(json.dumps(numbers | {"claims": []}))  # as of older claims
    pictures = [file.read_bytes() for file in files[2:]]
    reproduce(["generator_losses", "--scale=smoke", "--redraw", f"--out={tmp_path / 'out'}"])
    assert files[2].stat().st_mtime_ns > before and json.loads(files[0].read_text()) == numbers
    assert [file.read_bytes() for file in files[2:]] == pictures
    reproduce(["generator_losses", "--scale=smoke", "--overwrite", f"--out={tmp_path / 'out'}"])
    assert files[0].stat().st_mtime_ns > times[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a figure: all, deep_critic_gradients"),
        (["dirac_gun"], "no figure is named 'dirac_gun': did you mean dirac_gan"),
        (["dirac_gan", "--seeds=3"], "trains no runs"),
        (["unrolled_ring", "--seeds=0"], "at least 1"),
        (["dirac_gan", "--overwrite", "--redraw"], "choose one"),
        (
            ["dirac_gan", "--redraw", "--out=nowhere"],
            "there is no nowhere/dirac_gan/results.json to draw",
        ),
        (["dirac_gan", "--scale=full"], "none of smoke, short, paper"),
        (["dirac_gan", "--scale=short"], "has no short form"),
        (["dirac_gan", "--no"], "unrecognized"),
    ],
)
def test_bad_input_is_said_in_one_line(arguments, says):
    with pytest.raises(UserError, match=says) as error:
        reproduce(arguments)
    assert "\n" not in str(error.value)


def test_numbers_of_another_form_or_broken_ones_are_refused(tmp_path):
    file = tmp_path / "generator_losses" / "results.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"scale": "smoke"}))
    with pytest.raises(UserError, match="is of the smoke form: add --scale=smoke"):
        reproduce(["generator_losses", f"--out={tmp_path}"])
    file.write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        reproduce(["generator_losses", f"--out={tmp_path}"])
    with pytest.raises(UserError, match="is a file, not a folder"):
        reproduce(["generator_losses", f"--out={file}"])


def test_all_leaves_figures_of_another_form_as_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(
        reproduce.__globals__, "figures", lambda: ["generator_losses", "divergence_fits"]
    )
    for name in ("generator_losses", "divergence_fits"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps({"scale": "short"}))
    reproduce(["all", f"--out={tmp_path}"])
    assert capsys.readouterr().out.count("is of the short form, and is left as it is") == 2
    assert [path.name for path in tmp_path.rglob("*.json")] == ["results.json"] * 2


def test_the_list_has_a_line_each(capsys):
    reproduce(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == figures() and len(figures()) >= 8


# --- claims and files


def test_verdicts():
    assert within("a", [1.0, 1.2], 1.1, 0.11).verdict(False) == "pass"
    assert within("a", [1.0, 1.3], 1.1, 0.11).verdict(False) == "miss"  # every seed counts
    assert (
        Claim("a", (5.0,), "", None, 4).verdict(False) == "miss"
        and Claim("a", (5.0,), "", 4, None).verdict(False) == "pass"
    )
    assert Claim("a", (math.nan,), "", 0, None).verdict(False) == "miss"
    for value in (1.0, math.nan):
        assert (
            Claim("a", (value,), "", None, None).verdict(False) == "not judged"
        )  # nothing that it could have missed
    assert (
        Claim("a", (1.0,), "", 0, 2).verdict(True)
        == Claim("a", (), "", 0, 2).verdict(False)
        == "not judged"
    )
    assert Claim("a", (1.0,), "", 0, 2, smoke=True).verdict(True) == "pass"


def test_files_hold_what_was_measured(tmp_path):
    numbers = reproduction.plain(
        {"a": np.array([[1 / 3, np.inf]]), "b": (np.int64(2), np.nan), "c": np.float32(0.5)}, 3
    )
    assert numbers == {"a": [[0.333, "inf"]], "b": [2, "nan"], "c": 0.5}
    folder = tmp_path / "made" / "x"
    reproduction.save(
        folder,
        {"figure": "x", "scale": "paper", "numbers": numbers},
        [within("one, two", 1.0, 1.0, 0.1)],
    )
    record = reproduction.load(folder)
    assert record["numbers"] == numbers and record["claims"][0]["verdict"] == "pass"
    text = reproduction._dumps({"x": [1, 2]})
    assert json.loads(text) == {"x": [1, 2]} and "[1, 2]" in text
    assert not list(folder.glob("*.part"))
    assert reproduction.load(tmp_path / "none") is None


def test_the_verdict_is_two_lines_and_says_why():
    claims = [
        within("a", 1.0, 1.0, 0.1),
        within("b", 2.0, 1.0, 0.1, "1", "too few steps"),
        Claim("c", (), "", 0, 1),
    ]
    claims += [
        Claim(name, (at,), "asked > 4", 4, None, name, why="small")
        for name, at in (("d", 3.0), ("e", 2.0), ("f", 5.0))
    ]
    first, second = reproduction.verdict("x", claims, shortened=False)
    assert first == "x: 2 of 5 claims are inside their bands, 1 not judged"
    assert (
        second
        == "outside: b is 2, published 1 (too few steps); d is 3, asked > 4, and e is 2, asked > 4 (small)"
    )
    assert [row[4] for row in reproduction.rows(claims, shortened=False)[3:]] == [
        "d; small",
        "e; small",
        "f",
    ]
    assert reproduction.verdict("x", claims[:1], shortened=False)[1] == "outside: none"


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


@pytest.mark.slow
def test_a_figure_of_runs_trains_what_is_missing_only(tmp_path, capsys):
    flags = [
        "unrolled_ring",
        "--scale=smoke",
        f"--out={tmp_path / 'out'}",
        f"--workdir={tmp_path / 'runs'}",
    ]
    path, own = (
        tmp_path / "out" / "unrolled_ring" / "results.json",
        tmp_path / "runs" / "smoke" / "unrolled_ring",
    )
    reproduce([*flags, "--seeds=1"])
    first = json.loads(path.read_text())
    shutil.rmtree(own / "k_0" / "seed_000" / "checkpoints" / "40")
    capsys.readouterr()
    reproduce([*flags, "--seeds=1", "--overwrite"])
    said = capsys.readouterr().out
    assert (
        "K = 0: 1 of 1 seeds to train" in said and "full, K = 1: 1 seeds have ended before" in said
    )
    assert json.loads(path.read_text())["numbers"] == first["numbers"]

    # More seeds: those that are there are kept as they were measured, though their runs are gone.
    shutil.rmtree(own)
    marked = first["numbers"]["rows"][0]
    marked["checkpoints"][-1]["high_quality"] = 0.123
    path.write_text(json.dumps(first))
    reproduce([*flags, "--seeds=2"])
    assert "K = 0: 1 of 1 seeds to train" in capsys.readouterr().out
    record = json.loads(path.read_text())
    rows = record["numbers"]["rows"]
    assert [row["seed"] for row in rows] == [0, 0, 0, 1, 1, 1] and rows[:3] == first["numbers"][
        "rows"
    ]
    assert (
        record["seeds"] == 2
        and record["earlier"][0]["seeds"] == 1
        and record["seconds"] > first["seconds"]
    )
    assert (
        record["earlier"][0]["command"] == first["command"]
        and record["numbers"]["pictures"] == first["numbers"]["pictures"]
    )
    reproduce([*flags, "--seeds=2"])
    assert "to train" not in capsys.readouterr().out
    assert not (own / "k_0" / "seed_000").exists()

    # Seeds of other settings are none of these.
    path.write_text(json.dumps(record | {"settings": {}}))
    with pytest.raises(
        UserError,
        match="unrolled_ring was made with other settings, so no seeds can be added: --overwrite",
    ):
        reproduce([*flags, "--seeds=3"])
