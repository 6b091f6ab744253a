"""Trains runs that are killed, damaged and starved for disk at random: `make soak SECONDS=7200`.

A run on a ring, a population and a run on images train side by side, in rounds until the time is
over. In each round each run is stopped by SIGKILL, by SIGTERM and by a full disk, at random
moments; checkpoints are damaged in between; and the same command starts it again until it ends.
Then it must equal an untouched run bit for bit: checksums of the last checkpoint, rows of metrics
and samples. Exits with 1 if one does not; such runs are kept in `soak_failures/`.
"""

import argparse
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soak_faults

from gan_jax.reproduction.records import environment_facts

ROOT = Path(__file__).resolve().parent.parent
FAILURES = ROOT / "soak_failures"

FAULTS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "full disk")
"""What ends the processes of a round, in random order; then it is left alone until it ends."""

EXIT_CODES = {"SIGKILL": {-9}, "SIGTERM": {143, -15}, "full disk": {74, 2}, "none": set()}
"""Besides 0, if the run has ended before. A SIGTERM may come before Python handles it, and a run
directory of which nothing can be written is refused."""

LIMIT = 1800
"""Seconds after which a process that has not ended is a failure."""

RUNS = {
    "ring": (
        "configs/ring.py:vanilla",
        *("steps=6000", "steps_per_call=50", "log_every=50", "checkpoint_every=200"),
        *("evaluate_every=400", "sample_every=400", "num_samples=256", "batch_size=64"),
    ),
    "population": (
        "configs/ring.py:vanilla",
        *("population.seed=0,1,2", "steps=4000", "steps_per_call=50", "log_every=50"),
        *("checkpoint_every=200", "evaluate_every=400", "sample_every=400"),
        *("num_samples=256", "batch_size=64"),
    ),
    "images": (
        "configs/fashion_mnist.py:dcgan",
        *("dataset=npz(path='{images}')", "networks=dcgan(width=8)", "batch_size=16"),
        *("steps=800", "steps_per_call=10", "log_every=10", "checkpoint_every=40"),
        *("sample_every=80", "num_samples=16", "metrics="),
    ),
}
"""The config of each run, and what is set in it. Each row of metrics is of one call: where a signal
stops a run, a row is written in any case, of the steps since the last one."""


