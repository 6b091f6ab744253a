"""Gradient accumulation and bfloat16, each against the plain step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.validation import check_experiment
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses, penalties
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import alternating, init_state

SGD = optax.sgd(0.3)
TERMS = {
    "WGAN-GP": lambda: {
        "wasserstein": losses.wasserstein(),
        "penalty": penalties.gradient_penalty(),
    },
    "AC-GAN": lambda: {
        "non_saturating": losses.non_saturating(),
        "auxiliary_classifier": losses.auxiliary_classifier(),
    },
}


@pytest.mark.parametrize(
    ("case", "unroll"), [("WGAN-GP", 0), pytest.param("AC-GAN", 2, marks=pytest.mark.slow)]
)
def test_parts_add_up_to_the_whole_batch(case, unroll, float64):
    nets = tiny.networks(labels=True)
    objective = adversarial(nets, TERMS[case]())
    batch = tiny.batch(8, discriminator_steps=2, labels=True)
    ends = []
    for made in (objective, accumulated(objective, 4)):
        step = alternating(unrolled(made, unroll, SGD), SGD, SGD)
        ends.append(
            jax.jit(step)(init_state(nets, SGD, SGD, jax.random.key(0)), batch, jax.random.key(1))
        )
    tiny.assert_trees_close(ends[0], ends[1], rtol=1e-9, atol=1e-12)


def test_one_part_is_the_objective_itself():
    objective = adversarial(tiny.networks(), {"wasserstein": losses.wasserstein()})
    assert accumulated(objective, 1) is objective
    with pytest.raises(ValueError, match="at least 1 part, not 0"):
        accumulated(objective, 0)


def test_the_memory_is_that_of_one_part():
    nets = networks.mlp(
        (64,), latent_size=8, generator_widths=(256,) * 4, discriminator_widths=(256,) * 4
    )
    objective = adversarial(nets, {"non_saturating": losses.non_saturating()})
    generator, discriminator = nets.init(jax.random.key(0))

    def temporary(made) -> int:
        grad = jax.grad(made.discriminator, has_aux=True)
        loss = lambda own, batch: grad(own, Player(generator), batch, jax.random.key(0))[0]
        compiled = jax.jit(loss).lower(discriminator, {"real": jnp.zeros((4096, 64))}).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary(accumulated(objective, 8)) < temporary(objective) / 3


@pytest.mark.parametrize(
    ("terms", "settings"),
    [
        ({"non_saturating": losses.non_saturating()}, {"discriminator_norm": "batch"}),
        (
            {"non_saturating": losses.non_saturating()},
            {"discriminator_norm": "none", "minibatch": "std"},
        ),
        ({"relativistic_average": losses.relativistic_average()}, {"discriminator_norm": "none"}),
    ],
)
def test_what_looks_at_the_whole_batch_is_refused(terms, settings):
    nets = networks.dcgan((16, 16, 1), width=4, latent_size=3, norm="none", **settings)
    step = alternating(accumulated(adversarial(nets, terms), 2), SGD, SGD)
    state = jax.eval_shape(lambda: init_state(nets, SGD, SGD, jax.random.key(0)))
    with pytest.raises(UserError, match="needs the whole batch at once"):
        jax.eval_shape(step, state, {"real": jnp.zeros((1, 4, 16, 16, 1))}, jax.random.key(0))


def test_a_batch_that_does_not_divide_is_refused():
    objective = accumulated(adversarial(tiny.networks(), {"wasserstein": losses.wasserstein()}), 3)
    state = init_state(tiny.networks(), SGD, SGD, tiny.key(0))
    with pytest.raises(UserError, match=r"a batch of 8 .* does not divide into 3 parts"):
        alternating(objective, SGD, SGD)(state, tiny.batch(8, discriminator_steps=1), tiny.key(0))


def of_precision(root, precision: str):
    overrides = [
        "networks=mlp(latent_size=8, generator_widths=(64, 64), discriminator_widths=(64, 64))",
        "dataset=ring()",
        "batch_size=16",
        f"precision={precision}",
        "generator_optimizer=sgd(learning_rate=0.1)",
        "discriminator_optimizer=sgd(learning_rate=0.1)",
        "objective=wasserstein + gradient_penalty(weight=10)",
    ]
    return build(load_settings(str(root / "configs" / "default.py"), overrides))


@pytest.mark.slow
def test_bfloat16_works_inside_the_networks_alone(root):
    """All else stays float32: parameters, samples, scores, losses, metrics.

    The step equals the one in float32 except for rounding.
    """
    ends = {}
    for precision in ("float32", "bfloat16"):
        experiment = of_precision(root, precision)
        check_experiment(experiment)
        (stage,) = experiment.stages
        state = experiment.init(jax.random.key(0))
        (chunk,) = experiment.chunks(0, 1)
        batch = jax.tree.map(lambda leaf: leaf[0], experiment.batch(chunk))
        text = str(
            jax.make_jaxpr(stage.make_step({}))(state, stage.prepare(batch), jax.random.key(0))
        )
        assert ("bf16" in text) == (precision == "bfloat16")
        after, metrics = jax.jit(stage.make_step({}))(
            state, stage.prepare(batch), jax.random.key(0)
        )
        assert {leaf.dtype for leaf in jax.tree.leaves((after, metrics))} <= {
            jnp.dtype("float32"),
            jnp.dtype("int32"),
        }
        samples = stage.networks.generate(
            state.generator.params, stage.networks.latent(jax.random.key(1), 4)
        )
        assert samples.dtype == jnp.float32
        moved = jax.tree.map(jnp.subtract, after.discriminator.params, state.discriminator.params)
        ends[precision] = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(moved)])
    distance = np.linalg.norm(ends["float32"] - ends["bfloat16"]) / np.linalg.norm(ends["float32"])
    assert 1e-5 < distance < 0.1  # bfloat16 has 8 bits
