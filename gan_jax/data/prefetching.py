"""Makes items ahead of time on a background thread."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Yields the same items in the same order, made ahead of time on a background thread.

    An exception of ``items`` is raised here, after the items before it. The thread starts when the
    first item is requested. It ends when the items end, or when this iterator is closed or
    collected; ``items`` is closed if it is a generator.

    Args:
      items: the items.
      ahead: how many of them may wait to be requested.

    Returns:
      The iterator.
    """
    # (True, item), and at the end (False, the exception that ended the items, or None).
    waiting: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=max(1, ahead))
    stopped = threading.Event()

    def produce() -> None:
        source = iter(items)
        try:
            for item in source:
                waiting.put((True, item))
                if stopped.is_set():
                    return
            waiting.put((False, None))
        except BaseException as error:  # any kind: the consumer handles it
            waiting.put((False, error))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def consume() -> Iterator[Item]:
        thread = threading.Thread(target=produce, name="prefetch", daemon=True)
        thread.start()
        try:
            while True:
                more, value = waiting.get()
                if more:
                    yield value
                elif value is None:
                    return
                else:
                    raise value
        finally:
            stopped.set()
            # Makes room in the queue, so that a thread that waits to put an item sees the event.
            while thread.is_alive():
                try:
                    waiting.get(timeout=0.05)
                except queue.Empty:
                    pass

    return consume()
