"""The figure stacked_images: scores of real triples, its verdicts, and its panels."""

import itertools
import math

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.errors import UserError
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.settings import Part
from gan_jax.reproduction import load_figure

SCORES = {
    "K = 0, D = 1/4": (50, 5.5),
    "K = 10, D = 1/4": (300, 4.0),
    "PacGAN 2, D = 1/4": (400, 3.0),
    "RpGAN + R1 + R2": (1000, 0.1),
    "GAN + R1 + R2": (1000, 0.5),
    "RpGAN + R1": (20, 6.0),
}
"""Modes and KL in the published order."""


def row_of(run, seed, modes, kl, strip=None):
    curves = {
        "modes": {"step": [100, 200], "value": [1.0, modes]},
        "KL": {"step": [100, 200], "value": [6.9, kl]},
    }
    row = {"run": run, "seed": seed, "steps": 200, "diverged": False, "curves": curves}
    return row | ({"strip": strip} if strip else {})


def numbers_of(scores, strip=None):
    rows = [
        row_of(run, seed, modes + seed, kl + seed / 10, strip if seed == 0 else None)
        for run, (modes, kl) in scores.items()
        for seed in range(3)
    ]
    real = {"accuracy": 0.916, "labelled modes": 1000.0, "labelled KL": 0.0196}
    return {"rows": rows, "real": real | {"classified modes": 999.9, "classified KL": 0.03}}


def test_scores_of_triples_are_those_of_their_histogram():
    module = load("stacked_images")
    classes = np.random.default_rng(3).choice(10, 500, p=np.arange(1, 11) / 55)
    measured = module.scores_of_triples(classes, 2_000)
    shares = np.bincount(classes, minlength=10) / 500
    entropy = -3 * sum(share * math.log(share) for share in shares)
    # The histogram of n draws has a bias of about (modes - 1) / 2 n in its KL.
    occupied = [math.prod(triple) for triple in itertools.product(shares, repeat=3)]
    expected_modes = sum(1 - (1 - share) ** 2_000 for share in occupied)
    assert measured["modes"] == pytest.approx(expected_modes, rel=0.02)
    assert measured["KL"] == pytest.approx(math.log(1000) - entropy + 999 / 4_000, abs=0.06)


def test_data_without_labelled_single_images_are_refused():
    with pytest.raises(UserError, match="choose --config"):
        load("stacked_images").real_triples(Part("tfds", {"name": "cifar10"}), "", 100)


def test_even_triples_are_at_the_floor_that_the_docstring_names():
    module = load("stacked_images")
    even = module.scores_of_triples(np.arange(1000) % 10, module.SAMPLES)
    assert even["modes"] == 1000
    assert even["KL"] == pytest.approx(999 / (2 * module.SAMPLES), rel=0.05)


def test_the_published_order_passes_in_the_full_form_alone():
    claims = load("stacked_images").claims(numbers_of(SCORES))
    judged = [verdict for verdict in verdicts(claims).values() if verdict != "not judged"]
    assert judged == ["pass"] * 6
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


@pytest.mark.parametrize(
    ("first", "second", "missed"),
    [
        (
            "K = 0, D = 1/4",
            "K = 10, D = 1/4",
            {
                "mean modes: K = 10, D = 1/4 minus K = 0, D = 1/4",
                "mean KL: K = 0, D = 1/4 minus K = 10, D = 1/4",
            },
        ),
        (
            "RpGAN + R1 + R2",
            "GAN + R1 + R2",
            {"mean KL: GAN + R1 + R2 minus RpGAN + R1 + R2"},
        ),
        (
            "RpGAN + R1 + R2",
            "RpGAN + R1",
            {
                "mean KL: RpGAN + R1 minus RpGAN + R1 + R2",
                "mean KL: GAN + R1 + R2 minus RpGAN + R1 + R2",
            },
        ),
    ],
)
def test_two_runs_with_each_others_scores_miss(first, second, missed):
    swapped = SCORES | {first: SCORES[second], second: SCORES[first]}
    found = verdicts(load("stacked_images").claims(numbers_of(swapped)))
    assert {name for name, verdict in found.items() if verdict == "miss"} == missed


def test_a_seed_that_diverged_has_no_mode_and_the_kl_of_one():
    module = load("stacked_images")
    numbers = numbers_of({"RpGAN + R1 + R2": (1000, 0.1), "RpGAN + R1": (900, 0.05)})
    gap = "mean KL: RpGAN + R1 minus RpGAN + R1 + R2"
    assert verdicts(module.claims(numbers))[gap] == "miss"
    row = next(row for row in numbers["rows"] if row["run"] == "RpGAN + R1")
    row.update(diverged=True, curves={name: {"step": [], "value": []} for name in row["curves"]})
    assert module.last_scores(numbers, "RpGAN + R1", "modes") == [0, 901, 902]
    assert module.last_scores(numbers, "RpGAN + R1", "KL")[0] == pytest.approx(math.log(1000))
    claim = next(claim for claim in module.claims(numbers) if claim.name == gap)
    assert claim.verdict(shortened=False) == "pass"
    assert "RpGAN + R1: 1 of its seeds diverged" in claim.note


def test_published_numbers_stand_beside_each_run_and_are_called_not_comparable():
    module = load("stacked_images")
    claims = module.claims(numbers_of(dict.fromkeys(module.RUNS, (500, 2.0))))
    shown = {claim.name: claim for claim in claims}
    assert shown["K = 10, D = 1/2: modes"].published.startswith("817.4")
    for run in module.RUNS:
        for score in module.SCORES:
            assert "not comparable" in shown[f"{run}: {score}"].note


def test_a_discriminator_has_the_fraction_of_the_generators_channels_that_its_name_says():
    module = load("stacked_images")
    for name, run in module.RUNS.items():
        settings = load_settings(str(ROOT / run.config), run.overrides)
        if name.startswith("K = "):
            assert name.startswith(f"K = {settings.unroll}, ")
            width, of_discriminator = (
                settings.networks.settings[key] for key in ("width", "discriminator_width")
            )
            assert name.endswith(f"1/{width // of_discriminator}")


def test_all_forms_evaluate_their_last_step():
    figure = load_figure(FIGURES, "stacked_images")
    for form in ("smoke", "short", "paper"):
        for run in figure.runs(form).values():
            settings = load_settings(str(ROOT / run.config), run.overrides)
            for every in (settings.evaluate_every, settings.checkpoint_every):
                assert settings.steps % every == 0


def test_the_drawing_has_its_panels_and_shows_each_run():
    module = load("stacked_images")
    strip = module.images.to_png(np.full((28, 8 * 28, 3), 90, np.uint8))
    draw = load_figure(FIGURES, "stacked_images").draw
    figure = draw(numbers_of(dict.fromkeys(module.RUNS, (500, 2.0)), strip))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    by_k, _, others, _, left, right = figure.axes
    assert [line.get_label() for line in by_k.lines if line.get_label()[0] != "_"] == [
        "D = 1/4 of G",
        "D = 1/2 of G",
    ]
    names = {text.get_text() for text in others.get_yticklabels()}
    assert names == {name for name in module.RUNS if not name.startswith("K = ")}
    shown = [text.get_text() for ax in (left, right) for text in ax.get_yticklabels()]
    assert shown == list(module.RUNS)
