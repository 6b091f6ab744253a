"""Checkpoints are read while another process saves and removes them; whole ones are told apart."""

import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import checkpoint_reading
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.checkpoint_files import is_whole, saved_steps
from gan_jax.experiment.checkpoint_reading import restore
from gan_jax.experiment.run_directory import has_ended


def state_of(step: int):
    return {"step": np.int32(step), "w": np.full((20, 30), step, np.float32)}


LIKE = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, state_of(0)))


def listing(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


class Trainer:
    """Saves another checkpoint, which removes the oldest, each time that one is opened."""

    def __init__(self, directory: Path, keep: int, saves: int, monkeypatch):
        self.checkpoints, self.left = Checkpoints(directory, keep), saves
        self.opened: list[str] = []
        self.step = 0
        self.save()
        read_record = checkpoint_reading.read_record

        def opened(path):
            record = read_record(path)
            self.opened.append(path.name)
            if self.left:
                self.left -= 1
                for _ in range(keep):
                    self.save()
            return record

        monkeypatch.setattr(checkpoint_reading, "read_record", opened)

    def save(self):
        self.step += 1
        self.checkpoints.save(self.step, state_of(self.step))
        self.checkpoints.close()
        self.checkpoints = Checkpoints(self.checkpoints.directory, self.checkpoints.keep)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_checkpoint_that_is_removed_while_it_is_read_is_not_called_damaged(
    tmp_path, monkeypatch, capsys, keep
):
    trainer = Trainer(tmp_path / "c", keep, 3, monkeypatch)
    restored = restore(tmp_path / "c", LIKE)
    newest = 1 + 3 * keep
    assert (restored.step, int(restored.state["step"])) == (newest, newest)
    assert trainer.opened == [str(1 + n * keep) for n in range(4)]
    assert restored.damaged == frozenset() and not capsys.readouterr().out


def test_a_step_that_was_asked_for_and_is_removed_says_so(tmp_path, monkeypatch):
    Trainer(tmp_path / "c", 1, 1, monkeypatch)
    with pytest.raises(UserError, match=r"c/1 was removed while it was read: there are 2\. .*keep"):
        restore(tmp_path / "c", LIKE, 1)
    with pytest.raises(UserError, match=r"no checkpoint of step 1 in .*: there are 2"):
        restore(tmp_path / "c", LIKE, 1)


def test_removing_too_fast_for_the_reader_is_said_once(tmp_path, monkeypatch, capsys):
    Trainer(tmp_path / "c", 1, 12, monkeypatch)
    assert restore(tmp_path / "c", LIKE).step == 13
    assert capsys.readouterr().out.count("a larger --config.keep_checkpoints") == 1


@pytest.mark.parametrize("harm", [True, False])
def test_reading_changes_nothing(tmp_path, harm):
    with Checkpoints(tmp_path / "c", keep=5) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state_of(step))
    if harm:
        shutil.rmtree(tmp_path / "c" / "3" / "state")
        (tmp_path / "c" / "4.orbax-checkpoint-tmp").mkdir()
    before = listing(tmp_path)
    assert restore(tmp_path / "c", LIKE).step == (2 if harm else 3)
    assert listing(tmp_path) == before
    assert restore(tmp_path / "none", LIKE) is None and listing(tmp_path) == before


WRITER = """
import sys
from pathlib import Path
import numpy as np
from gan_jax.experiment.checkpoint import Checkpoints
directory, keep = Path(sys.argv[1]), int(sys.argv[2])
step = 0
with Checkpoints(directory, keep) as checkpoints:
    while not Path(f"{directory}.stop").exists():
        step += 1
        state = {"step": np.int32(step), "w": np.full((20, 30), step, np.float32)}
        checkpoints.save(step, state)
        if step == 2:
            print("ready", flush=True)
print(step)
"""


@pytest.mark.slow
@pytest.mark.parametrize("keep", [1, 2])
def test_hundreds_of_loads_beside_a_process_that_saves_as_fast_as_it_can(tmp_path, keep, capsys):
    directory = tmp_path / "c"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(keep)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "ready\n"
        steps = []
        for _ in range(300):
            restored = restore(directory, LIKE)
            assert int(restored.state["step"]) == restored.step
            assert np.all(np.asarray(restored.state["w"]) == restored.step)
            steps.append(restored.step)
    finally:
        (tmp_path / "c.stop").touch()
        last = int(writer.communicate(timeout=120)[0])
    assert steps == sorted(steps) and last >= steps[-1] > 2
    assert "damaged" not in capsys.readouterr().out
    assert saved_steps(directory) == list(range(last - keep + 1, last + 1))
    assert {path.name for path in directory.iterdir()} == {str(n) for n in saved_steps(directory)}


HARMS = {
    "a file is cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "a file is empty": lambda file: file.write_bytes(b""),
    "a file is missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("harm", [*HARMS, "a directory of that name", "a save that was cut"])
def test_a_run_has_not_ended_by_the_name_of_a_directory(tmp_path, harm):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(20, state_of(20))
    last = tmp_path / "checkpoints" / "20"
    assert is_whole(last)
    assert has_ended(tmp_path, 20) == "finished" and has_ended(tmp_path, 21) is None
    files = [file for file in last.rglob("*") if file.is_file() and file.parent != last]
    assert len(files) > 5
    if harm == "a directory of that name":
        (tmp_path / "checkpoints" / "30").mkdir()
        assert has_ended(tmp_path, 30) is None
    elif harm == "a save that was cut":
        shutil.copytree(last, tmp_path / "checkpoints" / "30.orbax-checkpoint-tmp")
        assert has_ended(tmp_path, 30) is None
    for file in files if harm in HARMS else ():
        content = file.read_bytes()
        HARMS[harm](file)
        assert has_ended(tmp_path, 20) is None, file
        file.write_bytes(content)
    assert has_ended(tmp_path, 20) == "finished"


def test_checkpoints_of_versions_without_sizes_are_whole_if_they_can_be_opened(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(20, state_of(20))
    last = tmp_path / "checkpoints" / "20"
    (last / "contents.json").unlink()
    assert has_ended(tmp_path, 20) == "finished"
    assert restore(tmp_path / "checkpoints", LIKE).step == 20
    (last / "record" / "metadata").write_text("{}")
    assert has_ended(tmp_path, 20) is None
