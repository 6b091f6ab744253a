"""What is left on the disk if the power fails at any moment of a run of saves.

The kernel may have written anything that was not synced, or not. Two disks are simulated, the
extremes: one that holds only what was synced (contents of files by fsync of the file, names by
fsync of the directory), and one that holds all names at once but contents only by fsync, as ext4
and XFS may leave them. After each fsync and each rename of this process, both are written out and
read. Syncs by TensorStore's own threads are not seen: the disks hold rather less than real ones.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.experiment import training_loop
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.checkpoint_files import is_whole, saved_steps
from gan_jax.experiment.checkpoint_reading import restore
from gan_jax.experiment.config_files import load_settings
from gan_jax.loggers.json_lines import JsonLines, read_metrics


def state_of(step: int):
    return {"step": np.int32(step), "w": np.full((20, 30), step, np.float32)}


LIKE = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, state_of(0)))


class Disk:
    """Records what is synced below a directory, and writes out what a loss of power leaves."""

    def __init__(self, root: Path, monkeypatch):
        self.root = root
        self.contents: dict[int, bytes] = {}  # of files, by inode, when they were last synced
        self.names: dict[int, dict[str, tuple[int, bool]]] = {}  # of directories, likewise
        self.events: list[str] = []
        self.moments: list[tuple[int, str, dict, dict]] = []
        self.promised = 0  # the step that is claimed to be saved
        fsync, rename, replace = os.fsync, os.rename, os.replace

        def recorded_fsync(descriptor):
            fsync(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path.is_relative_to(root):
                self._synced(path)
                self.moment(f"fsync {path.relative_to(root)}")

        def recorded(operation, name):
            def move(source, target, **options):
                operation(source, target, **options)
                if Path(target).is_relative_to(root):
                    moved = Path(source).relative_to(root), Path(target).relative_to(root)
                    self.moment(f"{name} {moved[0]} {moved[1]}")

            return move

        self._synced(root)
        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(os, "rename", recorded(rename, "rename"))
        monkeypatch.setattr(os, "replace", recorded(replace, "replace"))

    def _synced(self, path: Path) -> None:
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = {
                entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(path)
            }
        else:
            self.contents[inode] = path.read_bytes()

    def moment(self, event: str) -> None:
        """Remembers both disks as they are after an event."""
        self.events.append(event)
        trees = self._synced_tree(self.root.stat().st_ino), self._live_tree()
        self.moments.append((self.promised, event, *trees))

    def _synced_tree(self, inode: int) -> dict[str, bytes | dict]:
        return {
            name: self._synced_tree(child) if is_dir else self.contents.get(child, b"")
            for name, (child, is_dir) in self.names.get(inode, {}).items()
        }

    def _live_tree(self, directory: Path | None = None) -> dict[str, bytes | dict]:
        return {
            entry.name: self._live_tree(Path(entry.path))
            if entry.is_dir()
            else self.contents.get(entry.inode(), b"")
            for entry in os.scandir(directory or self.root)
        }


def disks_left(disk: Disk, directory: Path) -> Iterator[tuple[int, str, Path]]:
    """The moments at which the power may fail: what was promised, and what is left."""
    seen = set()
    for promised, event, *trees in disk.moments:
        for tree in trees:
            if (promised, repr(tree)) not in seen:
                seen.add((promised, repr(tree)))
                yield promised, event, write_out(tree, directory / str(len(seen)))


def write_out(tree: dict[str, bytes | dict], directory: Path) -> Path:
    directory.mkdir(parents=True)
    for name, child in tree.items():
        if isinstance(child, dict):
            write_out(child, directory / name)
        else:
            (directory / name).write_bytes(child)
    return directory


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="reads names of files from /proc")
@pytest.mark.parametrize("keep", [1, 2])
def test_whenever_the_power_fails_the_last_checkpoint_that_was_there_is_there(
    tmp_path, monkeypatch, keep, capsys
):
    (tmp_path / "disk").mkdir()
    with monkeypatch.context() as recorded:
        disk = Disk(tmp_path / "disk", recorded)
        with Checkpoints(tmp_path / "disk" / "c", keep) as checkpoints:
            for step in (1, 2, 3):
                checkpoints.save(step, state_of(step))
                checkpoints._wait()
                disk.promised = step
        disk.moment("end")
    for promised, event, left in disks_left(disk, tmp_path / "left"):
        restored = restore(left / "c", LIKE)
        found = restored.step if restored else 0
        assert found >= promised, event
        if restored:
            assert np.all(np.asarray(restored.state["w"]) == found)
        # What has the name of a checkpoint is one: nothing looks damaged after the loss.
        assert all(is_whole(left / "c" / str(step)) for step in saved_steps(left / "c")), event
    assert promised == found == 3 and "damaged" not in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="reads names of files from /proc")
def test_contents_are_synced_before_the_name_and_the_name_before_others_are_removed(
    tmp_path, monkeypatch
):
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk", monkeypatch)
    with Checkpoints(tmp_path / "disk" / "c", keep=1) as checkpoints:
        checkpoints.save(1, state_of(1))
        checkpoints._wait()
        start = len(disk.events)
        checkpoints.save(2, state_of(2))
    events = disk.events[start:]
    named = events.index("rename c/2.orbax-checkpoint-tmp c/2")
    removed = events.index("rename c/1 c/1.orbax-checkpoint-tmp.removed")
    inside = {
        str(path.relative_to(tmp_path / "disk" / "c" / "2"))
        for path in (tmp_path / "disk" / "c" / "2").rglob("*")
    } - {"commit_success.txt"}  # which Orbax writes last, and nothing reads
    before = {event.removeprefix("fsync c/2.orbax-checkpoint-tmp/") for event in events[:named]}
    assert len(inside) > 10 and inside <= before
    assert "fsync c" in events[named:removed]


def test_rows_of_metrics_are_on_the_disk_before_the_checkpoint_that_follows_them(
    tmp_path, monkeypatch, root
):
    settings = load_settings(
        str(root / "configs" / "ring.py"),
        [
            "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
            *("steps=20", "steps_per_call=5", "log_every=5", "checkpoint_every=10"),
            "health=false",
            *("sample_every=10", "evaluate_every=20", "num_samples=4", "batch_size=16"),
        ],
    )
    run_dir = tmp_path / "disk" / "run"
    run_dir.mkdir(parents=True)
    disk = Disk(tmp_path / "disk", monkeypatch)
    training_loop.run(settings, run_dir)
    disk.promised = 20
    disk.moment("end")
    checked = set()
    for promised, event, left in disks_left(disk, tmp_path / "left"):
        steps = saved_steps(left / "run" / "checkpoints")
        assert steps or not promised
        if not steps:
            continue
        checked.add(steps[-1])
        rows = [row["step"] for row in read_metrics(left / "run" / "metrics.jsonl")]
        assert rows == list(range(5, max(rows) + 1, 5)) and max(rows) >= steps[-1], event
        assert (left / "run" / "config.json").read_text(), event
        points = left / "run" / "samples" / f"step_{steps[-1]:08d}.npy"
        assert np.load(points).shape == (4, 2), event
    assert checked == {10, 20}


def test_a_tail_that_a_loss_of_power_left_spoils_no_other_row(tmp_path):
    file = tmp_path / "metrics.jsonl"
    for tail in (b'{"step": 2, "a"', b"\0" * 100, b'{"step": 2, "a": 1}', b"\xff\xfe"):
        file.write_bytes(b'{"step": 1}\n' + tail)
        log = JsonLines(file)
        log.scalars(3, {})
        log.close()
        steps = [row["step"] for row in read_metrics(file)]
        assert steps == ([1, 2, 3] if tail.endswith(b"}") else [1, 3])
        assert file.read_bytes().endswith(b'\n{"step": 3}\n')
