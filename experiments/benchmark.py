"""Times gan_jax next to the packages that a user would pick instead, on the same work.

    python experiments/benchmark.py metrics [--rounds=15] [--only=kernel] [--small]
        [--profile] [--out=results/benchmark/metrics]

Cases are the files of experiments/benchmarks/. Each comparison prints a line: the median times of a
step, and how many times as fast gan_jax is, per round, with quartiles; "unstable" means that the
machine was too busy to tell. --out writes a table (.json, .md) or a plot (.png), or all three if it
has no such ending. To install the peers: pip install -e '.[oracles]'

--profile says where the time of gan_jax's side goes, by XLA's names of operations, and times no
peers; --out writes it as .md.
"""

import importlib.util
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, check_output, main

if TYPE_CHECKING:
    from gan_jax.benchmarking import Comparison

CASES = Path(__file__).resolve().parent / "benchmarks"


def benchmark(arguments: list[str]) -> None:
    """Runs the command with these arguments."""
    parser = Parser(__doc__)
    parser.add_argument("case", nargs="?", help=", ".join(case_names()))
    parser.add_argument("--rounds", type=int, default=15, help="rounds of calls of all sides (15)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only names with this text")
    parser.add_argument("--small", action="store_true", help="small sizes, for a quick look")
    parser.add_argument("--profile", action="store_true", help="profile gan_jax, time no peers")
    parser.add_argument("--out", metavar="FILE", help="where to write the table")
    flags = parser.parse_args(arguments)
    if not flags.case:
        raise UserError(f"name a case: {', '.join(case_names())}")
    if flags.case not in case_names():
        raise UserError(f"name a case: {', '.join(case_names())}; not {flags.case!r}")
    if flags.rounds < 1:
        raise UserError(f"--rounds must be at least 1, not {flags.rounds}")
    if flags.out:
        check_output(Path(flags.out), overwrite=True)
    from gan_jax import benchmarking

    command = shlex.join(["python", "experiments/benchmark.py", *arguments])
    set_up_jax()
    case = load_case(flags.case)
    try:
        comparisons = case.comparisons(flags.small)
        if flags.profile:
            profile(comparisons, flags.only, flags.out, command)
            return
        patience = 0.0 if flags.small else 20.0
        results = benchmarking.compare_all(comparisons, flags.rounds, flags.only, patience)
    except ModuleNotFoundError as error:
        install = "pip install -e '.[oracles]'"
        raise UserError(f"the case {flags.case} needs {error.name}: {install}") from error
    if flags.out:
        title = (case.__doc__ or flags.case).strip()
        benchmarking.save(benchmarking.describe(results, title, case.PACKAGES, command), flags.out)


def profile(comparisons: Iterable["Comparison"], only: str, out: str | None, command: str) -> None:
    """Profiles gan_jax's side of each comparison with ``only`` in its name."""
    from gan_jax import files
    from gan_jax.benchmarking import profiling

    sections = []
    for comparison in comparisons:
        if only.lower() not in comparison.name.lower():
            continue
        comparison.ours()  # compiles
        operations = profiling.profile(comparison.ours)
        text = profiling.to_markdown(operations, comparison.steps)
        sections.append(f"{comparison.name}: {text}")
        print(sections[-1] + "\n", flush=True)
    if not sections:
        raise UserError(f"no comparison has {only!r} in its name")
    if out:
        path = Path(out)
        if path.suffix != ".md":
            path = path.with_name(path.name + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        origin = f"`{command}`; an operation's time lasts until the next one starts."
        files.write_text(path, "\n\n".join([origin, *sections]) + "\n")


def case_names() -> list[str]:
    """Returns the names of the files in the folder of cases."""
    return sorted(path.stem for path in CASES.glob("[a-z]*.py"))


def load_case(name: str) -> ModuleType:
    """Imports a case. What the cases share lies in the same folder, which is put on the path."""
    if str(CASES) not in sys.path:
        sys.path.insert(0, str(CASES))
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", CASES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    case = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(case)
    return case


if __name__ == "__main__":
    main(benchmark)
