"""The configs of VQGAN fit together, and an autoencoder is sampled from held-out images."""

import jax
import numpy as np
import pytest

from configs import vqgan
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.experiment import settings
from gan_jax.experiment.builder import build
from gan_jax.experiment.held_out import held_out_samples
from gan_jax.experiment.validation import check_experiment

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), np.uint8)


@pytest.mark.parametrize(
    "variant", ["vq", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fsq", "kl"))]
)
def test_the_parts_fit(variant):
    """Traced, not computed: networks, terms, adaptive weight, bottleneck's losses."""
    config = vqgan.get_config(variant)
    config.batch_size = 4
    check_experiment(build(settings.parse(config), Dataset.from_arrays(IMAGES)))


def test_a_layer_that_does_not_exist_is_refused_before_the_run():
    config = vqgan.get_config()
    config.transformations = config.transformations.replace("output/kernel", "last")
    with pytest.raises(UserError, match="instead of 'last' there is"):
        check_experiment(build(settings.parse(config), Dataset.from_arrays(IMAGES)))


def test_the_full_settings_are_those_of_a_config():
    parsed = settings.parse(vqgan.get_config("imagenet"))
    assert [part.name for part in parsed.transformations] == ["adaptive_weight"]
    assert parsed.networks.settings["widths"] == (128, 128, 256, 256, 512)


def test_held_out_samples_are_those_of_the_test_split_in_order():
    test = Dataset.from_arrays(IMAGES[:3])
    asked = []

    def load_split(name):
        asked.append(name)
        return test

    samples = held_out_samples(Dataset.from_arrays(IMAGES), load_split)
    for index in (np.array([0, 2, 3]), np.array([4])):
        expected = IMAGES[index % 3] / 127.5 - 1
        np.testing.assert_allclose(samples(index)["real"], expected, atol=1e-6)
    assert asked == ["test"]


def test_without_a_test_split_training_samples_are_reconstructed():
    def load_split(name):
        raise UserError("there is none")

    samples = held_out_samples(Dataset.from_arrays(IMAGES), load_split)
    np.testing.assert_allclose(samples(np.arange(5))["real"], IMAGES / 127.5 - 1, atol=1e-6)


def test_an_autoencoder_samples_reconstructions():
    from gan_jax.training import sampler

    networks = build_small()
    generator, _ = networks.init(jax.random.key(0))
    given = held_out_samples(Dataset.from_arrays(IMAGES), lambda name: Dataset.from_arrays(IMAGES))
    draw = sampler(networks, generator, conditions=given, batch_size=4)
    made = draw.reconstruct(jax.random.key(1), 5)
    assert made["codes"].dtype == np.int32 and made["codes"].shape == (5, 16, 16)
    np.testing.assert_allclose(made["real"], IMAGES / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(draw(jax.random.key(1), 5), made["fake"], rtol=1e-5, atol=1e-6)


def build_small():
    from gan_jax import networks

    return networks.vqgan((32, 32, 1), widths=(2, 2), codes=8, code_size=2, discriminator_width=2)
