"""Small networks of every kind, and what their tests share."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp

from gan_jax import networks

BATCH = 4

# Function, shape of a sample, classes, settings.
CASES = {
    "mlp": (
        networks.mlp,
        (2,),
        0,
        {"latent_size": 3, "generator_widths": (8,), "discriminator_widths": (8,)},
    ),
    "mlp maxout": (
        networks.mlp,
        (2,),
        0,
        {"norm": "batch", "pieces": 3, "latent_size": 2, "generator_widths": (6, 6)},
    ),
    "mlp image": (networks.mlp, (4, 4, 1), 3, {"latent_size": 3, "minibatch": "discrimination"}),
    "mlp auxiliary": (
        networks.mlp,
        (2,),
        3,
        {"labels": "auxiliary", "embedding_size": 2, "activation": "tanh"},
    ),
    "dcgan concatenation": (networks.dcgan, (8, 8, 1), 3, {"width": 2, "latent_size": 3}),
    "dcgan": (
        networks.dcgan,
        (8, 8, 3),
        3,
        {"width": 2, "labels": "auxiliary", "minibatch": "std", "first_norm": True},
    ),
    "dcgan spectral": (
        networks.dcgan,
        (8, 8, 1),
        3,
        {"width": 2, "discriminator_norm": "spectral", "labels": "projection"},
    ),
    "dcgan odd": (
        networks.dcgan,
        (7, 7, 1),
        0,
        {"width": 2, "depth": 1, "kernel": 3, "final_conv": True, "first_norm": True},
    ),
    "wavegan": (
        networks.wavegan,
        (18, 2),
        3,
        {"width": 2, "kernel": 5, "depth": 2, "latent_size": 3, "phase_shuffle": 1},
    ),
    "infogan": (
        networks.infogan,
        (8, 8, 1),
        0,
        {"width": 2, "depth": 1, "hidden": 8, "discriminator_norm": "instance"},
    ),
    "resnet": (
        networks.resnet,
        (8, 8, 3),
        3,
        {"generator_widths": (4, 4), "discriminator_widths": (4, 6), "downs": 1},
    ),
    "resnet large": (
        networks.resnet,
        (8, 8, 3),
        0,
        {
            "generator_widths": (6, 4),
            "discriminator_widths": (4,),
            "downs": 1,
            "stem": 4,
            "pooling": "flatten",
            "discriminator_norm": "layer",
        },
    ),
    "sngan": (
        networks.sngan,
        (8, 8, 3),
        3,
        {"generator_widths": (4, 4), "discriminator_widths": (4, 4), "downs": 1},
    ),
    "progan": (
        networks.progan,
        (8, 8, 1),
        3,
        {"fmap_base": 16, "fmap_max": 6, "latent_size": 4},
    ),
    "r3gan": (
        networks.r3gan,
        (8, 8, 1),
        3,
        {"width": 4, "group_width": 4, "blocks": 1, "latent_size": 4},
    ),
    "stylegan2": (
        networks.stylegan2,
        (8, 8, 1),
        3,
        {
            "latent_size": 4,
            "style_size": 4,
            "mapping_layers": 1,
            "channel_base": 32,
            "channel_max": 4,
            "noise": False,  # it is drawn from keys, which these tests do not give
        },
    ),
    "dcgan attention": (
        networks.dcgan,
        (8, 8, 1),
        0,
        {"width": 8, "attention": 4, "discriminator_norm": "layer"},
    ),
    "san": (networks.san, (2,), 3, {"networks": partial(networks.mlp, latent_size=3)}),
    "packed": (networks.packed, (2,), 0, {"networks": partial(networks.mlp, latent_size=3)}),
}


def build(case, **changes):
    """The networks of a case, with other settings."""
    make, shape, classes, settings = CASES[case]
    return make(shape, classes, **settings | changes)


def labels_of(case):
    """The conditions of a batch: its labels, if the case has any."""
    classes = CASES[case][2]
    return {"label": jnp.arange(BATCH) % classes} if classes else {}


@cache
def quick():
    """A compiler option that halves the time to compile, if this XLA has it."""
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def compiled(function):
    """The function compiled quickly, for small programs that run once."""
    return jax.jit(function, compiler_options=quick())


def jittered(params):
    """Parameters none of which is zero: some layers start at zero, and would hide a difference."""

    def jitter(leaf):
        return leaf + 0.1 * jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape)

    return jax.tree.map(jitter, params)


def abstract_params(nets):
    """The shapes of the parameters of both networks."""
    return jax.eval_shape(nets.init, jax.random.key(0))


def parameter_count(params):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params["params"]))


def kernel_count(params):
    leaves = jax.tree_util.tree_flatten_with_path(params["params"])[0]
    return sum(path[-1].key == "kernel" for path, _ in leaves)


def check_shapes(nets, shape):
    """Asserts that samples have that shape and are scored, without computing them."""
    generator, discriminator = abstract_params(nets)
    samples = jax.eval_shape(
        lambda params, key: nets.generate(params, nets.latent(key, BATCH)),
        generator,
        jax.random.key(0),
    )
    assert samples.shape == (BATCH, *shape)
    assert jax.eval_shape(nets.score, discriminator, samples).shape == (BATCH,)
