"""The command that reproduces figures: what it measures, keeps, adds and refuses."""

import json
import runpy
import shutil

import pytest
from conftest import ROOT

from gan_jax import reproduction
from gan_jax.errors import UserError
from gan_jax.reproduction import Claim

reproduce = runpy.run_path(str(ROOT / "experiments" / "reproduce.py"))["reproduce"]
NAMES = reproduction.figure_names(ROOT / "experiments" / "figures")


def test_the_gallery_names_each_machine_that_seeds_were_trained_on():
    of_one = {"seconds": 60.4, "machine": "a"}
    assert reproduction.time_and_machine(of_one) == "60 seconds on a"
    earlier = [{"seconds": 60.0, "machine": "a"}, {"seconds": 160.0, "machine": "b"}]
    of_two = {"seconds": 7960.0, "machine": "a", "earlier": earlier}
    assert reproduction.time_and_machine(of_two) == "2.2 hours on a and 1.7 minutes on b"


def test_the_gallery_shows_what_has_been_run():
    text = (ROOT / "results" / "README.md").read_text()
    assert text == reproduction.gallery(ROOT / "results", NAMES)
    shown = [name for name in NAMES if (ROOT / "results" / name).exists()]
    assert shown and all(f"]({name}/figure.png)" in text for name in shown)


def test_the_gallery_counts_the_kinds_of_claims_apart_and_shows_the_published_numbers(tmp_path):
    claims = [
        Claim.close_to("a", 1.0, 1.0, 0.1, kind="exact"),
        Claim.close_to("b|c", [1.0, 2.0], 1.0, 0.1, "1, they say"),
        Claim("d", (0.5,), "reported only", None, None),
        Claim.rounds_to("e", 1.004, "1.00"),
    ]
    record = {
        "figure": "x",
        "title": "The X.",
        "command": "python x",
        "scale": "paper",
        "seeds": 2,
        "not_run": "",
        "seconds": 3.0,
        "machine": "m",
        "code": "0" * 40,
        "about": 'Source: A et al., "What is X? An answer" (2001), figure 1. With their settings.',
        "settings": {},
        "numbers": {},
    }
    reproduction.save_record(tmp_path / "x", record, claims)
    page = reproduction.gallery(tmp_path, ["x", "y"])
    assert "| [x](#the-x) | 1 of 1 | 0 of 1 | 1 of 1 | 1 |\n| all | 1 of 1 | 0 of 1 | 1" in page
    assert 'Source: A et al., "What is X? An answer" (2001), figure 1. (' in page
    assert f"`python x`; seeds: 2; 3 seconds on m; code: {'0' * 40}." in page
    assert "| b\\|c | 1, 2 | 1, they say | trained | miss |" in page
    assert "| e | 1.004 | 1.00 | published | pass |" in page


@pytest.fixture
def reproduce_losses(tmp_path):
    """Reproduces the smoke form of a quick figure, with more flags."""

    def command(*flags):
        folders = [f"--out={tmp_path / 'out'}", f"--workdir={tmp_path / 'runs'}"]
        reproduce(["generator_losses", "--scale=smoke", *folders, *flags])

    return command


def test_existing_files_are_not_made_again(reproduce_losses, tmp_path, capsys):
    reproduce_losses()
    names = ("results.json", "claims.csv", *reproduction.PICTURE_FILES)
    files = [tmp_path / "out" / "generator_losses" / name for name in names]
    times = [file.stat().st_mtime_ns for file in files]
    capsys.readouterr()
    reproduce_losses()
    printed = capsys.readouterr().out
    assert "is there; --overwrite measures again" in printed and "pass" in printed
    assert [file.stat().st_mtime_ns for file in files] == times
    reproduce_losses("--overwrite")
    assert files[0].stat().st_mtime_ns > times[0]


def test_a_missing_picture_is_drawn_from_the_existing_numbers(reproduce_losses, tmp_path):
    reproduce_losses()
    folder = tmp_path / "out" / "generator_losses"
    time = (folder / "results.json").stat().st_mtime_ns
    (folder / "figure.png").unlink()  # as after an interruption between numbers and picture
    reproduce_losses()
    assert (folder / "figure.png").exists()
    assert (folder / "results.json").stat().st_mtime_ns == time


