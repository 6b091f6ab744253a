"""Translators and patch discriminators: receptive fields by gradients, draws, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import compiled

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Player, adversarial, conditions
from gan_jax.networks import dropout
from gan_jax.networks.patch_discriminator import receptive_field
from gan_jax.objectives import losses, reconstruction


@pytest.mark.parametrize("layers, side", [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_score_sees_a_square_of_the_papers_size(layers, side):
    """The gradient of one score is zero outside of a square, and not at its corners."""
    assert receptive_field(layers) == side
    size = 2 * side + 2**layers * 4
    module = networks.PatchDiscriminator(width=1, layers=layers, norm="none")
    image = jnp.zeros((1, size, size, 1))
    params = jax.eval_shape(lambda: module.init(jax.random.key(0), image))
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 1 / leaf.size), params)
    middle = jax.eval_shape(module.apply, params, image).shape[1] // 2
    score = lambda image: module.apply(params, image)[0, middle, middle]
    slope = compiled(jax.grad(score))(image)
    rows, columns = np.nonzero(np.asarray(slope[0, :, :, 0]))
    for seen in (rows, columns):
        assert seen.max() - seen.min() + 1 == side
    corners = np.asarray(slope[0])[np.ix_(rows[[0, -1]], [columns.min(), columns.max()])]
    assert (corners > 0).all()


def test_the_paper_has_scores_of_30x30_for_256x256():
    module = networks.PatchDiscriminator()
    image = jax.ShapeDtypeStruct((1, 256, 256, 6), jnp.float32)
    scores, params = jax.eval_shape(
        lambda image: module.init_with_output(jax.random.key(0), image), image
    )
    assert scores.shape == (1, 30, 30)
    # Of the authors' code with BatchNorm: 2,768,705 for 6 channels.
    assert sum(leaf.size for leaf in jax.tree.leaves(params["params"])) == 2_768_705


def test_generators_have_the_authors_number_of_parameters():
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)

    def count(module):
        params = jax.eval_shape(lambda image: module.init(jax.random.key(0), image), image)
        return sum(leaf.size for leaf in jax.tree.leaves(params["params"]))

    # The authors' code prints 54.414 M, with BatchNorm, and 11.378 M.
    assert round(count(networks.UNet(3, norm="batch")) / 1e3) == 54_414
    assert round(count(networks.ResnetTranslator(3)) / 1e3) == 11_378


def small(**changes):
    settings = {"width": 2, "layers": 1, "conditions": {"input": (16, 16, 1)}}
    return networks.pix2pix((16, 16, 3), **settings | changes)


BATCH = {
    "real": jnp.zeros((3, 16, 16, 3)),
    "input": jnp.cos(jnp.arange(3 * 256.0)).reshape(3, 16, 16, 1),
}


@pytest.mark.parametrize(
    "settings",
    [
        {"depth": 2},
        pytest.param({"generator": "resnet", "blocks": 1, "scales": 2}, marks=pytest.mark.slow),
    ],
)
def test_pix2pix_plays_with_l1_and_feature_matching(settings):
    nets = small(**settings)
    terms = losses.least_squares() + reconstruction.reconstruction(100.0)
    terms += reconstruction.paired_feature_matching()
    generator, discriminator = nets.init(jax.random.key(0))
    objective = adversarial(nets, terms)

    @compiled
    def slopes(generator, discriminator):
        key = jax.random.key(1)
        return (
            jax.grad(objective.generator, has_aux=True)(
                generator, Player(discriminator), BATCH, key
            )[0],
            jax.grad(objective.discriminator, has_aux=True)(
                discriminator, Player(generator), BATCH, key
            )[0],
        )

    for slope in slopes(generator, discriminator):
        norms = [float(jnp.linalg.norm(leaf)) for leaf in jax.tree.leaves(slope)]
        assert np.isfinite(norms).all() and sum(norms) > 0


def test_dropout_is_drawn_for_each_sample_and_a_sample_is_alone():
    nets = small(depth=2)
    params = nets.init(jax.random.key(0))[0]
    keys = jax.random.split(jax.random.key(1), 3)
    generate = compiled(lambda input, keys: nets.generate(params, None, input=input, rng=keys))
    same = jnp.repeat(BATCH["input"][:1], 3, 0)
    samples = generate(same, keys)
    assert float(jnp.abs(samples[0] - samples[1]).max()) > 1e-6
    others = generate(same.at[1:].set(0.5), keys)
    np.testing.assert_allclose(others[0], samples[0], atol=1e-6)
    again = generate(same, keys.at[1:].set(keys[0]))
    np.testing.assert_allclose(again[1], again[0], atol=1e-6)
    assert small(dropout=0.0).random == () and nets.random == ("generate",)


def test_dropout_keeps_the_mean():
    x = jnp.ones((64, 400))
    dropped = dropout(x, jax.random.split(jax.random.key(0), 64), 0.25)
    kept = np.asarray(dropped) > 0
    np.testing.assert_allclose(np.asarray(dropped)[kept], 4 / 3, rtol=1e-6)
    # A binomial of 25,600 draws: 6 standard deviations.
    assert abs(kept.mean() - 0.75) < 6 * np.sqrt(0.75 * 0.25 / kept.size)


def test_cyclegan_translates_both_ways():
    nets = networks.cyclegan((2, 16, 16, 1), width=2, blocks=1, layers=1)
    generator, discriminator = nets.init(jax.random.key(0))
    pairs = jnp.sin(jnp.arange(2.0 * 2 * 256)).reshape(2, 2, 16, 16, 1)
    batch = {"real": pairs, "input": pairs}
    fake = nets.generate(generator, None, **conditions(batch))
    changed = nets.generate(generator, None, input=pairs.at[:, 0].set(0.0))
    assert fake.shape == pairs.shape
    np.testing.assert_array_equal(changed[:, 0], fake[:, 0])  # F(b) is first, and sees b alone
    assert float(jnp.abs(changed[:, 1] - fake[:, 1]).max()) > 0
    scores = nets.score(discriminator, fake, **conditions(batch))
    assert {name: leaf.shape for name, leaf in scores.items()} == {"a": (2, 6, 6), "b": (2, 6, 6)}


def test_bad_use_gets_one_line():
    for make, line in (
        (lambda: networks.pix2pix((16, 16, 3)), "with no input: choose one of pairs"),
        (lambda: small(conditions={"input": (8, 8, 1)}), r"input \(8, 8, 1\)"),
        (lambda: small(norm="batch"), "choose one of none, layer, instance"),
        (lambda: small(dropout=1.0), "dropout is from 0 to below 1"),
        (lambda: small(layers=3).init(jax.random.key(0)), "takes 31 pixels or more"),
        (lambda: small(depth=5).init(jax.random.key(0)), "from 1 to 4 times, not 5"),
        (lambda: networks.cyclegan((16, 16, 3)), "takes pairs of images"),
    ):
        with pytest.raises(UserError, match=line):
            make()
