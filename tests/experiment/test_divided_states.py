"""Runs whose state is divided over the devices: trained, saved, resumed elsewhere, sampled."""

from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax.distributed.mesh import device_mesh
from gan_jax.distributed.state_sharding import state_sharding
from gan_jax.errors import UserError
from gan_jax.experiment import checkpoint_reading, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import make_executor
from gan_jax.experiment.fine_tuning import transfer
from gan_jax.experiment.loading import load

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(32,), discriminator_widths=(32,))",
    "objective=minimax + lecam(weight=0.1)",
    "ema=ema(decay=0.9) + power_ema(std=0.05)",
    "unroll=1",
    "batch_size=16",
    "steps=20",
    "steps_per_call=5",
    "log_every=10",
    "checkpoint_every=10",
    "sample_every=20",
    "evaluate_every=20",
    "num_samples=20",
    "health=false",
]
DIVIDED = "parallelism=fully_sharded(smallest=64)"


def tiny(root, *overrides):
    return load_settings(f"{root}/configs/ring.py:unrolled", [*TINY, DIVIDED, *overrides])


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "divided"
    training_loop.run(tiny(Path(__file__).parents[2]), directory)
    return directory


def state_of(directory, settings, devices, step=None):
    """The state in a checkpoint, restored onto so many devices."""
    shapes = jax.eval_shape(build(settings).init, jax.random.key(0))
    sharding = state_sharding(shapes, device_mesh(jax.devices()[:devices]), smallest=64)
    like = jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where),
        shapes,
        sharding,
    )
    return checkpoint_reading.restore(directory / "checkpoints", like, step).state


def leaves(state):
    return list(map(np.asarray, jax.tree.leaves(state)))


@pytest.mark.slow
def test_a_run_ends_like_one_with_copies_of_the_state(run_dir, root, tmp_path):
    whole = tiny(root, "parallelism=sharded", "steps=10")
    training_loop.run(whole, tmp_path / "whole")
    for one, other in zip(
        leaves(state_of(tmp_path / "whole", whole, 1)),
        leaves(state_of(run_dir, whole, 1, step=10)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    # What was saved whole goes on divided, with health measured, and ends like the run that was.
    training_loop.run(tiny(root, "health=true"), tmp_path / "whole")
    for one, other in zip(
        leaves(state_of(tmp_path / "whole", whole, 1)),
        leaves(state_of(run_dir, whole, 1)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_checkpoint_is_read_on_any_number_of_devices(run_dir, root):
    settings = tiny(root)
    whole = leaves(state_of(run_dir, settings, 1))
    for devices in (2, 4):
        state = state_of(run_dir, settings, devices)
        kernel = state.generator.params["params"]["hidden"]["dense_0"]["kernel"]
        assert len(kernel.addressable_shards) == devices
        assert kernel.addressable_shards[0].data.shape == (4, 32 // devices)
        for one, other in zip(whole, leaves(state), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_stopped_run_goes_on_to_the_bit(run_dir, root, tmp_path):
    training_loop.run(tiny(root, "steps=10"), tmp_path / "cut")
    training_loop.run(tiny(root), tmp_path / "cut")
    for one, other in zip(
        leaves(state_of(tmp_path / "cut", tiny(root), 4)),
        leaves(state_of(run_dir, tiny(root), 4)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_checksum_finds_a_changed_number_in_any_part(run_dir, root, monkeypatch, capsys):
    """The state of the newest checkpoint differs from what was saved in the last part of a leaf."""
    read = checkpoint_reading._read_state

    def changed(path, like):
        state = read(path, like)
        if path.name != "20":
            return state
        kernel = state.discriminator.params["params"]["hidden"]["dense_0"]["kernel"]
        assert not kernel.sharding.is_fully_replicated
        state.discriminator.params["params"]["hidden"]["dense_0"]["kernel"] = kernel.at[-1, -1].add(
            1e-6
        )
        return state

    monkeypatch.setattr(checkpoint_reading, "_read_state", changed)
    assert load(run_dir).step == 10
    output = capsys.readouterr().out
    assert "checksum of discriminator/params/params/hidden/dense_0/kernel does not" in output


def test_a_loaded_run_is_divided_and_sampled(run_dir):
    run = load(run_dir)
    kernel = run.state.generator.params["params"]["hidden"]["dense_0"]["kernel"]
    assert kernel.addressable_shards[0].data.shape == (4, 8)
    assert np.isfinite(run.sample(10)).all()
    averaged = load(run_dir, ema="power_ema(std=0.05)")
    assert not np.array_equal(run.sample(10), averaged.sample(10))


def test_another_run_starts_from_its_parameters(run_dir, root):
    executor = make_executor(tiny(root))
    transferred = transfer(executor.init(), load(run_dir).state)
    assert not transferred.grown and not transferred.new
    old = load(run_dir).state.generator.params["params"]["hidden"]["dense_0"]["kernel"]
    new = transferred.state.generator.params["params"]["hidden"]["dense_0"]["kernel"]
    np.testing.assert_array_equal(old, new)
    assert new.addressable_shards[0].data.shape == (4, 8)


def test_numbers_that_are_not_finite_are_rolled_back(root, tmp_path):
    """A learning rate from which no key saves the run: it is tried, and given up."""
    settings = tiny(
        root,
        "nonfinite=roll_back",
        "unroll=0",
        "generator_optimizer=sgd(learning_rate=1e38)",
        "discriminator_optimizer=sgd(learning_rate=1e38)",
    )
    with pytest.raises(RuntimeError, match="3 other keys were tried from step 0"):
        training_loop.run(settings, tmp_path / "run")


def test_what_cannot_be_divided_is_refused(root, tmp_path):
    with pytest.raises(UserError, match="that of a population is divided by its members"):
        training_loop.run(tiny(root, "population.seed=0,1"), tmp_path / "run")
    for text, said in (
        ("pmapped(smallest=64)", "pmapped has no setting 'smallest'"),
        ("fully_sharded(smallest=-1)", "smallest >= 0"),
        ("fully_sharded(smallest=large)", "smallest takes int"),
        ("sharded(smallest=64)", "sharded has no setting 'smallest'"),
        ("fuly_sharded", "did you mean fully_sharded"),
    ):
        with pytest.raises(UserError, match=said):
            training_loop.run(tiny(root, f"parallelism={text}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
