"""What `soak.py` does to runs, full disks and damaged checkpoints, and how it compares them."""

import contextlib
import json
import os
import random
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from gan_jax.experiment.checkpoint_files import TEMPORARY, read_record, saved_steps

DISK_BYTES = 256 * 2**20
"""The size of the disk of a run."""

UNREPEATABLE = ("time", "steps_per_second", "pace/")
"""What rows of metrics hold that differs from run to run."""


class Disk(Protocol):
    """Where a run is written, which can be full for a while."""

    kind: str

    def fill(self, process: subprocess.Popen[bytes], left: int) -> None:
        """Leaves a process fewer than ``left`` bytes to write."""

    def empty(self) -> None:
        """Gives the space back."""


class SmallDisk:
    """A file system of its own, in memory."""

    kind = "tmpfs"

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, process: subprocess.Popen[bytes], left: int) -> None:
        with (
            contextlib.suppress(OSError),
            open(self.path / "ballast", "ab", buffering=0) as ballast,
        ):
            while (free := shutil.disk_usage(self.path).free) > left:
                ballast.write(bytes(min(free - left, 2**20)))

    def empty(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)


class SmallFiles:
    """Any file system; the files of a process can no longer grow beyond a size."""

    kind = "RLIMIT_FSIZE"

    def fill(self, process: subprocess.Popen[bytes], left: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (left, left))

    def empty(self) -> None:
        """Does nothing: the limit ends with the process."""


@contextlib.contextmanager
def open_disk(path: Path) -> Iterator[Disk]:
    """Makes a directory that is a disk of its own if this process may mount one."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "gan_jax_soak", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield SmallFiles()
        return
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)


def wait_until(
    condition: Callable[[], bool | None], process: subprocess.Popen[bytes], limit: float
) -> None:
    """Waits until a condition holds, a process has ended, or the seconds ``limit`` are over."""
    end = time.monotonic() + limit
    while process.poll() is None and not condition() and time.monotonic() < end:
        time.sleep(0.02)


def unfinished_saves(run_dir: Path) -> set[str]:
    """Returns the checkpoints of a run or population that are being written."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # a directory is removed while it is read
            return {str(path) for path in run_dir.rglob(f"checkpoints/*{TEMPORARY}")}


def checkpoint_directories(run_dir: Path) -> list[Path]:
    """Returns the directories of checkpoints: one, or one per member of a population."""
    return sorted(path for path in run_dir.rglob("checkpoints") if path.is_dir())


def checkpoint_bytes(run_dir: Path) -> int:
    """Returns the size of the newest checkpoint of a finished run."""
    directory = checkpoint_directories(run_dir)[0]
    newest = directory / str(saved_steps(directory)[-1])
    return sum(file.stat().st_size for file in newest.rglob("*") if file.is_file())


class Vandal:
    """Damages checkpoints of a run, never the last sound one: the user cannot mend that."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._damaged: set[tuple[int, int]] = set()
        self.counts: Counter[str] = Counter()

    def damage(self, run_dir: Path) -> str | None:
        """Damages the newest checkpoint of one member; None if no other would be left."""
        directories = checkpoint_directories(run_dir)
        if not directories:
            return None
        common = set.intersection(*(set(saved_steps(directory)) for directory in directories))
        sound = [step for step in sorted(common) if self._is_sound(directories, step)]
        if len(sound) < 2:
            return None
        checkpoint = self._rng.choice(directories) / str(sound[-1])
        files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
        file = self._rng.choice(files)
        kind = self._rng.choice(("truncated", "flipped", "deleted", "record deleted"))
        if kind == "record deleted":
            file = checkpoint / "record" / "metadata"
        content = bytearray(file.read_bytes())
        position = self._rng.randrange(max(1, len(content)))
        if kind == "truncated":
            os.truncate(file, position)
        elif kind == "flipped" and content:
            content[position] ^= 1 << self._rng.randrange(8)
            file.write_bytes(content)
        else:
            file.unlink()
        self._damaged.add(self._identity(checkpoint))
        self.counts[kind] += 1
        return f"{kind}: {file.relative_to(run_dir)}"

    def _is_sound(self, directories: list[Path], step: int) -> bool:
        return all(self._identity(path / str(step)) not in self._damaged for path in directories)

    @staticmethod
    def _identity(checkpoint: Path) -> tuple[int, int]:
        """Tells a checkpoint from one that is saved in its place later."""
        status = checkpoint.stat()
        return status.st_ino, status.st_mtime_ns


def comparable_rows(file: Path) -> list[dict[str, object]]:
    """Returns the rows of a file of metrics as they were written, without what may differ."""
    rows = []
    for line in file.read_text().splitlines():
        with contextlib.suppress(ValueError):  # cut by a kill
            row = json.loads(line)
            rows.append({name: row[name] for name in row if not name.startswith(UNREPEATABLE)})
    return rows


def merged(rows: list[dict[str, object]]) -> dict[object, dict[str, object]]:
    """Returns one row per step; the later of two values counts."""
    by_step: dict[object, dict[str, object]] = {}
    for row in rows:
        by_step[row["step"]] = by_step.get(row["step"], {}) | row
    return by_step


def compare(
    run_dir: Path, untouched: Path, counts: Counter[str], lost_pictures: bool = False
) -> list[str]:
    """Compares a run with an untouched one, bit for bit, and returns what differs.

    Args:
      run_dir: of a run or population that has ended.
      untouched: the same one, which nothing happened to.
      counts: of what was compared; added to.
      lost_pictures: whether the run has warned that pictures could not be written: then files of
        samples may be missing.
    """
    differences = []
    for directory in checkpoint_directories(untouched):
        name = directory.relative_to(untouched)
        newest = saved_steps(directory)[-1]
        try:
            found = read_record(run_dir / name / str(newest))["checksums"]
        except (OSError, ValueError) as error:
            found = error
        counts["checkpoints"] += 1
        if found != read_record(directory / str(newest))["checksums"]:
            differences.append(f"{name}/{newest}: other checksums ({found!r:.200})")
    for file in sorted(untouched.rglob("metrics.jsonl")):
        name = file.relative_to(untouched)
        expected, rows = merged(comparable_rows(file)), comparable_rows(run_dir / name)
        counts["rows"] += len(rows)
        for row in rows:
            other = expected.get(row["step"], {})
            wrong = [key for key, value in row.items() if key not in other or value != other[key]]
            if wrong:
                differences.append(f"{name}: step {row['step']}: other {', '.join(wrong)}")
        if merged(rows) != expected:
            differences.append(f"{name}: rows or values are missing, or the last are others")
    for file in sorted(untouched.rglob("samples/*")):
        name = file.relative_to(untouched)
        if not (run_dir / name).exists():
            if lost_pictures:
                counts["samples lost with a warning"] += 1
            else:
                differences.append(f"{name} is missing")
            continue
        counts["samples"] += 1
        if (run_dir / name).read_bytes() != file.read_bytes():
            differences.append(f"{name} differs")
    return differences
