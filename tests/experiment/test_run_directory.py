"""config.json is checked before it is believed, and beside what the checkpoints recorded."""

import json
import shutil
from pathlib import Path

import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import load
from gan_jax.experiment.run_directory import read_settings
from gan_jax.experiment.settings import Settings

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=10",
    "steps_per_call=5",
    "log_every=5",
    "health=false",
    "checkpoint_every=5",
    "sample_every=5",
    "evaluate_every=10",
    "num_samples=20",
]


def tiny(root: Path, *overrides: str) -> Settings:
    return load_settings(str(root / "configs" / "ring.py"), [*TINY, *overrides])


@pytest.fixture(scope="module")
def trained(request, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    training_loop.run(tiny(request.config.rootpath), run_dir)
    return run_dir


@pytest.fixture
def run(trained, tmp_path):
    """A run, for a test to change."""
    return shutil.copytree(trained, tmp_path / "run")


def edit(run: Path, **fields) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | fields))


EDITS = {
    "seed": (7, "seed is 0 there and 7 here"),
    "networks": (
        "mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,), activation='tanh')",
        "networks is 'mlp(",
    ),
    "discriminator_optimizer": (
        "adam(learning_rate=1.0, b1=0.5)",
        "discriminator_optimizer.adam.learning_rate is",
    ),
}


@pytest.mark.parametrize("field", EDITS)
def test_a_config_json_that_was_edited_is_noticed_and_the_fields_are_named(run, field, capsys):
    value, names = EDITS[field]
    edit(run, **{field: value})
    load(run)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: config.json was changed after checkpoint")
    assert f"{Path('checkpoints', '10')} was saved: " in line and names in line


def test_resuming_by_an_edited_config_json_warns_too(run, root, capsys):
    edit(run, seed=7)
    training_loop.run(tiny(root, "seed=7", "steps=15"), run)
    assert "seed is 0 there and 7 here. Going on with config.json" in capsys.readouterr().out
    load(run)
    assert "warning" not in capsys.readouterr().out  # the newest checkpoint is of this config
    with pytest.raises(UserError, match="holds a run of another config: seed is 7 there and 0"):
        training_loop.run(tiny(root, "steps=15"), run)


def test_changes_that_a_resumed_run_may_make_are_no_warning(run, root, capsys):
    training_loop.run(tiny(root, "steps=15", "log_every=15", "keep_checkpoints=3"), run)
    load(run, 10)
    assert "warning" not in capsys.readouterr().out


def test_checkpoints_of_versions_that_recorded_no_config_are_read(run, capsys):
    file = run / "checkpoints" / "10" / "record" / "metadata"
    record = json.loads(file.read_text())
    del record["config"], record["checksum"]
    file.write_text(json.dumps(record))
    edit(run, seed=7)
    assert load(run).step == 10 and "warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("dataset", ["ring"], "config.dataset takes text"),
        ("wandb", None, "config.wandb has parts"),
        ("wandb", {"use": False}, "lacks config.wandb.mode"),
        ("steps", "many", "config.steps takes a whole number, not 'many'"),
        ("steps", None, "config.steps takes a whole number, not None"),
        ("steps", -1, "config.steps must be at least 1"),
        ("seed", 1.5, "config.seed takes a whole number"),
        ("ema_decay", 10**400, "config.ema_decay takes a number of at most 64 bits"),
        ("ema_decay", float("nan"), "config.ema_decay takes a number, not nan"),
        ("gradient_regularisation", {"x": [1]}, "config.gradient_regularisation takes a number"),
        ("progressive_growing", [[16, 8]], "config.progressive_growing has phases"),
        ("precision", "float128", "config.precision is"),
        ("population", {"seed": None}, "population"),
        ("objective", "a(" * 20_000, "config.objective takes parts like"),
        ("sede", 1, "unknown config key config.sede: did you mean seed?"),
    ],
)
def test_odd_fields_are_one_line_that_names_them(run, field, value, says):
    edit(run, **{field: value})
    with pytest.raises(UserError, match=says) as caught:
        load(run)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_odd_files_are_one_line(run):
    whole = (run / "config.json").read_text()
    texts = {
        "": "Expecting value",
        "[1]": "a mapping of fields is expected",
        "{}": "this config lacks config.seed",
        "[" * 100_000: "too many levels",
        whole[:-20]: "",
        whole.replace('"seed": 0', '"seed": ' + "9" * 5000): "integer string conversion",
        whole.replace('"seed": 0', '"seed": 0, "seed": 1'): "seed is there 2 times",
    }
    for text, says in texts.items():
        (run / "config.json").write_text(text)
        with pytest.raises(UserError, match=r"config.json cannot be read") as caught:
            read_settings(run)
        assert says in str(caught.value) and "\n" not in str(caught.value)
        copy = run / "checkpoints" / "10" / "record" / "metadata"
        assert f"({copy} holds the config of that checkpoint)" in str(caught.value)
        assert json.loads(copy.read_text())["config"] == json.loads(whole)
    (run / "config.json").write_text(whole, encoding="utf-8-sig")
    assert read_settings(run).steps == 10
