"""The residual networks of WGAN-GP and SNGAN."""

import inspect
import typing

import pytest
from network_cases import abstract_params, check_shapes, kernel_count, parameter_count

from gan_jax import networks
from gan_jax.networks.resnet import ResnetSettings, resnet

FIRST_BLOCK = 9 * 3 * 128 + 128 + 9 * 128 * 128 + 128 + 3 * 128 + 128


def test_the_defaults_are_the_wgan_gp_papers_cifar_10_networks():
    """Width 128 throughout."""
    generator, discriminator = abstract_params(networks.resnet((32, 32, 3)))
    conv, norm = 9 * 128 * 128 + 128, 2 * 128
    up = 2 * conv + 2 * norm + 128 * 128 + 128
    assert parameter_count(generator) == 129 * 2048 + 3 * up + norm + 9 * 128 * 3 + 3
    down = 2 * conv + 128 * 128 + 128
    assert parameter_count(discriminator) == FIRST_BLOCK + down + 2 * 2 * conv + 129


def test_sngan_has_the_layers_of_its_papers_table_4():
    """256 channels in the generator, 128 in the discriminator."""
    generator, discriminator = abstract_params(networks.sngan((32, 32, 3), 10))
    conv = 9 * 256 * 256 + 256
    up = 2 * conv + 2 * 10 * 2 * 256 + 256 * 256 + 256
    assert parameter_count(generator) == 129 * 4096 + 3 * up + 2 * 256 + 9 * 256 * 3 + 3
    conv = 9 * 128 * 128 + 128
    blocks = FIRST_BLOCK + (2 * conv + 128 * 128 + 128) + 2 * 2 * conv
    assert parameter_count(discriminator) == blocks + 129 + 10 * 128

    generator, discriminator = abstract_params(networks.sngan((32, 32, 3)))
    assert kernel_count(generator) == 1 + 3 * 3 + 1
    assert kernel_count(discriminator) == 3 + 3 + 2 + 2 + 1


def test_sngan_keeps_the_settings_that_are_given():
    settings = {"generator_widths": (4, 4), "discriminator_widths": (4, 4), "downs": 1}
    _, spectral = abstract_params(networks.sngan((8, 8, 3), **settings))
    _, plain = abstract_params(networks.sngan((8, 8, 3), discriminator_norm="none", **settings))
    assert "spectral" in spectral and "spectral" not in plain
    assert networks.sngan((8, 8, 3), 3, labels="auxiliary", **settings).classify is not None
    assert networks.sngan((8, 8, 3), 3, **settings).classify is None


def test_variants_take_the_keyword_arguments_of_resnet():
    parameters = inspect.signature(resnet).parameters
    keywords = {
        name
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    annotations = typing.get_type_hints(resnet)
    hints = typing.get_type_hints(ResnetSettings)
    assert hints == {name: annotations[name] for name in keywords}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "side"),
    [
        *[(networks.resnet, side) for side in (28, 32, 64, 128)],
        *[(networks.sngan, side) for side in (64, 128)],
    ],
)
def test_every_promised_resolution_is_made(make, side):
    check_shapes(make((side, side, 3)), (side, side, 3))
