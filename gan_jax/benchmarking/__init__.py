"""Timings next to other packages: `timing` measures them, `report` tabulates and plots them.

`profiling` says where the time of a program goes, operation by operation.
"""

from gan_jax.benchmarking.profiling import Operation, profile
from gan_jax.benchmarking.report import Report, compare_all, describe, save
from gan_jax.benchmarking.timing import Call, Comparison, Result, SelfTimed, compare

__all__ = [
    "Call",
    "Comparison",
    "Operation",
    "Report",
    "Result",
    "SelfTimed",
    "compare",
    "compare_all",
    "describe",
    "profile",
    "save",
]
