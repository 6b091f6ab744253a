"""A forecast as lines of text."""

import math
from collections.abc import Iterator

from gan_jax.forecasting.forecasts import Forecast, Shapes

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def lines_of(forecast: Forecast) -> Iterator[str]:
    """Says what a forecast found, for people."""
    yield from _network("generator", forecast.generator)
    yield from _network("discriminator", forecast.discriminator)
    shape = " x ".join(map(str, forecast.sample_shape))
    yield (
        f"batch: {forecast.batch_size} samples of {shape}, {forecast.discriminator_steps} "
        f"discriminator update{'s' * (forecast.discriminator_steps > 1)} a step, "
        f"{forecast.steps_per_call} steps a call"
    )
    yield ""
    machine, memory = forecast.machine, forecast.memory
    title = machine.chip.title if machine.chip else machine.platform.upper()
    count = len(machine.devices)
    yield f"compiled for {machine.name} ({count} x {title}) in {forecast.compile_seconds:.1f} s"
    yield "memory of each device"
    for name in ("parameters", "optimizers", "averages", "batch", "activations", "total"):
        yield f"  {name:12s} {si(getattr(memory, name))}B"
    if machine.memory is not None:
        fits = "fits" if memory.total <= machine.memory else "does not fit"
        yield f"  {'available':12s} {si(machine.memory)}B: it {fits}"
    if forecast.largest_batch is not None:
        yield f"  the largest batch that fits is about {forecast.largest_batch:,}"
    yield "each step, on each device"
    costs = forecast.costs
    yield f"  {'flops':12s} {si(forecast.flops)}FLOP in matrix products and convolutions"
    yield f"  {'bytes':12s} {si(costs.bytes)}B to and from memory at most"
    yield f"  {'kernels':12s} {costs.kernels:.1f}"
    if count > 1:
        yield f"  {'collectives':12s} {costs.collectives:.1f}, of {si(costs.sent)}B"
    if costs.loops_of_unknown_length:
        yield "  loops of unknown length were counted as one round"
    if seconds := forecast.seconds:
        alone = ", ".join(f"{name} {_duration(value)}" for name, value in seconds.items() if value)
        least = max(value for name, value in seconds.items() if name != "communication")
        least += seconds["communication"]
        yield f"  forecast, not measured: {alone}; so at most {1 / least:,.0f} steps/s"


def _network(name: str, shapes: Shapes) -> Iterator[str]:
    total = sum(math.prod(shape) for shape, _ in shapes.values())
    yield f"{name}: {total:,} parameters"
    width = max(map(len, shapes), default=0)
    for path, (shape, dtype) in shapes.items():
        yield f"  {path:{width}s}  {math.prod(shape):>10,}  {list(shape)} {dtype}"
    yield ""


def si(value: float) -> str:
    """Formats a number with three digits and a unit's prefix: 1234567 as "1.23 M"."""
    for size, prefix in UNITS:
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g} "


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"
