"""What runs on images logged while they trained, and pictures of what they generate."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax.reproduction import Claim, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 28
"""Pixels of a side of a Fashion-MNIST image."""

SMOKE = (
    "steps=4",
    "batch_size=8",
    "steps_per_call=2",
    "log_every=4",
    "checkpoint_every=4",
    "sample_every=4",
    "evaluate_every=4",
)
"""The overrides of a run that only shows that it works."""

Numbers = Mapping[str, Any]
Curve = Mapping[str, Sequence[float]]
"""The steps and values of a metric, ``{"step": [...], "value": [...]}``."""


# ------------------------------------------------------------------------------------- measurement


def every(steps: int, evaluations: int, log_every: int = 100) -> tuple[str, ...]:
    """Returns the overrides of a run of so many steps that is scored at even intervals."""
    interval = steps // evaluations
    return f"steps={steps}", f"log_every={log_every}", "health=false", *intervals(interval)


def intervals(steps: int) -> tuple[str, ...]:
    """Returns the overrides of a run that is saved, sampled and scored every so many steps."""
    names = ("checkpoint_every", "sample_every", "evaluate_every")
    return tuple(f"{name}={steps}" for name in names)


def rows(
    runs: Mapping[str, Mapping[int, Path]], *metrics: str, samples: int = 12
) -> list[dict[str, Any]]:
    """Returns a row per run and seed: the curves of these metrics, and a strip of samples.

    Args:
      runs: the run directories by name and seed.
      *metrics: the names that the run logs them under, such as ``"fd_lenet_2k"``.
      samples: how many a strip has, which are the first of seed 0; of each run's first seed.
    """
    made = []
    for name, directories in runs.items():
        for seed, directory in directories.items():
            row = row_of(name, seed, directory, metrics)
            if seed == min(directories) and not row["diverged"]:
                row["strip"] = strip(directory, samples)
            made.append(row)
    return made


def row_of(name: str, seed: int, directory: Path, metrics: Sequence[str]) -> dict[str, Any]:
    """Returns the row of one run directory, without a strip."""
    from gan_jax.experiment.run_directory import has_ended, read_settings

    steps = read_settings(directory).steps
    return {
        "run": name,
        "seed": seed,
        "steps": steps,
        "diverged": has_ended(directory, steps) == "diverged",
        "curves": {metric: curve(directory, metric) for metric in metrics},
    }


def curve(directory: Path, metric: str) -> dict[str, list[float]]:
    """Returns the steps at which a run logged a metric, and its values; without NaN."""
    from gan_jax.loggers.json_lines import read_metrics

    logged = [
        (row["step"], float(row[metric]))
        for row in read_metrics(directory / "metrics.jsonl")
        if row.get(metric) is not None and "protocol" not in row
    ]
    return {"step": [step for step, _ in logged], "value": [value for _, value in logged]}


def strip(directory: Path, samples: int) -> str:
    """Returns the first samples of a run side by side, as `to_png` has them."""
    from gan_jax.experiment.loading import load

    return to_png(side_by_side(pixels(load(directory).sample(samples))))


def pixels(samples: np.ndarray) -> np.ndarray:
    """Returns samples ``[n, 28 or 32, ...]`` in [-1, 1] as images of 28 pixels in uint8."""
    from gan_jax.loggers.images import as_pixels

    border = (samples.shape[1] - SIDE) // 2
    return as_pixels(samples[:, border : border + SIDE, border : border + SIDE])


def decoded(pixels: np.ndarray) -> np.ndarray:
    """Returns images in uint8 as the networks see them, float32 in [-1, 1]."""
    from gan_jax.data import decode

    return np.asarray(decode({"real": pixels})["real"])


def flat(images: np.ndarray) -> np.ndarray:
    """Returns images as vectors of pixels in [0, 1], ``[n, 784]`` float32."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def side_by_side(images: np.ndarray) -> np.ndarray:
    """Returns images ``[n, 28, 28, channels]`` uint8 as ``[28, n * 28]``, or with 3 channels."""
    joined = np.concatenate(list(images), axis=1)
    return joined[..., 0] if joined.shape[-1] == 1 else joined


