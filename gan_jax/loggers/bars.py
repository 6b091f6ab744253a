"""Bars and spinners at the bottom of a terminal. Elsewhere, as in a file or a pipe, nothing."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """A line that says what a command does, how far it is, and since when.

    Lines that are printed meanwhile appear above it. It leaves the cursor visible, so a process
    that ends at once does not spoil its terminal. Nothing is raised if the terminal is closed.

    Args:
      doing: a word or two.
      total: what `update` counts up to.
      quiet: whether to show nothing even in a terminal.
    """

    def __init__(self, doing: str, total: int | None = None, quiet: bool = False) -> None:
        self._bar: Progress | None = None
        if not quiet and sys.stdout.isatty():
            self._bar = _make_bar()
            self._total = total
            self._task = self._bar.add_task(doing, total=None)
            with contextlib.suppress(OSError):
                self._bar.start()

    def update(self, doing: str, done: int | None = None) -> None:
        """Says what is being done.

        Args:
          doing: a word or two.
          done: how far it is; None for what has no known end, such as a compilation.
        """
        if self._bar is not None:
            total = None if done is None else self._total
            with contextlib.suppress(OSError):
                self._bar.update(self._task, description=doing, completed=done, total=total)

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()


@contextlib.contextmanager
def spinner(doing: str) -> Iterator[None]:
    """Shows what is being done, and since when, during the ``with`` block."""
    with contextlib.closing(Bar(doing)):
        yield


def _make_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    class VisibleCursor(Console):
        """A console that never hides the cursor."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    return Progress(
        *columns, console=VisibleCursor(soft_wrap=True), transient=True, refresh_per_second=4
    )
