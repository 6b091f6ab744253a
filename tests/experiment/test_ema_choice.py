"""Runs with several moving averages: kept in checkpoints, chosen, and combined afterwards."""

import json
import runpy

import jax
import numpy as np
import pytest

from gan_jax import random
from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import identity_differences
from gan_jax.experiment.loading import load
from gan_jax.experiment.overrides import with_value
from gan_jax.experiment.validation import check_settings

EMAS = "ema(decay=0.5) + power_ema(std=0.05) + power_ema(std=0.1)"
RING = {
    "steps": 20,
    "steps_per_call": 2,
    "log_every": 20,
    "health": False,
    "sample_every": 20,
    "evaluate_every": 20,
    "checkpoint_every": 2,
    "keep_checkpoints": 10,
    "num_samples": 4,
    "batch_size": 8,
    "metrics": "",
    "networks": "mlp(latent_size=2, generator_widths=(4,), discriminator_widths=(4,))",
}


def settings(**changes):
    made = load_settings("configs/ring.py")
    for path, value in (RING | changes).items():
        made = with_value(made, path, value)
    return made


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run of 20 steps that keeps 10 checkpoints of three averages."""
    directory = tmp_path_factory.mktemp("runs") / "ring"
    training_loop.run(settings(ema=EMAS, generator_optimizer="sgd(learning_rate=0.1)"), directory)
    return directory


def parameters(sampler):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(sampler._params)])


def test_each_average_is_sampled_by_its_name(run_dir):
    state = load(run_dir).state
    assert len(state.other_emas) == 2
    averages = (state.generator_ema, *state.other_emas)
    for name, average in zip(EMAS.split(" + "), averages, strict=True):
        expected = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(average)])
        np.testing.assert_array_equal(parameters(load(run_dir, ema=name).sampler), expected)
    first, third = (load(run_dir, ema=name).sample(4) for name in ("", "power_ema(std=0.1)"))
    assert np.abs(first - third).max() > 0


def test_an_average_that_was_not_kept_is_made_of_the_checkpoints(run_dir, capsys):
    """Against its exact weights on the parameters after each step, of the same run step by step."""
    from gan_jax.experiment.builder import build
    from gan_jax.training import fused
    from gan_jax.training.moving_averages import power_exponent

    made = parameters(load(run_dir, ema="power_ema(std=0.08)").sampler)
    assert "of 20 averages in 10 checkpoints: its weights over steps are met to" in (
        capsys.readouterr().out
    )
    experiment = build(load(run_dir).settings)
    key = random.key(experiment.settings.seed)
    step = jax.jit(fused(experiment.stages[0].make_step({}), experiment.stages[0].prepare))
    state, history = experiment.init(key), []
    for chunk in experiment.chunks(0, 20):
        batch = experiment.batch(chunk)
        for index in range(chunk.steps):
            one = {name: leaf[index : index + 1] for name, leaf in batch.items()}
            state, _ = step(state, one, key)
            history.append(
                np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.generator.params)])
            )
    steps, power = np.arange(1, 21, dtype=float), power_exponent(0.08) + 1
    weights = (steps / 20) ** power - ((steps - 1) / 20) ** power
    expected = weights @ np.array(history)
    spread = np.abs(history[-1] - history[10]).max()
    np.testing.assert_allclose(made, expected, atol=0.02 * spread)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ema(decay=0.9)", "no moving average of this run, which keeps ema"),
        ("power_ema(std=0.28)", r"20 averages in 10 checkpoints cannot be combined to power_ema"),
        ("power_ema(std=3)", "std between 0 and"),
        ("power_ema", r"--ema takes power_ema\(std=0.05\)"),
        ("a + b", "--ema takes one moving average"),
    ],
)
def test_averages_that_cannot_be_had_are_refused(run_dir, name, message):
    with pytest.raises(UserError, match=message):
        load(run_dir, ema=name)


def test_commands_take_the_name(run_dir, root, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "experiments"))
    sample = runpy.run_path(str(root / "experiments" / "sample.py"))["sample"]
    evaluate = runpy.run_path(str(root / "experiments" / "evaluate.py"))["evaluate"]
    name = "--ema=power_ema(std=0.1)"
    sample([f"--workdir={run_dir}", f"--out={tmp_path / 'x.npy'}", "--num=4", name])
    expected = load(run_dir, ema="power_ema(std=0.1)").sample(4)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    for _ in range(2):
        evaluate([f"--workdir={run_dir}", "--metrics=modes", "--num=50", name])
    assert "recorded before" in capsys.readouterr().out
    (record,) = map(json.loads, (run_dir / "emas.jsonl").read_text().splitlines())
    assert record["ema"] == "power_ema(std=0.1)" and record["step"] == 20
    assert '"ema"' not in (run_dir / "metrics.jsonl").read_text()


def test_settings_of_averages_are_checked_and_compared():
    with pytest.raises(UserError, match=r"leave config.ema_decay at 0"):
        check_settings(settings(ema=EMAS, ema_decay=0.9))
    changed = settings(ema=EMAS.replace("0.05", "0.06"))
    assert list(identity_differences(settings(ema=EMAS), changed)) == ["ema.power_ema.std"]
    assert not identity_differences(settings(ema=EMAS), settings(ema=EMAS))