def to_png(picture: np.ndarray) -> str:
    """Returns a picture ``[height, width]`` or ``[height, width, 3]`` uint8 as PNG in base64."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def from_png(text: str) -> np.ndarray:
    """Returns the picture of which `to_png` made the text."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image)


# ------------------------------------------------------------------------------------------ claims


def names(numbers: Numbers) -> list[str]:
    """Returns the names of the runs, in order."""
    return list(dict.fromkeys(row["run"] for row in numbers["rows"]))


def rows_named(numbers: Numbers, run: str) -> list[Mapping[str, Any]]:
    """Returns the rows of a run's seeds that did not diverge."""
    return [row for row in numbers["rows"] if row["run"] == run and not row["diverged"]]


def last_values(numbers: Numbers, run: str, metric: str) -> tuple[float, ...]:
    """Returns the last value of a metric of each seed that did not diverge."""
    curves = [row["curves"][metric]["value"] for row in rows_named(numbers, run)]
    return tuple(values[-1] for values in curves if values)


def divergence_note(numbers: Numbers, run: str) -> str:
    """Returns how many seeds of a run diverged, as text; empty if none did."""
    diverged = sum(row["diverged"] for row in numbers["rows"] if row["run"] == run)
    return f"{diverged} of its seeds diverged" if diverged else ""


def to_be_shown(name: str, values: Sequence[float], note: str = "") -> Claim:
    """Returns the claim, which is not judged, that shows a value of each seed."""
    return Claim(name, tuple(values), "reported only", None, None, note)


def shown(numbers: Numbers, run: str, metric: str, label: str) -> Claim:
    """Returns the claim, which is not judged, that shows a metric of each seed at the end."""
    values, note = last_values(numbers, run, metric), divergence_note(numbers, run)
    return to_be_shown(f"{run}: {label}", values, note)


# ----------------------------------------------------------------------------------------- drawing


def draw_curves(
    ax: "Axes", numbers: Numbers, metric: str, styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draws a metric over training: a thin line per seed, and the mean over seeds."""
    for name in names(numbers):
        curves = [row["curves"][metric] for row in rows_named(numbers, name)]
        curves = [of_seed for of_seed in curves if of_seed["step"]]
        style = dict(styles[name])
        label = style.pop("label", name)
        if len(curves) > 1:
            for of_seed in curves:
                ax.plot(of_seed["step"], of_seed["value"], **{**style, "linewidth": 0.4})
        if curves:
            mean = np.mean([of_seed["value"] for of_seed in curves], axis=0)
            ax.plot(curves[0]["step"], mean, marker=".", label=label, **style)
    ax.set(xlabel="generator steps")


def draw_strips(ax: "Axes", numbers: Numbers, labels: Mapping[str, str] | None = None) -> None:
    """Draws a strip of samples of each run, one below another, with the names at the left."""
    strips = {row["run"]: row["strip"] for row in numbers["rows"] if row.get("strip")}
    draw_pictures(ax, {(labels or {}).get(name, name): text for name, text in strips.items()})


def draw_pictures(ax: "Axes", pictures: Mapping[str, str]) -> None:
    """Draws pictures of one size, as `to_png` has them, one below another, with their names."""
    images = [from_png(text) for text in pictures.values()]
    if images:
        ax.imshow(np.concatenate(images), cmap="gray", vmin=0, vmax=255, interpolation="none")
    ax.set_yticks([(i + 0.5) * SIDE for i in range(len(images))], list(pictures))
    ax.set_xticks([])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def draw_last(
    ax: "Axes", numbers: Numbers, metric: str, styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draws the last value of a metric of each seed as a dot, and the mean as a line."""
    runs = names(numbers)
    for i, name in enumerate(runs):
        values = last_values(numbers, name, metric)
        ax.plot(values, [i] * len(values), "o", color=styles[name]["color"], alpha=0.7)
        if values:
            ax.plot(np.mean(values), i, "|", color=page.BLACK, markersize=10)
    ax.set_yticks(range(len(runs)), [styles[name].get("label", name) for name in runs])
    ax.set(ylim=(len(runs) - 0.5, -0.5))
