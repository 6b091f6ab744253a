"""DCGAN's and InfoGAN's networks."""

import inspect
import typing

import pytest
from network_cases import abstract_params, check_shapes, kernel_count, parameter_count

from gan_jax import networks
from gan_jax.networks.dcgan import DcganSettings, dcgan, halvings


def test_figure_1_of_the_paper():
    """100 -> 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3, kernels of 5.

    Norms have two parameters per channel.
    """
    generator, discriminator = abstract_params(networks.dcgan((64, 64, 3)))
    ups = [(1024, 512), (512, 256), (256, 128)]
    hidden = sum(25 * a * b + 2 * b for a, b in ups)
    assert parameter_count(generator) == 100 * 16384 + 2 * 16384 + hidden + 25 * 128 * 3 + 3
    hidden = sum(25 * a * b + 2 * a for a, b in ups)
    assert parameter_count(discriminator) == 25 * 3 * 128 + 128 + hidden + 16 * 1024 + 1
    assert (kernel_count(generator), kernel_count(discriminator)) == (5, 5)


def test_table_1_of_the_infogan_paper():
    """74 -> 1024 -> 7x7x128 -> 14x14x64 -> 28x28x1, and back; here with 64 latents and no code."""
    generator, discriminator = abstract_params(networks.infogan((28, 28, 1)))
    dense = 64 * 1024 + 2 * 1024 + 1024 * 6272 + 2 * 6272
    assert parameter_count(generator) == dense + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1
    convolutions = 16 * 64 + 64 + 16 * 64 * 128 + 2 * 128
    assert parameter_count(discriminator) == convolutions + 6272 * 1024 + 2 * 1024 + 1024 + 1


def test_images_are_halved_while_their_sides_are_even_and_above_4():
    assert halvings((28, 28, 1), None) == ((7, 7), (14, 14), (28, 28))
    assert halvings((12, 8, 1), None) == ((6, 4), (12, 8))
    assert halvings((7, 7, 1), 1) == ((4, 4), (7, 7))


def test_variants_take_the_keyword_arguments_of_dcgan():
    parameters = inspect.signature(dcgan).parameters
    keywords = {
        name
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    annotations = typing.get_type_hints(dcgan)
    hints = typing.get_type_hints(DcganSettings)
    assert hints == {name: annotations[name] for name in keywords}


@pytest.mark.slow
@pytest.mark.parametrize("side", [28, 32, 64, 128])
def test_every_promised_resolution_is_made(side):
    check_shapes(networks.dcgan((side, side, 3)), (side, side, 3))
