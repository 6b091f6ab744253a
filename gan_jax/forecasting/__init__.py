"""What a run will take on a machine that may not be here: memory, work and time of a step.

    from gan_jax import experiment, forecasting

    settings = experiment.load_settings("configs/fashion_mnist.py:wgan_gp")
    forecasting.forecast(settings, "v5e:4x4").memory.total

The program is compiled for the machine, so what is said of memory, kernels and collectives is what
XLA has made; what is said of time follows from published rates and was not measured.
"""

from gan_jax.forecasting.flops import flops_of
from gan_jax.forecasting.forecasts import Forecast, forecast
from gan_jax.forecasting.machines import CHIPS, Chip, Machine, machine
from gan_jax.forecasting.program_costs import Costs, costs_of
from gan_jax.forecasting.step_programs import Memory
from gan_jax.forecasting.text import lines_of, table_row

__all__ = [
    "CHIPS",
    "Chip",
    "Costs",
    "Forecast",
    "Machine",
    "Memory",
    "costs_of",
    "flops_of",
    "forecast",
    "lines_of",
    "machine",
    "table_row",
]
