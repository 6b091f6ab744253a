"""The runs of the figure objective_sensitivity: objectives, ranges, and random draws from them."""

import itertools
from typing import NamedTuple

import numpy as np

from gan_jax.reproduction import Run

CONFIG = "configs/ring.py:non_saturating"
DISCRIMINATOR_UPDATES = 10_000
"""Those of every run: with 5 of them per step it has a fifth of the steps."""

COMMON = (
    "batch_size=64",
    "num_samples=2500",
    "keep_checkpoints=2",
    "health=false",
    "metrics=",
)
NETWORKS = (
    "mlp(latent_size=2, generator_widths=(128, 128), discriminator_widths=(64, 64), "
    "init='he_uniform', input_scale=1.0, discriminator_norm='{}')"
)
ADAM = "adam(learning_rate=1e-4, b1=0.5, b2=0.999)"
OBJECTIVES = {
    "MM GAN": "minimax()",
    "NS GAN": "non_saturating()",
    "LSGAN": "least_squares()",
    "hinge": "hinge()",
    "WGAN": "wasserstein()",
    "WGAN-GP": "wasserstein + gradient_penalty(weight=10.0)",
    "DRAGAN": "non_saturating + dragan(weight=10.0)",
}
WIDE, NARROW = "wide", "narrow"
LEARNING_RATES = {WIDE: (1e-5, 1e-2), NARROW: (1e-4, 1e-3)}
MOMENTUMS = {WIDE: (0.0, 1.0), NARROW: (0.5, 0.5)}
BOUNDS = {WIDE: (1e-3, 1.0), NARROW: (1e-2, 1.0)}
PENALTY_WEIGHTS = {WIDE: (0.1, 100.0), NARROW: (0.1, 10.0)}
DISCRIMINATOR_STEPS = {WIDE: (1, 5), NARROW: (1,)}
NORMS = ("none", "batch")
DRAWS = 25
"""Of each group."""


class Group(NamedTuple):
    """Draws that differ in numbers only, and so train as one population.

    Attributes:
      objective: one of `OBJECTIVES`.
      stage: `WIDE` or `NARROW`.
      discriminator_steps: updates of the discriminator per step.
      norm: the discriminator's, one of `NORMS`.
      part: tells groups apart that are alike otherwise.
    """

    objective: str
    stage: str
    discriminator_steps: int
    norm: str
    part: int

    @property
    def name(self) -> str:
        """The name of the group's run."""
        norm = "BatchNorm" if self.norm == "batch" else "no norm"
        return (
            f"{self.objective}, {self.stage}, {norm}, {self.discriminator_steps} per step, "
            f"part {self.part}"
        )


def groups() -> list[Group]:
    """Returns all groups: 4 of the wide ranges and 2 of the narrow ones for each objective."""
    made = []
    for objective, stage in itertools.product(OBJECTIVES, (WIDE, NARROW)):
        norms = NORMS
        if stage == NARROW and _penalty(objective):
            norms = ("none", "none")
        for steps, (part, norm) in itertools.product(DISCRIMINATOR_STEPS[stage], enumerate(norms)):
            made.append(Group(objective, stage, steps, norm, part))
    return made


def _penalty(objective: str) -> str:
    """Returns the name of an objective's penalty, empty if it has none."""
    names = [name for name in ("gradient_penalty", "dragan") if name in OBJECTIVES[objective]]
    return names[0] if names else ""


def numbers_of(group: Group) -> dict[str, tuple[float, ...]]:
    """Draws the numbers of a group: a value per draw, by the fields of the config."""
    rng = np.random.default_rng([groups().index(group), DRAWS])
    shares = rng.uniform(size=(DRAWS, 3)).T
    rates = _log_uniform(shares[0], LEARNING_RATES[group.stage])
    low, high = MOMENTUMS[group.stage]
    b1 = tuple(float(low + (high - low) * share) for share in shares[1])
    values = {
        "generator_optimizer.adam.learning_rate": rates,
        "generator_optimizer.adam.b1": b1,
        "discriminator_optimizer.adam.learning_rate": rates,
        "discriminator_optimizer.adam.b1": b1,
    }
    if group.objective == "WGAN":
        bounds = _log_uniform(shares[2], BOUNDS[group.stage])
        values["discriminator_optimizer.clip_weights.bound"] = bounds
    if penalty := _penalty(group.objective):
        weights = _log_uniform(shares[2], PENALTY_WEIGHTS[group.stage])
        values[f"objective.{penalty}.weight"] = weights
    return values


def _log_uniform(shares: np.ndarray, limits: tuple[float, float]) -> tuple[float, ...]:
    low, high = limits
    return tuple(float(low * (high / low) ** share) for share in shares)


def steps(count: int) -> tuple[str, ...]:
    """Returns the overrides of a run of so many steps that is sampled at its end."""
    names = ("evaluate_every", "sample_every", "log_every")
    return (
        f"steps={count}",
        f"checkpoint_every={count // 2}",
        *(f"{name}={count}" for name in names),
    )


def run_of(group: Group) -> Run:
    """Returns the run of a group."""
    clipping = " + clip_weights(bound=0.01)" if group.objective == "WGAN" else ""
    overrides = (
        *COMMON,
        *steps(DISCRIMINATOR_UPDATES // group.discriminator_steps),
        f"networks={NETWORKS.format(group.norm)}",
        f"objective={OBJECTIVES[group.objective]}",
        f"discriminator_steps={group.discriminator_steps}",
        f"generator_optimizer={ADAM}",
        f"discriminator_optimizer={ADAM}{clipping}",
    )
    return Run(CONFIG, overrides, numbers_of(group))


GROUPS = {group.name: group for group in groups()}
RUNS = {name: run_of(group) for name, group in GROUPS.items()}


def rerun(name: str, draw: int) -> Run:
    """Returns the run of one draw of a group, for other seeds.

    Args:
      name: of the group.
      draw: its index.
    """
    run = RUNS[name]
    numbers = tuple(f"{field}={values[draw]!r}" for field, values in run.numbers.items())
    return Run(run.config, (*run.overrides, *numbers))
