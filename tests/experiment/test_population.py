"""Populations: members are ordinary runs, trained as they would be alone."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax.distributed.population_layout import members_per_device
from gan_jax.errors import UserError
from gan_jax.experiment import population, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import load
from gan_jax.experiment.run_directory import read_settings
from gan_jax.experiment.settings import Settings, dumps
from gan_jax.loggers import json_lines

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=40",
    "steps_per_call=5",
    "log_every=10",
    "checkpoint_every=10",
    "sample_every=40",
    "evaluate_every=20",
    "num_samples=20",
    "keep_checkpoints=10",
    "ema_decay=0.9",
]
RATE = "discriminator_optimizer.adam.learning_rate"
COLUMNS = [
    "population.seed=0,1,2,3",
    f"population.{RATE}=1e-3,1e-3,1e-2,1e-3",
    "population.objective.drift.weight=0.001,0.5,0.01,0.1",
    "population.ema_decay=0.9,0.5,0.9,0.0",
]


def tiny(root: Path, *overrides: str) -> Settings:
    flags = [*TINY, "objective=minimax + drift(weight=0.001)", "unroll=1", *overrides]
    return load_settings(str(root / "configs" / "ring.py:unrolled"), flags)


def final_state(folder: Path, step: int | None = None):
    settings = read_settings(folder)
    with Checkpoints(folder / "checkpoints", settings.keep_checkpoints) as checkpoints:
        step, state = checkpoints.restore(
            jax.eval_shape(build(settings).init, jax.random.key(0)), step
        )
    return step, np.concatenate([np.ravel(np.asarray(leaf)) for leaf in jax.tree.leaves(state)])


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("population") / "run"
    training_loop.run(tiny(Path(__file__).parents[2], *COLUMNS), folder)
    return folder


def test_each_member_equals_the_same_run_alone(together, root, tmp_path):
    for index, member in enumerate(population.member_settings(tiny(root, *COLUMNS))):
        folder = together / "members" / f"{index:03d}"
        assert read_settings(folder) == member
        if index in (0, 2):
            training_loop.run(member, tmp_path / str(index))
            (step, state), (own_step, own) = final_state(folder), final_state(tmp_path / str(index))
            assert step == own_step == 40
            np.testing.assert_allclose(state, own, rtol=2e-4, atol=2e-6)
            rows = [
                json_lines.read_metrics(run / "metrics.jsonl")[-1]
                for run in (folder, tmp_path / str(index))
            ]
            assert rows[0].keys() == rows[1].keys()
            assert rows[0]["discriminator/drift"] == pytest.approx(
                rows[1]["discriminator/drift"], rel=1e-3
            )


@pytest.mark.parametrize(
    ("size", "devices", "taken", "filled"),
    [
        (1, 4, 1, 1),
        (3, 2, 2, 4),
        (4, 2, 2, 4),
        (7, 2, 2, 8),
        (10, 8, 5, 10),
        (9, 4, 3, 9),
        (3, 8, 3, 3),
        (128, 8, 8, 128),
    ],
)
def test_members_are_split_over_the_fewest_devices_with_equal_loads(size, devices, taken, filled):
    assert members_per_device(size, devices) == (taken, filled)
    assert filled >= size > filled - taken and filled // taken == -(-size // devices)


@pytest.mark.slow
def test_members_that_do_not_divide_by_the_devices(together, root, tmp_path):
    """7 on 4 devices: 2 on each, and a copy of the last; the first 3 are others than here."""
    columns = [
        "population.seed=5,6,7,0,1,2,3",
        f"population.{RATE}=" + "1e-3," * 5 + "1e-2,1e-3",
        "population.objective.drift.weight=1.0,1.0,1.0,0.001,0.5,0.01,0.1",
        "population.ema_decay=0.9,0.9,0.9,0.9,0.5,0.9,0.0",
    ]
    assert jax.device_count() == 4
    training_loop.run(tiny(root, *columns, "steps=20"), tmp_path / "run")
    training_loop.run(tiny(root, *columns), tmp_path / "run")  # and goes on
    assert len(list((tmp_path / "run" / "members").iterdir())) == 7
    for index in range(4):
        step, state = final_state(tmp_path / "run" / "members" / f"{index + 3:03d}")
        assert step == 40
        np.testing.assert_allclose(
            state, final_state(together / "members" / f"{index:03d}")[1], rtol=2e-4, atol=2e-6
        )


def test_members_are_ordinary_runs(together, root, tmp_path):
    folders = sorted((together / "members").iterdir())
    assert [folder.name for folder in folders] == ["000", "001", "002", "003"]
    assert len({final_state(folder)[1].tobytes() for folder in folders}) == 4
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {
            "config.json",
            "losses.png",
            "metrics.jsonl",
            "checkpoints",
            "samples",
        }
    run = load(folders[1])
    assert run.step == 40 and run.sample(5).shape == (5, 2)
    shutil.copytree(folders[1], tmp_path / "alone")
    training_loop.run(
        dataclasses.replace(read_settings(folders[1]), steps=50), tmp_path / "alone"
    )  # it goes on alone
    assert final_state(tmp_path / "alone")[0] == 50


def test_a_population_resumes_where_all_its_members_are(together, root, tmp_path):
    """As after a kill during a save: one member lacks the newest checkpoint of the others."""
    shutil.copytree(together, tmp_path / "run")
    members = tmp_path / "run" / "members"
    for index in range(4):
        for step in (30, 40) if index == 2 else (40,):
            shutil.rmtree(members / f"{index:03d}" / "checkpoints" / str(step))
    training_loop.run(tiny(root, *COLUMNS), tmp_path / "run")
    for index in range(4):
        step, state = final_state(members / f"{index:03d}")
        whole_step, whole = final_state(together / "members" / f"{index:03d}", 40)
        assert step == whole_step == 40 and np.array_equal(state, whole)


@pytest.mark.slow
def test_a_member_that_diverges_leaves_the_others_alone(root, tmp_path, capsys):
    rates = "population.generator_optimizer.sgd.learning_rate=0.01,1e30"
    config = tiny(root, "generator_optimizer=sgd(learning_rate=0.01)", rates, "population.seed=0,0")
    training_loop.run(config, tmp_path / "run")
    assert "member 1 diverged" in capsys.readouterr().out
    assert final_state(tmp_path / "run" / "members" / "000")[0] == 40
    assert (
        "is not finite from step" in (tmp_path / "run" / "members" / "001" / "diverged").read_text()
    )
    steps = [
        row["step"]
        for row in json_lines.read_metrics(tmp_path / "run" / "members" / "001" / "metrics.jsonl")
    ]
    assert 40 not in steps
    training_loop.run(dataclasses.replace(config, steps=50), tmp_path / "run")  # and stays behind
    assert final_state(tmp_path / "run" / "members" / "000")[0] == 50

    alone = tiny(root, "generator_optimizer=sgd(learning_rate=1e30)", "population.seed=0,1")
    with pytest.raises(training_loop.TrainingDiverged):
        training_loop.run(alone, tmp_path / "all")


@pytest.mark.slow
def test_many_members_start_as_each_alone(root):
    """In a process of its own: QR decompositions used to hang on 2 busy cores."""
    code = """
