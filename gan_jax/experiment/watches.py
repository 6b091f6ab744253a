"""The watches over the rows of all members of a run: what they say, and who ends early."""

import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from gan_jax.distributed import multihost
from gan_jax.experiment.roll_backs import NeedsRollBack
from gan_jax.experiment.row_watch import RowWatch
from gan_jax.experiment.run_writer import RunWriter
from gan_jax.experiment.signals import StoppedBySignal
from gan_jax.loggers.progress import print_line


class Watches:
    """A `RowWatch` for each run that is training.

    Args:
      writers: of these runs, by index.
      first: the step from which they train.
      is_population: whether lines name the member.
    """

    def __init__(self, writers: Mapping[int, RunWriter], first: int, is_population: bool) -> None:
        self._writers, self._is_population = dict(writers), is_population
        self._watches: dict[int, RowWatch] = {
            index: writer.watch(first) for index, writer in writers.items()
        }

    def check(self, step: int) -> None:
        """Raises `NeedsRollBack` if a run is in trouble, and goes back to a checkpoint for it.

        Args:
          step: of its newest row. After the last step no run goes back.
        """
        for index, watch in self._watches.items():
            if not watch.may_go_back or step >= self._writers[index].settings.steps:
                continue
            target = watch.step_to_go_back_to()
            # The first process alone has read the rows of a run that was resumed.
            known = target if isinstance(target, int) and multihost.is_main_process() else -1
            chosen = multihost.highest_of_processes(known)
            if chosen >= 0:
                raise NeedsRollBack({index: f"step {step}: {watch.trouble()}"}, chosen)

    def judge(self, values: Mapping[int, Mapping[str, float]], step: int) -> dict[int, str]:
        """Says what has come or gone with new rows, and returns the reasons of runs that end here.

        Args:
          values: the rows of all runs that are training.
          step: of the rows.
        """
        ended = {}
        for index, row in values.items():
            watch = self._watches[index]
            whose = f"member {index}: " if self._is_population else ""
            lines = [
                f"{whose}health at step {step}: {line}"
                for line in watch.look({**row, "step": step})
            ]
            reason = watch.reason_to_end() if step < self._writers[index].settings.steps else ""
            # The first process alone has read the rows of a run that was resumed.
            if multihost.any_process(bool(reason) and multihost.is_main_process()):
                ended[index] = reason
                lines.append(f"{whose}stopped at step {step}: {reason}")
            if multihost.is_main_process():
                for line in lines:
                    print_line(line)
        return ended


def leave(writers: Sequence[RunWriter], step: int, number: int) -> NoReturn:
    """Ends a run that a signal stops, once all is saved. Raises `StoppedBySignal`."""
    for writer in writers:
        writer.checkpoints.close()
    if multihost.is_main_process():
        name = signal.Signals(number).name
        print_line(f"stopped by {name} at step {step}, saved; the same command resumes")
    raise StoppedBySignal(number)
