"""Generators that come with the package, each in one file; and how such a file is made of a run.

    python -m gan_jax.experiment.pretrained runs/dcgan fashion_mnist_dcgan.npz

The file holds the moving average of the generator, and as JSON what networks these are, what they
were trained on, the whole config, and the scores of that step.
"""

import dataclasses
import functools
import json
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import files
from gan_jax.data import Dataset
from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.evaluation import is_result
from gan_jax.experiment.command_line import check_output, main
from gan_jax.experiment.loading import LoadedRun, load
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.part_text import parse_parts
from gan_jax.experiment.run_directory import METRICS
from gan_jax.experiment.sample_choice import sample
from gan_jax.experiment.settings import as_config
from gan_jax.game import Networks
from gan_jax.loggers.json_lines import metrics_in, read_metrics
from gan_jax.metrics.npz_files import read_arrays
from gan_jax.training.sampling import Sampler, sampler

FOLDER = "pretrained_generators"
"""Of the package: where the files lie."""

METADATA = "metadata"
"""The array of a file that is text; all others are parameters, by path."""


@dataclass(frozen=True)
class PretrainedGenerator:
    """A generator without its discriminator: made by `load_pretrained`.

    Attributes:
      step: the steps it was trained.
      sampler: of its moving average.
      dataset: the shape and the classes of its samples. Drawing from it builds the real dataset,
        which may have to be prepared.
      metadata: what else is known of it: ``config``, ``scores``.
    """

    step: int
    sampler: Sampler
    dataset: Dataset
    metadata: dict[str, Any]

    def sample(self, n: int, seed: int = 0, label: int | str | None = None) -> np.ndarray:
        """Draws samples ``[n, ...]``: see `LoadedRun.sample`."""
        return sample(self.sampler, self.dataset, n, seed, label)


def pretrained_names() -> list[str]:
    """Returns the names of the generators that come with the package."""
    folder = resources.files("gan_jax.experiment") / FOLDER
    return sorted(
        entry.name.removesuffix(".npz") for entry in folder.iterdir() if entry.name.endswith(".npz")
    )


def load_pretrained(name: str | os.PathLike[str]) -> PretrainedGenerator:
    """Loads a generator that comes with the package, or one from a file of the same form.

    Example:

      >>> import gan_jax
      >>> gan_jax.load_pretrained("fashion_mnist_dcgan").sample(4).shape
      (4, 28, 28, 1)

    Args:
      name: one of `pretrained_names`, or the path of an ``.npz`` file.

    Raises:
      UserError: there is no such generator, or its file is damaged.
    """
    if os.fspath(name) in pretrained_names():
        source = resources.files("gan_jax.experiment") / FOLDER / f"{name}.npz"
        opened: Any = source.open("rb")
    elif Path(name).suffix == ".npz":
        opened = Path(name)
    else:
        hint = did_you_mean(os.fspath(name), pretrained_names())
        raise UserError(f"there is no pretrained generator {os.fspath(name)!r}: {hint}")
    try:
        arrays = read_arrays(opened)
        metadata = json.loads(str(arrays.pop(METADATA)))
        return _generator(metadata, arrays)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{os.fspath(name)} is no pretrained generator: {first_line(error)}"
        ) from error


def save_pretrained(run: LoadedRun, path: str | os.PathLike[str]) -> None:
    """Writes the generator of a run into one file that `load_pretrained` reads.

    Args:
      run: its networks are those of the package.
      path: of the ``.npz`` file.

    Raises:
      UserError: networks of one's own, conditions such as images, or networks that grow.
    """
    settings, dataset = run.settings, run.experiment.dataset
    if dataset.conditions or settings.progressive_growing:
        raise UserError("a pretrained generator takes latents and labels alone, and has one size")
    if ":" in str(settings.networks):
        raise UserError(f"the networks {settings.networks} are not part of gan_jax")
    rows = [row for row in read_metrics(run.run_dir / METRICS) if row.get("step") == run.step]
    scores = {name: value for row in rows for name, value in metrics_in(row).items()}
    metadata = {
        "networks": str(settings.networks),
        "precision": settings.precision,
        "dataset": str(settings.dataset),
        "shape": dataset.shape,
        "classes": dataset.classes,
        "class_names": dataset.class_names,
        "step": run.step,
        "scores": {name: value for name, value in scores.items() if is_result(name)},
        "config": as_config(dataclasses.replace(settings, python_path=())),
    }
    arrays = {
        name: np.asarray(leaf) for name, leaf in _named_leaves(run.state.generator_ema).items()
    }
    with files.replacing(path) as file:
        np.savez(file, allow_pickle=False, **{METADATA: np.array(json.dumps(metadata))}, **arrays)


def load_generator(
    workdir: str | None,
    pretrained: str | None,
    step: int | None = None,
    ema: str = "",
    truncation: float | None = None,
) -> LoadedRun | PretrainedGenerator:
    """Loads what the flags of a command name: --workdir, --pretrained, --step, --ema, --truncation.

    Raises:
      UserError: not exactly one of the first two is given, the others do not fit, or as `load` and
        `load_pretrained`.
    """
    if (workdir is None) == (pretrained is None):
        raise UserError("pass either --workdir, of a run, or --pretrained")
    if workdir is not None:
        return load(workdir, step, ema, truncation)
    assert pretrained is not None
    if step is not None or ema or truncation is not None:
        raise UserError("--step, --ema and --truncation are of runs: leave them out")
    return load_pretrained(pretrained)


def _generator(metadata: dict[str, Any], arrays: dict[str, np.ndarray]) -> PretrainedGenerator:
    (networks_part,) = parse_parts(metadata["networks"])
    shape, classes = tuple(metadata["shape"]), metadata["classes"]
    networks: Networks = build_part(
        "networks",
        networks_part,
        shape=shape,
        classes=classes,
        conditions={},
        dtype=metadata["precision"],
    )
    expected, _ = jax.eval_shape(networks.init, jax.random.key(0))
    shapes = {name: leaf.shape for name, leaf in _named_leaves(expected).items()}
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise ValueError(f"its arrays are not the parameters of {metadata['networks']}")
    params = jax.tree_util.tree_map_with_path(lambda path, _: arrays[_name(path)], expected)

    @functools.cache
    def real() -> Dataset:
        (part,) = parse_parts(metadata["dataset"])
        dataset: Dataset = build_part("dataset", part)
        return dataset

    dataset = Dataset(
        shape,
        lambda seed, positions: real().draw(seed, positions),
        classes,
        class_names=tuple(metadata["class_names"]),
    )
    drawn = sampler(networks, params, classes=classes)
    return PretrainedGenerator(metadata["step"], drawn, dataset, metadata)


def _named_leaves(params: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {_name(path): leaf for path, leaf in leaves}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _save(arguments: list[str]) -> None:
    """Runs the command."""
    if len(arguments) != 2 or not arguments[1].endswith(".npz"):
        raise UserError("pass the directory of a run and a .npz file that does not exist yet")
    run_dir, out = arguments
    check_output(Path(out))
    set_up_jax()
    run = load(run_dir)
    save_pretrained(run, out)
    print(f"{out}: {os.path.getsize(out) / 1e6:.2f} MB, step {run.step}")


if __name__ == "__main__":
    main(_save)
