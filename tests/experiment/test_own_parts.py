"""Functions of your own in every named field, from a folder outside the repository."""

import json
import subprocess
import sys

import pytest

CONFIG = """
from configs import default


def get_config():
    config = default.get_config()
    config.dataset = "own_parts:square(side=2.0)"
    config.networks = "own_parts:linear_pair(width=8)"
    config.objective = "own_parts:total_variation(weight=2.0) + r1(gamma=0.1)"
    config.augmentation = "own_parts:shift(by=0.0)"
    config.update_rule = "own_parts:alternate"
    config.generator_optimizer = "own_parts:plain_sgd(rate=0.01)"
    config.metrics = "own_parts:spread_of_samples(samples=50)"
    config.batch_size = 16
    config.steps = 20
    config.steps_per_call = config.log_every = config.evaluate_every = 10
    config.sample_every = config.checkpoint_every = 10
    config.num_samples = 10
    return config
"""
PARTS = """
import jax
import jax.numpy as jnp
import numpy as np
import optax

import gan_jax
from gan_jax.data import Dataset
from gan_jax.evaluation import Protocol
from gan_jax.game import Networks, Term
from gan_jax.objectives.augmentation import Augmentation
from gan_jax.training.steps import TrainStep


def square(side: float = 1.0) -> Dataset:
    return gan_jax.data.ring(radius=side / 2)


def linear_pair(shape, classes=0, *, width: int = 4) -> Networks:
    def init(rng):
        return {"scale": jnp.eye(shape[0])}, {"hidden": jax.random.normal(rng, (shape[0], width))}

    return Networks(
        init=init,
        latent=lambda rng, n: jax.random.normal(rng, (n, shape[0])),
        generate=lambda params, latents: latents @ params["scale"],
        score=lambda params, samples: jnp.tanh(samples @ params["hidden"]).sum(-1),
    )


def total_variation(weight: float = 1.0) -> Term:
    def gap(round):
        return weight * (jnp.tanh(round.fake_scores).mean() - jnp.tanh(round.real_scores).mean())

    return Term(discriminator=gap, generator=lambda round: -gap(round))


def shift(by: float = 0.0) -> Augmentation:
    return lambda rng, sample: sample + by


def alternate(objective, generator_optimizer, discriminator_optimizer, ema_decay=0.0) -> TrainStep:
    return gan_jax.alternating(objective, generator_optimizer, discriminator_optimizer, ema_decay)


def plain_sgd(rate: float) -> optax.GradientTransformation:
    return optax.sgd(rate)


def spread_of_samples(samples: int = 100) -> Protocol:
    def score(generated):
        points = np.concatenate([points for points, _ in generated.samples(samples)])
        return {"": float(points.std())}

    return Protocol("spread", "spread", ("",), samples, score)
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "own_parts.py").write_text(PARTS)
    (folder / "my_config.py").write_text(CONFIG)
    return folder


def typed(root, cwd, script, *arguments):
    command = [sys.executable, str(root / "experiments" / script), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_own_parts_train_and_are_found_again(own, root, tmp_path):
    """From another folder than the config's, with nothing on PYTHONPATH."""
    run = own / "runs" / "x"
    trained = typed(root, own, "train.py", "--config=my_config.py", f"--workdir={run}")
    assert "discriminator/total_variation" in trained and "spread " in trained
    recorded = json.loads((run / "config.json").read_text())
    assert recorded["objective"] == "own_parts:total_variation(weight=2.0) + r1(gamma=0.1)"
    assert recorded["python_path"] == [str(own)]
    typed(root, tmp_path, "sample.py", f"--workdir={run}", "--num=3", f"--out={tmp_path / 's.npy'}")
    scored = typed(root, tmp_path, "evaluate.py", f"--workdir={run}", "--metrics=modes(samples=20)")
    assert scored.startswith("modes")
    scored = typed(root, tmp_path, "evaluate.py", f"--workdir={run}", "--seed=1")
    assert scored.startswith("spread")


@pytest.mark.slow
def test_own_parts_in_populations_and_sweeps(own, root, tmp_path):
    config = f"--config={own / 'my_config.py'}"
    rates = "--config.population.objective.own_parts:total_variation.weight=1.0,2.0"
    typed(root, tmp_path, "train.py", config, f"--workdir={tmp_path / 'pop'}", rates)
    assert (tmp_path / "pop" / "members" / "001" / "checkpoints" / "20").is_dir()
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "method: grid\nmetric: {name: spread, goal: minimize}\nparameters:\n"
        "  config.objective.own_parts:total_variation.weight: {values: [1.0, 3.0]}\n"
    )
    swept = tmp_path / "sweep"
    typed(root, tmp_path, "sweep.py", config, f"--sweep={sweep}", f"--workdir={swept}")
    assert len((swept / "results.csv").read_text().splitlines()) == 3
