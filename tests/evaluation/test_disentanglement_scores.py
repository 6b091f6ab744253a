"""An encoder's scores on samples whose factors are known."""

import jax
import numpy as np
import pytest

import gan_jax
from gan_jax import data, networks
from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples, check_protocols, evaluation_key, protocols
from gan_jax.evaluation.disentanglement import disentanglement
from gan_jax.training import sampler
from gan_jax.training.encoding import fit_encoder

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


@pytest.mark.slow
def test_a_generator_is_scored_by_an_encoder_fitted_to_it():
    """The numbers are those of the two library calls."""
    nets = networks.mlp((8, 8, 3), latent_size=3, generator_widths=(8,), discriminator_widths=(4,))
    source = sampler(nets, nets.init(jax.random.key(0))[0], batch_size=64)
    scores = gan_jax.evaluate(source, DATASET, protocols.disentanglement(steps=3, width=2), seed=5)
    encoder = networks.dcgan((8, 8, 3), 3, width=2, discriminator_norm="layer", labels="auxiliary")
    rng = jax.random.fold_in(evaluation_key(5), 3)
    expected = disentanglement(fit_encoder(source, encoder, rng, steps=3).encode, DATASET, seed=5)
    for name, value in expected._asdict().items():
        np.testing.assert_allclose(scores[f"disentanglement10k/{name}"], value, rtol=1e-6)


def test_the_metric_needs_data_of_known_factors_and_a_generator_of_latents():
    points = RealSamples.of(data.ring(finite=8))
    with pytest.raises(UserError, match="whose factors of variation are known"):
        check_protocols([protocols.disentanglement()], points)
    with pytest.raises(UserError, match="1 step or more, not 0"):
        protocols.disentanglement(steps=0)
