"""Progressively grown networks: growth itself is tested with the training."""

import pytest
from network_cases import abstract_params, check_shapes, kernel_count, parameter_count

from gan_jax import networks


def test_parameter_counts_are_those_of_table_2():
    """23.1M each: two layers per resolution, and the images' own 1x1 layers at each of the nine."""
    generator, discriminator = abstract_params(networks.progan((1024, 1024, 3)))
    assert round(parameter_count(generator) / 1e6, 1) == 23.1
    assert round(parameter_count(discriminator) / 1e6, 1) == 23.1
    assert kernel_count(generator) == 2 * 9 + 9
    assert kernel_count(discriminator) == 2 * 9 + 9 + 1


@pytest.mark.slow
@pytest.mark.parametrize(("largest", "side"), [(64, 4), (64, 8), (64, 64), (1024, 1024)])
def test_every_promised_resolution_is_made(largest, side):
    nets = networks.progan((largest, largest, 3), resolution=side)
    check_shapes(nets, (side, side, 3))
