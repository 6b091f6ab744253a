"""Writes a run's networks as one portable file, which Python with jax alone loads and runs.

    python experiments/export.py --workdir=runs/ring --out=ring.zip [--step=5000] [--discriminator]

Its README.txt says how. Programs take batches of any size; the generator's holds its standing
statistics, and draws the samples of sample.py from the same seed. The discriminator's score is an
anomaly score with its sign changed.
"""

import argparse
import dataclasses
from pathlib import Path

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, storage_failure
from gan_jax.experiment.command_line import Parser, check_output, main

CHECKED = 8
"""How many samples of the file are compared with those of the run."""


def export(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    out = Path(flags.out)
    set_up_jax()

    import jax
    import numpy as np

    from gan_jax.experiment.loading import load
    from gan_jax.experiment.settings import as_config
    from gan_jax.training import exporting

    platforms = exporting.PLATFORMS
    if flags.platforms:
        platforms = tuple(flags.platforms.split(","))
    for platform in platforms:
        if platform not in exporting.PLATFORMS:
            known = ", ".join(exporting.PLATFORMS)
            raise UserError(f"--platforms are some of {known}, not {platform!r}")
    run = load(flags.workdir, flags.step)
    conditions = run.sampler.conditions(np.arange(CHECKED))
    generator = exporting.export_generator(run.sampler, platforms)
    exported = {"generator": generator}
    if flags.discriminator:
        one = {name: leaf[:1] for name, leaf in conditions.items()}
        exported["discriminator"] = exporting.export_discriminator(
            run.networks,
            run.state.discriminator.params,
            run.experiment.dataset.shape,
            one,
            platforms,
        )
    dataset = run.experiment.dataset
    metadata = {
        "step": run.step,
        "shape": dataset.shape,
        "classes": dataset.classes,
        "values": "in [-1, 1]" if len(dataset.shape) == 3 else "as those of the dataset",
        "platforms": platforms,
        "jax": jax.__version__,
        "config": as_config(dataclasses.replace(run.settings, python_path=())),
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        exporting.write(out, exported, metadata)
    except OSError as error:
        if storage_failure(error):
            raise
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, step {run.step}, for {', '.join(platforms)}")
    if jax.default_backend() in platforms:
        conditions.pop("fade", None)
        index = np.arange(CHECKED, dtype=np.int32)
        drawn = generator.programs["sample"].call(
            generator.parameters, np.uint32(0), index, **conditions
        )
        difference = np.abs(np.asarray(drawn) - run.sample(CHECKED)).max()
        print(f"its first {CHECKED} samples differ from the run's by at most {difference:.1e}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir"])
    parser.add_argument("--workdir", required=True, help="the directory of the run")
    parser.add_argument("--out", required=True, help="a .zip file that does not exist yet")
    parser.add_argument("--step", type=int, help="of the checkpoint (default: the newest)")
    parser.add_argument("--discriminator", action="store_true", help="export it, too")
    parser.add_argument("--platforms", help="cpu,cuda,rocm,tpu or some of them (default: all)")
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    if Path(flags.out).suffix != ".zip":
        raise UserError(f"--out ends in .zip, not {flags.out!r}")
    check_output(Path(flags.out), flags.overwrite)
    return flags


if __name__ == "__main__":
    main(export)
