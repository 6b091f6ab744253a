"""configs/r3gan.py: the published schedules, as the train step sees them."""

import jax
import numpy as np
import pytest

from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.part_building import build_part
from gan_jax.training import fused


@pytest.mark.parametrize("variant", ["cifar10", "fashion_mnist"])
def test_numbers_follow_the_authors_half_cosine(root, variant):
    """NumPy's form of their ``cosine_decay_with_warmup`` without warm-up, at 5 steps."""
    settings = load_settings(str(root / f"configs/r3gan.py:{variant}"), [])
    total = settings.steps
    rate, half_life = {"cifar10": (2e-4, 5e6 / 512), "fashion_mnist": (1e-3, 50)}[variant]

    def expected(base, final, step):
        decay = 0.5 * (1 + np.cos(np.pi * min(step, total) / total))
        return base + (1 - decay) * (final - base)

    adam = build_part("generator_optimizer", settings.generator_optimizer[0])
    average = build_part("ema", settings.ema[0])
    hyperparameters = jax.jit(lambda state: adam.update({"a": np.ones(1)}, state)[1])
    start = adam.init({"a": np.ones(1)})
    for step in (0, total // 4, total // 2, total, 2 * total):
        at_step = jax.tree.map(lambda leaf, t=step: leaf + t * (leaf.dtype == np.int32), start)
        state = hyperparameters(at_step).hyperparams
        wanted = (expected(rate, rate / 4, step), expected(0.9, 0.99, step))
        found = (state["learning_rate"], state["b2"])
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        decay = 0.5 ** (1 / max(expected(0.0, half_life, step), 1e-8))
        np.testing.assert_allclose(average(np.int32(step)), decay, rtol=1e-5)
    assert float(state["b1"]) == 0.0


@pytest.mark.slow
def test_the_published_networks_are_traced(root, fashion_mnist):
    """With other data of the size of CIFAR-10, which is not here."""
    changes = ["batch_size=8", "dataset=fashion_mnist(resolution=32, labels=True)"]
    experiment = build(load_settings(str(root / "configs/r3gan.py:cifar10"), changes))
    state = jax.eval_shape(experiment.init, jax.random.key(0))
    sizes = [leaf.size for leaf in jax.tree.leaves(state.discriminator.params)]
    assert sum(sizes) > 1e7
    stage, batch = experiment.stages[0], experiment.batch(next(experiment.chunks(0, 1)))
    step = fused(stage.make_step({}), stage.prepare)
    after, _ = jax.eval_shape(step, state, batch, jax.random.key(0))
    assert jax.tree.map(lambda leaf: leaf.shape, after) == jax.tree.map(
        lambda leaf: leaf.shape, state
    )
