"""How fast a run is, and what it spends its time on."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import jax

PREFIX = "pace/"
"""Of the names of these metrics."""

Part = Literal["input", "compile", "evaluation", "saving"]
"""What else than training time is spent on: waiting for the host's next batch; starting programs
for the first time, which traces and compiles them; scores and pictures; checkpoints."""

PARTS: tuple[Part, ...] = get_args(Part)


class Pace:
    """Measures between the rows of metrics of a run."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._began, self._samples = time.perf_counter(), 0
        self._seconds: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def spent_on(self, part: Part) -> Iterator[None]:
        """Counts the time of a block as spent on a part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[part] += time.perf_counter() - began

    def add_samples(self, samples: int) -> None:
        """Counts real samples that steps have taken."""
        self._samples += samples

    def measure(self) -> dict[str, float]:
        """Returns what was measured since the last call.

        Returns:
          ``pace/samples_per_second``, real samples of all devices and discriminator steps in the
          time that is not spent on the parts; ``pace/input`` and so on, the share of each part in
          the whole time; and ``pace/device_memory``, the most bytes that were in use on the first
          device since the process began, if the device tells them.
        """
        seconds = max(time.perf_counter() - self._began, 1e-9)
        parts = {part: self._seconds[part] / seconds for part in PARTS}
        training = max(seconds - sum(self._seconds.values()), 1e-9)
        values = {f"{PREFIX}{part}": share for part, share in parts.items()}
        values[f"{PREFIX}samples_per_second"] = self._samples / training
        memory = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        if memory is not None:
            values[f"{PREFIX}device_memory"] = float(memory)
        self._restart()
        return values


def describe(values: Mapping[str, float]) -> str:
    """Returns what `Pace.measure` gives as text for a progress line; shares from 1% on."""
    texts = [f"{values[f'{PREFIX}samples_per_second']:.4g} samples/s"]
    if f"{PREFIX}device_memory" in values:
        texts.append(f"{values[f'{PREFIX}device_memory'] / 2**30:.2f} GiB")
    for part in PARTS:
        share = values[f"{PREFIX}{part}"]
        if share >= 0.01:
            texts.append(f"{part} {share:.0%}")
    return "  ".join(texts)