class SoakedRun:
    """One of the runs: its command, its untouched twin, and what has happened to it."""

    def __init__(self, name: str, work: Path, seed: int) -> None:
        self.name, self.directory, self.untouched = name, work / name, work / f"{name}-untouched"
        self.rng = random.Random(f"{seed} {name}")
        self.vandal = soak_faults.Vandal(self.rng)
        self.counts: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()
        self.exit_codes: Counter[str] = Counter()
        self.failures: list[str] = []
        self.output = ""
        self.disk = ""
        config, *overrides = (text.format(images=work / "images.npz") for text in RUNS[name])
        flags = [f"--config.{override}" for override in overrides]
        self.command = [sys.executable, "experiments/train.py", f"--config={config}", *flags]

    def start(self, run_dir: Path) -> subprocess.Popen[bytes]:
        """Starts the command. What it prints goes to a pipe: a file could be on the full disk."""
        return subprocess.Popen(
            [*self.command, f"--workdir={run_dir}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def train_untouched(self) -> None:
        """Trains the run that the others are compared with, and measures its first save."""
        start = time.monotonic()
        process = self.start(self.untouched)
        soak_faults.wait_until(
            lambda: bool(soak_faults.unfinished_saves(self.untouched)), process, LIMIT
        )
        self.seconds_to_save = time.monotonic() - start
        output, _ = process.communicate(timeout=LIMIT)
        if process.returncode:
            raise RuntimeError(f"{self.name}: {output.decode()}")
        self.log(f"untouched: {time.monotonic() - start:.0f} s")

    def soak(self, end: float, after_round: Callable[[], None]) -> None:
        """Trains in rounds until the time is over, at least one."""
        with soak_faults.open_disk(self.directory) as disk:
            self.disk = disk.kind
            while not self.counts["rounds"] or time.monotonic() < end:
                self.counts["rounds"] += 1
                run_dir = self.directory / f"round-{self.counts['rounds']}"
                before, self.output = len(self.failures), ""
                self.train_round(run_dir, disk, end)
                if "Traceback" in self.output:
                    self.fail("a traceback was printed")
                lost = "not all metrics and pictures" in self.output
                for difference in soak_faults.compare(run_dir, self.untouched, self.compared, lost):
                    self.fail(difference)
                self.log(f"round {self.counts['rounds']} ends")
                if len(self.failures) > before:
                    kept = FAILURES / f"{run_dir.parent.parent.name}-{self.name}-{run_dir.name}"
                    shutil.copytree(run_dir, kept)
                    (kept / "output.txt").write_text(self.output)
                shutil.rmtree(run_dir)
                self.counts["rounds ended"] += 1
                after_round()

    def train_round(self, run_dir: Path, disk: soak_faults.Disk, end: float) -> None:
        """Trains one run to its end, with all faults on the way, or those before the time is over.

        The first round has all, however slow the machine is.
        """
        code = -1
        for fault in self.rng.sample(FAULTS, len(FAULTS)):
            if not code or (self.counts["rounds"] > 1 and time.monotonic() > end):
                break
            code = self.train_until(fault, run_dir, disk)
            if code and self.rng.random() < 0.5:
                self.damage(run_dir)
        if code:
            self.train_until("none", run_dir, disk)
        if self.rng.random() < 0.5 and self.damage(run_dir):
            self.train_until("none", run_dir, disk)
        before = len(self.output)
        self.train_until("none", run_dir, disk)  # restores the last checkpoint, and checks it
        if "damaged" in self.output[before:]:
            self.fail("the last checkpoint is damaged")

    def damage(self, run_dir: Path) -> bool:
        """Damages a checkpoint if another is left."""
        what = self.vandal.damage(run_dir)
        if what:
            self.log(what)
        return what is not None

    def train_until(self, fault: str, run_dir: Path, disk: soak_faults.Disk) -> int:
        """Starts the command, does something to it, and returns its exit code."""
        process = self.start(run_dir)
        self.counts["starts"] += 1
        if fault != "none":
            moment = self.wait_for_moment(process, run_dir)
            if process.poll() is not None:
                fault = "none"
            elif fault == "full disk":
                left = self.rng.randrange(soak_faults.checkpoint_bytes(self.untouched) // 2)
                self.log(f"full disk {moment}, {left} bytes left")
                # Again and again: checkpoints that are removed would make room.
                soak_faults.wait_until(lambda: disk.fill(process, left), process, LIMIT)
            else:
                process.send_signal(signal.Signals[fault])
                self.log(f"{fault} {moment}")
        self.counts[fault] += fault != "none"
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            self.fail(f"did not end within {LIMIT} s after {fault}")
        disk.empty()
        code = process.returncode
        self.output += output.decode(errors="replace")
        self.exit_codes[f"{fault}: {code}"] += 1
        if code not in EXIT_CODES[fault] | {0}:
            self.fail(f"exit code {code} after {fault}")
        return code

    def wait_for_moment(self, process: subprocess.Popen[bytes], run_dir: Path) -> str:
        """Waits until some time in the start, in a save, or after a save."""
        moment = self.rng.choice(("in the start", "in a save", "in a save", "after a save"))
        pause = self.rng.random()
        if moment == "in the start":
            end = time.monotonic() + pause * self.seconds_to_save
            soak_faults.wait_until(lambda: time.monotonic() > end, process, LIMIT)
            return moment
        for _ in range(self.rng.randint(1, 3)):
            seen = soak_faults.unfinished_saves(run_dir)
            soak_faults.wait_until(
                lambda seen=seen: bool(soak_faults.unfinished_saves(run_dir) - seen),
                process,
                LIMIT,
            )
        time.sleep(pause * (0.05 if moment == "in a save" else 2))
        return moment

    def fail(self, what: str) -> None:
        """Notes a failure."""
        self.failures.append(f"round {self.counts['rounds']}: {what}")
        self.log(f"FAILURE: {what}")

    def log(self, what: str) -> None:
        """Prints a line with the time."""
        print(f"{time.strftime('%H:%M:%S')} {self.name}: {what}", flush=True)

    def summary(self) -> dict[str, object]:
        """Returns what has happened."""
        return {
            "rounds": self.counts["rounds ended"],
            **{name: self.counts[name] for name in ("starts", *dict.fromkeys(FAULTS))},
            "full disk by": self.disk,
            "damaged checkpoints": dict(self.vandal.counts),
            "exit codes": dict(sorted(self.exit_codes.items())),
            "compared": dict(self.compared),
            "failures": self.failures,
        }


def to_markdown(report: dict, runs: Sequence[SoakedRun]) -> str:
    """Returns the summary as a short page."""
    columns = ("rounds", "starts", "SIGKILL", "SIGTERM", "full disk", "damaged", "failures")
    lines = ["| run | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for run in runs:
        counts = run.counts.copy()
        counts["rounds"] = counts["rounds ended"]
        counts.update(damaged=run.vandal.counts.total(), failures=len(run.failures))
        lines.append(f"| {run.name} | " + " | ".join(str(counts[name]) for name in columns) + " |")
    compared = sum((run.compared for run in runs), Counter())
    facts = ", ".join(f"{name} {value}" for name, value in report["environment"].items())
    return "\n".join(
        [
            "# Soak",
            "",
            f"`{report['command']}`, {report['seconds'] / 60:.1f} minutes, seed {report['seed']}.",
            "",
            *lines,
            "",
            "Each round ends with a comparison, bit for bit, with an untouched run: "
            + ", ".join(f"{count} {name}" for name, count in compared.items())
            + ".",
            "",
            *[f"- {run.name}, {failure}" for run in runs for failure in run.failures],
            f"Environment: {facts}.",
            "",
        ]
    )


def write(path: Path, facts: dict[str, object], runs: Sequence[SoakedRun]) -> None:
    """Writes the summary of the rounds so far, as JSON and as a page: a long soak may be ended."""
    report = facts | {"runs": {run.name: run.summary() for run in runs}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    path.with_suffix(".md").write_text(to_markdown(report, runs))


def main() -> int:
    """Soaks the runs, writes the summary after each round, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "reliability" / "soak")
    flags = parser.parse_args()
    print(f"seed {flags.seed}", flush=True)
    start, environment = time.monotonic(), environment_facts()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="gan_jax_soak_") as work:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (256, 16, 16, 1), dtype=np.uint8)
        np.savez(Path(work) / "images.npz", real=images)
        runs = [SoakedRun(name, Path(work), flags.seed) for name in flags.runs]
        facts = {"command": shlex.join(["python", *sys.argv]), "seed": flags.seed}
        writing = threading.Lock()

        def write_so_far() -> None:
            with writing:
                seconds = round(time.monotonic() - start)
                write(flags.out, facts | {"seconds": seconds, "environment": environment}, runs)

        with ThreadPoolExecutor(len(runs)) as threads:
            list(threads.map(SoakedRun.train_untouched, runs))
            list(threads.map(lambda run: run.soak(start + flags.seconds, write_so_far), runs))
    return 1 if any(run.failures for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
