"""Mutilated checkpoints: the right state, the one before it, or one line; never another state."""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import damaged_bytes, damaged_tree, inputs, malformed_input

from gan_jax.errors import UserError
from gan_jax.experiment import checkpoint_reading
from gan_jax.experiment.checkpoint import Checkpoints, checksums
from gan_jax.experiment.checkpoint_files import read_record

# Orbax's reads in the background end with errors of their own.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def state_of(step: int):
    return {"step": jnp.int32(step), "w": jnp.arange(6.0).reshape(2, 3) + step}


LIKE = jax.eval_shape(lambda: state_of(0))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Checkpoints of the steps 1 and 2, with scores."""
    directory = tmp_path_factory.mktemp("sound") / "checkpoints"
    with Checkpoints(directory, best="fid") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(step), {"fid": float(step)})
    return directory


def restore(directory: Path) -> None:
    """What sampling and resuming do; a state is that of its step, bit for bit."""
    with malformed_input(UserError):
        restored = checkpoint_reading.restore(directory, LIKE)
        if restored is not None:
            assert checksums(restored.state) == checksums(state_of(restored.step))
    with Checkpoints(directory, best="fid") as checkpoints:
        assert checkpoints.best_step() in (None, 1, 2)


def is_json(path: Path) -> bool:
    return path.read_bytes().startswith(b"{")


@inputs(0.2)
@given(data=st.data())
def test_a_record_of_anything_is_no_other_state(tmp_path, sound, capfd, data):
    directory = tmp_path / "checkpoints"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(sound, directory)
    files = [path for path in directory.glob("2/**/*") if path.is_file()]
    texts = {path: json.loads(path.read_text()) for path in sorted(files) if is_json(path)}
    assert any("checksums" in text for text in texts.values())
    file = data.draw(st.sampled_from(list(texts)))
    file.write_text(json.dumps(data.draw(damaged_tree(texts[file]))))
    restore(directory)


@inputs(0.2)
@given(data=st.data())
def test_a_damaged_file_is_no_other_state(tmp_path, sound, capfd, data):
    directory = tmp_path / "checkpoints"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(sound, directory)
    files = sorted(path for path in directory.glob("2/**/*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    file.write_bytes(data.draw(damaged_bytes(file.read_bytes()) | st.just(b"")))
    restore(directory)


def test_a_flipped_bit_of_a_record_is_damage_and_no_other_run(tmp_path, sound, capfd):
    directory = tmp_path / "checkpoints"
    shutil.copytree(sound, directory)
    file = directory / "2" / "record" / "metadata"
    content = file.read_bytes()
    damaged = 0
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        try:
            read_record(directory / "2")
        except ValueError:
            damaged += 1
        else:  # the name of the checksum itself
            restored = checkpoint_reading.restore(directory, LIKE)
            assert restored is not None and restored.step == 2
    assert damaged > 0.9 * 8 * len(content)
    file.write_bytes(content.replace(b'"w"', b'"v"'))
    restored = checkpoint_reading.restore(directory, LIKE)
    assert restored is not None and restored.step == 1
    assert "the checksum of its record does not match" in capfd.readouterr().out
