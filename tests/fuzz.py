"""Tries the property tests with random inputs for a time: `make fuzz SECONDS=600`.

The properties are those of the test suite, in `tests/**/test_*_properties.py`. Each round tries
each of them with new inputs. What is needed to reproduce a failure goes to `fuzz_failures/`, and
nothing else is written. Exits with 1 if there was a failure.
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

import pytest
from pytest import ExitCode

TESTS = Path(__file__).resolve().parent
FAILURES = TESTS.parent / "fuzz_failures"


class Progress:
    """A pytest plugin: ends on time, prints each property's inputs, and keeps failures."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.start = time.monotonic()
        self.seed = 0
        self.properties = 0
        self.failed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves out ordinary tests, and properties that have failed."""
        items[:] = [
            item
            for item in items
            if item.get_closest_marker("hypothesis") and item.nodeid not in self.failed
        ]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Prints why a file of tests cannot be loaded."""
        if report.failed:
            self.failed.add(report.nodeid)
            print(f"FAILED {report.nodeid}\n{report.longreprtext}", flush=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Stops once the time is over: True says that the property needs not be run."""
        if time.monotonic() < self.end:
            return None
        item.session.shouldstop = "the time is over"
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Prints a line for each property; writes what reproduces a failure."""
        if report.failed:
            self.failed.add(report.nodeid)
            FAILURES.mkdir(exist_ok=True)
            name = report.nodeid.rpartition("/")[2].replace("::", "-").replace("[", "-")
            file = FAILURES / f"{name.rstrip(']')}.txt"
            file.write_text(f"--hypothesis-seed={self.seed}\n{report.longreprtext}\n")
            print(f"FAILED {report.nodeid}: see {file}", flush=True)
        if report.when == "call":
            self.properties += 1
            self.print_line(report.nodeid.rpartition("::")[2])

    def print_line(self, what: str) -> None:
        """Prints how far the fuzzing is."""
        from properties import tried

        seconds = time.monotonic() - self.start
        print(
            f"{seconds:6.0f} s  {tried['inputs']:9,} inputs ({tried['inputs'] / seconds:,.0f} "
            f"per s), {tried['refused']:,} refused, {len(self.failed)} failures  {what}",
            flush=True,
        )


def main() -> int:
    """Runs rounds until the time is over, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    flags = parser.parse_args()
    files = sorted(map(str, TESTS.rglob("test_*_properties.py")))
    progress = Progress(flags.seconds)
    while time.monotonic() < progress.end:
        progress.seed, before = secrets.randbelow(2**31), progress.properties
        options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts="]
        options += ["-W", "ignore", "--hypothesis-profile=fuzz"]
        with tempfile.TemporaryDirectory() as directory:
            code = pytest.main(
                [
                    *files,
                    *options,
                    f"--hypothesis-seed={progress.seed}",
                    f"--basetemp={directory}/pytest",
                ],
                plugins=[progress],
            )
        if progress.properties == before or code in (ExitCode.INTERNAL_ERROR, ExitCode.USAGE_ERROR):
            break  # all have failed, or cannot be loaded
        if code == ExitCode.INTERRUPTED and time.monotonic() < progress.end:
            return 130
    progress.print_line("done")
    return 1 if progress.failed or not progress.properties else 0


if __name__ == "__main__":
    sys.exit(main())
