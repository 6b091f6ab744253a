"""What the tests of sweeps share: small sweeps of the ring, and a stand-in for training."""

import csv
import json
from pathlib import Path

from conftest import ROOT

from gan_jax.experiment import population, training_loop
from gan_jax.experiment.checkpoint_files import write_contents
from gan_jax.experiment.settings import dumps
from gan_jax.sweeps import plan, space

RING = f"{ROOT}/configs/ring.py"
RATE = "config.discriminator_optimizer.adam.learning_rate"
UNROLLS = {"config.unroll": {"values": [0, 1]}}
SEEDS = {"config.seed": {"values": [0, 1]}}
TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=20",
    "steps_per_call=10",
    "log_every=10",
    "health=false",
    "checkpoint_every=10",
    "sample_every=20",
    "evaluate_every=10",
    "num_samples=20",
]


def make_plan(
    workdir: Path,
    parameters: dict,
    *overrides: str,
    group_size: int = 64,
    seed: int = 0,
    **definition,
) -> plan.Plan:
    """The plan of a sweep over the ring, recorded in ``workdir``."""
    metric = {"name": "modes/high_quality", "goal": "maximize"}
    sweep = space.parse({"method": "grid", "metric": metric, "parameters": parameters} | definition)
    overrides = [*TINY, *overrides]
    trials = plan.make_trials(sweep, f"{RING}:unrolled", overrides, seed, wandb_group="a group")
    sweep_plan = plan.make_plan(workdir, sweep, trials, group_size)
    plan.save_plan(sweep_plan)
    return sweep_plan


def group_names(sweep_plan: plan.Plan) -> list[list[str]]:
    """The names of the trials in each group."""
    return [[trial.name for trial in group] for group in sweep_plan.groups]


class FakeTraining:
    """Stands in for `training_loop.run`: leaves the files that a run leaves, or ends otherwise.

    Args:
      ends: how runs with 0 or 1 unrolled steps end, by ``unroll0`` or ``unroll1``: ``"diverge"``,
        or an exception.
    """

    def __init__(self, **ends):
        self.ends = ends
        self.trained: list[str] = []

    def __call__(self, settings, workdir, members=None):
        runs = population.member_settings(settings) if members else [settings]
        for member, directory in zip(runs, members or [workdir], strict=True):
            self._train(member, Path(directory))
        return {}

    def _train(self, settings, directory):
        self.trained.append(directory.name)
        (directory / "checkpoints").mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(dumps(settings))
        end = self.ends.get(f"unroll{settings.unroll}")
        if end == "diverge":
            (directory / "diverged").write_text("generator/loss is not finite")
            raise training_loop.TrainingDiverged("generator/loss is not finite")
        if end is not None:
            raise end
        quality = 0.1 * settings.unroll + 0.01 * settings.seed
        first = {
            "step": 10,
            "modes/high_quality": 2 * quality,
            "generator/loss": 4.0 - quality,
            "time": 3.0,
        }
        last = {
            **first,
            "step": settings.steps,
            "modes/high_quality": quality,
            "generator/loss": 1.0 + quality,
        }
        lines = [json.dumps(row) + "\n" for row in (first, last)]
        (directory / "metrics.jsonl").write_text("".join(lines))
        checkpoint = directory / "checkpoints" / str(settings.steps)
        (checkpoint / "state").mkdir(parents=True, exist_ok=True)
        (checkpoint / "state" / "arrays").write_text("arrays")
        write_contents(checkpoint)


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def read_results(workdir: Path) -> list[dict[str, str]]:
    return read_csv(workdir / "results.csv")
