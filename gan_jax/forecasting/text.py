"""A forecast as lines of text."""

import math
from collections.abc import Iterator, Mapping

from gan_jax.forecasting.forecasts import Forecast, Shapes

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def lines_of(forecast: Forecast) -> Iterator[str]:
    """Says what a forecast found, for people."""
    yield from _network("generator", forecast.generator)
    yield from _network("discriminator", forecast.discriminator)
    shape = " x ".join(map(str, forecast.sample_shape))
    if forecast.members > 1:
        yield f"population: {forecast.members} members"
    yield (
        f"batch: {forecast.batch_size} samples of {shape}, {forecast.discriminator_steps} "
        f"discriminator update{'s' * (forecast.discriminator_steps > 1)} a step, "
        f"{forecast.steps_per_call} steps a call"
    )
    yield ""
    machine, memory = forecast.machine, forecast.memory
    title = machine.chip.title if machine.chip else machine.platform.upper()
    count = len(machine.devices)
    took = f"{forecast.compile_seconds:.1f} s of CPU time"
    yield f"compiled for {machine.name} ({count} x {title}) in {took}"
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
    if machine.platform != "tpu":  # where they start without the host
        yield f"  {'kernels':12s} {costs.kernels:.1f}"
    if count > 1:
        yield f"  {'collectives':12s} {costs.collectives:.1f}, of {si(costs.sent)}B"
    if costs.loops_of_unknown_length:
        yield "  loops of unknown length were counted as one round"
    if seconds := forecast.seconds:
        alone = ", ".join(f"{name} {_duration(value)}" for name, value in seconds.items() if value)
        rate = 1 / _least(seconds)
        yield f"  forecast, not measured: {alone}; so at most {rate:,.0f} steps/s"


def table_row(forecast: Forecast) -> dict[str, str]:
    """Says the same in short, as columns of a table and what is in them."""
    costs, seconds, machine = forecast.costs, forecast.seconds, forecast.machine
    sizes = (
        sum(map(math.prod, _sizes(net))) for net in (forecast.generator, forecast.discriminator)
    )
    row = {
        "parameters, G and D": " and ".join(f"{size:,}" for size in sizes),
        "compiled in": f"{forecast.compile_seconds:.0f} s",
        "memory": f"{si(forecast.memory.total)}B",
        "work of a step": f"{si(forecast.flops)}FLOP",
        "moved at most": f"{si(costs.bytes)}B",
        "kernels": f"{costs.kernels:.0f}",
        "collectives": f"{costs.collectives:.0f} of {si(costs.sent)}B" if costs.collectives else "",
        "at most": f"{1 / _least(seconds):,.0f} steps/s" if seconds else "",
    }
    if machine.platform == "tpu":
        del row["kernels"]  # which start without the host
    return row


def _least(seconds: Mapping[str, float]) -> float:
    """Seconds that a step takes at least."""
    overlapping = (value for name, value in seconds.items() if name != "communication")
    return max(overlapping) + seconds["communication"]


def _sizes(shapes: Shapes) -> Iterator[tuple[int, ...]]:
    return (shape for shape, _ in shapes.values())


def _network(name: str, shapes: Shapes) -> Iterator[str]:
    total = sum(map(math.prod, _sizes(shapes)))
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
