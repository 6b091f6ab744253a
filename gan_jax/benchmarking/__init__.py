"""Timings beside other packages, and where the time of a program goes."""

from gan_jax.benchmarking.timing import (
    AGREE,
    CANARY,
    CANARY_FLOPS,
    COLUMNS,
    FREE,
    KINDS,
    REST,
    WAIT,
    WIDTHS,
    Contest,
    Result,
    Seconds,
    draw,
    run,
    save,
    timed,
)

__all__ = [
    "AGREE",
    "CANARY",
    "CANARY_FLOPS",
    "COLUMNS",
    "FREE",
    "KINDS",
    "REST",
    "WAIT",
    "WIDTHS",
    "Contest",
    "Result",
    "Seconds",
    "draw",
    "run",
    "save",
    "timed",
]
