"""The perceptual term: its value, its gradient, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.game import Round
from gan_jax.objectives.autoencoding import perceptual


def round_of(real, fake) -> Round:
    scores = jnp.zeros(len(real))
    return Round(
        real=real,
        fake=fake,
        real_scores=scores,
        fake_scores=scores,
        score=lambda samples, **_: scores,
        classify=None,
        label=None,
        sample_index=jnp.arange(len(real)),
        rng=jax.random.key(0),
        step=3,
    )


def test_the_term_is_the_metric_and_has_the_slope_of_its_differences(float64):
    draws = np.random.default_rng(0)
    real, fake = draws.uniform(-1, 1, (2, 2, 28, 28, 1))
    term = perceptual(weight=lambda step: 0.5 * step)

    @jax.jit
    def value(fake):
        return term.generator(round_of(jnp.asarray(real), fake))

    expected = metrics.perceptual_distance(real, fake, metrics.layers_of_lenet())
    np.testing.assert_allclose(value(fake), 1.5 * expected, rtol=1e-5)
    towards, h = draws.normal(size=fake.shape), 1e-7  # small, between the kinks of the ReLUs
    slope = (value(fake + h * towards) - value(fake - h * towards)) / (2 * h)
    np.testing.assert_allclose(np.sum(jax.grad(value)(fake) * towards), slope, rtol=1e-5)
    assert value(real) < 1e-20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "vgg"}, "found 'vgg', expected one of lenet"),
        ({"network": "vgg16"}, "vgg16 needs the file of its weights"),
        ({"network": "lenet", "linear": "x.pth"}, "lenet takes no linear weights"),
        ({"network": "alexnet", "weights": "/nowhere/alexnet.pth"}, "No such file"),
    ],
)
def test_unknown_networks_and_files_are_refused(settings, message):
    with pytest.raises(UserError, match=message) as error:
        perceptual(**settings)
    assert "\n" not in str(error.value)


def test_samples_that_are_no_images_are_refused():
    points = jnp.zeros((2, 3))
    with pytest.raises(UserError, match=r"compares images .* not samples \[3\]"):
        perceptual().generator(round_of(points, points))
    images = jnp.zeros((2, 28, 28, 3))
    with pytest.raises(UserError, match="perceptual: images: found 3 channels, expected 1"):
        perceptual().generator(round_of(images, images))
