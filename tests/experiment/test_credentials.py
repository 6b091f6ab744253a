"""Keys and passwords are in no file and no output, and are refused in configs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_jax.errors import UserError, masked
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.loggers import wandb

TINY = (
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=20",
    "steps_per_call=10",
    "log_every=10",
    "health=false",
    "checkpoint_every=20",
    "sample_every=20",
    "evaluate_every=20",
    "num_samples=20",
    "wandb.use=true",
)
KEY = "0123456789abcdef0123456789abcdef01234567"
OTHER_KEY = "fedcba9876543210fedcba9876543210fedcba98"
TOKEN = "wandb_v1_" + "Ab1" * 20
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
COMMIT_FOLDER = f"/models/snapshots/{OTHER_KEY}/weights.npz"


@pytest.fixture(scope="module")
def ring(request):
    return load_settings(f"{request.config.rootpath}/configs/ring.py:vanilla")


@pytest.mark.parametrize(
    "flag",
    [
        f"wandb.name={KEY}",
        f"wandb.project={TOKEN}",
        f"wandb.group=local-{KEY}",
        f"wandb.tags=a,{KEY}",
        f"wandb.use={KEY}",
        f"wandb.mode={WEB_TOKEN}",
        f"wandb.api_key={KEY}",
        f"wandb={KEY}",
        "dataset=npz(path='https://user:hunter22@host/x.npz')",
        f"best_metric={KEY}",
    ],
)
def test_a_key_in_a_config_is_refused_and_not_repeated(ring, flag):
    with pytest.raises(UserError) as caught:
        apply_overrides(ring, [flag])
    message = str(caught.value)
    for secret in (KEY, TOKEN, WEB_TOKEN, "hunter22"):
        assert secret not in message
    assert flag.partition("=")[0].partition(".")[0] in message


def test_names_that_are_no_keys_are_taken(ring):
    settings = apply_overrides(
        ring,
        [
            "wandb.name=baseline 0123456789ab",
            f"dataset=npz(path='{COMMIT_FOLDER}')",
            f"wandb.tags={'f' * 64}",  # a checksum
        ],
    )
    assert settings.dataset.settings["path"] == COMMIT_FOLDER


def test_the_key_of_the_environment_is_masked_whatever_it_looks_like(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "hunter22")
    assert masked("the server says no to hunter22") == "the server says no to ***"
    assert str(UserError("no such file: hunter22")) == "no such file: ***"


def test_credentials_in_urls_and_flags_are_masked():
    for text, expected in {
        "https://me:hunter22@api.wandb.ai/x": "https://***@api.wandb.ai/x",
        "https://host/x?api_key=hunter22": "https://host/x?api_key=***",
        "unknown --wandb_api_key=hunter22": "unknown --wandb_api_key=***",
        f"invalid key {TOKEN}.": "invalid key ***.",
        f"no file {COMMIT_FOLDER}": f"no file {COMMIT_FOLDER}",
    }.items():
        assert masked(text) == expected


def test_a_warning_of_wandb_does_not_repeat_a_key(tmp_path, monkeypatch, capfd):
    def fail():
        raise RuntimeError(f"the server refuses {KEY}")

    monkeypatch.setattr(wandb, "_import_wandb", fail)
    texts = dict.fromkeys(("name", "mode", "project", "group"), "")
    wandb.WandbLogger(tmp_path, config={}, tags=(), **texts).close()
    output = capfd.readouterr().out
    assert "the server refuses ***" in output and KEY not in output


def files_with(folder: Path, secrets: list[str]) -> list[str]:
    """The files under a folder that hold one of some texts."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


@pytest.mark.slow
def test_no_file_and_no_output_of_runs_sweeps_and_errors_holds_a_key(root, tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    (home / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {OTHER_KEY}\n")
    (home / ".netrc").chmod(0o600)
    address = "http://user:hunter22@127.0.0.1:9"  # nothing answers there
    sweep = {
        "method": "grid",
        "metric": {"name": "modes/covered"},
        "parameters": {"config.unroll": {"values": [0, 1]}},
    }
    (tmp_path / "sweep.yaml").write_text(json.dumps(sweep))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB_")
    }
    environment |= {
        "HOME": str(home),
        "WANDB_API_KEY": KEY,
        "WANDB_BASE_URL": address,
        "PYTHONPATH": str(root),
    }
    flags = [f"--config.{override}" for override in TINY]
    config, bad = f"--config={root}/configs/ring.py:vanilla", f"--workdir={work}/bad"
    space = f"--sweep={tmp_path}/sweep.yaml"
    output = ""
    for code, script, *arguments in (
        (0, "train.py", f"--workdir={work}/run", config, *flags),
        (0, "train.py", f"--workdir={work}/online", config, *flags, "--config.wandb.mode=online"),
        (
            0,
            "sweep.py",
            f"--workdir={work}/sweep",
            config,
            space,
            *flags,
        ),
        (0, "evaluate.py", f"--workdir={work}/run", "--metrics=modes", "--num=10"),
        (2, "train.py", bad, config, f"--config.wandb.name={KEY}"),
        (2, "train.py", bad, config, f"--wandb_api_key={KEY}"),
        (2, "sample.py", f"--workdir={work}/{KEY}", "--out=x.npy"),
    ):
        ran = subprocess.run(
            [sys.executable, f"{root}/experiments/{script}", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == code, ran.stderr
        output += ran.stdout + ran.stderr
    secrets = [KEY, OTHER_KEY, "hunter22"]
    assert "W&B is not reachable" in output
    assert not [secret for secret in secrets if secret in output]
    written = [path for path in work.rglob("*.wandb")]
    assert len(written) == 4  # two runs, and two of the sweep
    assert not files_with(work, secrets)
    assert files_with(home, secrets) == [str(home / ".netrc")]
