"""The figure progressive_growing: what runs cost, its verdicts, and its panels."""

import json
import math

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure
from gan_jax.training.progressive_growing import Phase, images_shown, total_steps

SOONER = "seconds until the mean SWD of not grown at the end, as a share of its seconds"
NOT_WORSE = "mean SWD at the end: grown / not grown"
STEPS = [240, 480, 720, 960]


def row_of(run, seed, swd, seconds, strip=None):
    curves = {
        "mean SWD": swd,
        "SWD at 32": [1.1 * value for value in swd],
        "SWD at 16": [0.9 * value for value in swd],
        "MS-SSIM": [0.6, 0.5, 0.4, 0.4],
        "FD": [10 * value for value in swd],
    }
    return {
        "run": run,
        "seed": seed,
        "steps": 960,
        "diverged": False,
        "curves": {name: {"step": STEPS, "value": values} for name, values in curves.items()},
        "images": [64 * step for step in STEPS],
        "seconds": seconds,
    } | ({"strip": strip} if strip else {})


def numbers_of(grown, whole, strip=None):
    """Three seeds of each run, whose SWD at the evaluations differs by 1."""
    rows = [
        row_of(run, seed, [value + seed - 1 for value in swd], seconds, strip if not seed else None)
        for run, swd, seconds in (
            ("grown", grown, [10, 40, 100, 250]),
            ("not grown", whole, [100, 200, 300, 400]),
        )
        for seed in range(3)
    ]
    return {"rows": rows, "real": {"mean SWD": 4.0}}


def test_seconds_are_images_over_their_pace():
    module = load("progressive_growing")
    shown, paces = {20: 1_280, 40: 2_560, 60: 5_120}, {20: 640.0, 40: 320.0, 60: 1_280.0}
    seconds = module.seconds_of_training(shown, paces)
    assert seconds == pytest.approx({20: 2, 40: 2 + 4, 60: 2 + 4 + 2})


def test_a_run_directory_says_what_it_had_cost(tmp_path, monkeypatch):
    from gan_jax.experiment import run_directory

    module = load("progressive_growing")
    settings = load_settings(
        str(ROOT / module.CONFIG), ("progressive_growing=((4, 8, 10, 0), (8, 16, 20, 5))",)
    )
    monkeypatch.setattr(run_directory, "read_settings", lambda directory: settings)
    rows = [
        {"step": 10, "pace/samples_per_second": 40.0},
        {"step": 10, "swd40/mean": 0.5},
        {"step": 20, "pace/samples_per_second": 80.0},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "metrics.jsonl").write_text(text)
    found = module.costs(tmp_path, [10, 20])
    assert found["images"] == [80, 80 + 160]
    assert found["seconds"] == pytest.approx([80 / 40, 80 / 40 + 160 / 80])


def test_both_runs_show_as_many_images_in_every_form():
    figure = load_figure(FIGURES, "progressive_growing")
    for form in ("short", "paper"):
        shown = set()
        for run in figure.runs(form).values():
            settings = load_settings(str(ROOT / run.config), run.overrides)
            phases = [Phase(*phase) for phase in settings.progressive_growing]
            assert total_steps(phases) == settings.steps and phases[-1].resolution == 32
            assert all(phase.steps % settings.steps_per_call == 0 for phase in phases)
            assert settings.steps % settings.evaluate_every == 0
            shown.add(images_shown(phases, settings.steps))
        assert len(shown) == 1


@pytest.mark.parametrize(
    ("grown", "expected"),
    [
        ([60, 30, 19, 18], {SOONER: "pass", NOT_WORSE: "pass"}),
        ([60, 50, 40, 21], {SOONER: "miss", NOT_WORSE: "pass"}),
        ([60, 19, 30, 25], {SOONER: "pass", NOT_WORSE: "miss"}),
    ],
)
def test_the_grown_run_has_to_be_sooner_and_not_worse(grown, expected):
    claims = load("progressive_growing").claims(numbers_of(grown, [50, 40, 30, 20]))
    judged = {name: verdict for name, verdict in verdicts(claims).items() if name in expected}
    assert judged == expected
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


def test_the_first_cost_below_a_level_is_found():
    module = load("progressive_growing")
    assert module.first_below(np.array([1, 2, 3]), np.array([9, 5, 7]), 5) == 2
    assert module.first_below(np.array([1, 2, 3]), np.array([9, 5, 7]), 4.9) == math.inf


def test_means_leave_out_a_seed_that_diverged_and_say_so():
    module = load("progressive_growing")
    numbers = numbers_of([60, 30, 19, 18], [50, 40, 30, 20])
    numbers["rows"][0] |= {"diverged": True, "seconds": [], "images": []}
    seconds, swd = module.mean_curve(numbers, "grown", "mean SWD", "seconds")
    np.testing.assert_allclose(swd, [60.5, 30.5, 19.5, 18.5])
    np.testing.assert_allclose(seconds, [10, 40, 100, 250])
    note = next(claim.note for claim in module.claims(numbers) if claim.name == SOONER)
    assert "1 of its seeds diverged" in note


def test_two_sets_of_real_images_are_nearer_than_noise_is(fashion_mnist):
    from gan_jax import data, metrics

    module = load("progressive_growing")
    train = data.fashion_mnist("train", resolution=32).arrays["real"][:100]
    noise = np.random.default_rng(0).uniform(-1, 1, train.shape).astype(np.float32)
    far = metrics.sliced_wasserstein(
        train.astype(np.float32) / 127.5 - 1, noise, patches_per_image=64, directions=128
    )
    assert 0 < module.real_distance(100) < far.mean / 2


def test_the_drawing_has_its_panels():
    module = load("progressive_growing")
    strip = module.images.to_png(np.full((28, 12 * 28), 90, np.uint8))
    draw = load_figure(FIGURES, "progressive_growing").draw
    figure = draw(numbers_of([60, 30, 19, 18], [50, 40, 30, 20], strip))
    titles = [ax.get_title(loc="left")[:3] for ax in figure.axes]
    assert titles == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)", "(g)"]
    for ax in figure.axes[:6]:
        named = [line.get_label() for line in ax.lines if line.get_label()[0] != "_"]
        assert named[:2] == ["grown", "not grown"]


def plausible():
    strip = load("progressive_growing").images.to_png(
        np.random.default_rng(0).integers(0, 255, (28, 12 * 28)).astype(np.uint8)
    )
    return numbers_of([60, 30, 19, 18], [50, 40, 30, 20], strip)
