"""The figure limited_data: what counts as a copy, its verdicts, and its panels."""

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts
from image_rows import photos

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure

JUDGED = [
    "mean FD at the end, no augmentation: 500 images minus 60,000",
    "mean lowest FD, 500 images: none minus DiffAugment",
    "mean lowest FD, 500 images: none minus ADA",
]


def numbers_of(ends, closer=0.4, diverged=()):
    """Numbers of runs whose FD falls to half of its end in the middle of training."""
    module = load("limited_data")
    strip = module.images.to_png(np.zeros((28, 28 * module.SHOWN), np.uint8))
    rows = []
    for run, end in ends.items():
        for seed in range(3):
            row = {"run": run, "seed": seed, "steps": 6000, "diverged": (run, seed) in diverged}
            values = [90.0, end / 2 + seed, end + seed]
            row["curves"] = {
                module.METRIC: {"step": [500, 3000, 6000], "value": values},
                module.STRENGTH: {"step": [100, 6000] if "ADA" in run else [], "value": [0, 0.5]},
            }
            row |= {"closer": closer, "distance": 1.0}
            if seed == 0:
                row |= {"strip": strip, "nearest": strip}
            rows.append(row)
    return {"rows": rows}


def all_runs(end=60.0):
    return dict.fromkeys(load("limited_data").RUNS, end)


def test_copies_are_nearer_to_training_images_than_test_images_are():
    module = load("limited_data")
    train, test = photos(40, 0), photos(30, 1)
    copies = np.clip(train[10:35].astype(int) + 2, 0, 255).astype(np.uint8)
    found = module.copying(copies, train, test)
    assert found["closer"] == 1 and found["distance"] < 0.05
    np.testing.assert_array_equal(
        module.images.from_png(found["nearest"]),
        module.images.side_by_side(train[10 : 10 + module.SHOWN]),
    )
    np.testing.assert_array_equal(
        module.images.from_png(found["strip"]), module.images.side_by_side(copies[: module.SHOWN])
    )


def test_the_distance_is_a_ratio_of_medians_to_the_nearest_training_image():
    module = load("limited_data")
    train, test, shown = photos(12, 0), photos(9, 1), photos(25, 2)

    def nearest(queries):
        q, t = (x.reshape(len(x), -1) / 255 for x in (queries, train))
        return np.sqrt(((q[:, None] - t[None]) ** 2).sum(-1)).min(1)

    found = module.copying(shown, train, test)
    assert found["distance"] == pytest.approx(np.median(nearest(shown)) / np.median(nearest(test)))
    pairs = nearest(shown)[:, None] < nearest(test)[None]
    assert found["closer"] == pytest.approx(pairs.mean())


def test_what_was_to_be_met_is_judged_in_the_full_form_alone():
    claims = load("limited_data").claims
    made = claims(numbers_of(all_runs(60) | {"500, none": 120, "500, ADA": 140}))
    assert [c.name for c in made if c.verdict(False) != "not judged"] == JUDGED
    found = verdicts(made)
    assert [found[name] for name in JUDGED] == ["pass", "pass", "miss"]
    assert next(c for c in made if c.name == JUDGED[0]).measured == (60,)
    assert next(c for c in made if c.name == JUDGED[1]).measured == (30,)
    assert {claim.verdict(shortened=True) for claim in made} == {"not judged"}
    found = verdicts(claims(numbers_of(all_runs(60) | {"500, none": 50})))
    assert [found[name] for name in JUDGED] == ["miss"] * 3


def test_a_seed_that_diverged_is_left_out_and_counted():
    module = load("limited_data")
    numbers = numbers_of(all_runs() | {"500, none": 120}, diverged={("500, none", 2)})
    assert module.lowest(numbers, "500, none") == (60, 61)
    first = next(claim for claim in module.claims(numbers) if claim.name == JUDGED[0])
    assert first.measured == (59.5,) and first.note == "500, none: 1 of its seeds diverged"


def test_each_run_has_its_number_of_images_and_its_augmentation():
    figure = load_figure(FIGURES, "limited_data")
    module = figure.module
    for n in module.SIZES:
        for method in module.METHODS:
            run = module.RUNS[module.run_name(n, method)]
            settings = load_settings(str(ROOT / run.config), run.overrides)
            assert settings.dataset.settings["split"] == f"train[:{n}]"
            assert bool(settings.augmentation) == (method != "none")
            assert settings.augmentation_target == (0.6 if method == "ADA" else 0)
            assert settings.steps == module.STEPS
    assert set(figure.runs("short")) == set(module.SHORT) < set(module.RUNS)


def test_the_drawing_has_its_panels_and_leaves_out_runs_that_are_missing():
    figure = load_figure(FIGURES, "limited_data")
    drawing = figure.draw(numbers_of(all_runs()))
    titles = [ax.get_title(loc="left") for ax in drawing.axes]
    assert [title[:3] for title in titles] == [f"({x})" for x in "abcdefg"]
    assert [len(ax.lines) for ax in drawing.axes[:3]] == [16] * 3  # 4 sizes, 3 seeds and a mean
    labels = [text.get_text() for text in drawing.axes[6].get_yticklabels()]
    assert labels == ["none", "none, nearest", "DiffAugment", "DiffAugment, nearest"] + [
        "ADA",
        "ADA, nearest",
    ]
    short = figure.draw(numbers_of(dict.fromkeys(figure.module.SHORT, 60.0)))
    assert [len(ax.lines) for ax in short.axes[:3]] == [8, 8, 4]
