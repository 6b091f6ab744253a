"""Several configs side by side: trained in a process each, and drawn in one picture."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gan_jax import files
from gan_jax.errors import UserError
from gan_jax.evaluation import is_result
from gan_jax.loggers.progress import format_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_jax.data import Dataset

PICTURE_FILE = "comparison.png"

STEPS_SHOWN = 6
"""The largest number of steps at which the samples of a run are drawn."""

REAL_SAMPLES = 5000
"""The number of real points that are drawn next to the generated ones."""


def name_runs(specs: Sequence[str]) -> dict[str, str]:
    """Returns the configs by short names: their variants, or their files if they have none.

    Args:
      specs: config files and variants, ``"configs/ring.py:unrolled"``.

    Raises:
      UserError: if two configs have the same name.
    """
    runs = {spec.partition(":")[2] or Path(spec).stem: spec for spec in specs}
    if len(runs) != len(specs):
        raise UserError(f"the configs need different names: {', '.join(specs)}")
    return runs


def run_side_by_side(commands: Mapping[str, Sequence[str]], jobs: int) -> dict[str, int]:
    """Runs commands in processes, and prints their lines with their names in front.

    Args:
      commands: the words of each command, by name.
      jobs: how many commands run at the same time.

    Returns:
      The exit code of each command.

    Raises:
      KeyboardInterrupt: if it was interrupted, after all processes have ended. A terminal
        interrupts them too, and they end by themselves.
    """
    width = max(map(len, commands))
    exit_codes: dict[str, int] = {}
    slots = threading.Semaphore(jobs)
    processes: list[subprocess.Popen[str]] = []

    def run(name: str, command: Sequence[str]) -> None:
        with slots:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            processes.append(process)
            assert process.stdout is not None
            for line in process.stdout:
                print(f"[{name:{width}}] {line}", end="", flush=True)
            exit_codes[name] = process.wait()

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in commands.items()]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        for process in processes:
            process.wait()
        raise
    return exit_codes


def compare_runs(workdir: Path, names: Sequence[str]) -> Path:
    """Prints one line per run, and draws what the runs have learned.

    Points in the plane are drawn over training, next to the real ones; of images the last grid of
    each run is drawn.

    Args:
      workdir: where the run directories are. All runs have the dataset of the first.
      names: the names of the run directories.

    Returns:
      The picture.
    """
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import last_metrics, read_settings

    captions = {name: summarize_metrics(last_metrics(workdir / name)) for name in names}
    for name, caption in captions.items():
        print(f"{name}: {caption}")
    dataset = build(read_settings(workdir / names[0])).dataset
    if dataset.shape == (2,):
        drawing = _draw_points(workdir, captions, dataset)
    else:
        drawing = _draw_images(workdir, captions)
    with files.replacing(workdir / PICTURE_FILE) as file:
        drawing.savefig(file, format="png", dpi=150)
    return workdir / PICTURE_FILE


def _draw_points(workdir: Path, captions: Mapping[str, str], dataset: "Dataset") -> "Figure":
    from gan_jax.experiment.run_directory import samples_over_training
    from gan_jax.loggers import sample_plots

    snapshots = {}
    for name in captions:
        history = samples_over_training(workdir / name)
        shown = np.linspace(0, len(history) - 1, STEPS_SHOWN).round().astype(int)
        snapshots[name] = [history[index] for index in np.unique(shown)]
    real = np.asarray(dataset.draw(0, np.arange(REAL_SAMPLES))["real"])
    extent = 1.5 * float(np.abs(real).max())
    drawing: Figure = sample_plots.density_over_training(snapshots, real, extent, captions)
    return drawing


def _draw_images(workdir: Path, captions: Mapping[str, str]) -> "Figure":
    from gan_jax.loggers import images, plots

    drawing: Figure
    drawing, axes = plots.figure(1, len(captions), (5.0, 5.4))
    for ax, (name, caption) in zip(axes[0], captions.items(), strict=True):
        last_grid = sorted((workdir / name / "samples").glob("step_*.png"))[-1]
        ax.imshow(images.read_image(last_grid))
        ax.set_title(f"{name}\n{caption}", fontsize="small")
        ax.set_axis_off()
    return drawing


def summarize_metrics(metrics: Mapping[str, float]) -> str:
    """Returns the step and the results of a run: ``"step 25,000, 8 modes covered"``.

    Of the modes, the two numbers that say most are named.
    """
    parts = [f"step {metrics.get('step', 0):,}"]
    if metrics.get("modes/covered") is not None:
        covered = metrics["modes/covered"]
        parts.append(f"{covered:.0f} mode{'' if covered == 1 else 's'} covered")
    if metrics.get("modes/high_quality") is not None:
        parts.append(f"{metrics['modes/high_quality']:.1%} high-quality samples")
    for name, value in metrics.items():
        if is_result(name) and not name.startswith("modes/") and value is not None:
            parts.append(f"{name} {format_number(value)}")
    return ", ".join(parts)
