"""The commands as they are typed."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.experiment.command_line import expanded
from gan_jax.experiment.loading import load

TINY = [
    "--config.networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "--config.batch_size=16",
    "--config.steps=20",
    "--config.steps_per_call=10",
    "--config.log_every=10",
    "--config.health=false",
    "--config.checkpoint_every=10",
    "--config.sample_every=10",
    "--config.evaluate_every=10",
    "--config.num_samples=20",
]


def typed(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "experiments" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=300)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root, workdir = Path(__file__).parents[2], tmp_path_factory.mktemp("compared")
    ran = typed(
        root,
        "compare.py",
        "--config=configs/ring.py:vanilla",
        "--config=configs/ring.py:unrolled",
        f"--workdir={workdir}",
        "--config.discriminator_optimizer=sgd(learning_rate=0.1)",
        *TINY,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return workdir, ran.stdout


def test_compare_trains_all_and_draws_them(compared):
    workdir, output = compared
    for name in ("vanilla", "unrolled"):
        assert f"[{name:8}] step 20/20" in output
        assert (
            f"{name}: step 20, " in output
            and "modes covered" in output
            and "high-quality" in output
        )
    width, height = Image.open(workdir / "comparison.png").size
    assert width > height > 200


def test_compare_again_says_that_all_is_done(compared, root):
    workdir, _ = compared
    ran = typed(
        root,
        "compare.py",
        "--config=configs/ring.py:vanilla",
        "--config=configs/ring.py:unrolled",
        f"--workdir={workdir}",
        "--config.discriminator_optimizer=sgd(learning_rate=0.1)",
        *TINY,
    )
    assert ran.returncode == 0 and ran.stdout.count("is done: 20 steps") == 2


def test_sample_draws_a_checkpoint(compared, root, tmp_path):
    run = compared[0] / "vanilla"
    drawn = typed(
        root, "sample.py", f"--workdir={run}", "--num=7", f"--out={tmp_path / 's.npy'}", "--step=10"
    )
    assert drawn.returncode == 0 and "7 samples of step 10" in drawn.stdout, drawn.stderr
    assert np.load(tmp_path / "s.npy").shape == (7, 2)
    out = tmp_path / "many.npy"
    many = typed(root, "sample.py", f"--workdir={run}", "--num=70000", f"--out={out}")
    assert many.returncode == 0, many.stderr  # in two parts
    np.testing.assert_allclose(np.load(out), load(run).sample(70_000), rtol=1e-5, atol=1e-5)
    for arguments, says in (
        (("--out=s.png", "--step=11"), "no checkpoint of step 11"),
        ((f"--out={tmp_path / 's.npy'}",), "exists"),
        (("--out=s.jpg",), "ends in .png, .npy or .npz, or is a folder"),
        (("--out=s.png", "--num=0"), "--num is an integer from 1 to 2147483647"),
        (("--out=s.png", f"--num={2**31 - 1}"), "GB is available: choose a smaller --num"),
        (("--out=s.png", "--num=100001"), "shows at most 100000 samples, not 100001: choose a"),
        (("--out=s.png", "--seed=-1"), "--seed is an integer from 0"),
        (("--out=README.md/s.png",), "cannot be written, because of"),
        ((f"--out={'s' * 300}.png",), "cannot be written: File name too long"),
        (
            ("--out=s.png", "--rows=2"),
            "--rows are those of a grid of images, and the samples are (2,)",
        ),
        (("--out=s",), "a folder is for images of 1, 3 or 4 channels, the samples are (2,)"),
        (("--out=s.npy", "--label=0"), "a label needs networks that take labels"),
        (("--out=s.png", "--num=x"), "invalid int value"),
    ):
        refused = typed(root, "sample.py", f"--workdir={run}", *arguments)
        assert (
            refused.returncode == 2 and says in refused.stderr and refused.stderr.count("\n") == 1
        ), refused.stderr
    assert not (root / "s.png").exists()


@pytest.mark.slow
def test_export_writes_a_checkpoint_as_programs(compared, root, tmp_path):
    run, out = compared[0] / "vanilla", tmp_path / "gan.zip"
    exported = typed(
        root, "export.py", f"--workdir={run}", f"--out={out}", "--discriminator", "--platforms=cpu"
    )
    assert exported.returncode == 0 and "step 20, for cpu" in exported.stdout, exported.stderr
    difference = float(exported.stdout.rpartition("by at most ")[2])
    assert difference < 1e-5
    with zipfile.ZipFile(out) as file:
        names = set(file.namelist())
        metadata = json.loads(file.read("metadata.json"))
    assert {"generator/sample.jax", "discriminator/score.jax", "README.txt"} <= names
    assert metadata["step"] == 20 and metadata["config"]["networks"].startswith("mlp")
    for arguments, says in (
        ((f"--out={out}",), "exists"),
        (("--out=g.onnx",), "--out ends in .zip"),
        (("--out=g.zip", "--platforms=cpu,gpu"), "--platforms are some of cpu, cuda, rocm, tpu"),
    ):
        refused = typed(root, "export.py", f"--workdir={run}", *arguments)
        assert refused.returncode == 2 and says in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config.discriminator_stps=5"], "did you mean discriminator_steps"),
        (["--config.discriminator_steps=abc"], "takes a whole number"),
        (["--config.discriminator_steps=[1, 2]"], "takes a whole number"),
        (["--config.objective=hing"], "did you mean hinge?"),
        (["extra"], "unrecognized arguments: extra"),
        (["--workdr=x"], "unrecognized arguments: --workdr=x"),
        (["--config=configs/ring.py:unroled"], "did you mean unrolled?"),
        (["--config=configs/rung.py"], "no config file"),
        (["--workdir=README.md"], "is a file, not a directory"),
        (["--workdir=tests"], "is not the directory of a run"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, root, tmp_path):
    base = ["--config=configs/ring.py", f"--workdir={tmp_path / 'run'}"]
    ran = typed(root, "train.py", *base, *arguments)
    assert ran.returncode == 2, ran.stderr
    assert (
        says in ran.stderr and ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1
    ), ran.stderr
    assert not (tmp_path / "run").exists()


def test_missing_data_says_how_to_get_it(root, tmp_path):
    ran = typed(
        root,
        "train.py",
        "--config=configs/fashion_mnist.py:dcgan",
        f"--workdir={tmp_path / 'run'}",
        f"--config.dataset=fashion_mnist(data_dir='{tmp_path}')",
    )
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert "python -m gan_jax.data.prepare fashion_mnist" in ran.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "script",
    [
        *("sample.py", "interpolate.py", "animate.py", "invert.py"),
        *("evaluate.py", "compare.py", "sweep.py", "export.py"),
    ],
)
def test_help_does_not_wait_for_jax(script, root):
    """Only the help of train.py does, which lists all that a config can name."""
    run = f"runpy.run_path({str(root / 'experiments' / script)!r}, run_name='__main__')"
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\ntry: {run}\nexcept SystemExit: pass\n"
        "print('jax' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert "--workdir" in ran.stdout and ran.stdout.endswith("False\n"), ran.stdout + ran.stderr


def test_the_help_of_train_lists_what_can_be_named(root):
    shown = typed(root, "train.py", "--help").stdout
    for name in ("wasserstein", "gradient_penalty", "fashion_mnist", "alternating", "fid50k"):
        assert name in shown
    assert "package.module:function" in shown


def test_importing_the_package_is_light(root):
    heavy = ("flax", "wandb", "tensorflow_datasets", "orbax", "matplotlib", "torch", "scipy")
    use = "import sys, gan_jax; gan_jax.objectives.losses, gan_jax.unrolled, gan_jax.alternating"
    code = f"{use}; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert ran.stdout == "[]\n"


def test_workdirs_may_name_a_variable_as_agents_start_no_shell(monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert expanded("runs/$WANDB_RUN_ID") == expanded("runs/${WANDB_RUN_ID}") == "runs/abc"
    monkeypatch.delenv("WANDB_RUN_ID")
    with pytest.raises(UserError, match="names a variable that is not set"):
        expanded("runs/$WANDB_RUN_ID")
