"""The figure vanishing_gradient_on_images: its norms against a closed form, and its verdicts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from figure_modules import FIGURES, load, verdicts

from gan_jax import networks
from gan_jax.reproduction import load_figure

STEPS = list(range(0, 4000, 50))
LOSSES = {
    "minimax": lambda scores: jnp.mean(jnp.log(1 - jax.nn.sigmoid(scores))),
    "non_saturating": lambda scores: -jnp.mean(jnp.log(jax.nn.sigmoid(scores))),
    "wasserstein": lambda scores: -jnp.mean(scores),
}
"""The generator's losses as the papers write them."""


@pytest.fixture
def figure():
    return load("vanishing_gradient_on_images")


def norms(minimax=1e-4, non_saturating=1.0, wasserstein=3.0):
    """Norms that go from 1 to these numbers as powers."""
    return {
        name: list(np.geomspace(1, last, len(STEPS)))
        for name, last in (
            ("minimax", minimax),
            ("non_saturating", non_saturating),
            ("wasserstein", wasserstein),
        )
    }


def numbers(figure, **last):
    rows = [
        {"seed": seed, "norms": {str(epoch): norms(**last) for epoch in figure.EPOCHS}}
        for seed in range(3)
    ]
    return {"rows": rows, "steps": STEPS}


def test_the_first_norms_are_those_of_untrained_discriminators(figure):
    """Before any step they follow from automatic differentiation of the plain formulas."""
    shape = (8, 8, 1)
    generator = networks.dcgan(shape, width=32).init(jax.random.key(3))[0]
    pixels = jnp.zeros((64, *shape), jnp.uint8)
    for game in figure.games():
        found = figure.trainer(game, shape, 2, 2)(generator, pixels, jax.random.key(0))
        pair = networks.dcgan(shape, width=32, discriminator_norm=game.norm)
        discriminator = pair.init(jax.random.split(jax.random.key(0))[0])[1]
        latents = pair.latent(jax.random.key(9), figure.LATENTS)

        def scores(params, pair=pair, latents=latents, discriminator=discriminator):
            return pair.score(discriminator, pair.generate(params, latents))

        for name in game.losses:

            def loss(params, name=name, scores=scores):
                return LOSSES[name](scores(params))

            # The latents are others, so the norms agree as those of two batches do.
            expected = optax.global_norm(jax.grad(loss)(generator))
            np.testing.assert_allclose(found[name][0], expected, rtol=0.2)


def test_orders_of_magnitude_are_counted_from_the_first_norm(figure):
    assert figure.orders_fallen([10.0, *[0.01] * 10]) == pytest.approx(3)
    assert figure.orders_fallen([0.1, *[1.0] * 10]) == pytest.approx(-1)
    assert figure.spread([1e-9] * 9 + [2.0, 8.0]) == pytest.approx(4)


def test_a_gradient_that_vanishes_beside_two_that_do_not_meets_every_claim(figure):
    claims = figure.claims(numbers(figure))
    assert list(verdicts(claims).values()) == ["pass"] * 9
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"minimax": 0.1}, "log(1"),
        ({"non_saturating": 1e-3}, "-log"),
        ({"wasserstein": 40}, "critic"),
    ],
)
def test_each_claim_can_be_missed(figure, change, word):
    found = verdicts(figure.claims(numbers(figure, **change)))
    assert {name for name, verdict in found.items() if verdict == "miss"} == {
        name for name in found if f": {word}" in name
    }


def test_each_number_of_epochs_has_a_panel(figure):
    drawn = load_figure(FIGURES, "vanishing_gradient_on_images").draw(numbers(figure))
    titles = [ax.get_title(loc="left") for ax in drawn.axes]
    assert titles[:3] == [
        "(a) DCGAN after 1 epoch",
        "(b) DCGAN after 10 epochs",
        "(c) DCGAN after 25 epochs",
    ]
