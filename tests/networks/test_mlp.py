"""Fully connected networks."""

import pytest
from network_cases import abstract_params, parameter_count

from gan_jax import networks
from gan_jax.errors import UserError


def test_the_defaults_are_the_unrolled_gan_papers_layers():
    generator, discriminator = abstract_params(networks.mlp((2,)))
    assert parameter_count(generator) == 257 * 128 + 129 * 128 + 129 * 2
    assert parameter_count(discriminator) == 3 * 128 + 129


def test_each_layer_can_have_its_own_activation():
    widths = {"generator_widths": (4, 4), "discriminator_widths": (4, 4)}
    networks.mlp((2,), activation=("tanh", "relu"), **widths)
    with pytest.raises(UserError, match="activation names 2 layers, but there are 1 widths"):
        networks.mlp((2,), activation=("tanh", "relu"), **widths | {"discriminator_widths": (4,)})
