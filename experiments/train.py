"""Trains one config in one workdir; the same command resumes it.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring [--config.discriminator_steps=5 ...]

Any field of configs/default.py is a flag; named parts take text such as
--config.objective='wasserstein + gradient_penalty(weight=10)'.

Many seeds or learning rates as one program: --config.population.seed='range(8)'; a run of each lies in members/.
Many processes: the same command in each of them, with --distributed under SLURM, on a TPU pod or on GKE, and elsewhere
with --coordinator=HOST:PORT --processes=N --process=I.
"""

import contextlib

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.experiment.command_line import Parser, expanded, main, split_overrides
from gan_jax.loggers import progress


def train(arguments: list[str]) -> None:
    overrides, rest = split_overrides(arguments)
    parser = Parser(__doc__)
    parser.add_argument(
        "--config", required=True, metavar="FILE.py[:VARIANT]", help="a file under configs/"
    )
    parser.add_argument(
        "--workdir", required=True, help="where checkpoints, metrics and samples go"
    )
    parser.add_argument(
        "--distributed", action="store_true", help="one of several processes, as the cluster says"
    )
    parser.add_argument(
        "--coordinator",
        default="",
        metavar="HOST:PORT",
        help="address of process 0, the same for all",
    )
    parser.add_argument("--processes", type=int, default=0, help="how many there are")
    parser.add_argument("--process", type=int, default=-1, help="which this is, from 0")
    flags = parser.parse_args(rest)

    from gan_jax.experiment import config, population

    loaded = config.load(flags.config, overrides)
    workdir = expanded(flags.workdir)
    members = population.members(config.to_dict(loaded))
    set_up_jax([len(members)] if members else [])
    from gan_jax.distributed import multihost
    from gan_jax.experiment import training_loop
    from gan_jax.sweeps.naming import with_wandb_name

    in_job = flags.distributed or flags.coordinator or flags.processes or flags.process >= 0
    with (
        multihost.job(flags.coordinator, flags.processes, flags.process)
        if in_job
        else contextlib.nullcontext()
    ):
        metrics = training_loop.run(with_wandb_name(flags.config, config.to_dict(loaded)), workdir)
        if not multihost.is_main_process():
            return
    shown = {name: value for name, value in metrics.items() if name != "time" and value is not None}
    print("  ".join(f"{name} {progress.format_number(value)}" for name, value in shown.items()))


if __name__ == "__main__":
    main(train)
