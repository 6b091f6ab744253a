"""The figure random_architectures: the networks that are drawn, the sign test, and its verdicts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure

JUDGED = "p of the sign test at a minimum of 5"
PADDING = ((2, 2), (2, 2))
"""Of a kernel of 5."""


def numbers_of(pairs, strip=None):
    """The numbers of networks with these scores with GAN and with WGAN-GP; None: it diverged."""
    module = load("random_architectures")
    rows = []
    for index, pair in enumerate(pairs):
        for objective, score in zip(module.OBJECTIVES, pair, strict=True):
            values = [] if score is None else [1.0, score]
            row = {
                "run": module.run_name(index, objective),
                "seed": 0,
                "steps": 1000,
                "diverged": score is None,
                "curves": {module.METRIC: {"step": [500, 1000][: len(values)], "value": values}},
            }
            rows.append(row | ({"strip": strip} if strip and index < module.PICTURES else {}))
    return {"rows": rows}


def plausible():
    rng = np.random.default_rng(0)
    pairs = [(None if i % 7 == 3 else rng.uniform(1, 8), rng.uniform(3, 8)) for i in range(40)]
    picture = rng.integers(0, 256, (28, 8 * 28), np.uint8)
    return numbers_of(pairs, load("random_architectures").images.to_png(picture))


@pytest.mark.parametrize(("less", "more"), [(0, 0), (0, 7), (3, 12), (5, 5), (9, 2)])
def test_the_sign_test_is_the_exact_binomial_one(less, more):
    signs = less + more
    expected = sum(math.comb(signs, k) for k in range(more, signs + 1)) / 2**signs
    assert load("random_architectures").sign_test(less, more) == pytest.approx(expected, rel=1e-12)


def test_each_network_has_one_outcome():
    module = load("random_architectures")
    found = np.array(
        [[6, 4], [4, 6], [4, 7], [6, 6], [6, 7], [8, 6], [5, 5], [0, 1], [1, 0], [2, 2]]
    )
    assert module.outcomes(found, 5.0) == (1, 2, 3, 4)
    assert module.outcomes(found, 4.5) == (1, 2, 4, 3)


def test_a_network_that_diverged_works_at_no_minimum():
    module = load("random_architectures")
    numbers = numbers_of([(None, 6.0), (3.0, 4.0)])
    np.testing.assert_array_equal(module.scores(numbers), [[0, 6], [3, 4]])
    counts = {claim.name: claim.measured for claim in module.claims(numbers)}
    assert counts["GAN: networks that diverged"] == (1,)
    assert counts["WGAN-GP: networks that diverged"] == (0,)


@pytest.mark.parametrize(
    ("wgan_gp_alone", "gan_alone", "verdict"),
    [(7, 0, "pass"), (6, 0, "miss"), (12, 2, "pass"), (0, 7, "miss"), (0, 0, "miss")],
)
def test_wgan_gp_has_to_train_more_networks_beyond_chance(wgan_gp_alone, gan_alone, verdict):
    pairs = [(4.0, 6.0)] * wgan_gp_alone + [(6.0, 4.0)] * gan_alone + [(6.0, 6.0)] * 10
    claims = load("random_architectures").claims(numbers_of(pairs))
    assert verdicts(claims)[JUDGED] == verdict
    assert [claim.name for claim in claims if claim.verdict(False) != "not judged"] == [JUDGED]
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


def test_networks_are_drawn_once_and_from_all_choices():
    module = load("random_architectures")
    from _random_networks import draw_nets

    assert len(set(module.NETS)) == len(module.NETS) == 40
    assert draw_nets(40, seed=0) == module.NETS != draw_nets(40, seed=1)
    for half in (0, 1):
        columns = zip(*(net[half] for net in module.NETS), strict=True)
        assert [len(set(column)) for column in columns] == [4, 3, 2, 3]


def test_both_objectives_train_the_same_networks_but_for_the_critics_norm():
    module = load("random_architectures")
    figure = load_figure(FIGURES, "random_architectures")
    runs = figure.runs("paper")
    for index, net in enumerate(module.NETS):
        gan, wgan_gp = (
            load_settings(str(ROOT / run.config), run.overrides)
            for run in (runs[module.run_name(index, name)] for name in module.OBJECTIVES)
        )
        assert (gan.discriminator_steps, wgan_gp.discriminator_steps) == (1, 5)
        normalised = net.discriminator.normalised
        expected = ("batch", "layer") if normalised else ("none", "none")
        settings = [dict(part.networks.settings) for part in (gan, wgan_gp)]
        assert tuple(of.pop("discriminator_norm") for of in settings) == expected
        assert settings[0] == settings[1]
        assert settings[0]["generator_depth"] == net.generator.depth


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_discriminator_has_the_activation_width_and_depth_that_were_drawn(activation):
    load("random_architectures")
    from _random_networks import convolutional

    networks = convolutional(
        (28, 28, 1),
        generator_activation="tanh",
        generator_depth=4,
        generator_norm="none",
        generator_width=4,
        discriminator_activation=activation,
        discriminator_depth=2,
        discriminator_norm="none",
        discriminator_width=3,
    )
    generator, discriminator = networks.init(jax.random.key(0))
    kernels = {path[-2].key: leaf.shape for path, leaf in _kernels(discriminator)}
    assert kernels["down_0"] == (5, 5, 1, 3) and kernels["down_1"] == (5, 5, 3, 6)
    assert sum("up" in str(path) for path, _ in _kernels(generator)) == 3
    images = jax.random.uniform(jax.random.key(1), (2, 28, 28, 1), minval=-1)
    assert networks.generate(generator, networks.latent(jax.random.key(2), 2)).shape == images.shape

    # Independent forward pass.
    apply = {"relu": jax.nn.relu, "tanh": jnp.tanh}[activation]
    leaves = {(path[-2].key, path[-1].key): leaf for path, leaf in _leaves(discriminator)}
    x = images
    for name in ("down_0", "down_1"):
        x = jax.lax.conv_general_dilated(
            x, leaves[name, "kernel"], (2, 2), PADDING, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = apply(x + leaves[name, "bias"].reshape(1, 1, 1, -1))
    (head,) = [leaf for _, leaf in _kernels(discriminator) if leaf.shape == (7 * 7 * 6, 1)]
    expected = x.reshape(2, -1) @ head
    scores = networks.score(discriminator, images)
    np.testing.assert_allclose(scores, expected[:, 0], atol=1e-5)


def _leaves(params):
    return jax.tree_util.tree_leaves_with_path(params)


def _kernels(params):
    return [(path, leaf) for path, leaf in _leaves(params) if path[-1].key == "kernel"]


def test_the_drawing_has_its_panels():
    figure = load_figure(FIGURES, "random_architectures").draw(plausible())
    titles = [ax.get_title(loc="left")[:3] for ax in figure.axes]
    assert titles == ["(a)", "(b)", "(c)", "(d)"]
    by_network, by_minimum, gan, wgan_gp = figure.axes
    assert len(by_network.lines[-1].get_xdata()) == 40
    widths = np.array([bar.get_width() for bar in by_minimum.patches]).reshape(4, -1)
    np.testing.assert_array_equal(widths.sum(0), [40] * 5)
    assert len(gan.get_yticks()) == len(wgan_gp.get_yticks()) == 6
