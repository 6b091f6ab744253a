"""Times gan_jax beside the packages that a user would pick instead, on the same work in the same process.

    python experiments/benchmark.py metrics [--rounds=15] [--only=kernel] [--small] [--out=results/benchmark/metrics]

Cases are the files of experiments/benchmarks/. Each prints a line a contest: the median times of a step, and how many times
as fast gan_jax is, per round, with its quartiles; "unstable" where the machine was too busy to tell. --out writes a table as
.json, .md, a plot as .png, all three where it has no such ending. The peers are installed by: pip install -e '.[oracles]'

--profile says where the time of our side goes instead, by XLA's names of its operations; --out writes it as .md.
"""

import importlib.util
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main

if TYPE_CHECKING:
    from gan_jax.benchmarking import Contest

FOLDER = Path(__file__).resolve().parent / "benchmarks"


def benchmark(arguments: list[str]) -> None:
    parser = Parser(__doc__)
    parser.add_argument("case", nargs="?", help=", ".join(cases()))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="contests with this in their names"
    )
    parser.add_argument("--small", action="store_true", help="small sizes, for a quick look")
    parser.add_argument(
        "--profile", action="store_true", help="our side alone, operation by operation"
    )
    parser.add_argument("--out", metavar="FILE", help="where to write the table")
    flags = parser.parse_args(arguments)
    if flags.case not in cases():
        raise UserError(
            f"name a case: {', '.join(cases())}" + (f"; not {flags.case!r}" if flags.case else "")
        )
    if flags.rounds < 1:
        raise UserError(f"--rounds must be at least 1, not {flags.rounds}")
    from gan_jax import benchmarking

    command = shlex.join(["python", "experiments/benchmark.py", *arguments])
    set_up_jax()
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))  # what cases share lies there too
    spec = importlib.util.spec_from_file_location(
        f"benchmarks_{flags.case}", FOLDER / f"{flags.case}.py"
    )
    assert spec is not None and spec.loader is not None
    case = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(case)
    try:
        contests = case.contests(flags.small)
        if flags.profile:
            return profile(contests, flags.only, flags.out, command)
        results = benchmarking.run(contests, flags.rounds, flags.only, 0.0 if flags.small else 20.0)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the case {flags.case} needs {error.name}: pip install -e '.[oracles]'"
        ) from error
    if flags.out:
        benchmarking.save(
            results, flags.out, (case.__doc__ or flags.case).strip(), case.PACKAGES, command
        )


def profile(contests: Iterable["Contest"], only: str, out: str | None, command: str) -> None:
    """Prints, and writes, where the time of our side goes in each contest with ``only`` in its name."""
    from gan_jax.benchmarking import profiling

    written = []
    for contest in contests:
        if only.lower() in contest.name.lower():
            contest.ours()  # compiles
            text = profiling.table(profiling.operations(contest.ours), contest.steps)
            written.append(f"{contest.name}: {text}")
            print(written[-1] + "\n", flush=True)
    if not written:
        raise UserError(f"no contest has {only!r} in its name")
    if out:
        path = Path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        (path if path.suffix == ".md" else path.with_name(path.name + ".md")).write_text(
            "\n\n".join(
                [f"`{command}`; an operation's time is that until the next one starts.", *written]
            )
            + "\n",
            encoding="utf-8",
        )


def cases() -> list[str]:
    """The files of the folder, by name."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


if __name__ == "__main__":
    main(benchmark)
