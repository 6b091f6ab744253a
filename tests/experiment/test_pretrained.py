"""Generators in one file: the samples of the run that they were made of, and what is shipped."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import LoadedRun
from gan_jax.experiment.part_text import Part
from gan_jax.experiment.pretrained import load_pretrained, pretrained_names, save_pretrained

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was not trained, with a score."""
    folder = tmp_path_factory.mktemp("run")
    networks = "mlp(latent_size=4, generator_widths=(8,), labels='concatenation')"
    settings = load_settings(
        str(ROOT / "configs" / "ring.py:vanilla"),
        [f"networks={networks}", "dataset=ring(labels=True)"],
    )
    experiment = build(settings)
    state = experiment.init(jax.random.key(0))
    row = {"step": 7, "modes/covered": 8.0, "scores/real": 0.5, "time": 1.0}
    (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    return LoadedRun(folder, 7, experiment, state, experiment.sampler(state, 7))


def test_a_file_draws_the_samples_of_its_run(run, tmp_path):
    save_pretrained(run, tmp_path / "ring.npz")
    loaded = load_pretrained(tmp_path / "ring.npz")
    assert loaded.step == 7 and loaded.dataset.classes == 8
    np.testing.assert_array_equal(loaded.sample(9, seed=3), run.sample(9, seed=3))
    np.testing.assert_array_equal(loaded.sample(3, label=5), run.sample(3, label=5))
    real = loaded.dataset.draw(0, np.arange(4))["real"]
    np.testing.assert_array_equal(real, run.dataset.draw(0, np.arange(4))["real"])
    assert loaded.metadata["scores"] == {"modes/covered": 8.0}
    assert loaded.metadata["config"]["objective"] == "minimax"


def test_files_of_another_form_are_refused_in_one_line(run, tmp_path):
    save_pretrained(run, tmp_path / "ring.npz")
    with np.load(tmp_path / "ring.npz") as file:
        arrays = dict(file)
    metadata = json.loads(str(arrays.pop("metadata")))
    changed = {**metadata, "networks": "mlp(latent_size=5)"}
    np.savez(tmp_path / "changed.npz", metadata=np.array(json.dumps(changed)), **arrays)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name, says in (
        (tmp_path / "changed.npz", "not the parameters of mlp"),
        (tmp_path / "other.npz", "is no pretrained generator"),
        (tmp_path / "missing.npz", "is no pretrained generator"),
        ("fashion_mnist", "did you mean fashion_mnist_dcgan"),
    ):
        with pytest.raises(UserError, match=says) as refused:
            load_pretrained(name)
        assert "\n" not in str(refused.value)


def test_the_file_of_each_shipped_generator_is_small_and_says_where_it_is_from(root):
    names = pretrained_names()
    assert "fashion_mnist_dcgan" in names
    for name in names:
        path = root / "gan_jax" / "experiment" / "pretrained_generators" / f"{name}.npz"
        assert path.stat().st_size < 2e6
        with np.load(path) as file:
            metadata = json.loads(str(file["metadata"]))
        assert metadata["scores"] and metadata["config"]["seed"] == 0


@pytest.mark.slow
def test_the_shipped_generator_of_fashion_mnist_has_the_score_that_its_file_says(
    root, tmp_path, fashion_mnist
):
    from gan_jax import data, evaluate
    from gan_jax.evaluation import evaluation_key, protocols

    generator = load_pretrained("fashion_mnist_dcgan")
    real = data.fashion_mnist("test").arrays["real"]
    fake = generator.sampler(evaluation_key(0), 10_000)
    score = evaluate(fake, real, protocols.fd_lenet(split="train"))
    expected = generator.metadata["scores"]["fd_lenet_10k"]
    assert score["fd_lenet_10k_train"] == pytest.approx(expected, rel=1e-3)


def test_the_shipped_generators_of_the_ring_have_the_scores_that_their_files_say():
    from gan_jax import data
    from gan_jax.evaluation import evaluation_key
    from gan_jax.metrics import mode_coverage

    for name in ("ring_vanilla", "ring_unrolled"):
        generator = load_pretrained(name)
        ring = data.ring()
        fake = generator.sampler(evaluation_key(0), 2_500)
        found = mode_coverage(fake, ring.centres, ring.std)
        expected = generator.metadata["scores"]
        assert found.modes == expected["modes/covered"]
        assert found.high_quality == pytest.approx(expected["modes/high_quality"], abs=2e-3)


@pytest.mark.slow
def test_sample_draws_from_a_shipped_generator(root, tmp_path):
    command = [sys.executable, str(root / "experiments" / "sample.py")]
    out = tmp_path / "a.npz"
    flags = ["--pretrained=fashion_mnist_dcgan", "--num=3", f"--out={out}"]
    ran = subprocess.run(command + flags, capture_output=True, text=True, cwd=root, timeout=300)
    assert ran.returncode == 0, ran.stderr
    with np.load(out) as arrays:
        assert arrays["images"].shape == (3, 28, 28, 1)
    for arguments, says in (
        ([f"--out={tmp_path / 'b.npz'}"], "either --workdir"),
        ([*flags[:2], "--step=3", f"--out={tmp_path / 'b.npz'}"], "are of runs"),
    ):
        ran = subprocess.run(command + arguments, capture_output=True, text=True, cwd=root)
        assert ran.returncode == 2 and says in ran.stderr, ran.stderr


def test_a_generator_of_ones_own_networks_is_refused(run, tmp_path):
    settings = dataclasses.replace(run.settings, networks=Part("my_networks:mine"))
    own = dataclasses.replace(
        run, experiment=dataclasses.replace(run.experiment, settings=settings)
    )
    with pytest.raises(UserError, match="not part of gan_jax"):
        save_pretrained(own, tmp_path / "a.npz")
