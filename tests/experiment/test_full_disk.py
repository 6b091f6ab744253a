"""A disk that is full: one line and a code of its own, and what was saved is there."""

import contextlib
import errno
import os
import resource
import sys

import jax
import numpy as np
import pytest

from gan_jax import files
from gan_jax.errors import STORAGE_EXIT_CODE, StorageError, UserError
from gan_jax.experiment import checkpoint, run_writer, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.checkpoint_files import saved_steps
from gan_jax.experiment.checkpoint_reading import checksums, restore
from gan_jax.experiment.command_line import main
from gan_jax.experiment.config_files import load_settings
from gan_jax.loggers.json_lines import read_metrics

SMALL = 150_000
"""Bytes: less than one array of 256 x 256 numbers, and more than any other file of a run has."""


@pytest.fixture
def settings(root):
    return load_settings(
        str(root / "configs" / "ring.py:vanilla"),
        [
            "networks=mlp(latent_size=4, generator_widths=(256, 256), discriminator_widths=(64,))",
            *("steps=40", "steps_per_call=5", "log_every=5", "checkpoint_every=10"),
            "health=false",
            *("sample_every=10", "metrics=", "num_samples=4", "batch_size=16"),
        ],
    )


@contextlib.contextmanager
def limited_files():
    """Files cannot grow beyond `SMALL`, for Python and for TensorStore."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_saved_is_one_line_and_the_run_resumes_bit_for_bit(
    settings, tmp_path, monkeypatch, capfd
):
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    training_loop.run(settings, whole)
    save = Checkpoints.save
    with contextlib.ExitStack() as limits, monkeypatch.context() as patched:

        def full_from_step_20(self, step, *rest):
            self._wait()
            if step == 20:
                limits.enter_context(limited_files())
            save(self, step, *rest)

        patched.setattr(Checkpoints, "save", full_from_step_20)
        capfd.readouterr()
        with pytest.raises(StorageError) as caught:
            training_loop.run(settings, run_dir)
    assert str(caught.value) == (
        f"checkpoint 20 cannot be saved in {run_dir / 'checkpoints'} (File too large). "
        "Once it can, the same command resumes from step 10, the last that is saved"
    )
    output, errors = capfd.readouterr()
    assert "Traceback" not in output + errors and not errors
    assert saved_steps(run_dir / "checkpoints") == [10]
    training_loop.run(settings, run_dir)
    like = jax.eval_shape(build(settings).init, jax.random.key(0))
    ends = [restore(directory / "checkpoints", like) for directory in (whole, run_dir)]
    assert [end.step for end in ends] == [40, 40]
    assert checksums(ends[0].state) == checksums(ends[1].state)
    for directory in (whole, run_dir):
        rows = read_metrics(directory / "metrics.jsonl")
        assert [row["step"] for row in rows] == list(range(5, 41, 5))
    np.testing.assert_array_equal(
        *(np.load(d / "samples/step_00000020.npy") for d in (whole, run_dir))
    )


def no_space(path):
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_pictures_and_rows_that_cannot_be_written_are_one_warning(
    settings, tmp_path, monkeypatch, capsys
):
    save_samples = run_writer.sample_plots.save_samples

    def full_at_10_and_20(path, *rest):
        if any(number in str(path) for number in ("10.png", "20.png")):
            raise no_space(path)
        save_samples(path, *rest)

    class File:
        """A file of metrics that cannot grow for a while."""

        def __init__(self, file):
            self._file, self.calls = file, 0

        def write(self, data):
            self.calls += 1
            if 2 <= self.calls <= 4:
                raise no_space("metrics.jsonl")
            return self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

    class JsonLines(run_writer.json_lines.JsonLines):
        def __init__(self, path):
            super().__init__(path)
            self._file = File(self._file)

    monkeypatch.setattr(run_writer.sample_plots, "save_samples", full_at_10_and_20)
    monkeypatch.setattr(run_writer.json_lines, "JsonLines", JsonLines)
    training_loop.run(settings, tmp_path / "run")
    output = capsys.readouterr().out
    assert output.count("No space left on device") == 1
    assert "not all metrics and pictures of" in output and "training goes on" in output
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(5, 41, 5))  # written later
    pictures = sorted(path.name for path in (tmp_path / "run" / "samples").glob("*.png"))
    assert pictures == [f"step_{step:08d}.png" for step in (0, 30, 40)]
    assert len(list((tmp_path / "run" / "samples").glob("*.npy"))) == 5


def test_an_error_that_is_not_of_the_disk_is_not_called_one(tmp_path, monkeypatch):
    def broken(path):
        raise TypeError("a mistake in the code")

    monkeypatch.setattr(checkpoint, "write_contents", broken)
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, {"w": np.ones(3)})
    with pytest.raises(TypeError, match="a mistake in the code"):
        checkpoints.close()
    assert saved_steps(tmp_path / "c") == []


FAILURES = {
    "a file": (no_space("results.csv"), STORAGE_EXIT_CODE, "results.csv: No space left on device"),
    "quota": (OSError(errno.EDQUOT, ""), STORAGE_EXIT_CODE, os.strerror(errno.EDQUOT)),
    "a checkpoint": (StorageError("no space for it"), STORAGE_EXIT_CODE, "no space for it"),
    "bad input": (UserError("what is wrong"), 2, "what is wrong"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_commands_say_it_in_one_line_and_exit_with_a_code_of_its_own(failure, monkeypatch, capsys):
    error, code, line = FAILURES[failure]

    def program(arguments):
        raise error

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as ended:
        main(program)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"error: {line}\n"


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    def program(arguments):
        (files.Path("nowhere") / "x").read_text()

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(FileNotFoundError):
        main(program)


def test_what_is_written_whole_names_the_file_that_a_full_disk_fails(tmp_path):
    with limited_files(), pytest.raises(OSError, match="File too large") as caught:
        files.write_bytes(tmp_path / "results.csv", bytes(SMALL + 1))
    assert caught.value.filename == str(tmp_path / "results.csv")
    assert not list(tmp_path.iterdir())
