"""`evaluate.py` on a run that was hardly trained, and the scores that training records."""

import json
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from evaluation_cases import FEW, N, class_images

from gan_jax.errors import UserError
from gan_jax.evaluation import read_score_records
from gan_jax.experiment import training_loop
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.config_files import load_settings

pytestmark = pytest.mark.usefixtures("cache")


def settings_of(root, images, *overrides):
    networks = (
        "mlp(latent_size=4, generator_widths=(16,), discriminator_widths=(8,), output='tanh')"
    )
    settings = [
        f"dataset=npz(path={str(images)!r}, labels=True)",
        f"networks={networks}",
        "batch_size=8",
        "steps=4",
        "steps_per_call=2",
        "log_every=2",
        "health=false",
        "checkpoint_every=2",
        "sample_every=4",
        "evaluate_every=2",
        "num_samples=4",
        "keep_checkpoints=1",
        *overrides,
    ]
    return load_settings(str(root / "configs" / "default.py"), settings)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A file of images in classes."""
    real, label = class_images()
    file = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(file, real=real, label=label)
    return file


@pytest.fixture(scope="module")
def run(images, tmp_path_factory, request):
    """A run that was scored while it trained."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    metric = f"frechet(samples={FEW}, split='train')"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(workdir.parent / "cache"))
        overrides = f"metrics={metric}", f"best_metric=fd_lenet_{FEW}_train"
        training_loop.run(settings_of(request.config.rootpath, images, *overrides), workdir)
    return workdir


