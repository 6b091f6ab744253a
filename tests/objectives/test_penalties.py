"""Every penalty against a closed form, or against PyTorch's double backward, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Player, Round, adversarial
from gan_jax.objectives import penalties
from gan_jax.objectives.losses import minimax, non_saturating
from gan_jax.objectives.unrolling import unrolled

SLOPE = np.array([0.6, -0.8, 1.5])  # of a linear discriminator: |SLOPE| = sqrt(3.25)
STEEP = np.sqrt(3.25)


def linear(samples):
    return samples.reshape(len(samples), -1) @ jnp.asarray(SLOPE, samples.dtype)


def cubic(samples):
    """A discriminator whose gradient is elsewhere another: sum (x^3 / 3) w, gradient x^2 w."""
    return (samples**3 / 3).reshape(len(samples), -1) @ jnp.asarray(SLOPE, samples.dtype)


def round_of(score=linear, shape=(3,), size=6, **known):
    draws = np.random.default_rng(0)
    real, fake = (jnp.asarray(draws.normal(size=(size, *shape))) for _ in range(2))
    samples_and_scores = {
        "real": real,
        "fake": fake,
        "real_scores": score(real),
        "fake_scores": score(fake),
        "score": score,
    }
    rest = {
        "classify": None,
        "label": None,
        "sample_index": jnp.arange(size),
        "rng": jax.random.key(3),
    }
    return Round(**samples_and_scores | rest | known)


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1)])
def test_slope_penalties_of_a_linear_discriminator(float64, shape):
    """Its slope is the same everywhere, and is that of each sample over all of its entries."""
    round = round_of(shape=shape)
    expected = {
        penalties.gradient_penalty(): 10 * (STEEP - 1) ** 2,
        penalties.gradient_penalty(10 / 750**2, 750.0): 10 * (STEEP / 750 - 1) ** 2,
        penalties.lipschitz_penalty(2.0): 2 * (STEEP - 1) ** 2,
        penalties.lipschitz_penalty(2.0, target=2.0): 0.0,
        penalties.dragan(): 10 * (STEEP - 1) ** 2,
        penalties.dragan(3.0, 0.5, noise="normal"): 3 * (STEEP - 0.5) ** 2,
        penalties.r1(0.7): 0.35 * STEEP**2,
        penalties.r2(0.7): 0.35 * STEEP**2,
    }
    for term, value in expected.items():
        assert term.generator is None
        np.testing.assert_allclose(term.discriminator(round), value, rtol=1e-10, atol=1e-15)


def test_the_points_at_which_each_penalty_looks(float64):
    round = round_of(cubic)
    real, fake = np.asarray(round.real), np.asarray(round.fake)
    square = lambda x: np.sum((x**2 * SLOPE) ** 2, 1)
    np.testing.assert_allclose(
        penalties.r1(1.0).discriminator(round), 0.5 * square(real).mean(), rtol=1e-12
    )
    np.testing.assert_allclose(
        penalties.r2(1.0).discriminator(round), 0.5 * square(fake).mean(), rtol=1e-12
    )
    points = np.asarray(penalties.interpolate(round))
    share = (points - fake) / (real - fake)
    np.testing.assert_allclose(share, np.tile(share[:, :1], 3), rtol=1e-8)  # one share per sample
    assert share.min() >= 0 and share.max() <= 1 and np.ptp(share[:, 0]) > 0.1
    expected = 10 * np.mean((np.sqrt(square(points)) - 1) ** 2)
    np.testing.assert_allclose(
        penalties.gradient_penalty().discriminator(round), expected, rtol=1e-9
    )
    expected = 10 * np.mean(np.maximum(np.sqrt(square(points)) - 1, 0) ** 2)
    np.testing.assert_allclose(
        penalties.lipschitz_penalty().discriminator(round), expected, rtol=1e-9
    )


def test_dragans_points_are_the_authors(float64):
    """To one side, less than half a standard deviation (of NumPy) away, with fresh noise."""
    seen = []

    def noting(samples):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), samples)
        return linear(samples)

    round = round_of(size=4000)
    for noise in ("uniform", "normal"):
        penalties.dragan(noise=noise).discriminator(
            round._replace(score=noting)
        ).block_until_ready()
        jax.effects_barrier()
        step = seen[-1] - np.asarray(round.real)
        std = np.std(np.asarray(round.real))
        if noise == "uniform":
            assert step.min() >= 0 and step.max() <= 0.5 * std and step.max() > 0.45 * std
            np.testing.assert_allclose(step.mean(), 0.5 * std / 4, rtol=0.05)
        else:
            np.testing.assert_allclose([step.mean(), step.std()], [0, 0.5 * std], atol=0.02)
    with pytest.raises(UserError, match="'uniform' or 'normal', not 'cauchy'"):
        penalties.dragan(noise="cauchy")


def test_drift(float64):
    round = round_of()
    np.testing.assert_allclose(
        penalties.drift().discriminator(round), 1e-3 * np.mean(np.asarray(round.real_scores) ** 2)
    )


def test_slopes_are_differentiable_where_they_are_zero():
    flat = lambda weight: penalties.slopes(
        lambda x: jnp.sum(weight * jax.nn.relu(x - 10), 1), jnp.zeros((3, 2))
    ).sum()
    value, gradient = jax.value_and_grad(flat)(1.0)
    assert value == pytest.approx(3e-6) and gradient == 0


@pytest.mark.parametrize("name", ["gradient_penalty", "lipschitz_penalty", "r1", "r2"])
def test_gradients_are_those_of_torchs_double_backward(float64, name):
    torch = pytest.importorskip("torch")
    nets, round = tiny.networks(), round_of(lambda x: x[:, 0], shape=(2,))
    _, params = nets.init(jax.random.key(1))
    points = {"r1": round.real, "r2": round.fake}.get(name, penalties.interpolate(round))
    term = getattr(penalties, name)()
    ours = jax.grad(lambda p: term.discriminator(round._replace(score=lambda x: nets.score(p, x))))(
        params
    )

    theirs = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf), requires_grad=True), params)
    x = torch.tensor(np.asarray(points), requires_grad=True)
    hidden = torch.tanh(x @ theirs["in"]["w"] + theirs["in"]["b"])
    score = (hidden @ theirs["score"]["w"] + theirs["score"]["b"])[:, 0]
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    if name in ("r1", "r2"):
        loss = 5 * slope.square().sum(1).mean()
    else:
        excess = slope.norm(2, dim=1) - 1
        loss = 10 * (excess.clamp(min=0) if name == "lipschitz_penalty" else excess).square().mean()
    loss.backward()
    for layer in ("in", "score"):
        for leaf in ("w", "b"):
            expected = theirs[layer][leaf].grad
            expected = np.zeros_like(ours[layer][leaf]) if expected is None else expected.numpy()
            np.testing.assert_allclose(ours[layer][leaf], expected, rtol=1e-8, atol=1e-12)


def test_consistency_of_vectors_and_images(float64):
    """A linear discriminator's answer to noise is known; a constant one is perfectly consistent."""
    round = round_of(size=5000)
    penalty = penalties.consistency(2.0, noise=0.3).discriminator(round)
    np.testing.assert_allclose(penalty, 2 * 0.3**2 * STEEP**2, rtol=0.05)
    mean = lambda images: jnp.sum(images, (1, 2, 3))
    inside = (
        jnp.zeros((40, 9, 9, 2))
        .at[:, 2:7, 2:7]
        .set(jax.random.normal(jax.random.key(0), (40, 5, 5, 2)))
    )
    images = round_of(size=40)._replace(real=inside, real_scores=mean(inside), score=mean)
    # A shift by up to 2 pixels and a mirror keep everything within the frame.
    np.testing.assert_allclose(penalties.consistency(pixels=2).discriminator(images), 0, atol=1e-20)
    corner = lambda images: images[:, 4, 4, 0]
    moved = penalties.consistency(1.0, pixels=2).discriminator(
        images._replace(score=corner, real_scores=corner(inside))
    )
    assert moved > 0.1


