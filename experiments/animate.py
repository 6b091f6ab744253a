"""Shows how a run learned: the pictures of its samples over training, as an animation.

    python experiments/animate.py --workdir=runs/dcgan --out=training.gif
    python experiments/animate.py --workdir=runs/ring --out=training.mp4 --fps=10 --last=2000

All pictures of a run, in its folder samples/, are of the same latents: only the generator changes.
Train with a smaller --config.sample_every for a smoother animation.
"""

import argparse
from pathlib import Path

from gan_jax.errors import UserError, storage_failure
from gan_jax.experiment.command_line import Parser, check_output, main


def animate(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)

    from gan_jax.experiment.remote_runs import fetched
    from gan_jax.experiment.run_directory import pictures_over_training
    from gan_jax.loggers.animations import save_animation
    from gan_jax.loggers.images import read_image

    out = Path(flags.out)
    pictures = pictures_over_training(fetched(flags.workdir))
    chosen = [(step, path) for step, path in pictures if flags.first <= step <= flags.last]
    if not chosen:
        raise UserError(f"{flags.workdir} has no pictures in samples/ of the steps asked for")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        frames = [read_image(path) for _, path in chosen]
        # A run that went on with another config.num_samples has pictures of two sizes.
        frames = [frame for frame in frames if frame.shape == frames[-1].shape]
        save_animation(out, frames, flags.fps, hold_last=flags.hold)
    except OSError as error:
        if storage_failure(error):
            raise
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    first, last = chosen[-len(frames)][0], chosen[-1][0]
    print(f"{out}: {len(frames)} pictures, from step {first} to {last}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir"])
    parser.add_argument("--workdir", required=True, help="the directory of the run")
    parser.add_argument("--out", required=True, help="a .gif or .mp4 file that does not exist yet")
    parser.add_argument("--fps", type=float, default=5.0, help="pictures a second (default: 5)")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds at the end (default: 2)")
    parser.add_argument("--first", type=int, default=0, help="step that is shown")
    parser.add_argument("--last", type=int, default=2**62, help="step that is shown")
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    from gan_jax.loggers.animations import check_animation

    check_animation(flags.out)
    check_output(Path(flags.out), flags.overwrite)
    if not 0 <= flags.hold <= 60:
        raise UserError(f"--hold is from 0 to 60 seconds, not {flags.hold}")
    return flags


if __name__ == "__main__":
    main(animate)
