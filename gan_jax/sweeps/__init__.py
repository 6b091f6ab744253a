"""Sweeps: many runs of one config, from a search space in W&B's schema to what moves the metric.

Runs are trained on this machine or on a cluster; runs that differ only in numbers train together.
"""

from gan_jax.sweeps.cluster import submit
from gan_jax.sweeps.plan import Plan, Trial, make_plan, make_trials, save_plan
from gan_jax.sweeps.report import write_report
from gan_jax.sweeps.runner import run_sweep
from gan_jax.sweeps.sensitivity import analyse
from gan_jax.sweeps.space import Sweep, parse

__all__ = [
    "Plan",
    "Sweep",
    "Trial",
    "analyse",
    "make_plan",
    "make_trials",
    "parse",
    "run_sweep",
    "save_plan",
    "submit",
    "write_report",
]
