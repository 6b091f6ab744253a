"""Networks with InfoGAN's latent code."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses

mlp = partial(
    networks.mlp,
    latent_size=4,
    generator_widths=(8,),
    discriminator_widths=(8,),
    labels="auxiliary",
)


def test_the_code_is_the_generators_label_and_what_the_classifier_predicts():
    nets = networks.latent_code((2,), categories=3, continuous=1, networks=mlp)
    latents = nets.latent(jax.random.key(0), 6)
    assert latents.shape == (6, 3 + 4)
    np.testing.assert_array_equal(latents[:, :3].sum(1), 1)
    generator, discriminator = nets.init(jax.random.key(1))
    samples = nets.generate(generator, latents)
    assert nets.classify(discriminator, samples).shape == (6, 3 + 1)
    assert nets.score(discriminator, samples).shape == (6,)
    other_categories = latents.at[:, :3].set(jnp.roll(latents[:, :3], 1, 1))
    other_samples = nets.generate(generator, other_categories)
    assert np.all(np.any(np.asarray(samples != other_samples), 1))


def test_the_mutual_information_is_a_term_of_these_networks():
    nets = networks.latent_code((2,), categories=3, continuous=1, networks=mlp)
    generator, discriminator = nets.init(jax.random.key(1))
    terms = {
        "minimax": losses.minimax(),
        "information": losses.mutual_information(categories=3, continuous=1),
    }
    batch = {"real": jnp.zeros((6, 2))}
    loss, (metrics, _) = adversarial(nets, terms).generator(
        generator, Player(discriminator), batch, jax.random.key(2)
    )
    assert np.isfinite(loss) and metrics["generator/information"] > 0


def test_a_code_of_numbers_alone_is_the_head_of_the_latents():
    nets = networks.latent_code((2,), categories=0, continuous=3, networks=mlp)
    latents = nets.latent(jax.random.key(0), 500)
    assert latents.shape == (500, 4) and np.abs(latents[:, :3]).max() <= 1
    generator, discriminator = nets.init(jax.random.key(1))
    samples = nets.generate(generator, latents)
    inner = mlp((2,), 3)
    expected = inner.generate(generator, latents, label=jnp.zeros(500, jnp.int32))
    np.testing.assert_array_equal(samples, expected)
    assert nets.classify(discriminator, samples).shape == (500, 3)
    with pytest.raises(UserError, match="0 categories and at least 2 numbers"):
        networks.latent_code((2,), categories=0, continuous=1, networks=mlp)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: networks.latent_code((2,), 3, networks=mlp), "no labels"),
        (lambda: networks.latent_code((2,), categories=1, networks=mlp), "at least 2 categories"),
        (lambda: networks.latent_code((2,), networks=networks.mlp), "labels='auxiliary'"),
    ],
)
def test_labels_a_code_without_categories_and_a_missing_classifier_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
