"""Trains several configs side by side and draws what each has learned.

    python experiments/compare.py --config=configs/ring.py:vanilla --config=configs/ring.py:unrolled --workdir=runs/ring

Each config trains in a folder of its own, in a process of its own; the same command resumes. At the end: one line a run,
and `comparison.png` with the samples of each over training (points in the plane) or the last grid of each (images).
Config flags (--config.steps=1000) apply to all.
"""

import subprocess
import sys
import threading
from pathlib import Path

from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main, split_overrides

TRAIN = Path(__file__).with_name("train.py")


def compare(arguments: list[str]) -> int:
    overrides, rest = split_overrides(arguments)
    parser = Parser(__doc__)
    parser.add_argument(
        "--config",
        action="append",
        required=True,
        metavar="FILE.py[:VARIANT]",
        help="once for each run",
    )
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--jobs", type=int, default=2, help="how many train at the same time (2)")
    flags = parser.parse_args(rest)

    from gan_jax.experiment.config_files import load_settings

    runs = {spec.partition(":")[2] or Path(spec).stem: spec for spec in flags.config}
    if len(runs) != len(flags.config):
        raise UserError(f"the configs need names of their own: {', '.join(flags.config)}")
    for spec in runs.values():
        load_settings(spec, overrides)  # bad input is said before anything starts
    if flags.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {flags.jobs}")
    workdir = Path(flags.workdir)
    codes = _train_all(runs, [f"--config.{text}" for text in overrides], workdir, flags.jobs)
    if any(codes.values()):
        return max(codes.values())
    print(f"{_draw(workdir, list(runs))}: samples over training")
    return 0


def _train_all(
    runs: dict[str, str], overrides: list[str], workdir: Path, jobs: int
) -> dict[str, int]:
    """Trains each in a process, ``jobs`` at a time, their lines marked with their names; returns the exit codes."""
    width = max(map(len, runs))
    codes: dict[str, int] = {}
    slots = threading.Semaphore(jobs)
    processes: list[subprocess.Popen] = []

    def train(name: str, spec: str) -> None:
        with slots:
            command = [
                sys.executable,
                "-u",
                str(TRAIN),
                f"--config={spec}",
                f"--workdir={workdir / name}",
                *overrides,
            ]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            processes.append(process)
            for line in process.stdout:
                print(f"[{name:{width}}] {line}", end="", flush=True)
            codes[name] = process.wait()

    threads = [threading.Thread(target=train, args=item, daemon=True) for item in runs.items()]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:  # the terminal has told them too: they save themselves
        for process in processes:
            process.wait()
        raise
    return codes


def _draw(workdir: Path, names: list[str]) -> Path:
    import numpy as np

    from gan_jax.experiment import builder
    from gan_jax.experiment import run_directory as workdirs
    from gan_jax.loggers import plots

    dataset = builder.build(workdirs.read_settings(workdir / names[0])).dataset
    captions = {name: _summary(workdirs.last_metrics(workdir / name)) for name in names}
    for name, caption in captions.items():
        print(f"{name}: {caption}")
    path = workdir / "comparison.png"
    if dataset.shape == (2,):
        snapshots = {}
        for name in names:
            files = sorted((workdir / name / "samples").glob("step_*.npy"))
            wanted = np.unique(np.linspace(0, len(files) - 1, 6).round().astype(int))
            snapshots[name] = [
                (int(files[i].stem.removeprefix("step_")), np.load(files[i])) for i in wanted
            ]
        real = np.asarray(dataset.draw(0, np.arange(5000))["real"])
        drawing = plots.over_training(snapshots, real, 1.5 * float(np.abs(real).max()), captions)
    else:
        drawing, axes = plots.figure(1, len(names), (5.0, 5.4))
        for ax, name in zip(axes[0], names):
            ax.imshow(plots.read_image(sorted((workdir / name / "samples").glob("step_*.png"))[-1]))
            ax.set_title(f"{name}\n{captions[name]}", fontsize="small")
            ax.set_axis_off()
    drawing.savefig(path, dpi=150)
    return path


def _summary(metrics: dict[str, float]) -> str:
    shown = {
        "modes/covered": lambda value: f"{value:.0f} modes covered",
        "modes/high_quality": lambda value: f"{value:.1%} high-quality samples",
    }
    parts = [f"step {metrics['step']:,}"] + [
        text(metrics[name]) for name, text in shown.items() if name in metrics
    ]
    return ", ".join(parts)


if __name__ == "__main__":
    main(compare)
