"""An encoder fitted to a generator, and a discriminator's classifier as one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Networks
from gan_jax.training import encoding, sampler

MATRIX = np.array([[1.0, 0.5, -1.0], [0.0, 2.0, 1.0]])


def linear_generator(matrix=MATRIX):
    return Networks(
        init=lambda rng: ({"a": jnp.asarray(matrix)}, {}),
        latent=lambda rng, n: jax.random.normal(rng, (n, len(matrix))),
        generate=lambda params, latents, **_: latents @ params["a"],
        score=lambda params, samples, **_: samples[:, 0],
    )


LINEAR_ENCODER = Networks(
    init=lambda rng: ({}, {"w": jnp.zeros((3, 2)), "b": jnp.zeros(2)}),
    latent=None,
    generate=lambda params, latents, **_: latents,
    score=lambda params, samples, **_: samples[:, 0],
    classify=lambda params, samples, **_: samples @ params["w"] + params["b"][None],
)


def sampler_of(nets):
    return sampler(nets, nets.init(jax.random.key(0))[0], batch_size=64)


def test_the_encoder_of_a_linear_generator_is_its_inverse():
    made = sampler_of(linear_generator())
    encoder = encoding.fit_encoder(
        made, LINEAR_ENCODER, jax.random.key(1), steps=600, optimizer=optax.adam(0.03)
    )
    assert encoder.errors.shape == (600,) and 0.6 < encoder.errors[0] < 1.4
    assert encoder.errors[-1] < 1e-4
    latents = np.random.default_rng(0).normal(size=(1500, 2)).astype(np.float32)
    encoded = encoder.encode((latents @ MATRIX).astype(np.float32))
    np.testing.assert_allclose(encoded, latents, atol=0.05)
    again = encoding.fit_encoder(
        made, LINEAR_ENCODER, jax.random.key(1), steps=600, optimizer=optax.adam(0.03)
    )
    np.testing.assert_array_equal(again.errors, encoder.errors)


def test_latents_that_make_no_difference_are_encoded_as_their_mean():
    made = sampler_of(linear_generator(MATRIX * [[1], [0]]))
    encoder = encoding.fit_encoder(
        made, LINEAR_ENCODER, jax.random.key(1), steps=2000, optimizer=optax.adam(0.003)
    )
    encoded = encoder.encode(made.generate(made.latents(jax.random.key(2), 200)))
    assert np.abs(encoded[:, 1]).max() < 0.3 and encoded[:, 0].std() > 0.8


def test_the_recogniser_is_the_classifier():
    nets = networks.mlp((2,), 3, labels="auxiliary", latent_size=2, discriminator_widths=(4,))
    _, discriminator = nets.init(jax.random.key(0))
    points = np.random.default_rng(0).normal(size=(1100, 2)).astype(np.float32)
    codes = encoding.recogniser(nets, discriminator)(points)
    assert codes.shape == (1100, 3) and codes.dtype == np.float32
    np.testing.assert_allclose(codes, nets.classify(discriminator, points), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("generator", "encoder", "settings", "message"),
    [
        (linear_generator()._replace(latent=None), LINEAR_ENCODER, {}, "takes no latents"),
        (linear_generator(), LINEAR_ENCODER._replace(classify=None), {}, "labels='auxiliary'"),
        (linear_generator(np.eye(3)), LINEAR_ENCODER, {}, r"returns \[2\].*latents are \[3\]"),
        (linear_generator(), LINEAR_ENCODER, {"steps": 0}, "steps is at least 1, not 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(generator, encoder, settings, message):
    with pytest.raises(UserError, match=message):
        encoding.fit_encoder(sampler_of(generator), encoder, jax.random.key(0), **settings)
