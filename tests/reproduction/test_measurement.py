"""A figure as a Python file: what is read from it, and how its forms are measured."""

import dataclasses
import textwrap

import pytest

from gan_jax.errors import UserError
from gan_jax.reproduction import (
    figure_names,
    figures,
    is_shortened,
    load_figure,
    load_record,
    measure_figure,
)

MEASURED = '''
"""A figure: of two numbers.

Some text.

Source: A paper,
figure 1.
"""

from gan_jax.reproduction import Claim

RATE, NAMES = 0.1, ("a", "b")
TABLE = {"x": (1, None)}
_PUBLISHED = (0.2, 0.3)
FUNCTIONS = (print,)


def measure(smoke):
    return {"value": 1 if smoke else 2}


def claims(numbers):
    return [Claim.close_to("value", numbers["value"], 2, 0.1)]
'''

TRAINED = '''
"""A figure of runs."""

from gan_jax.reproduction import Run

RUNS = {"one": Run("configs/ring.py", ("unroll=1",)), "two": Run("configs/ring.py")}
SEEDS, SMOKE_SEEDS, UNIT = 10, 2, "draws"
SMOKE_RUNS = ("two",)
SMOKE = ("steps=20",)
SHORT = ("steps=100",)
NOT_RUN_SHORT = "all steps: 100 of 1000"
'''


FOLLOWED = """
from gan_jax.reproduction import Claim

FOLLOW_UP_SEEDS = range(100, 102)


def follow_up(directories, smoke):
    best = max(directories)
    return {f"{best}, again": RUNS[best]}


def measure(directories, smoke):
    return {"rows": [[name, seed] for name, of_name in directories.items() for seed in of_name]}


def claims(numbers):
    return [Claim.close_to("value", 1, 1, 0.1)]
"""


@pytest.fixture
def figure(tmp_path):
    """Writes the code of a figure to a file, and loads it."""

    def load(name, code):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code).lstrip())
        return load_figure(tmp_path, name)

    return load


def measure(figure, scale, tmp_path):
    return measure_figure(
        figure,
        scale,
        None,
        folder=tmp_path / "out",
        workdir=tmp_path / "runs",
        root=tmp_path,
        command="a command",
    )


def test_title_and_source_are_those_of_the_docstring(figure):
    measured = figure("measured", MEASURED)
    assert measured.title == "A figure: of two numbers."
    assert measured.source == "Source: A paper, figure 1."
    assert figure("trained", TRAINED).source == ""


def test_files_with_an_underscore_are_no_figures(figure, tmp_path):
    figure("measured", MEASURED)
    (tmp_path / "_shared.py").write_text("")
    assert figure_names(tmp_path) == ["measured"]
    with pytest.raises(UserError, match="no figure is named 'measurd': did you mean measured"):
        load_figure(tmp_path, "measurd")


def test_the_settings_of_a_figure_without_runs_are_its_plain_constants(figure):
    expected = {"rate": 0.1, "names": ["a", "b"], "table": {"x": [1, None]}}
    assert figure("measured", MEASURED).settings("paper") == expected


def test_seeds_are_counted_from_the_figures_first_one(figure):
    assert figure("trained", TRAINED).seeds_to_train(10, measured=4) == range(4, 10)
    later = figure("later", TRAINED + "FIRST_SEED = 30\n")
    assert later.seeds_to_train(10, measured=0) == range(30, 40)
    assert later.seeds_to_train(10, measured=4) == range(34, 40)


def test_a_shortened_form_has_its_own_runs_overrides_and_seeds(figure):
    trained = figure("trained", TRAINED)
    overrides = {
        scale: {name: run.overrides for name, run in trained.runs(scale).items()}
        for scale in ("smoke", "short", "paper")
    }
    assert overrides == {
        "smoke": {"two": ("health=false", "steps=20")},
        "short": {"one": ("unroll=1", "steps=100"), "two": ("steps=100",)},
        "paper": {"one": ("unroll=1",), "two": ()},
    }
    assert [trained.seeds(scale) for scale in ("smoke", "short", "paper")] == [2, 10, 10]
    assert trained.settings("smoke") == {
        "two": {
            "config": "configs/ring.py",
            "overrides": ["health=false", "steps=20"],
            "numbers": {},
        }
    }