@pytest.fixture
def copy(run, tmp_path):
    """The run, for a test to append to."""
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture
def evaluate(root, capsys):
    """`evaluate.py` as it is typed, without a new process; returns what it printed."""
    program = runpy.run_path(str(root / "experiments" / "evaluate.py"))["evaluate"]

    def call(*arguments):
        capsys.readouterr()
        program([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return call


def test_training_records_its_scores_and_keeps_the_best(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    scores = {row["step"]: row[f"fd_lenet_{FEW}_train"] for row in rows}
    with Checkpoints(run / "checkpoints", 1, f"fd_lenet_{FEW}_train") as checkpoints:
        assert checkpoints.best_step() == min(scores, key=scores.get)
        assert set(checkpoints.steps()) == {4, min(scores, key=scores.get)}


@pytest.mark.parametrize("separator", [",", " + "])
def test_scores_are_appended_and_not_computed_twice(copy, evaluate, separator):
    metrics = separator.join(["frechet(split='train')", "kernel(split='train', subsets=4)"])
    arguments = f"--workdir={copy}", f"--metrics={metrics}", f"--num={FEW}"
    printed = evaluate(*arguments)
    assert f"fd_lenet_{FEW}_train" in printed and f"kd_lenet_{FEW}_train" in printed
    assert f"too few samples: n = {FEW} <= d = 128" in printed
    records = read_score_records(copy / "metrics.jsonl")
    assert [record["metric"] for record in records] == ["kernel", "frechet"]
    record = records[1]
    expected = {"step": 4, "n": FEW, "seed": 0, "split": "train", "real_samples": N}
    assert expected.items() <= record.items()
    assert record["extractor"] == "lenet_fashion_mnist" and record["resize"] == "none"
    assert len(record["extractor_hash"]) == 64
    # With the same seed it is what training measured.
    during = json.loads((copy / "metrics.jsonl").read_text().splitlines()[1])
    name = f"fd_lenet_{FEW}_train"
    assert record[name] == pytest.approx(during[name], rel=1e-5)

    assert evaluate(*arguments).count("recorded before") == 2
    assert len(read_score_records(copy / "metrics.jsonl")) == 2
    again = evaluate(*arguments, "--again") + evaluate(*arguments, "--seed=1")
    assert "recorded before" not in again
    assert len(read_score_records(copy / "metrics.jsonl")) == 6
    assert name in evaluate(f"--workdir={copy}")  # the config's own metrics


def test_runs_are_compared_only_if_measured_alike(run, copy, evaluate, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    runs = f"--workdir={copy}", f"--compare={other}"
    metric = "--metrics=frechet(split='train')"
    printed = evaluate(*runs, metric, "--num=64").splitlines()
    name, first, second = printed[-1].split()
    assert name == "fd_lenet_64_train" and first == second
    assert evaluate(*runs).splitlines()[-1] == printed[-1]

    file = copy / "metrics.jsonl"
    evaluate(f"--workdir={copy}", metric, "--num=50")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if '"n": 64' not in line) + "\n")
    says = "fd_lenet_50_train and fd_lenet_64_train do not compare: n is 50 in one and 64 in"
    with pytest.raises(UserError, match=says):
        evaluate(*runs)
    record = json.loads([line for line in lines if '"n": 64' in line][-1])
    file.write_text(json.dumps(record | {"extractor_hash": "0" * 64}) + "\n")
    with pytest.raises(UserError, match="extractor_hash is 000000000000"):
        evaluate(*runs)
    file.write_text("")
    with pytest.raises(UserError, match="has no scores"):
        evaluate(*runs)


def test_a_run_that_cannot_be_written_can_be_compared_but_not_scored(copy, evaluate, monkeypatch):
    scored = f"--workdir={copy}", "--metrics=frechet(split='train')", f"--num={FEW}"
    evaluate(*scored)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert f"fd_lenet_{FEW}_train" in evaluate(f"--workdir={copy}", f"--compare={copy}")
    with pytest.raises(UserError, match=r"metrics\.jsonl cannot be written"):
        evaluate(*scored)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--metrics=fid50k"],
            "convert torch-fidelity's or pytorch-fid's .pth once.*--weights=inception.npz",
        ),
        (["--metrics=is"], "convert torch-fidelity's"),
        (["--metrics=fid50k", "--weights=none.npz"], "none.npz"),
        (["--metrics=fid5k"], "names 'fid5k'"),
        (["--metrics=frechet(sample=3)"], "no setting 'sample'"),
        (["--metrics=frechet("], "--metrics takes names like"),
        (["--metrics=frechet,frechet"], "twice"),
        (["--metrics=frechet(extractor='vgg')"], "no extractor 'vgg'"),
        (["--metrics=frechet(extractor='efficientnet_lite0', weights='x')"], "takes no weights"),
        (["--metrics=frechet"], "images.npz is held out: set held_out"),
        (["--metrics=modes"], "known centres"),
        (["--metrics=stacked_modes"], "three stacked images"),
        (["--metrics=swd"], "needs 16384 real samples, the split 'train' has 300"),
        (["--metrics=frechet", "--num=1"], "--num must be at least 2"),
        (["--metrics=frechet(split='train')", f"--num={10**12}"], "from 2 to 1073741824 samples"),
        (["--metrics=inception_score(extractor='lenet')", "--num=12"], "2 samples per split"),
        (["--metrics=fd_lenet", "--step=3"], "no checkpoint of step 3"),
        (
            ["--metrics=density_coverage(k=70, split='train')", "--num=64"],
            "more samples than neighbours: not 64 for k = 70",
        ),
        (
            ["--metrics=precision_recall(split='train')", f"--num={2**30}"],
            r"holds features of 1073741824 samples.*GB of memory.*choose fewer samples",
        ),
        (["--metrics=ppl"], "convert torch-fidelity's"),
        (
            ["--metrics=perceptual_path_length(where='middle')"],
            "'full' paths or at their 'end', not 'middle'",
        ),
        (["--metrics=perceptual_path_length(interpolation='spline')"], "slerp, lerp, not 'spline'"),
        (["--metrics=perceptual_path_length(epsilon=0.0)"], "epsilon > 0"),
        (["--metrics=cas"], "convert torch-fidelity's"),
        (["--metrics=classification_accuracy"], "images.npz is held out: set held_out"),
        (["--seed=-1"], "--seed is an integer from 0"),
        ([f"--seed={2**31}"], "--seed is an integer from 0"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_is_computed(
    run, evaluate, arguments, says, cache
):
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=says) as error:
        evaluate(f"--workdir={run}", *arguments)
    assert "\n" not in str(error.value)
    assert (run / "metrics.jsonl").read_bytes() == before and not cache.exists()


def test_evaluate_is_a_command(root, tmp_path):
    script = str(root / "experiments" / "evaluate.py")
    ran = subprocess.run(
        [sys.executable, script, f"--workdir={tmp_path}"], capture_output=True, text=True
    )
    assert ran.returncode == 2
    expected = f"error: {tmp_path} is not the directory of a run: it has no config.json"
    assert ran.stderr.strip() == expected


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["metrics=frechet(split='train')", "best_metric=fid"],
            "best_metric is 'fid', which no metric.*fd_lenet_10k_train",
        ),
        (["best_metric=fid"], "config.metrics is empty"),
        (["metrics=modes"], "known centres"),
        (["metrics=fid10k"], "Inception scores need"),
    ],
)
def test_a_run_refuses_what_it_could_not_score(root, images, tmp_path, overrides, says):
    with pytest.raises(UserError, match=says):
        training_loop.run(settings_of(root, images, *overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()
