"""Modules of Linen, NNX and Equinox as networks: small games on the ring, and what is refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from gan_jax import data
from gan_jax.game import adversarial, call
from gan_jax.networks import dropout, from_equinox, from_linen, from_nnx, latent_distribution
from gan_jax.objectives import losses
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import alternating, init_state, sampler

eqx = pytest.importorskip("equinox")

LATENT, WIDTH, BATCH, STEPS = 4, 8, 16, 3
draw_latents = latent_distribution("normal", LATENT)


class LinenGenerator(nn.Module):
    @nn.compact
    def __call__(self, latents):
        return nn.Dense(2)(jnp.tanh(nn.Dense(WIDTH)(latents)))


class LinenDiscriminator(nn.Module):
    @nn.compact
    def __call__(self, samples):
        return nn.Dense(1)(jnp.tanh(nn.Dense(WIDTH)(samples)))[:, 0]


class NnxGenerator(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(LATENT, WIDTH, rngs=rngs)
        self.output = nnx.Linear(WIDTH, 2, rngs=rngs)

    def __call__(self, latents):
        return self.output(jnp.tanh(self.hidden(latents)))


class NnxDiscriminator(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(2, WIDTH, rngs=rngs)
        self.output = nnx.Linear(WIDTH, 1, rngs=rngs)

    def __call__(self, samples):
        return self.output(jnp.tanh(self.hidden(samples)))[:, 0]


def equinox_generator(key):
    return eqx.nn.MLP(LATENT, 2, WIDTH, 1, activation=jnp.tanh, key=key)


def equinox_discriminator(key):
    return eqx.nn.MLP(2, "scalar", WIDTH, 1, activation=jnp.tanh, key=key)


LIBRARIES = {
    "Linen": lambda: from_linen(LinenGenerator(), LinenDiscriminator(), latent=draw_latents),
    "NNX": lambda: from_nnx(NnxGenerator, NnxDiscriminator, latent=draw_latents),
    "Equinox": lambda: from_equinox(equinox_generator, equinox_discriminator, latent=draw_latents),
}


def train(networks, key):
    """The state after a few steps on the ring, each with a look-ahead of two discriminator
    steps."""
    ring, optimizer = data.ring(), optax.adam(1e-2, eps_root=1e-14)
    terms = {"non_saturating": losses.non_saturating()}
    objective = unrolled(adversarial(networks, terms), 2, optimizer)
    step = alternating(objective, optimizer, optimizer)
    state = init_state(networks, optimizer, optimizer, key)
    batches = jax.tree.map(jnp.asarray, data.batches(ring, 0, 0, STEPS, 1, BATCH))
    return jax.lax.scan(lambda state, batch: step(state, batch, key), state, batches)


@pytest.mark.parametrize(
    "library",
    [
        pytest.param("Linen", marks=pytest.mark.slow),
        "NNX",
        pytest.param("Equinox", marks=pytest.mark.slow),
    ],
)
def test_networks_of_each_library_train_on_the_ring_and_are_sampled(library):
    networks, key = LIBRARIES[library](), jax.random.key(0)
    state, metrics = jax.jit(lambda key: train(networks, key))(key)
    assert all(np.isfinite(value).all() for value in metrics.values())
    start = init_state(networks, optax.sgd(1.0), optax.sgd(1.0), key)
    for player in ("generator", "discriminator"):
        before, after = getattr(start, player).params, getattr(state, player).params
        leaves = list(zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))
        assert len(leaves) == 4  # two kernels and two biases
        assert all((a != b).any() for a, b in leaves)
    samples = sampler(networks, state.generator.params, batch_size=8)(jax.random.key(1), 5)
    assert samples.shape == (5, 2) and np.isfinite(samples).all()


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_members_of_a_population_train_as_they_do_alone(library):
    networks, keys = LIBRARIES[library](), jax.random.split(jax.random.key(0), 2)
    members = jax.jit(jax.vmap(lambda key: train(networks, key)[0].generator.params))(keys)
    alone = jax.jit(lambda key: train(networks, key)[0].generator.params)(keys[1])
    for of_member, of_single in zip(jax.tree.leaves(members), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(of_member[1], of_single, rtol=1e-4, atol=1e-5)
        assert (of_member[0] != of_member[1]).any() or not of_single.any()


def test_linen_networks_are_their_modules():
    networks = LIBRARIES["Linen"]()
    generator, discriminator = networks.init(jax.random.key(0))
    latents = networks.latent(jax.random.key(1), BATCH)
    samples = networks.generate(generator, latents)
    np.testing.assert_array_equal(samples, LinenGenerator().apply(generator, latents))
    scores = networks.score(discriminator, samples)
    np.testing.assert_array_equal(scores, LinenDiscriminator().apply(discriminator, samples))


def test_nnx_networks_are_their_modules():
    networks = LIBRARIES["NNX"]()
    params, _ = networks.init(jax.random.key(0))
    latents = networks.latent(jax.random.key(1), BATCH)
    module = NnxGenerator(nnx.Rngs(5))
    module.hidden.kernel[...] = params["hidden"]["kernel"]
    module.output.kernel[...] = params["output"]["kernel"]
    samples = networks.generate(params, latents)
    np.testing.assert_allclose(samples, module(latents), rtol=1e-5, atol=1e-6)


def test_equinox_networks_are_their_modules_mapped_over_the_batch():
    networks = LIBRARIES["Equinox"]()
    params, _ = networks.init(jax.random.key(0))
    latents = networks.latent(jax.random.key(1), BATCH)
    module = eqx.combine(params, equinox_generator(jax.random.key(5)))
    expected = np.stack([module(latent) for latent in latents])
    np.testing.assert_allclose(networks.generate(params, latents), expected, rtol=1e-5, atol=1e-6)


def test_conditions_reach_the_modules_of_each_library():
    label = jnp.array([0, 1, 1])

    class Conditional(nn.Module):
        @nn.compact
        def __call__(self, x, label):
            return nn.Dense(2)(x) + nn.Embed(2, 2)(label)

    class ConditionalNnx(nnx.Module):
        def __init__(self, rngs):
            self.embedding = nnx.Embed(2, 2, rngs=rngs)

        def __call__(self, x, label):
            return x[:, :2] + self.embedding(label)

    class ConditionalEquinox(eqx.Module):
        embedding: eqx.nn.Embedding

        def __init__(self, key):
            self.embedding = eqx.nn.Embedding(2, 2, key=key)

        def __call__(self, x, label):
            return x[:2] + self.embedding(label)

    class Ignoring(nn.Module):
        @nn.compact
        def __call__(self, x, label):
            return nn.Dense(1)(x)[:, 0]

    examples = {"label": jnp.zeros(1, jnp.int32)}
    conditional = {
        "Linen": from_linen(Conditional(), Ignoring(), latent=draw_latents, conditions=examples),
        "NNX": from_nnx(ConditionalNnx, NnxDiscriminator, latent=draw_latents),
        "Equinox": from_equinox(ConditionalEquinox, equinox_discriminator, latent=draw_latents),
    }
    latents = jnp.ones((3, LATENT))
    for library, networks in conditional.items():
        params, _ = networks.init(jax.random.key(0))
        samples = networks.generate(params, latents, label=label)
        assert samples.shape == (3, 2), library
        assert (samples[0] != samples[1]).any() and (samples[1] == samples[2]).all(), library


class DroppingLinen(nn.Module):
    @nn.compact
    def __call__(self, samples, rng=None):
        x = jnp.tanh(nn.Dense(WIDTH)(samples))
        x = x if rng is None else dropout(x, rng, 0.5)
        return nn.Dense(1)(x)[:, 0]


class DroppingNnx(NnxDiscriminator):
    def __call__(self, samples, rng=None):
        x = jnp.tanh(self.hidden(samples))
        return self.output(x if rng is None else dropout(x, rng, 0.5))[:, 0]


class DroppingEquinox(eqx.Module):
    layers: list

    def __init__(self, key):
        keys = jax.random.split(key)
        self.layers = [
            eqx.nn.Linear(2, WIDTH, key=keys[0]),
            eqx.nn.Dropout(0.5),
            eqx.nn.Linear(WIDTH, "scalar", key=keys[1]),
        ]

    def __call__(self, sample, rng):
        first, drop, last = self.layers
        return last(drop(jnp.tanh(first(sample)), key=rng))


DROPPING = {
    "Linen": lambda: from_linen(LinenGenerator(), DroppingLinen(), latent=draw_latents),
    "NNX": lambda: from_nnx(NnxGenerator, DroppingNnx, latent=draw_latents),
    "Equinox": lambda: from_equinox(equinox_generator, DroppingEquinox, latent=draw_latents),
}


@pytest.mark.parametrize(
    "library",
    [
        pytest.param("Linen", marks=pytest.mark.slow),
        "NNX",
        pytest.param("Equinox", marks=pytest.mark.slow),
    ],
)
def test_networks_of_each_library_drop_by_the_key_of_each_sample(library):
    networks = DROPPING[library]()._replace(random=("score",))
    _, discriminator = networks.init(jax.random.key(0))
    samples = jax.random.normal(jax.random.key(1), (BATCH, 2))

    @jax.jit
    def scores(samples, index, rng):
        return call(networks, "score", discriminator, samples, {}, index, rng, use=1)

    index, key = jnp.arange(BATCH), jax.random.key(2)
    first = scores(samples, index, key)
    np.testing.assert_array_equal(first, scores(samples, index, key))
    np.testing.assert_allclose(first[::-1], scores(samples[::-1], index[::-1], key), rtol=1e-5)
    assert (first != scores(samples, index, jax.random.key(3))).any()
    objective = adversarial(networks, losses.hinge())
    optimizer = optax.sgd(0.1)
    state = init_state(networks, optimizer, optimizer, key)
    step = jax.jit(alternating(objective, optimizer, optimizer))
    _, metrics = step(state, {"real": samples[None]}, key)
    assert all(np.isfinite(value).all() for value in metrics.values())


def test_integers_and_functions_of_equinox_modules_are_not_trained():
    class Shifted(eqx.Module):
        weight: jax.Array
        shift: jax.Array
        activation: object

        def __init__(self, key):
            self.weight = jax.random.normal(key, (2,))
            self.shift = jnp.array([1, 2])
            self.activation = jnp.tanh

        def __call__(self, latent):
            return self.activation(self.weight * latent[:2]) + self.shift

    networks = from_equinox(Shifted, equinox_discriminator, latent=draw_latents)
    params, _ = networks.init(jax.random.key(0))
    (weight,) = jax.tree.leaves(params)
    latents = jnp.ones((3, LATENT))
    expected = jnp.tanh(weight)[None] + jnp.array([[1.0, 2.0]])
    samples = networks.generate(params, latents)
    np.testing.assert_allclose(samples, np.repeat(expected, 3, 0), rtol=1e-6)


def linen_with_batch_norm():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, latents):
            return nn.BatchNorm(use_running_average=False)(nn.Dense(2)(latents))

    networks = from_linen(Generator(), LinenDiscriminator(), latent=draw_latents)
    networks.init(jax.random.key(0))


def nnx_with_batch_norm():
    class Generator(nnx.Module):
        def __init__(self, rngs):
            self.norm = nnx.BatchNorm(LATENT, rngs=rngs)

        def __call__(self, latents):
            return self.norm(latents)

    from_nnx(Generator, NnxDiscriminator, latent=draw_latents)


def nnx_with_random_keys():
    class Discriminator(nnx.Module):
        def __init__(self, rngs):
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, samples):
            return self.dropout(samples)[:, 0]

    from_nnx(NnxGenerator, Discriminator, latent=draw_latents)


def nnx_with_integer_params():
    class Generator(nnx.Module):
        def __init__(self, rngs):
            self.shift = nnx.Param(jnp.array([1, 2]))

        def __call__(self, latents):
            return latents[:, :2] + self.shift

    from_nnx(Generator, NnxDiscriminator, latent=draw_latents)


def equinox_with_batch_norm():
    class Generator(eqx.Module):
        norm: eqx.nn.BatchNorm

        def __init__(self, key):
            self.norm = eqx.nn.BatchNorm(LATENT, "batch", mode="batch")

        def __call__(self, latent):
            return latent

    from_equinox(Generator, equinox_discriminator, latent=draw_latents)


REFUSED = {
    "Linen modules with running statistics": (linen_with_batch_norm, "batch_stats"),
    "NNX modules with running statistics": (nnx_with_batch_norm, r"norm\.mean"),
    "NNX modules with random keys": (nnx_with_random_keys, r"discriminator .*dropout\.rngs"),
    "NNX modules with integer parameters": (nnx_with_integer_params, "shift"),
    "Equinox modules with state": (equinox_with_batch_norm, "stateful"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_state_that_is_not_trained_is_refused_in_one_line(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("adapter", "generator", "message"),
    [
        (from_linen, LinenGenerator, "as a module, such as"),
        (from_nnx, NnxGenerator(nnx.Rngs(0)), "a function of nnx.Rngs"),
        (from_equinox, equinox_generator(jax.random.key(0)), "a function of a key"),
    ],
)
def test_a_class_for_a_module_or_a_module_for_a_function_is_refused(adapter, generator, message):
    with pytest.raises(TypeError, match=f"takes the generator .*{message}"):
        adapter(generator, generator, latent=draw_latents)


def test_scores_with_an_axis_too_many_are_refused_in_one_line():
    networks = from_linen(LinenGenerator(), nn.Dense(1), latent=draw_latents)
    _, discriminator = networks.init(jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"shape \[5\], one per sample, not \[5, 1\]: drop"
    ) as error:
        networks.score(discriminator, jnp.ones((5, 2)))
    assert "\n" not in str(error.value)
