"""The figure fashion_mnist_samples: what its blocks show, and its verdicts."""

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28, 1), np.uint8)


def cells(picture):
    """The images of a block, ``[rows, columns, 28, 28]``."""
    return picture.reshape(5, 28, 10, 28).transpose(0, 2, 1, 3)


def row_of(run, seed, fd, picture=None):
    scores = {"fd": fd, "precision": 0.7, "recall": 0.3, "closer": 0.5}
    return {
        "run": run,
        "seed": seed,
        "steps": 3000,
        "diverged": False,
        "picture": picture,
        **scores,
    }


def numbers_of(fds):
    module = load("fashion_mnist_samples")
    picture = module.to_png(images(1)[0, :, :, 0].repeat(5, 0).repeat(10, 1))
    rows = [row_of(run, seed, fd + seed, picture) for run, fd in fds.items() for seed in range(3)]
    real = {"fd": 20.0, "precision": 0.9, "recall": 0.9, "picture": picture}
    return {"rows": rows, module.REAL: real}


def test_a_block_shows_the_first_samples_their_neighbours_and_what_lies_between():
    module = load("fashion_mnist_samples")
    train, between = images(50, seed=1), images(10, seed=2)
    chosen = np.array([7, 3, 3, 49, 0, 12, 30, 31, 32, 5])
    near = np.clip(train[chosen].astype(int) + 1, 0, 255).astype(np.uint8)
    shown = np.concatenate([near, images(25)])
    picture = cells(module.block(shown, between, train))
    np.testing.assert_array_equal(picture[0], near[..., 0])
    np.testing.assert_array_equal(picture[1], train[chosen, :, :, 0])
    np.testing.assert_array_equal(picture[2:4].reshape(20, 28, 28), shown[10:30, :, :, 0])
    np.testing.assert_array_equal(picture[4], between[..., 0])


def test_samples_become_pixels_of_one_size():
    module = load("fashion_mnist_samples")
    samples = np.full((2, 32, 32, 1), -1, np.float32)
    samples[:, 2:30, 2:30] = 1
    for border in (0, 2):
        shown = module.pixels(samples[:, border : 32 - border, border : 32 - border])
        assert shown.shape == (2, 28, 28, 1) and shown.dtype == np.uint8 and (shown == 255).all()
    np.testing.assert_array_equal(module.flat(shown), np.ones((2, 784), np.float32))


def test_pictures_come_back_from_their_text():
    module = load("fashion_mnist_samples")
    picture = images(1)[0, :, :, 0]
    np.testing.assert_array_equal(module.from_png(module.to_png(picture)), picture)


def test_means_over_seeds_are_compared_in_the_full_form_alone():
    claims = load("fashion_mnist_samples").claims
    fds = {"DCGAN": 50, "conditional GAN": 25, "AC-GAN": 60, "WGAN": 140, "WGAN-GP": 80}
    made = claims(numbers_of(fds))
    judged = {name: verdict for name, verdict in verdicts(made).items() if verdict != "not judged"}
    assert judged == {
        "mean FD: DCGAN minus conditional GAN": "pass",
        "mean FD: DCGAN minus AC-GAN": "miss",
        "mean FD: WGAN minus WGAN-GP": "pass",
    }
    assert {claim.verdict(shortened=True) for claim in made} == {"not judged"}
    assert [c.measured for c in made if c.name == "WGAN: FD"] == [(140, 141, 142)]


def test_a_seed_that_diverged_has_no_scores_and_is_counted():
    module = load("fashion_mnist_samples")
    numbers = numbers_of({"DCGAN": 50})
    numbers["rows"].append({"run": "DCGAN", "seed": 3, "steps": 3000, "diverged": True})
    claim = next(claim for claim in module.claims(numbers) if claim.name == "DCGAN: FD")
    assert claim.measured == (50, 51, 52) and claim.note == "1 seeds diverged"


def test_the_short_form_says_which_steps_it_leaves_out():
    figure = load_figure(FIGURES, "fashion_mnist_samples")
    steps = {
        scale: {
            name: load_settings(str(ROOT / run.config), run.overrides).steps
            for name, run in figure.runs(scale).items()
        }
        for scale in ("short", "paper")
    }
    shortened, whole = figure.not_run("short", 3).split("; ")
    for name, full in steps["paper"].items():
        if name in steps["short"]:
            assert name in shortened and f"{full - steps['short'][name]:,} of " in shortened
        else:
            assert name in whole


@pytest.mark.parametrize("runs", [{"DCGAN": 50.0}, {"DCGAN": 50.0, "WGAN": 140.0}])
def test_each_run_has_a_block_beside_the_real_images(runs):
    figure = load_figure(FIGURES, "fashion_mnist_samples").draw(numbers_of(runs))
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.images]
    assert len(titles) == 1 + len(runs)
    assert "test images" in titles[0] and "DCGAN, 3,000 steps" in titles[1]
    assert "FD 51, precision 0.70" in titles[1]
