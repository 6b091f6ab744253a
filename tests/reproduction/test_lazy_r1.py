"""The figure lazy_r1: the time of a step, its verdicts, and its panels."""

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure

FD = "mean FD: R1 at every 16th step over R1 at every step"
TIME = "time of a step: R1 at every 16th step over R1 at every step"


def numbers_of(fds, seconds, seeds=3):
    module = load("lazy_r1")
    strip = module.images.to_png(np.zeros((28, 28 * 12), np.uint8))
    rows = [
        {
            "run": run,
            "seed": seed,
            "steps": 4000,
            "diverged": False,
            "strip": strip if seed == 0 else None,
            "curves": {module.METRIC: {"step": [500, 4000], "value": [150.0, fd + seed]}},
        }
        for run, fd in fds.items()
        for seed in range(seeds)
    ]
    return {"rows": rows, "seconds": seconds}


def all_runs(lazy_fd=41.0, lazy_seconds=0.05):
    runs = load("lazy_r1").RUNS
    fds = dict.fromkeys(runs, 39.0) | {"every 16th": lazy_fd}
    seconds = {run: [0.11, 0.09] for run in runs} | {"every 16th": [lazy_seconds] * 2}
    return numbers_of(fds, seconds)


def test_the_first_of_several_rates_is_left_out():
    seconds_of = load("lazy_r1").seconds_of
    assert seconds_of([10.0, 128.0, 64.0], 64) == [0.5, 1.0]
    assert seconds_of([32.0], 64) == [2.0]


def test_runs_are_timed_in_turns_and_once_each(tmp_path, monkeypatch):
    module = load("lazy_r1")
    timed = []

    def time_alone(directory, folder, steps, log_every):
        timed.append((directory.parent.name, folder.parent.name, steps, log_every))
        return [float(len(timed))]

    monkeypatch.setattr(module, "time_alone", time_alone)
    directories = {name: tmp_path / name / "seed_000" for name in ("a", "b")}
    for _ in range(2):  # the second time from the files of the first
        seconds = module.seconds_per_step(directories, 300, 100, 2)
        assert seconds == {"a": [1, 3], "b": [2, 4]}
    assert timed == [(name, f"alone_{turn}", 300, 100) for turn in (0, 1) for name in ("a", "b")]


def test_wall_clock_is_steps_times_the_mean_time_of_a_step():
    module = load("lazy_r1")
    numbers = numbers_of(
        {"no R1": 40.0, "every step": 30.0}, {"no R1": [0.2, 0.4], "every step": [3]}
    )
    rows = module.by_wall_clock(numbers)["rows"]
    assert rows[0]["curves"][module.METRIC]["step"] == pytest.approx([2.5, 20])
    assert rows[-1]["curves"][module.METRIC]["step"] == pytest.approx([25, 200])
    assert rows[-1]["curves"][module.METRIC]["value"] == [150, 32]


@pytest.mark.parametrize(
    ("fd", "seconds", "expected"),
    [(42.9, 0.05, ["pass", "pass"]), (43.5, 0.05, ["miss", "pass"]), (41, 0.1, ["pass", "miss"])],
)
def test_fd_and_time_are_judged_in_the_full_form_alone(fd, seconds, expected):
    made = load("lazy_r1").claims(all_runs(fd, seconds))
    judged = {name: v for name, v in verdicts(made).items() if v != "not judged"}
    assert list(judged) == [FD, TIME] and list(judged.values()) == expected
    assert made[0].measured == (pytest.approx((fd + 1) / 40),)
    assert {claim.verdict(shortened=True) for claim in made} == {"not judged"}


def test_a_run_whose_seeds_all_diverged_is_counted_and_compared_with_nothing():
    numbers = all_runs()
    for row in numbers["rows"]:
        row["diverged"] = row["run"] == "every 16th"
    made = load("lazy_r1").claims(numbers)
    assert FD not in [claim.name for claim in made]
    shown = next(claim for claim in made if claim.name == "every 16th: FD")
    assert shown.measured == () and shown.note == "3 of its seeds diverged"


def test_lazy_runs_differ_in_the_interval_and_in_adam_alone():
    module = load("lazy_r1")
    settings = {
        name: load_settings(str(ROOT / run.config), run.overrides)
        for name, run in module.RUNS.items()
    }
    for name, of_run in settings.items():
        assert of_run.networks.settings["discriminator_norm"] == "layer"
        terms = [str(part) for part in of_run.objective]
        adam = of_run.discriminator_optimizer[0]
        assert of_run.generator_optimizer[0].name == "adam"
        if name.startswith("every ") and name != "every step":
            n = int(name.removeprefix("every ").removesuffix("th"))
            assert any(f"n={n}" in term and "r1" in term for term in terms)
            assert adam.name == "lazy_adam" and adam.settings["every"] == n
        else:
            assert adam.name == "adam" and len(terms) == 1 + (name == "every step")


def test_the_drawing_has_its_panels_also_of_the_short_form():
    figure = load_figure(FIGURES, "lazy_r1")
    drawing = figure.draw(all_runs())
    titles = [ax.get_title(loc="left") for ax in drawing.axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    assert len(drawing.axes[0].lines) == len(drawing.axes[1].lines) == 5 * 4
    assert drawing.axes[1].get_xlabel() == "minutes, each run alone"
    names = list(figure.module.SHORT)
    short = figure.draw(numbers_of(dict.fromkeys(names, 40.0), {name: [0.1] for name in names}, 1))
    assert [text.get_text() for text in short.axes[2].get_yticklabels()] == names
