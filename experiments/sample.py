"""Draws samples from a checkpoint of a run: a grid of images, or points.

    python experiments/sample.py --workdir=runs/ring --num=64 --out=samples.png [--step=5000] [--seed=1] [--label=3]

--out ending in .npy writes the array itself, samples [num, ...] float32.
"""

from pathlib import Path

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main


def sample(arguments: list[str]) -> None:
    parser = Parser(__doc__)
    parser.add_argument("--workdir", required=True)
    parser.add_argument(
        "--out", required=True, help="a .png or .npy file, which must not exist yet"
    )
    parser.add_argument("--num", type=int, default=64, help="how many (64)")
    parser.add_argument("--step", type=int, help="of which checkpoint (the newest)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--label", type=int, help="of one class only, where the networks take labels"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --out where it exists")
    flags = parser.parse_args(arguments)
    out = Path(flags.out)
    if out.suffix not in (".png", ".npy"):
        raise UserError(f"--out ends in .png or .npy, not {flags.out!r}")
    if out.exists() and not flags.overwrite:
        raise UserError(f"{out} exists: choose another --out or add --overwrite")
    if flags.num < 1:
        raise UserError(f"--num must be at least 1, not {flags.num}")
    set_up_jax()

    import jax
    import numpy as np

    from gan_jax.experiment.loading import load
    from gan_jax.loggers import plots

    run = load(flags.workdir, flags.step)
    step, draw, dataset = run.step, run.sampler, run.experiment.dataset
    classes = dataset.classes
    if flags.label is not None and not 0 <= flags.label < classes:
        raise UserError(f"--label is below the {classes} classes of this run, not {flags.label}")
    label, columns = plots.class_rows(flags.num, classes)
    if flags.label is not None:
        label, columns = np.full(flags.num, flags.label), None
    samples = draw(jax.random.key(flags.seed), flags.num, label)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npy":
        np.save(out, samples)
    else:
        plots.save_samples(out, samples, dataset, columns)
    print(f"{out}: {flags.num} samples of step {step}")


if __name__ == "__main__":
    main(sample)
