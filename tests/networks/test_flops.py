"""A train step computes what its algorithm needs, and nothing twice."""

import itertools

import jax
import jax.numpy as jnp
import optax
import pytest

import gan_jax
from gan_jax import networks
from gan_jax.networks import convolution

BATCH, WIDTH, LATENT = 128, 256, 8
GENERATOR, DISCRIMINATOR = (LATENT, WIDTH, WIDTH, 2), (2, WIDTH, WIDTH, 1)


def passes(widths, batch):
    """Operations of an MLP's matrix products, by layer: forward, and for each of two gradients."""
    return [2 * batch * a * b for a, b in itertools.pairwise(widths)]


def forward(widths, batch):
    return sum(passes(widths, batch))


def backward(widths, batch, parameters=True, inputs=False):
    """Operations for the gradients of the parameters, and of the network's input."""
    first, *others = passes(widths, batch)
    operations = sum(others)  # to the inputs of all layers but the first
    if parameters:
        operations += first + sum(others)
    if inputs:
        operations += first
    return operations


def discriminator_update():
    samples = 2 * BATCH
    scored = forward(DISCRIMINATOR, samples) + backward(DISCRIMINATOR, samples)
    return forward(GENERATOR, BATCH) + scored


def generator_update(reuse=False):
    operations = forward(DISCRIMINATOR, BATCH) + backward(GENERATOR, BATCH)
    operations += backward(DISCRIMINATOR, BATCH, parameters=False, inputs=True)
    if not reuse:
        operations += forward(GENERATOR, BATCH)
    return operations


def gradient_penalty():
    """The norm of the gradient at BATCH points, and the gradient of that norm, for ReLU.

    Forward to the signs of the last hidden layer, and back to the points. Each product on the way
    back is then differentiated with respect to its kernel and its input, which is 1 at the last
    layer. The activations matter only by their signs.
    """
    *layers, last = passes(DISCRIMINATOR, BATCH)
    return sum(layers) + (sum(layers) + last) + (2 * sum(layers) + last)


CASES = {
    "alternating": ({}, False, discriminator_update() + generator_update()),
    "alternating, samples reused": (
        {},
        True,
        discriminator_update() + generator_update(reuse=True),
    ),
    "gradient penalty": (
        {"p": gan_jax.penalties.gradient_penalty()},
        False,
        discriminator_update() + gradient_penalty() + generator_update(),
    ),
}


def step_of(terms, reuse):
    net = networks.mlp(
        (2,), generator_widths=(WIDTH,) * 2, discriminator_widths=(WIDTH,) * 2, latent_size=LATENT
    )
    optimizer = optax.sgd(0.1)
    objective = gan_jax.adversarial(net, {"loss": gan_jax.losses.non_saturating(), **terms})
    step = gan_jax.alternating(objective, optimizer, optimizer, reuse=reuse)
    state = jax.eval_shape(
        lambda key: gan_jax.init_state(net, optimizer, optimizer, key), jax.random.key(0)
    )
    return step, state, {"real": jax.ShapeDtypeStruct((1, BATCH, 2), jnp.float32)}


def flops(function, *arguments):
    """Operations as XLA counts them, in the program that it runs."""
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


@pytest.mark.parametrize("name", CASES)
def test_a_step_multiplies_what_its_algorithm_needs(name):
    terms, reuse, expected = CASES[name]
    step, state, batch = step_of(terms, reuse)
    counted = flops(step, state, batch, jax.eval_shape(lambda: jax.random.key(0)))
    assert expected < counted < 1.02 * expected  # the rest: activations, random numbers, updates


@pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="other platforms keep XLA's own derivatives"
)
@pytest.mark.parametrize(
    ("shape", "settings"), [((16, 16, 3), {"width": 16}), ((28, 28, 1), {"width": 16})]
)
def test_the_convolutions_of_dcgan_multiply_no_more_than_those_of_xla(shape, settings, monkeypatch):
    monkeypatch.setattr(convolution, "CHEAP_MULTIPLICATIONS", 0)
    net = networks.dcgan(shape, discriminator_norm="layer", **settings)
    players = jax.eval_shape(net.init, jax.random.key(0))
    latents = jax.eval_shape(lambda key: net.latent(key, 8), jax.random.key(0))

    def loss(generator, discriminator, latents):
        samples = net.generate(generator, latents)
        slope = jax.grad(lambda x: jnp.sum(net.score(discriminator, x)))(samples)
        return jnp.mean(net.score(discriminator, samples)) + jnp.mean(jnp.square(slope))

    gradients = lambda *arguments: jax.grad(loss, (0, 1))(*arguments)
    ours = flops(gradients, *players, latents)
    with convolution.forward_mode():
        theirs = flops(lambda *arguments: gradients(*arguments), *players, latents)
    assert ours < 1.03 * theirs
