"""Spectral normalisation and equalised layers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import networks
from gan_jax.networks.spectral import power_iteration, spectral_iteration


def normalised_kernels(variables):
    """The normalised kernels with their stored vectors, by the layer's path."""

    def by_layer(tree, name):
        return {
            path[:-1]: leaf
            for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
            if path[-1].key == name
        }

    params = by_layer(variables["params"], "kernel")
    return {layer: (params[layer], u) for layer, u in by_layer(variables["spectral"], "u").items()}


def largest_singular_value(kernel):
    return np.linalg.svd(np.asarray(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_normalised_kernels_have_a_top_singular_value_of_one_from_the_first_step_on():
    settings = {"generator_widths": (8, 8), "discriminator_widths": (8, 8), "downs": 1}
    net = networks.sngan((8, 8, 3), 3, **settings)
    generator, discriminator = net.init(jax.random.key(0))
    assert "spectral" not in generator
    label, latents = jnp.arange(4) % 3, net.latent(jax.random.key(1), 4)
    samples = net.generate(generator, latents, label=label)
    optimizer = optax.chain(optax.adam(3e-4), spectral_iteration())

    @jax.jit
    def train(variables):
        def step(carry, _):
            variables, state = carry
            gradient = jax.grad(lambda v: jnp.mean(net.score(v, samples, label=label)))(variables)
            updates, state = optimizer.update(gradient, state, variables)
            return (optax.apply_updates(variables, updates), state), None

        return jax.lax.scan(step, (variables, optimizer.init(variables)), length=20)[0][0]

    def check_estimates(variables, tolerance):
        pairs = normalised_kernels(variables)
        assert len(pairs) == 3 + 2 + 1 + 1  # two blocks, the score and the labels' embedding
        for kernel, u in pairs.values():
            estimate = power_iteration(kernel, u)[1]
            np.testing.assert_allclose(
                largest_singular_value(kernel / estimate), 1.0, atol=tolerance
            )

    check_estimates(discriminator, 0.02)
    trained = train(discriminator)
    check_estimates(trained, 0.05)  # one iteration per step lags a little
    moved = jax.tree.map(
        lambda a, b: bool((a != b).any()) or a.size == 1,
        discriminator["spectral"],
        trained["spectral"],
    )
    assert all(jax.tree.leaves(moved))  # one entry is 1, and has nowhere to move


def test_many_iterations_find_the_singular_value_and_its_gradient():
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 4, 5))
    u = jax.random.normal(jax.random.key(1), (5,))
    for _ in range(100):
        u, sigma = power_iteration(kernel, u)
    np.testing.assert_allclose(sigma, largest_singular_value(kernel), rtol=1e-5)
    left, _, right = np.linalg.svd(np.asarray(kernel).reshape(-1, 5), full_matrices=False)
    gradient = jax.grad(lambda kernel: power_iteration(kernel, u)[1])(kernel)
    np.testing.assert_allclose(
        np.asarray(gradient).reshape(-1, 5), np.outer(left[:, 0], right[0]), atol=1e-3
    )


def test_spectral_iteration_leaves_other_parameters_alone():
    iteration, params = spectral_iteration(), {"w": jnp.ones(3)}
    assert iteration.update(params, iteration.init(params), params)[0] is params


def test_equalised_layers_start_at_unit_variance_and_keep_it():
    net = networks.progan((16, 16, 3), fmap_base=256, fmap_max=64)
    generator, discriminator = net.init(jax.random.key(0))
    for params in (generator["params"], discriminator["params"]):
        flat = jax.tree_util.tree_flatten_with_path(params)[0]
        weights = np.concatenate(
            [np.ravel(leaf) for path, leaf in flat if path[-1].key == "kernel"]
        )
        assert abs(weights.mean()) < 0.01 and abs(weights.std() - 1) < 0.01
        assert not any(leaf.any() for path, leaf in flat if path[-1].key == "bias")
    samples = jax.jit(net.generate)(generator, net.latent(jax.random.key(1), 32))
    assert 0.7 < samples.std() < 1.3  # a 1x1 layer of gain 1 on normalised pixels
