"""Runs that start from the parameters of another run, some of them frozen."""

from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import make_executor
from gan_jax.experiment.fine_tuning import transfer
from gan_jax.experiment.loading import load
from gan_jax.training import optimizers

ROOT = Path(__file__).resolve().parents[2]
RUN = (
    "networks=mlp(latent_size=4, generator_widths=(8, 8), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=20",
    "steps_per_call=5",
    "log_every=10",
    "health=false",
    "checkpoint_every=10",
    "sample_every=20",
    "evaluate_every=20",
    "num_samples=20",
    "ema_decay=0.9",
)


def settings(*overrides):
    return load_settings(f"{ROOT}/configs/ring.py:vanilla", [*RUN, *overrides])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "source"
    training_loop.run(settings(), run_dir)
    return run_dir


def equal(tree, other):
    return jax.tree.all(jax.tree.map(np.array_equal, tree, other))


@pytest.mark.parametrize("step", [None, 10])
def test_a_run_starts_from_the_parameters_of_another_one(source, tmp_path, capsys, step):
    at = "" if step is None else f"@{step}"
    # A rate of zero: what was taken over is what is saved.
    overrides = [f"init_from={source}{at}", "seed=5", "steps=10"]
    for player in ("generator", "discriminator"):
        overrides.append(f"{player}_optimizer=sgd(learning_rate=0.0)")
    training_loop.run(settings(*overrides), tmp_path / "run")
    new, old = load(tmp_path / "run"), load(source, step)
    assert equal(new.state.generator.params, old.state.generator.params)
    assert equal(new.state.discriminator.params, old.state.discriminator.params)
    assert old.step == (step or 20) and new.step == 10
    assert f"are those of {source} at step {old.step}" in capsys.readouterr().out


def test_a_run_is_resumed_without_the_run_that_it_started_from(source, tmp_path, capsys):
    (tmp_path / "moved").symlink_to(source)
    whole = settings(f"init_from={tmp_path / 'moved'}", "seed=5")
    training_loop.run(whole, tmp_path / "whole")
    half = settings(f"init_from={tmp_path / 'moved'}", "seed=5", "steps=10")
    training_loop.run(half, tmp_path / "run")
    (tmp_path / "moved").unlink()
    training_loop.run(whole, tmp_path / "run")
    assert "resuming at step 10" in capsys.readouterr().out
    assert equal(load(tmp_path / "run").state, load(tmp_path / "whole").state)


def test_each_member_of_a_population_starts_there(source, tmp_path):
    overrides = [f"init_from={source}", "population.seed=5,6", "steps=10"]
    frozen = "adam(learning_rate=1e-3) + freeze(paths='*')"
    overrides += [f"generator_optimizer={frozen}", f"discriminator_optimizer={frozen}"]
    training_loop.run(settings(*overrides), tmp_path / "run")
    old = load(source).state
    for member in ("000", "001"):
        new = load(tmp_path / "run" / "members" / member).state
        assert equal(new.generator.params, old.generator.params)
        assert equal(new.discriminator.params, old.discriminator.params)


def test_frozen_parameters_stay_while_the_others_are_trained(source, tmp_path):
    names = list(flat(load(source).state.generator.params))
    first = names[0].rpartition("/")[0]
    frozen = f"adam(learning_rate=1e-2) + freeze(paths=('*/bias', '{first}'))"
    run = settings(f"init_from={source}", f"generator_optimizer={frozen}", "steps=10", "unroll=1")
    training_loop.run(run, tmp_path / "run")
    new, old = (flat(load(path).state.generator.params) for path in (tmp_path / "run", source))
    same = {name for name in names if np.array_equal(new[name], old[name])}
    assert same == {n for n in names if n.endswith("bias") or n.startswith(f"{first}/")}
    assert len(same) < len(names)


def flat(params):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def test_other_shapes_grow_or_are_drawn_anew(source):
    wider = RUN[0].replace("latent_size=4", "latent_size=6")
    executor = make_executor(settings(wider))
    state, old = executor.init(), load(source).state
    moved = transfer(state, old)
    (grown,) = moved.grown
    assert grown.startswith("generator/") and not moved.new
    name = grown.removeprefix("generator/")
    new = flat(moved.state.generator.params)[name]
    assert new.shape[0] == 6
    np.testing.assert_array_equal(new[:4], flat(old.generator.params)[name])
    np.testing.assert_array_equal(new[4:], flat(state.generator.params)[name][4:])
    assert moved.state.generator.opt_state is state.generator.opt_state
    assert f"more entries along an axis: {grown}" in moved.describe("a run")

    deeper = RUN[0].replace("discriminator_widths=(8,)", "discriminator_widths=(9, 8)")
    moved = transfer(make_executor(settings(deeper)).init(), old)
    assert moved.new and all(name.startswith("discriminator/") for name in moved.new)
    assert f"drawn anew: {moved.new[0]}" in moved.describe("a run")


def test_networks_that_have_nothing_in_common_are_refused(source):
    other = "networks=mlp(latent_size=3, generator_widths=(5,), discriminator_widths=(5, 5))"
    state = make_executor(settings(other)).init()
    small = jax.tree.map(lambda leaf: leaf[..., None], load(source).state)
    with pytest.raises(UserError, match="no parameter of that run has the path and the shape"):
        transfer(state, small)


@pytest.mark.parametrize(
    "value, message",
    [
        ("nowhere", "init_from names nowhere, which does not exist"),
        ("{source}@15", "no checkpoint of step 15 in .*there are 10, 20"),
        ("{source}/samples", "is not the directory of a run"),
    ],
)
def test_a_source_that_is_not_there_is_one_line_and_nothing_is_written(
    source, tmp_path, value, message
):
    with pytest.raises(UserError, match=message):
        training_loop.run(settings(f"init_from={value.format(source=source)}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_frozen_paths_that_are_not_there_are_named():
    params = {"dense": {"kernel": np.zeros((2, 2)), "bias": np.zeros(2)}}
    with pytest.raises(UserError, match=r"no parameter has the path 'conv'; .* dense/kernel"):
        optimizers.freeze("conv").init(params)
    chain = optax.chain(optax.adamw(1.0, weight_decay=1.0), optimizers.freeze("dense/kernel"))
    updates, _ = chain.update(
        jax.tree.map(np.ones_like, params), chain.init(params), jax.tree.map(np.ones_like, params)
    )
    assert not updates["dense"]["kernel"].any() and updates["dense"]["bias"].all()


def test_a_multiplied_learning_rate_is_that_of_the_paths_alone():
    params = {"dense": {"kernel": np.ones((2, 2)), "bias": np.ones(2)}}
    with pytest.raises(UserError, match="multiply_rate: no parameter has the path 'conv'"):
        optimizers.multiply_rate("conv", 3.0).init(params)
    chain = optax.chain(optax.adam(0.1), optimizers.multiply_rate("*/bias", 3.0))
    updates, _ = chain.update(params, chain.init(params), params)
    np.testing.assert_allclose(updates["dense"]["kernel"], -0.1, rtol=1e-5)
    np.testing.assert_allclose(updates["dense"]["bias"], -0.3, rtol=1e-5)
