"""Packed discriminators."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import build

from gan_jax import networks
from gan_jax.errors import UserError


@pytest.fixture(scope="module")
def packed():
    nets = build("packed")
    generator, discriminator = nets.init(jax.random.key(0))
    samples = nets.generate(generator, nets.latent(jax.random.key(1), 4))
    return nets, discriminator, samples


def test_the_samples_of_a_pack_share_its_score(packed):
    nets, discriminator, samples = packed
    scores = nets.score(discriminator, samples)
    assert scores[0] == scores[1] and scores[2] == scores[3] and scores[0] != scores[2]
    swapped = nets.score(discriminator, samples[jnp.array([0, 2, 1, 3])])
    assert swapped[0] != scores[0]


def test_the_discriminator_sees_packs_joined_along_the_last_axis(packed):
    nets, discriminator, samples = packed
    of_packs = networks.mlp((4,), latent_size=3)
    expected = of_packs.score(discriminator, samples.reshape(2, 4))
    np.testing.assert_allclose(
        nets.score(discriminator, samples), np.repeat(expected, 2), rtol=1e-6
    )


def test_the_samples_of_a_pack_share_its_features(packed):
    nets, discriminator, samples = packed
    features = nets.features(discriminator, samples)
    head = discriminator["params"]["head"]["score"]
    scores = features @ head["kernel"][:, 0] + head["bias"][0]
    np.testing.assert_allclose(scores, nets.score(discriminator, samples), rtol=1e-4, atol=1e-5)


def test_a_batch_that_does_not_divide_into_packs_is_refused(packed):
    nets, discriminator, samples = packed
    with pytest.raises(ValueError, match="multiple of 2"):
        nets.score(discriminator, samples[:3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: networks.packed((2,), 3, networks=networks.mlp), "no labels"),
        (lambda: networks.packed((2,), m=0, networks=networks.mlp), "m=0"),
        (
            lambda: networks.packed(
                (2,), networks=partial(networks.latent_code, networks=classifying)
            ),
            "cannot classify",
        ),
    ],
)
def test_packs_with_labels_and_empty_packs_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


classifying = partial(networks.mlp, labels="auxiliary")