def test_mode_seeking(float64):
    """The ratio is 3 if the generator scales latents by 3, and 0 if it has collapsed."""
    z1, z2 = (jnp.asarray(np.random.default_rng(s).normal(size=(5, 2))) for s in range(2))
    round = round_of(
        lambda x: x[:, 0], (2,), 5, latents=z1, latent=lambda key: z2, generate=lambda z: 3 * z
    )
    np.testing.assert_allclose(
        penalties.mode_seeking(2.0).generator(round), 2 / (3 + 1e-5), rtol=1e-12
    )
    uneven = round._replace(generate=lambda z: z**3)
    ratio = np.mean(np.abs(np.asarray(z1**3 - z2**3))) / np.mean(np.abs(np.asarray(z1 - z2)))
    np.testing.assert_allclose(
        penalties.mode_seeking().generator(uneven), 1 / (ratio + 1e-5), rtol=1e-12
    )
    collapsed = round._replace(generate=lambda z: jnp.ones_like(z))
    np.testing.assert_allclose(penalties.mode_seeking().generator(collapsed), 1e5)
    with pytest.raises(ValueError, match="fakes alone"):
        penalties.mode_seeking().generator(round._replace(latents=None))


def test_mode_seeking_draws_other_latents_in_a_game():
    nets = tiny.networks(labels=True)
    game = adversarial(
        nets, {"non_saturating": non_saturating(), "mode_seeking": penalties.mode_seeking()}
    )
    generator, discriminator = nets.init(jax.random.key(0))
    _, (metrics, _) = game.generator(
        generator, Player(discriminator), tiny.batch(labels=True), jax.random.key(1)
    )
    assert 0 < metrics["generator/mode_seeking"] < 100


def test_gradient_regularised_is_a_look_ahead_of_first_order(float64):
    """V(D - h grad) = V(D) - h |grad|^2 + O(h^2): one unrolled step of SGD, as h goes to 0."""
    nets, batch, key = tiny.networks(), tiny.batch(), jax.random.key(2)
    game = adversarial(nets, {"minimax": minimax()})
    generator, params = nets.init(jax.random.key(1))
    h = 1e-5
    player = Player(params, optax.sgd(h).init(params))
    ahead = jax.grad(lambda g: unrolled(game, 1, optax.sgd(h)).generator(g, player, batch, key)[0])(
        generator
    )
    pushed, (_, (metrics, _)) = jax.grad(
        lambda g: (lambda loss, metrics: (loss, (loss, metrics)))(
            *penalties.gradient_regularised(game, h).generator(g, player, batch, key)
        ),
        has_aux=True,
    )(generator)
    plain = jax.grad(lambda g: game.generator(g, player, batch, key)[0])(generator)
    part = lambda tree: jax.tree.map(lambda a, b: (a - b) / h, tree, plain)
    tiny.assert_trees_close(part(ahead), part(pushed), rtol=2e-3, atol=1e-5)
    gradient = jax.grad(lambda d: game.discriminator(d, Player(generator), batch, key)[0])(params)
    np.testing.assert_allclose(
        metrics["generator/gradient_regularised"], h * tiny.dot(gradient, gradient), rtol=1e-9
    )
