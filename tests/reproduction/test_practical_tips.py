"""The figures of runs on images: what they read of a run, and the verdicts of practical_tips."""

import importlib
import json

import image_rows
import jax
import numpy as np
import pytest
from conftest import ROOT
from figure_modules import load, verdicts

from gan_jax import networks
from gan_jax.experiment.config_files import load_settings


@pytest.fixture
def figure():
    return load("practical_tips")


def test_a_curve_has_the_logged_values_but_no_scores_of_evaluate(figure, tmp_path):
    rows = [
        {"step": 100, "fd": 3.0, "loss": 1.0},
        {"step": 200, "loss": 0.5},
        {"step": 300, "fd": None},
        {"step": 400, "fd": 2.5},
        {"step": 400, "protocol": "fd", "seed": 1, "fd": 9.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert figure.images.curve(tmp_path, "fd") == {"step": [100, 400], "value": [3.0, 2.5]}
    assert figure.images.curve(tmp_path, "none") == {"step": [], "value": []}


def test_images_lie_side_by_side_and_come_back_from_their_text(figure):
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 3), np.uint8)
    for channels in (1, 3):
        picture = figure.images.side_by_side(images[..., :channels])
        again = figure.images.from_png(figure.images.to_png(picture))
        np.testing.assert_array_equal(again, picture)
        np.testing.assert_array_equal(
            picture[:, 28:56].reshape(28, 28, -1), images[1, :, :, :channels]
        )


def test_each_run_leaves_out_one_tip(figure):
    settings = {
        name: load_settings(str(ROOT / run.config), run.overrides)
        for name, run in figure.RUNS.items()
    }
    complete = settings.pop(figure.ALL)
    changed = {
        name: {
            field
            for field in ("objective", "networks", "dataset", "steps", "discriminator_optimizer")
            if getattr(other, field) != getattr(complete, field)
        }
        for name, other in settings.items()
    }
    assert changed == {
        "images in [0, 1]": {"networks"},
        "saturating loss": {"objective"},
        "uniform latents": {"networks"},
        "no normalisation": {"networks"},
        "no labels": {"dataset"},
    }


@pytest.mark.usefixtures("figure")  # the figures' folder is importable then
def test_a_network_in_unit_range_sees_what_the_sigmoid_makes():
    settings = {"width": 4, "latent_size": 3}
    pair = importlib.import_module("_unit_range").dcgan((8, 8, 1), **settings)
    inner = networks.dcgan((8, 8, 1), **settings, output="sigmoid")
    generator, discriminator = pair.init(jax.random.key(0))
    latents = pair.latent(jax.random.key(1), 6)
    made = pair.generate(generator, latents)
    in_unit_range = inner.generate(generator, latents)
    assert in_unit_range.min() >= 0
    assert in_unit_range.max() <= 1
    np.testing.assert_allclose(made, 2 * in_unit_range - 1, atol=1e-6)
    np.testing.assert_allclose(
        pair.score(discriminator, made), inner.score(discriminator, in_unit_range), rtol=1e-4
    )


def test_the_means_over_seeds_are_judged(figure):
    last = {name: 40 + 10 * i for i, name in enumerate(figure.RUNS)} | {"uniform latents": 39}
    rows = image_rows.rows(figure.RUNS, figure.METRIC, last)
    rows.append(image_rows.diverged("saturating loss", 3, figure.METRIC))
    claims = figure.claims({"rows": rows})
    judged = {name: found for name, found in verdicts(claims).items() if found != "not judged"}
    assert judged == {
        f"mean FD: {name} minus all tips": "miss" if name == "uniform latents" else "pass"
        for name in figure.RUNS
        if name != figure.ALL
    }
    assert claims[0].measured == (10,)
    assert [claim.note for claim in claims if "saturating" in claim.name] == [
        "1 of its seeds diverged",
        "1 of its seeds diverged",
    ]
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


def test_fd_is_drawn_by_run_beside_samples(figure):
    rows = image_rows.rows(figure.RUNS, figure.METRIC, dict.fromkeys(figure.RUNS, 40))
    over_training, at_end, strips = figure.draw({"rows": rows}).axes
    assert len(over_training.lines) == len(figure.RUNS) * 4
    names = [label.get_text() for label in at_end.get_yticklabels()]
    assert names == list(figure.RUNS) == [label.get_text() for label in strips.get_yticklabels()]
    assert strips.images[0].get_array().shape == (28 * len(figure.RUNS), 28 * 12)