import jax, numpy as np
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import make_executor
population = make_executor(load_settings("configs/ring.py", ["population.seed=range(32)"]))
states = jax.device_get(population.init())
alone = jax.device_get(make_executor(population.members[29]).init())
jax.tree.map(lambda a, b: np.testing.assert_allclose(a[29], b, rtol=1e-5, atol=1e-6), states, alone)
"""
    environment = {
        name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"
    }
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=240, env=environment)


@pytest.mark.slow
def test_one_program_for_all_members(root, tmp_path):
    """32 ring GANs compile once and all train."""
    config = tiny(
        root, "population.seed=range(32)", "steps=10", "sample_every=10", "evaluate_every=10"
    )
    compiled = []
    with jax.log_compiles(), _logged("jax", compiled):
        training_loop.run(config, tmp_path / "run")
    assert sum("Finished XLA compilation of jit(step)" in line for line in compiled) == 1
    ends = [final_state(tmp_path / "run" / "members" / f"{index:03d}") for index in range(32)]
    assert {step for step, _ in ends} == {10} and len({state.tobytes() for _, state in ends}) == 32


class _logged:
    def __init__(self, name, lines):
        import logging

        self.logger, self.handler = logging.getLogger(name), logging.Handler()
        self.handler.emit = lambda record: lines.append(record.getMessage())

    def __enter__(self):
        self.logger.addHandler(self.handler)

    def __exit__(self, *_):
        self.logger.removeHandler(self.handler)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ({"sed": (0, 1)}, "population.sed is no field of this config: did you mean seed"),
        ({"seed": 3}, "takes a tuple with a value for each member, not 3"),
        ({"seed": (0.5, 1)}, "population.seed takes whole numbers, not 0.5"),
        ({"batch_size": (16, 32)}, "population.batch_size cannot differ between members"),
        ({"seed": (0, 1), "ema_decay": (0.1, 0.2, 0.3)}, "a value for each member in each field"),
        (
            {"discriminator_optimizer.sgd.learning_rate": (0.1, 0.2)},
            "optimizer.sgd.learning_rate is no field",
        ),
        ({"ema_decay": (0.1, 1.5)}, r"config.ema_decay must be in \[0, 1\), not 1.5"),
    ],
)
def test_what_cannot_be_a_population_is_refused(column, says, root, tmp_path):
    with pytest.raises(UserError, match=says):
        training_loop.run(dataclasses.replace(tiny(root), population=column), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_members_of_a_population_are_named_by_their_numbers_in_wandb(root):
    settings = tiny(root, "population.seed=0,1", "population.ema_decay=0.5,0.25", "wandb.use=true")
    members = population.member_settings(settings)
    assert [member.wandb.name for member in members] == ["", ""]  # as the same runs alone
    named = population.name_members(settings, members)
    assert [member.wandb.name for member in named] == [
        "seed 0, ema_decay 0.5",
        "seed 1, ema_decay 0.25",
    ]
    settings = tiny(root, "population.seed=12345,12346", "wandb.use=true")
    named = population.name_members(settings, population.member_settings(settings))
    assert [member.wandb.name for member in named] == ["seed 12345", "seed 12346"]
    unused = dataclasses.replace(settings, wandb=dataclasses.replace(settings.wandb, use=False))
    members = population.member_settings(unused)
    assert population.name_members(unused, members) == members


def test_configs_are_joined_where_only_numbers_differ(root):
    rate = "generator_optimizer.adam.learning_rate"
    given = [tiny(root, "seed=0", f"{rate}=1e-3"), tiny(root, "seed=5", f"{rate}=2e-3")]
    joined = population.joined(given)
    assert joined.population == {
        "seed": (0, 5),
        "generator_optimizer.adam.learning_rate": (1e-3, 2e-3),
    }
    assert population.member_settings(joined) == given
    assert population.joined([given[0], tiny(root, "unroll=3")]) is None
    assert population.joined([given[0], tiny(root, "networks=mlp(latent_size=5)")]) is None
    alone = population.joined(given[:1])
    assert population.member_settings(alone) == given[:1]
    assert json.loads(dumps(joined))
