"""IB-GAN's networks: a stochastic bottleneck between the latents and the generator."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Context, Player, adversarial, per_sample
from gan_jax.objectives import autoencoding, losses

mlp = partial(
    networks.mlp,
    latent_size=4,
    generator_widths=(8,),
    discriminator_widths=(8,),
    labels="auxiliary",
)


@pytest.fixture(scope="module")
def nets():
    return networks.ib_gan((2,), latent_size=3, widths=(5,), networks=mlp)


@pytest.fixture(scope="module")
def players(nets):
    return nets.init(jax.random.key(1))


def keys(n):
    return per_sample(jax.random.key(4), jnp.arange(n), lambda key: key)


def test_samples_are_those_of_draws_of_the_bottleneck(nets, players):
    """Against the two halves, and the divergence by SciPy's integral over one entry."""
    from scipy.integrate import quad
    from scipy.stats import norm

    generator, discriminator = players
    latents = nets.latent(jax.random.key(0), 6)
    assert latents.shape == (6, 3)
    samples, outputs = nets.outputs(generator, latents, rng=keys(6))
    np.testing.assert_array_equal(samples, nets.generate(generator, latents, rng=keys(6)))
    assert samples.shape == (6, 2) and nets.classify(discriminator, samples).shape == (6, 3)

    weights = jax.tree.map(np.asarray, generator["encoder"]["params"])
    hidden = (
        np.asarray(latents) @ weights["hidden"]["dense_0"]["kernel"]
        + weights["hidden"]["dense_0"]["bias"]
    )
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    moments = hidden @ weights["moments"]["kernel"] + weights["moments"]["bias"]
    mean, std = moments[:, :4], np.exp(moments[:, 4:] / 2)
    noise = np.stack([jax.random.normal(key, (4,)) for key in keys(6)])
    label = jnp.zeros(6, jnp.int32)
    inner = mlp((2,), 3)
    expected = inner.generate(generator["generator"], mean + std * noise, label=label)
    np.testing.assert_allclose(samples, expected, rtol=1e-4, atol=1e-6)
    without_noise = inner.generate(generator["generator"], mean, label=label)
    np.testing.assert_allclose(nets.generate(generator, latents), without_noise, atol=1e-6)

    def divergence(m, s):
        e = norm(m, s)
        return quad(lambda r: e.pdf(r) * (e.logpdf(r) - norm.logpdf(r)), m - 9 * s, m + 9 * s)[0]

    one = sum(divergence(m, s) for m, s in zip(mean[2].tolist(), std[2].tolist(), strict=True))
    np.testing.assert_allclose(outputs["kl"][2], one, rtol=1e-4)


def test_a_sample_depends_on_its_own_key_alone(nets, players):
    latents = nets.latent(jax.random.key(0), 6)
    whole = nets.generate(players[0], latents, rng=keys(6))
    part = nets.generate(players[0], latents[2:4], rng=keys(6)[2:4])
    np.testing.assert_allclose(whole[2:4], part, atol=1e-6)


def test_its_objective_is_infogans_with_a_price_on_information(nets, players):
    terms = losses.minimax() + losses.mutual_information(0, 3) + autoencoding.kl(0.3)
    game, batch = adversarial(nets, terms), {"real": jnp.ones((4, 2))}
    context = Context(jax.random.key(2), 0, {})
    loss, (metrics, _) = game.generator(players[0], Player(players[1]), batch, context)
    total = sum(metrics[f"generator/{name}"] for name in ("minimax", "mutual_information", "kl"))
    np.testing.assert_allclose(loss, total, rtol=1e-6)
    assert metrics["generator/kl"] > 0
    slopes = jax.grad(lambda p: game.generator(p, Player(players[1]), batch, context)[0])(
        players[0]
    )
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slopes["encoder"]))


@pytest.mark.slow
def test_batch_norm_stands_still(nets):
    with_norm = networks.ib_gan((2,), latent_size=3, networks=partial(mlp, norm="batch"))
    generator, _ = with_norm.init(jax.random.key(1))
    generator = with_norm.standing(generator, with_norm.latent(jax.random.key(2), 64))
    latents = with_norm.latent(jax.random.key(0), 6)
    whole = with_norm.generate(generator, latents, rng=keys(6))
    alone = with_norm.generate(generator, latents[:1], rng=keys(6)[:1])
    np.testing.assert_allclose(whole[:1], alone, atol=1e-6)
    assert nets.standing is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: networks.ib_gan((2,), 3, networks=mlp), "ib_gan takes no labels"),
        (lambda: networks.ib_gan((2,), latent_size=1, networks=mlp), "2 latents or more, not 1"),
        (lambda: networks.ib_gan((2,), networks=networks.mlp), "labels='auxiliary'"),
    ],
)
def test_labels_one_latent_and_a_missing_classifier_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
