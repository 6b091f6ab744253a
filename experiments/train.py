"""Trains one config in one workdir; the same command resumes it.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring [--config.turns=5 ...]

Any field of configs/default.py is a flag; named parts take text such as
--config.objective='wasserstein + gradient_penalty(weight=10)'.
"""

from gan_jax.command_line import Parser, main, set_up_jax, split_overrides


def train(arguments: list[str]) -> None:
    overrides, rest = split_overrides(arguments)
    parser = Parser(__doc__)
    parser.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]", help="a file under configs/")
    parser.add_argument("--workdir", required=True, help="where checkpoints, metrics and samples go")
    flags = parser.parse_args(rest)

    from gan_jax import config

    loaded = config.load(flags.config, overrides)
    set_up_jax()
    from gan_jax import running, writers

    metrics = running.run(config.to_dict(loaded), flags.workdir)
    shown = {name: value for name, value in metrics.items() if name != "time" and value is not None}
    print("  ".join(f"{name} {writers.short(value)}" for name, value in shown.items()))


if __name__ == "__main__":
    main(train)
