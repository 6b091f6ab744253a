"""Draws what lies between samples of a run: paths from latent to latent, and sums of latents.

    python experiments/interpolate.py --workdir=runs/dcgan --seeds=3,7,12 --out=strip.png
    python experiments/interpolate.py --workdir=runs/dcgan --seeds=0-7 --closed --out=walk.gif
    python experiments/interpolate.py --workdir=runs/acgan --seeds=0-3 --label=Bag --out=bags.mp4
    python experiments/interpolate.py --workdir=runs/dcgan --arithmetic='1,4,9 - 2,3,8 + 5,6,7' \
        --out=sum.png

A path goes from the sample of each seed to that of the next, those of sample.py --seeds; --closed
leads back to the first. A .png shows it row by row, a row from each seed to the next; a .gif or
.mp4 in time; a .npy holds its samples [frames, ...] float32. Between latents lie arcs of spheres,
or straight lines with --linear. Noise of the generator stays the same along the path.

--arithmetic shows the means of three groups of latents and mean(a) - mean(b) + mean(c), in a row.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, storage_failure
from gan_jax.experiment.command_line import Parser, check_output, main

if TYPE_CHECKING:
    import numpy as np

    from gan_jax.experiment.loading import LoadedRun
    from gan_jax.experiment.pretrained import PretrainedGenerator

FRAMES = {".png": 8, ".npy": 8, ".gif": 24, ".mp4": 48}
"""Frames from one seed to the next, by the end of --out."""


def interpolate(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    out = Path(flags.out)
    set_up_jax()

    import numpy as np

    from gan_jax.experiment.pretrained import load_generator
    from gan_jax.experiment.sample_choice import parse_classes
    from gan_jax.loggers import sample_files
    from gan_jax.loggers.animations import save_animation
    from gan_jax.loggers.images import as_pixels, image_grid, save_image

    run = load_generator(flags.workdir, flags.pretrained, flags.step, flags.ema, flags.truncation)
    dataset = run.dataset
    check_images(out, dataset.shape)
    path = sum_of(run, flags.arithmetic) if flags.arithmetic else path_of(run, flags)
    label = None
    if flags.label is not None:
        chosen = parse_classes(flags.label, dataset.classes, dataset.class_names)
        label = np.resize(chosen[:1], len(path))
        if len(chosen) > 1:
            raise UserError("--label is one class: it stays the same along a path")
    samples = run.sampler.generate(path, label, np.zeros(len(path), int))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npy":
            sample_files.write_npy(out, samples)
        elif out.suffix == ".png":
            columns = len(path) if flags.arithmetic else flags.frames + (not flags.closed)
            shown = samples if flags.arithmetic or flags.closed else rows_of(samples, flags.frames)
            save_image(out, image_grid(shown, columns), scale=2)
        else:
            pixels = as_pixels(samples)
            scale = max(1, 256 // max(pixels.shape[1:3]))
            pictures = [
                np.broadcast_to(image, (*image.shape[:2], 3)).repeat(scale, 0).repeat(scale, 1)
                for image in pixels
            ]
            save_animation(out, pictures, flags.fps)
    except OSError as error:
        if storage_failure(error):
            raise
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    print(f"{out}: {len(path)} samples of step {run.step}")


def path_of(run: "LoadedRun | PretrainedGenerator", flags: argparse.Namespace) -> "np.ndarray":
    """Returns the latents of a path from seed to seed ``[frames, ...]``. Raises UserError."""
    from gan_jax.errors import first_line
    from gan_jax.experiment.sample_choice import parse_seeds
    from gan_jax.training import latent_walks

    points = latents_of(run, parse_seeds(flags.seeds))
    between = latent_walks.linear if flags.linear else latent_walks.slerp
    walk = latent_walks.closed_walk if flags.closed else latent_walks.walk
    try:
        return walk(points, flags.frames, between)
    except ValueError as error:
        raise UserError(f"--seeds={flags.seeds}: {first_line(error)}") from error


def sum_of(run: "LoadedRun | PretrainedGenerator", text: str) -> "np.ndarray":
    """Returns the means of three groups of latents and their sum ``[4, ...]``. Raises UserError."""
    import re

    import numpy as np

    from gan_jax.experiment.sample_choice import parse_seeds
    from gan_jax.training.latent_walks import arithmetic

    match = re.fullmatch(r"\s*([\d,-]+)\s+-\s+([\d,-]+)\s+\+\s+([\d,-]+)\s*", text, re.ASCII)
    if match is None:
        raise UserError(f"--arithmetic is of seeds, such as '1,4 - 2,3 + 5-7', not {text!r}")
    groups = [latents_of(run, parse_seeds(part, "--arithmetic")) for part in match.groups()]
    means = [np.asarray(group.mean(axis=0)) for group in groups]
    return np.stack([*means, arithmetic(*groups)])


def latents_of(run: "LoadedRun | PretrainedGenerator", seeds: list[int]) -> "np.ndarray":
    """Returns the latents ``[n, ...]`` of the first sample of each seed."""
    import jax
    import numpy as np

    return np.concatenate([run.sampler.latents(jax.random.key(seed), 1) for seed in seeds])


def rows_of(samples: "np.ndarray", frames: int) -> "np.ndarray":
    """Returns the samples of an open path row by row; each row ends where the next begins."""
    import numpy as np

    starts = range(0, len(samples) - 1, frames)
    return np.concatenate([samples[start : start + frames + 1] for start in starts])


def check_images(out: Path, shape: tuple[int, ...]) -> None:
    """Raises UserError if pictures are asked for of samples that are not images."""
    if out.suffix != ".npy" and (len(shape) != 3 or shape[2] not in (1, 3)):
        raise UserError(
            f"pictures are of images of 1 or 3 channels, the samples are {shape}: choose a .npy"
        )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir"])
    parser.add_argument("--workdir", help="the directory of the run")
    parser.add_argument("--pretrained", metavar="NAME", help="a generator that is shipped, or .npz")
    parser.add_argument("--out", required=True, help="a .png, .gif, .mp4 or .npy file")
    parser.add_argument("--seeds", help="where the path leads through, such as 0-7 or 3,7,12")
    parser.add_argument("--arithmetic", help="of seeds, such as '1,4,9 - 2,3,8 + 5,6,7'")
    parser.add_argument("--frames", type=int, help="from one seed to the next")
    parser.add_argument("--fps", type=float, default=20.0, help="of an animation (default: 20)")
    parser.add_argument("--closed", action="store_true", help="return to the first seed")
    parser.add_argument("--linear", action="store_true", help="straight lines in place of arcs")
    parser.add_argument("--label", help="a class by name or number (default: the first)")
    parser.add_argument("--step", type=int, help="of the checkpoint (default: the newest)")
    parser.add_argument("--ema", default="", help="a moving average (default: the first)")
    parser.add_argument(
        "--truncation", type=float, help="of the styles of a StyleGAN2, such as 0.7"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    suffix = Path(flags.out).suffix
    if suffix not in FRAMES:
        raise UserError(f"--out ends in {', '.join(FRAMES)}, not {flags.out!r}")
    if (flags.seeds is None) == (flags.arithmetic is None):
        raise UserError("pass either --seeds, of a path, or --arithmetic")
    if flags.arithmetic and suffix in (".gif", ".mp4"):
        raise UserError("--arithmetic is shown in a .png, or written to a .npy")
    if suffix in (".gif", ".mp4"):
        from gan_jax.loggers.animations import check_animation

        check_animation(flags.out)
    check_output(Path(flags.out), flags.overwrite)
    if flags.frames is None:
        flags.frames = FRAMES[suffix]
    if not 1 <= flags.frames <= 10_000:
        raise UserError(f"--frames is from 1 to 10000, not {flags.frames}")
    if not 0.1 <= flags.fps <= 50:
        raise UserError(f"--fps is from 0.1 to 50, not {flags.fps}")
    return flags


if __name__ == "__main__":
    main(interpolate)