def test_redraw_judges_and_draws_the_existing_numbers(reproduce_losses, tmp_path):
    reproduce_losses()
    folder = tmp_path / "out" / "generator_losses"
    pictures = [folder / name for name in reproduction.PICTURE_FILES]
    contents = [picture.read_bytes() for picture in pictures]
    time = pictures[0].stat().st_mtime_ns
    record = json.loads((folder / "results.json").read_text())
    outdated = {"claims": [], "title": "", "about": ""}
    (folder / "results.json").write_text(json.dumps(record | outdated))
    reproduce_losses("--redraw")
    assert json.loads((folder / "results.json").read_text()) == record
    assert pictures[0].stat().st_mtime_ns > time
    assert [picture.read_bytes() for picture in pictures] == contents


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a figure: all, critic_loss_and_quality"),
        (["dirac_gun"], "no figure is named 'dirac_gun': did you mean dirac_gan"),
        (["dirac_gan", "--seeds=3"], "trains no runs"),
        (["unrolled_ring_ablation", "--seeds=0"], "at least 1"),
        (["dirac_gan", "--overwrite", "--redraw"], "choose one"),
        (
            ["dirac_gan", "--redraw", "--out=nowhere"],
            "there is no nowhere/dirac_gan/results.json to draw",
        ),
        (["dirac_gan", "--scale=full"], "none of smoke, short, paper"),
        (["dirac_gan", "--scale=short"], "has no short form"),
        (["dirac_gan", "--no"], "unrecognized"),
        (["dirac_gan", "--config.steps=3"], "dirac_gan trains no runs: there is nothing for"),
        (["all", "--config.steps=3"], "changes one figure"),
        (
            ["unrolled_ring", "--config.stepz=3", "--scale=smoke", "--workdir=nowhere"],
            "stepz.*steps",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as error:
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
        reproduce.__globals__, "figure_names", lambda: ["generator_losses", "divergence_fits"]
    )
    for name in ("generator_losses", "divergence_fits"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps({"scale": "short"}))
    reproduce(["all", f"--out={tmp_path}"])
    assert capsys.readouterr().out.count("is of the short form, and is left as it is") == 2
    assert [path.name for path in tmp_path.rglob("*.json")] == ["results.json"] * 2


def test_the_list_has_one_line_per_figure(capsys):
    reproduce(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES and len(NAMES) >= 8


@pytest.fixture
def reproduce_ring(tmp_path):
    """Reproduces the smoke form of a figure that trains runs, with more flags."""

    def command(*flags):
        folders = [f"--out={tmp_path / 'out'}", f"--workdir={tmp_path / 'runs'}"]
        reproduce(["unrolled_ring_ablation", "--scale=smoke", *folders, *flags])
        return json.loads(
            (tmp_path / "out" / "unrolled_ring_ablation" / "results.json").read_text()
        )

    return command


@pytest.mark.slow
def test_only_missing_runs_are_trained(reproduce_ring, tmp_path, capsys):
    first = reproduce_ring("--seeds=1")
    runs = tmp_path / "runs" / "smoke" / "unrolled_ring_ablation"
    shutil.rmtree(runs / "k_0" / "seed_000" / "checkpoints" / "40")
    capsys.readouterr()
    again = reproduce_ring("--seeds=1", "--overwrite")
    printed = capsys.readouterr().out
    assert "K = 0: 1 of 1 seeds to train" in printed
    assert "full, K = 1: 1 seeds have ended before" in printed
    assert again["numbers"] == first["numbers"]


@pytest.mark.slow
def test_added_seeds_leave_the_existing_ones_as_they_were_measured(
    reproduce_ring, tmp_path, capsys
):
    first = reproduce_ring("--seeds=1")
    path = tmp_path / "out" / "unrolled_ring_ablation" / "results.json"
    runs = tmp_path / "runs" / "smoke" / "unrolled_ring_ablation"
    shutil.rmtree(runs)
    first["numbers"]["rows"][0]["checkpoints"][-1]["high_quality"] = 0.123  # to recognise it
    path.write_text(json.dumps(first))
    capsys.readouterr()
    record = reproduce_ring("--seeds=2")
    assert "K = 0: 1 of 1 seeds to train" in capsys.readouterr().out
    rows = record["numbers"]["rows"]
    assert [row["seed"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert rows[:3] == first["numbers"]["rows"]
    assert record["numbers"]["pictures"] == first["numbers"]["pictures"]
    assert record["seeds"] == 2 and record["earlier"][0]["seeds"] == 1
    assert record["earlier"][0]["command"] == first["command"]
    assert record["seconds"] > first["seconds"]

    reproduce_ring("--seeds=2")
    assert "to train" not in capsys.readouterr().out
    assert not (runs / "k_0" / "seed_000").exists()

    path.write_text(json.dumps(record | {"settings": {}}))
    message = (
        "unrolled_ring_ablation was made with other settings, so no seeds can be added: --overwrite"
    )
    with pytest.raises(UserError, match=message):
        reproduce_ring("--seeds=3")


@pytest.mark.slow
def test_changed_runs_are_apart_from_the_figures_own(reproduce_ring, tmp_path, capsys):
    own = reproduce_ring("--seeds=1")
    flag = "--config.batch_size=32"
    with pytest.raises(UserError, match="was made with no changes: give the same, another --out"):
        reproduce_ring("--seeds=1", flag)
    changed = reproduce_ring("--seeds=1", flag, "--overwrite")
    assert changed["numbers"] != own["numbers"] and changed["command"].endswith(flag)
    assert changed["changes"] == ["batch_size=32"] and "batch_size=32" in changed["not_run"]
    assert all(run["overrides"][-1] == "batch_size=32" for run in changed["settings"].values())
    assert all(claim["verdict"] == "not judged" for claim in changed["claims"])
    assert len(list((tmp_path / "runs" / "smoke").glob("unrolled_ring_ablation*"))) == 2
    with pytest.raises(UserError, match=r"was made with --config\.batch_size=32: give"):
        reproduce_ring("--seeds=1", "--redraw")
    capsys.readouterr()
    reproduce_ring("--seeds=1", "--redraw", flag)
    assert "to train" not in capsys.readouterr().out
