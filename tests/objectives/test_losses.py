"""Every objective against PyTorch's autograd, in float64, and at scores where formulas overflow.

A new objective adds a row to LOSSES: what both players minimise, written for PyTorch alone.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Player, Round, adversarial
from gan_jax.objectives import losses
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.objectives.infogan import with_latent_code


def round_of(real_scores, fake_scores, **known):
    """A round of given scores and nothing else."""
    real, fake = jnp.asarray(real_scores), jnp.asarray(fake_scores)
    blank = {
        "score": None,
        "classify": None,
        "label": None,
        "sample_index": jnp.arange(len(real)),
        "rng": jax.random.key(0),
    }
    return Round(
        **{"real": real[:, None], "fake": fake[:, None], "real_scores": real, "fake_scores": fake}
        | blank
        | known
    )


def log_d(s):
    import torch

    return torch.nn.functional.logsigmoid(s)


def cross_entropy(r, f):
    return -log_d(r).mean() - log_d(-f).mean()


def relu(x):
    return x.clamp(min=0)


# Output activations and conjugates as in the paper's tables 2 and 6: f*(g_f(s)), not simplified.
ACTIVATIONS = {
    "kl": lambda v: v,
    "reverse_kl": lambda v: -(-v).exp(),
    "pearson": lambda v: v,
    "neyman": lambda v: 1 - (-v).exp(),
    "squared_hellinger": lambda v: 1 - (-v).exp(),
    "js": lambda v: math.log(2) - (1 + (-v).exp()).log(),
    "gan": lambda v: -(1 + (-v).exp()).log(),
    "total_variation": lambda v: v.tanh() / 2,
}
CONJUGATES = {
    "kl": lambda t: (t - 1).exp(),
    "reverse_kl": lambda t: -1 - (-t).log(),
    "pearson": lambda t: t**2 / 4 + t,
    "neyman": lambda t: 2 - 2 * (1 - t).sqrt(),
    "squared_hellinger": lambda t: t / (1 - t),
    "js": lambda t: -(2 - t.exp()).log(),
    "gan": lambda t: -(1 - t.exp()).log(),
    "total_variation": lambda t: t,
}


def f_bound(name):
    return lambda r, f: ACTIVATIONS[name](r).mean() - CONJUGATES[name](ACTIVATIONS[name](f)).mean()


LOSSES = {
    "minimax": (losses.minimax(), cross_entropy, lambda r, f: -cross_entropy(r, f)),
    "non_saturating": (losses.non_saturating(), cross_entropy, lambda r, f: -log_d(f).mean()),
    "smoothed": (
        losses.non_saturating(0.9),
        lambda r, f: -(0.9 * log_d(r) + 0.1 * log_d(-r)).mean() - log_d(-f).mean(),
        lambda r, f: -log_d(f).mean(),
    ),
    "least_squares": (
        losses.least_squares(-1.0, 1.0, 0.5),
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * ((f + 1) ** 2).mean(),
        lambda r, f: 0.5 * ((f - 0.5) ** 2).mean(),
    ),
    "wasserstein": (losses.wasserstein(), lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "hinge": (
        losses.hinge(),
        lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(),
        lambda r, f: -f.mean(),
    ),
    "relativistic": (
        losses.relativistic(),
        lambda r, f: -log_d(r - f).mean(),
        lambda r, f: -log_d(f - r).mean(),
    ),
    "relativistic_average": (
        losses.relativistic_average(),
        lambda r, f: -log_d(r - f.mean()).mean() - log_d(-(f - r.mean())).mean(),
        lambda r, f: -log_d(f - r.mean()).mean() - log_d(-(r - f.mean())).mean(),
    ),
}


def f_rows(name):
    bound, activation = f_bound(name), ACTIVATIONS[name]
    down = lambda r, f: -bound(r, f)
    return {
        f"f_gan_{name}": (losses.f_gan(name), down, bound),
        f"f_gan_{name}_trick": (
            losses.f_gan(name, saddle=False),
            down,
            lambda r, f: -activation(f).mean(),
        ),
    }


for name in DIVERGENCES:
    LOSSES |= f_rows(name)

SCORES = (np.array([0.3, -1.7, 2.2, 0.9]), np.array([-0.4, 1.1, -2.5, 0.6]))


@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_those_of_torch(float64, name):
    torch = pytest.importorskip("torch")
    term, *theirs = LOSSES[name]
    for side, their in zip(("discriminator", "generator"), theirs, strict=True):
        loss = getattr(term, side)
        value, gradients = jax.value_and_grad(lambda r, f, loss=loss: loss(round_of(r, f)), (0, 1))(
            *map(jnp.asarray, SCORES)
        )
        scores = [torch.tensor(s, requires_grad=True) for s in SCORES]
        expected = their(*scores)
        expected.backward()
        np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
        for ours, s in zip(gradients, scores, strict=True):
            np.testing.assert_allclose(
                ours, 0 if s.grad is None else s.grad.numpy(), rtol=1e-11, atol=1e-14
            )


# At real scores +-1000 and generated -+1000: the discriminator's loss, then the generator's.
EXTREME = {
    "minimax": ((0, 0), (2000, -2000)),
    "non_saturating": ((0, 1000), (2000, 0)),
    "smoothed": ((100, 1000), (1900, 0)),
    "least_squares": (
        (0.5 * 999**2 + 0.5 * 999**2, 0.5 * 1000.5**2),
        (0.5 * 1001**2 * 2, 0.5 * 999.5**2),
    ),
    "wasserstein": ((-2000, 1000), (2000, -1000)),
    "hinge": ((0, 1000), (2002, -1000)),
    "relativistic": ((0, 2000), (2000, 0)),
    "relativistic_average": ((0, 4000), (4000, 0)),
    "f_gan_js": (
        (-2 * math.log(2), 2 * math.log(2)),
        (2000 - 2 * math.log(2), 2 * math.log(2) - 2000),
    ),
    "f_gan_gan": ((0, 0), (2000, -2000)),
    "f_gan_total_variation": ((-1, 1), (1, -1)),
    "f_gan_pearson": (
        (-1000 + 250_000 - 1000, -(-1000 + 250_000 - 1000)),
        (1000 + 250_000 + 1000, -252_000),
    ),
    "f_gan_js_trick": (
        (-2 * math.log(2), 1000 - math.log(2)),
        (2000 - 2 * math.log(2), -math.log(2)),
    ),
}


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_scores_are_finite_and_right(name):
    """In float32; a rightly classified pair and a wrongly classified one."""
    term = LOSSES[name][0]
    for sign, expected in zip((1.0, -1.0), EXTREME[name], strict=True):
        scores = jnp.full(4, sign * 1000.0), jnp.full(4, -sign * 1000.0)
        for side, value in zip(("discriminator", "generator"), expected, strict=True):
            loss = getattr(term, side)
            result, gradients = jax.value_and_grad(
                lambda r, f, loss=loss: loss(round_of(r, f)), (0, 1)
            )(*scores)
            np.testing.assert_allclose(result, value, rtol=1e-6, atol=1e-4)
            assert np.isfinite(gradients).all()


def test_the_gradient_of_minimax_vanishes_and_that_of_non_saturating_does_not():
    r, f = jnp.full(2, 20.0), jnp.full(2, -20.0)
    slope = lambda term: float(
        jnp.sum(jnp.abs(jax.grad(lambda f: term.generator(round_of(r, f)))(f)))
    )
    assert slope(losses.minimax()) < 1e-8 and slope(losses.non_saturating()) > 0.99


def test_unknown_divergence_is_refused():
    with pytest.raises(UserError, match="has no divergence 'l2': choose one of kl,"):
        losses.f_gan("l2")


LOGITS = np.array([[0.2, -1.0, 0.5], [2.0, 0.1, -0.3], [0.0, 0.4, 0.9], [-1000.0, 1000.0, 0.0]])
LABELS = np.array([2, 0, 1, 1])


def test_auxiliary_classifier_is_cross_entropy_with_and_without_the_generated_half(float64):
    torch = pytest.importorskip("torch")
    real, fake = jnp.zeros((4, 3)), jnp.ones((4, 3))
    classify = lambda samples: jnp.asarray(LOGITS) * (1 - 0.5 * samples)
    round = round_of(
        np.zeros(4), np.zeros(4), real=real, fake=fake, classify=classify, label=jnp.asarray(LABELS)
    )
    error = lambda scale: torch.nn.functional.cross_entropy(
        torch.tensor(scale * LOGITS), torch.tensor(LABELS)
    ).item()
    both = losses.auxiliary_classifier(weight=2.0, generator_weight=0.1)
    np.testing.assert_allclose(both.discriminator(round), 2 * (error(1.0) + error(0.5)), rtol=1e-12)
    np.testing.assert_allclose(both.generator(round), 0.1 * error(0.5), rtol=1e-12)
    np.testing.assert_allclose(
        losses.auxiliary_classifier(2.0, generated=False).discriminator(round),
        2 * error(1.0),
        rtol=1e-12,
    )
    with pytest.raises(ValueError, match="a classifier"):
        both.generator(round._replace(classify=None))
    with pytest.raises(ValueError, match="labels"):
        both.generator(round._replace(label=None))


def test_mutual_information_is_the_likelihood_of_the_code(float64):
    """Against SciPy: a softmax for the category, unit Gaussians without their constant."""
    from scipy.special import log_softmax
    from scipy.stats import norm

    latents = np.array(
        [
            [0, 1, 0, 0.3, -0.7, 9.0],
            [1, 0, 0, -0.2, 0.1, 9.0],
            [0, 0, 1, 0.5, 0.5, 9.0],
            [0, 1, 0, 0, 0, 9.0],
        ]
    )
    guess = np.concatenate([LOGITS, np.array([[0.1, 0.2]] * 4)], 1)
    round = round_of(
        np.zeros(4),
        np.zeros(4),
        classify=lambda samples: jnp.asarray(guess),
        latents=jnp.asarray(latents),
    )
    likelihood = np.sum(log_softmax(LOGITS, 1) * latents[:, :3], 1) + norm.logpdf(
        latents[:, 3:5], guess[:, 3:]
    ).sum(1)
    expected = -np.mean(likelihood) - np.log(2 * np.pi)
    term = losses.mutual_information(3, 2, weight=0.5)
    for loss in (term.discriminator, term.generator):
        np.testing.assert_allclose(loss(round), 0.5 * expected, rtol=1e-12)
    numbers = losses.mutual_information(0, 2)
    short = round._replace(
        classify=lambda samples: jnp.asarray(guess[:, 3:]), latents=jnp.asarray(latents[:, 3:])
    )
    expected = -np.mean(norm.logpdf(latents[:, 3:5], guess[:, 3:]).sum(1)) - np.log(2 * np.pi)
    np.testing.assert_allclose(numbers.generator(short), expected, rtol=1e-12)
    for broken, message in [
        ({"classify": None}, "classifies"),
        ({"latents": None}, "fakes alone"),
        ({}, "classify returns 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            losses.mutual_information(4, 3).generator(round._replace(**broken))


def test_latents_with_a_code():
    """One-hot category, uniform numbers, other latents; the generator's label is the category."""
    nets = with_latent_code(tiny.networks(labels=True), 3, 1)
    z = nets.latent(jax.random.key(0), 4000)
    assert z.shape == (4000, 3 + tiny.LATENT)
    np.testing.assert_array_equal(np.sort(z[:, :3], 1), np.tile([0, 0, 1], (4000, 1)))
    np.testing.assert_allclose(z[:, :3].mean(0), 1 / 3, atol=0.03)
    assert -1 <= z[:, 3].min() < -0.99 and 0.99 < z[:, 3].max() <= 1 and abs(z[:, 3].mean()) < 0.05
    assert abs(z[:, 4].std() - 1) < 0.05
    generator, _ = nets.init(jax.random.key(1))
    label = jnp.argmax(z[:5, :3], 1)
    expected = tiny.networks(True).generate(generator, z[:5, 3:], label=label)
    np.testing.assert_array_equal(nets.generate(generator, z[:5]), expected)
    plain = with_latent_code(tiny.networks(), 0, 1, labels=False)
    assert plain.latent(jax.random.key(0), 7).shape == (7, tiny.LATENT)
    with pytest.raises(UserError, match="2 categories or more"):
        with_latent_code(tiny.networks(), 1)


