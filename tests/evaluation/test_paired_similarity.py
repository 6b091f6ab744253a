"""Translations against their targets, by NumPy, for pairs and for two domains."""

import numpy as np
import pytest
from evaluation_cases import as_float, real_samples

from gan_jax import metrics
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, RealSamples, check_protocols, compute_scores
from gan_jax.evaluation.protocols import paired_similarity


class Source:
    """Doubles its inputs."""

    takes_conditions, takes_labels, takes_latents = True, False, False

    def __call__(self, rng, n, label=None, first=0, conditions=None):
        return np.clip(conditions["input"] * 2, -1, 1)


@pytest.mark.parametrize("shape", [(12, 14, 3), (2, 12, 14, 1)])
def test_means_over_images_in_the_order_of_the_split(shape):
    draws = np.random.default_rng(0)
    real, given = draws.integers(0, 256, (2, 9, *shape), np.uint8)
    dataset = Dataset.from_arrays(real, conditions={"input": given})
    samples = RealSamples(dataset)
    protocol = paired_similarity(6, split="train")
    generated = GeneratedSamples(Source(), samples)
    check_protocols([protocol], samples, generated)
    scores = compute_scores(protocol, generated)
    fake, target = np.clip(2 * as_float(given[:6]), -1, 1), as_float(real[:6])
    axes = tuple(range(fake.ndim - 3, fake.ndim))
    errors = np.abs(fake - target).mean(axes) / 2
    squares = np.square((fake - target) / 2).mean(axes)
    np.testing.assert_allclose(scores["paired6_train/l1"], errors.mean(), rtol=1e-6)
    decibels = -10 * np.log10(squares)
    np.testing.assert_allclose(scores["paired6_train/psnr"], decibels.mean(), rtol=1e-6)
    flat = [x.reshape(-1, *x.shape[-3:]) for x in (fake, target)]
    np.testing.assert_allclose(scores["paired6_train/ssim"], metrics.ssim(*flat), rtol=1e-6)
    if len(shape) == 4:
        np.testing.assert_allclose(scores["paired6_train/b_l1"], errors[:, 1].mean(), rtol=1e-6)


def test_equal_images():
    images = np.zeros((2, 3, 3, 1))
    assert metrics.psnr(images, images).tolist() == [np.inf, np.inf]
    assert metrics.mean_absolute_error(images, images - 1).tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="expected that of images"):
        metrics.psnr(images, images[:1])


def test_bad_use_gets_one_line():
    with pytest.raises(UserError, match="needs a finite dataset of pairs"):
        check_protocols([paired_similarity(6, "train")], real_samples())
    real = np.zeros((6, 12, 12, 1), np.uint8)
    dataset = Dataset.from_arrays(real, conditions={"input": real})
    generated = GeneratedSamples(lambda rng, n, label=None, first=0: None, RealSamples(dataset))
    with pytest.raises(UserError, match="not made from conditions"):
        compute_scores(paired_similarity(6, "train"), generated)
