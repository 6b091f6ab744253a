"""A train step computes what its algorithm says, and nothing twice."""

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
    """Operations of the matrix products of an MLP, layer by layer: of a pass forward, and of each of its two gradients."""
    return [2 * batch * a * b for a, b in itertools.pairwise(widths)]


def forward(widths, batch):
    return sum(passes(widths, batch))


def backward(widths, batch, parameters=True, inputs=False):
    """Operations to the gradient of the parameters, and to that of the network's input too."""
    first, *others = passes(widths, batch)
    return (first + sum(others)) * parameters + sum(others) + first * inputs


def discriminators(real, fake):
    return (
        forward(GENERATOR, fake)
        + forward(DISCRIMINATOR, real + fake)
        + backward(DISCRIMINATOR, real + fake)
    )


def generators(generated=True):
    scored = forward(DISCRIMINATOR, BATCH) + backward(
        DISCRIMINATOR, BATCH, parameters=False, inputs=True
    )
    return forward(GENERATOR, BATCH) * generated + scored + backward(GENERATOR, BATCH)


def gradient_penalty():
    """The norm of the gradient at BATCH points, and its own gradient, for ReLU.

    Forward as far as the last layer's signs, and back to the points; then each product of the way back is differentiated to
    its weights and to what came in, which is 1 at the last layer. What was on the way there matters by its sign alone.
    """
    *layers, last = passes(DISCRIMINATOR, BATCH)
    return sum(layers) + (sum(layers) + last) + (2 * sum(layers) + last)


SAMPLES = discriminators(BATCH, BATCH)
CASES = {
    "alternating": ({}, False, SAMPLES + generators()),
    "alternating, samples reused": ({}, True, SAMPLES + generators(generated=False)),
    "gradient penalty": (
        {"p": gan_jax.penalties.gradient_penalty()},
        False,
        SAMPLES + gradient_penalty() + generators(),
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
    """As XLA counts them, in the program that it will run."""
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


@pytest.mark.parametrize("name", CASES)
def test_a_step_multiplies_what_its_algorithm_says(name):
    terms, reuse, expected = CASES[name]
    step, state, batch = step_of(terms, reuse)
    found = flops(step, state, batch, jax.eval_shape(lambda: jax.random.key(0)))
    assert expected < found < 1.02 * expected  # the rest: activations, random numbers, updates


@pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="other platforms keep XLA's own derivatives"
)
@pytest.mark.parametrize(
    ("shape", "settings"), [((16, 16, 3), {"width": 16}), ((28, 28, 1), {"width": 16})]
)
def test_convolutions_of_dcgan_multiply_no_more_than_xla_s_own(shape, settings, monkeypatch):
    monkeypatch.setattr(convolution, "CHEAP", 0)
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