def test_mutual_information_reads_the_code_of_each_sample(float64):
    """A classifier that inverts the generator has no error."""
    nets = with_latent_code(tiny.networks(), 0, 2, labels=False)
    nets = nets._replace(
        generate=lambda params, latents: latents, classify=lambda params, samples: samples
    )
    game = adversarial(
        nets,
        {
            "wasserstein": losses.wasserstein(),
            "mutual_information": losses.mutual_information(0, 2),
        },
    )
    generator, discriminator = nets.init(jax.random.key(0))
    _, (metrics, _) = game.generator(
        generator, Player(discriminator), tiny.batch(), jax.random.key(3)
    )
    assert metrics["generator/mutual_information"] == 0


def test_feature_matching(float64):
    torch = pytest.importorskip("torch")
    features = lambda samples: jnp.concatenate([samples, samples**2], 1)
    round = round_of(*SCORES, features=features)
    r, f = (torch.tensor(s)[:, None] for s in SCORES)
    h = lambda x: torch.cat([x, x**2], 1).mean(0)
    expected = 3 * ((h(r) - h(f)) ** 2).sum().item()
    np.testing.assert_allclose(losses.feature_matching(3.0).generator(round), expected, rtol=1e-12)
    assert losses.feature_matching().discriminator is None
    alone = losses.feature_matching(alone=True).discriminator(round)
    np.testing.assert_allclose(alone, losses.minimax().discriminator(round))
    with pytest.raises(ValueError, match="networks with features"):
        losses.feature_matching().generator(round._replace(features=None))
