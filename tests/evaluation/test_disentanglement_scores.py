"""An encoder's scores on samples whose factors are known."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.evaluation.disentanglement import disentanglement

DATASET = data.factor_shapes(kinds=1, angles=1, sizes=3, xs=4, ys=4, colours=3, resolution=8)
SMALL = {"groups": 400, "group_size": 16, "trees": 5}


def true_factors(images):
    """The factors of images, which are looked up."""
    known = {
        image.tobytes(): combination
        for image, combination in zip(
            DATASET.arrays["real"],
            DATASET.factors.at(np.arange(DATASET.factors.count)),
            strict=True,
        )
    }
    pixels = np.rint((images + 1) * 127.5).astype(np.uint8)
    return np.array([known[image.tobytes()] for image in pixels], float)


def test_the_true_factors_have_full_marks():
    scores = disentanglement(true_factors, DATASET, **SMALL)
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_mixed_factors_and_noise_have_less():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    mixed = disentanglement(lambda images: true_factors(images) @ turn, DATASET, **SMALL)
    assert mixed.mig < 0.7 and mixed.dci_disentanglement < 0.7 and mixed.dci_completeness < 0.7
    draws = np.random.default_rng(1)
    noise = disentanglement(lambda images: draws.normal(size=(len(images), 4)), DATASET, **SMALL)
    assert noise.mig < 0.1 and abs(noise.factor_vae - 0.25) < 0.15
    assert noise.dci_informativeness < 0.5


def test_numbers_depend_on_the_seed_alone():
    def encode(images):
        return images.reshape(len(images), -1)[:, 90:94]

    assert disentanglement(encode, DATASET, **SMALL) == disentanglement(encode, DATASET, **SMALL)


def test_data_without_factors_and_a_single_code_are_refused():
    with pytest.raises(UserError, match="whose factors are known"):
        disentanglement(true_factors, data.ring(finite=8))
    with pytest.raises(UserError, match=r"codes \[n, d\] with d >= 2, not \[144, 1\]"):
        disentanglement(lambda images: images[:, :1, 0, 0], DATASET)
