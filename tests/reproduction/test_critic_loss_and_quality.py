"""The figure critic_loss_and_quality: estimates, correlations, distances and verdicts."""

import math

import image_rows
import numpy as np
import pytest
from figure_modules import FIGURES, load, verdicts

from gan_jax.reproduction import load_figure


@pytest.fixture
def figure():
    return load("critic_loss_and_quality")


def row(figure, run, seed=0, *, fd=(200, 100, 60, 50), losses=(-4, -3, -2, -1), held_out=0.5):
    """A run with an evaluation at every second logged loss, and a critic's distances."""
    loss = figure.GAN_LOSS if run == figure.GAN else figure.CRITIC_LOSS
    twice = [value for value in losses for _ in range(2)]
    curves = {
        figure.METRIC: image_rows.curve(fd, every=100),
        figure.GAN_LOSS: image_rows.curve([]),
        figure.CRITIC_LOSS: image_rows.curve([]),
        loss: image_rows.curve(twice, every=50),
    }
    distances = {"step": [100, 200], "seen": [2.0, 4.0], "held_out": [2.0, 4.0 * held_out]}
    return image_rows.row(run, seed, curves, distances=distances)


def numbers(figure, **changes):
    """Runs that meet every claim, but for what is changed by run."""
    usual = {figure.GAN: {"losses": (0.5, 0.4, 0.3, 0.2)}, figure.ALL: {"held_out": 0.9}}
    return {
        "rows": [
            row(figure, run, seed, **(usual.get(run, {}) | changes.get(run, {})))
            for run in figure.RUNS
            for seed in range(3)
        ]
    }


def test_the_estimate_is_the_mean_of_both_losses_before_an_evaluation(figure):
    rows = row(figure, "WGAN", losses=(-4, -1))
    rows["curves"][figure.CRITIC_LOSS]["value"] = [-5.0, -3.0, -1.5, -0.5]
    rows["curves"][figure.METRIC] = image_rows.curve((200, 100), every=100)
    steps, estimates, fds = figure.estimate(rows)
    assert list(steps) == [100, 200] and list(fds) == [200, 100]
    assert list(estimates) == [4, 1]
    # A discriminator that tells everything apart has L = 0 and JS = log 2; one that knows nothing
    # has L = 2 log 2 and JS = 0.
    gan = row(figure, figure.GAN, losses=(2 * math.log(2), 1, 1, 0))
    np.testing.assert_allclose(figure.estimate(gan)[1][[0, -1]], [0, math.log(2)], atol=1e-12)


def test_the_correlation_is_one_if_both_fall_and_nan_if_one_stays(figure):
    assert figure.correlation(row(figure, "WGAN")) == pytest.approx(1)
    assert figure.correlation(row(figure, "WGAN", losses=(-1, -2, -3, -4))) == pytest.approx(-1)
    assert math.isnan(figure.correlation(row(figure, "WGAN", losses=(1, 1, 1, 1))))


def test_a_critic_that_follows_quality_and_overfits_few_images_meets_the_claims(figure):
    claims = figure.claims(numbers(figure))
    judged = {
        name: verdict for name, verdict in verdicts(claims).items() if verdict != "not judged"
    }
    assert list(judged.values()) == ["pass"] * 5
    share, ratio = (
        claim for claim in claims if "1,000 images: share" in claim.name or "over" in claim.name
    )
    assert share.measured == pytest.approx((0.5,)) and ratio.measured == pytest.approx((5,))
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


@pytest.mark.parametrize(
    ("run", "change", "words"),
    [
        ("WGAN", {"losses": (-1, -2, -3, -4)}, "WGAN: rank correlation"),
        ("DCGAN", {"losses": (1.2, 1.2, 1.2, 1.1)}, "estimate of JS"),
        ("WGAN-GP, 1,000 images", {"held_out": 0.85}, "share of its distance"),
        ("WGAN-GP", {"held_out": 0.6}, "the same over"),
    ],
)
def test_each_claim_can_be_missed(figure, run, change, words):
    found = verdicts(figure.claims(numbers(figure, **{run: change})))
    assert "miss" in {verdict for name, verdict in found.items() if words in name}


def test_estimates_distances_and_samples_are_drawn(figure):
    drawn = load_figure(FIGURES, "critic_loss_and_quality").draw(numbers(figure))
    titles = [ax.get_title(loc="left") for ax in drawn.axes if ax.get_title(loc="left")]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    assert "1.00, 1.00, 1.00" in titles[1].replace("\n", " ")