def test_a_short_form_may_have_some_runs_with_overrides_of_their_own(figure):
    short = figure("some", TRAINED + 'SHORT = {"one": ("steps=50", "batch_size=8")}\n')
    assert {name: run.overrides for name, run in short.runs("short").items()} == {
        "one": ("unroll=1", "steps=50", "batch_size=8")
    }
    assert list(short.runs("paper")) == ["one", "two"]


def test_changes_go_to_every_run_of_every_form_and_are_told(figure):
    trained = figure("trained", TRAINED)
    changed = dataclasses.replace(trained, changes=("batch_size=8", "seed=3"))
    for scale in ("smoke", "short", "paper"):
        assert {name: run.overrides for name, run in changed.runs(scale).items()} == {
            name: (*run.overrides, "batch_size=8", "seed=3")
            for name, run in trained.runs(scale).items()
        }
    told = "the figure's own settings, changed by batch_size=8, seed=3"
    assert changed.not_run("paper", 10) == told
    assert changed.not_run("short", 10) == f"{told}; all steps: 100 of 1000"
    assert changed.not_run("smoke", 2) == f"{told}; {trained.not_run('smoke', 2)}"


def test_a_figure_says_what_was_not_run(figure):
    trained = figure("trained", TRAINED)
    assert trained.not_run("paper", 10) == ""
    assert trained.not_run("paper", 3) == "7 of 10 draws"
    assert trained.not_run("short", 3) == "all steps: 100 of 1000; 7 of 10 draws"
    assert trained.not_run("smoke", 2) == "the published form: this is the smoke form"
    assert figure("measured", MEASURED).not_run("paper", None) == ""


def test_each_form_is_measured_and_recorded(figure, tmp_path):
    measured = figure("measured", MEASURED)
    record = measure(measured, "paper", tmp_path)
    assert record["numbers"] == {"value": 2}
    assert record["command"] == "a command" and record["about"] == "Source: A paper, figure 1."
    saved = load_record(tmp_path / "out")
    assert saved["numbers"] == record["numbers"] and saved["settings"] == record["settings"]
    assert saved["claims"][0]["verdict"] == "pass"
    assert measure(measured, "smoke", tmp_path)["numbers"] == {"value": 1}
    assert load_record(tmp_path / "out")["claims"][0]["verdict"] == "not judged"


def test_a_measurement_in_parts_is_given_a_folder_for_them(figure, tmp_path):
    code = (
        MEASURED.replace("def measure(smoke):", "def measure(smoke, folder):")
        .replace("1 if smoke else 2", "str(folder)")
        .replace('numbers["value"], 2', "2, 2")
    )
    record = measure(figure("in_parts", code), "paper", tmp_path)
    assert record["numbers"] == {"value": str(tmp_path / "runs")}


def test_runs_that_depend_on_others_are_trained_after_them_and_chosen_from_all_seeds(
    figure, tmp_path, monkeypatch
):
    trained, overrides = [], set()

    def train(runs, seeds, workdir, root):
        trained.append((list(runs), seeds))
        overrides.update(run.overrides[-1] for run in runs.values())
        return {name: dict.fromkeys(seeds, tmp_path) for name in runs}

    monkeypatch.setattr(figures, "_train", train)
    followed = figure("followed", TRAINED + FOLLOWED)
    assert followed.follows_up and not figure("trained", TRAINED).follows_up
    followed = dataclasses.replace(followed, changes=("batch_size=8",))
    before = None
    for seeds in (1, 2):
        before = measure_figure(
            followed,
            "short",
            seeds,
            folder=tmp_path / "out",
            workdir=tmp_path / "runs",
            root=tmp_path,
            command="a command",
            before=before,
        )
    again = (["two, again"], range(100, 102))
    assert trained == [(["one", "two"], range(1)), again, (["one", "two"], range(2)), again]
    assert before["numbers"]["rows"] == [
        [name, seed]
        for name, seeds in (("one", (0, 1)), ("two", (0, 1)), ("two, again", (100, 101)))
        for seed in seeds
    ]
    assert overrides == {"batch_size=8"} and before["changes"] == ("batch_size=8",)
    assert is_shortened(before | {"scale": "paper"})  # another experiment
    assert not is_shortened({"scale": "paper"})
