"""Searches the latents of given images: what a run's generator makes the most alike to each.

    python experiments/invert.py --workdir=runs/dcgan --out=found.png
    python experiments/invert.py --workdir=runs/dcgan --images=my_images --out=found.npz
    python experiments/invert.py --workdir=runs/dcgan --out=found.png --distance=lenet

Without --images, held-out images of the run's dataset are taken. A .png shows each image next to
what was found; a .npz holds latents, samples, targets and distances. Distances are mean squared
errors, or perceptual distances in the network that --distance names. The search is L-BFGS from
several random starts, as in Metz et al. (2017): `gan_jax.training.inversion`.
"""

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, storage_failure
from gan_jax.experiment.command_line import Parser, check_output, main

if TYPE_CHECKING:
    import numpy as np

    from gan_jax.experiment.loading import LoadedRun


def search(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    out = Path(flags.out)
    set_up_jax()

    import jax
    import numpy as np

    from gan_jax import files
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.sample_choice import parse_classes
    from gan_jax.loggers import sample_plots
    from gan_jax.loggers.bars import spinner
    from gan_jax.metrics import perceptual, perceptual_networks
    from gan_jax.training import inversion

    run = load(flags.workdir, flags.step, flags.ema)
    dataset = run.experiment.dataset
    if len(dataset.shape) != 3 or dataset.shape[2] not in (1, 3):
        raise UserError(f"invert.py is for images of 1 or 3 channels, not {dataset.shape}")
    targets, label = targets_of(run, flags)
    if flags.label is not None:
        chosen = parse_classes(flags.label, dataset.classes, dataset.class_names)
        label = np.resize(chosen, len(targets))
    distance: inversion.DistanceFn = inversion.mean_squared_errors
    if flags.distance != "mse":
        try:
            network = perceptual_networks.layer_network(flags.distance, flags.weights)
        except ValueError as error:
            raise UserError(str(error)) from error
        distance = functools.partial(perceptual.perceptual_distances, network)
    with spinner(f"searching the latents of {len(targets)} images"):
        found = inversion.invert(
            run.sampler,
            targets,
            jax.random.key(flags.seed),
            label,
            restarts=flags.restarts,
            steps=flags.steps,
            distance=distance,
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".png":
            images, columns = sample_plots.side_by_side(targets, found.samples)
            sample_plots.save_samples(out, images, columns=columns)
        else:
            with files.replacing(out) as file:
                np.savez(
                    file,
                    allow_pickle=False,
                    latents=found.latents,
                    samples=found.samples,
                    targets=targets,
                    distances=found.distances,
                )
    except OSError as error:
        if storage_failure(error):
            raise
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    of_first = found.all_distances[:, 0].mean()
    print(
        f"{out}: {len(targets)} images, {flags.distance} {found.distances.mean():.4g} "
        f"(the first start alone: {of_first:.4g}), step {run.step}"
    )


def targets_of(
    run: "LoadedRun", flags: argparse.Namespace
) -> "tuple[np.ndarray, np.ndarray | None]":
    """Returns images ``[n, ...]`` in [-1, 1] and their labels, if these are known."""
    import numpy as np

    from gan_jax import data
    from gan_jax.data.folders import image_files, read_images

    dataset, held_out = run.experiment.dataset, run.experiment.held_out
    if not flags.images:
        index = np.arange(flags.num)
        labels = (held_out.arrays or {}).get("label") if dataset.classes else None
        label = None if labels is None else labels[index % len(labels)]
        return data.samples_at(held_out, index)["real"], label
    height, width, channels = dataset.shape
    if height != width:
        raise UserError(f"--images are square, and the samples of this run {dataset.shape}")
    folder = Path(flags.images)
    files = image_files(folder)[: flags.num]
    images = read_images(folder, files, height, channels)
    return np.asarray(data.decode({"real": images})["real"]), None  # type: ignore[dict-item]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir"])
    parser.add_argument("--workdir", required=True, help="the directory of the run")
    parser.add_argument("--out", required=True, help="a .png or .npz file")
    parser.add_argument("--images", metavar="FOLDER", help="(default: held-out ones)")
    parser.add_argument("--num", type=int, default=16, help="at most so many (default: 16)")
    parser.add_argument("--label", help="of the images, by name or number, in turn")
    parser.add_argument("--distance", default="mse", help="mse, or a network such as lenet")
    parser.add_argument("--weights", default="", help="file of that network's weights")
    parser.add_argument("--restarts", type=int, default=3, help="random starts (default: 3)")
    parser.add_argument("--steps", type=int, default=100, help="of L-BFGS (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the starts")
    parser.add_argument("--step", type=int, help="of the checkpoint (default: the newest)")
    parser.add_argument("--ema", default="", help="a moving average (default: the first)")
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    if Path(flags.out).suffix not in (".png", ".npz"):
        raise UserError(f"--out ends in .png or .npz, not {flags.out!r}")
    check_output(Path(flags.out), flags.overwrite)
    if not 1 <= flags.num <= 100_000:
        raise UserError(f"--num is from 1 to 100000, not {flags.num}")
    if not 0 <= flags.seed < 2**31:
        raise UserError(f"--seed is an integer from 0 to {2**31 - 1}, not {flags.seed}")
    return flags


if __name__ == "__main__":
    main(search)
