"""What a run will take on a machine, before it is started: compiled for it, nothing computed."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from gan_jax.errors import UserError, first_line
from gan_jax.experiment import builder, population
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.validation import check_experiment, check_settings
from gan_jax.forecasting.machines import Chip, Machine, machine
from gan_jax.forecasting.program_costs import Costs, costs_of
from gan_jax.forecasting.step_programs import Memory, StepProgram
from gan_jax.platforms import programs_for

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""By its path, the shape and dtype of each parameter of a network."""


@dataclass(frozen=True)
class Forecast:
    """What `forecast` returns. Numbers are of one device, and of one step where they are of work.

    Attributes:
      machine: what was compiled for.
      generator: the parameters of the generator.
      discriminator: the parameters of the discriminator.
      batch_size: of the global batch; of a population, of each member.
      sample_shape: of one sample.
      discriminator_steps: updates of the discriminator at a step.
      steps_per_call: steps in a call of the program.
      members: of the population; 1 for a run.
      memory: what lies on the device.
      flops: of matrix products and convolutions.
      costs: kernels, bytes and collectives.
      largest_batch: the largest global batch that fits, by a straight line through two batch sizes;
        None if the memory is unknown, or it was not asked for.
      compile_seconds: of CPU time, of all threads, that compiling took here.
    """

    machine: Machine
    generator: Shapes
    discriminator: Shapes
    batch_size: int
    sample_shape: tuple[int, ...]
    discriminator_steps: int
    steps_per_call: int
    members: int
    memory: Memory
    flops: float
    costs: Costs
    largest_batch: int | None
    compile_seconds: float

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of a step that each part alone would take, by part; empty without a chip.

        ``computation`` is flops over the chip's rate, ``memory`` bytes over its bandwidth,
        ``launches`` kernels times what it takes to start one, ``communication`` the bytes of a ring
        of all devices over the link, each collective taken for an all-reduce (an all-gather or a
        reduce-scatter takes half of that). The first two overlap, so that a step takes at least the
        largest of computation, memory and launches, and communication on top of it.
        """
        chip: Chip | None = self.machine.chip
        if chip is None:
            return {}
        devices = len(self.machine.devices)
        return {
            "computation": self.flops / chip.flops,
            "memory": self.costs.bytes / chip.bandwidth,
            "launches": self.costs.kernels * chip.launch,
            "communication": 2 * (devices - 1) / devices * self.costs.sent / chip.link,
        }


def forecast(
    settings: Settings,
    topology: str = "local",
    *,
    health: bool = False,
    largest_batch: bool = True,
) -> Forecast:
    """Compiles the train step of settings for a machine, and reads off what it will take.

    Nothing is trained or written. Of progressive growing it is the last stage.

    Args:
      settings: of a run, or of a population.
      topology: see `gan_jax.forecasting.machine`.
      health: whether the program measures health, as that of a run does. The costs are then those
        of a step that does, which is one in ``config.log_every``.
      largest_batch: whether to find it, which compiles twice.

    Raises:
      UserError: bad settings, a machine that is unknown or cannot be compiled for, or a program
        that needs more memory than a device of it has.
    """
    target = machine(topology)
    members = population.member_settings(settings)
    for run in members or [settings]:
        check_settings(run, 1 if members else len(target.devices))
    settings = dataclasses.replace(settings, health=health and settings.health)
    with programs_for(target.platform), _without_cache(topology != "local"):
        experiment = builder.build(members[0] if members else settings)
        check_experiment(experiment)
        stages = builder.build(settings, experiment.dataset).stages
        step = StepProgram(settings, experiment, stages[-1], len(members), target)
        return _forecast(step, largest_batch)


@contextlib.contextmanager
def _without_cache(off: bool) -> Iterator[None]:
    """JAX's cache of compiled programs cannot read those of a machine that is not here."""
    config: Any = jax.config  # its fields are not known to type checkers
    cached = config.jax_enable_compilation_cache
    config.update("jax_enable_compilation_cache", cached and not off)
    try:
        yield
    finally:
        config.update("jax_enable_compilation_cache", cached)


def _forecast(step: StepProgram, find_largest: bool) -> Forecast:
    target, batch_size, chunk = step.target, step.stage.batch_size, step.chunk
    flops = step.flops()
    begun = time.process_time()
    try:
        compiled = step.compile(batch_size)
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f"a batch of {batch_size} does not compile for {target.name}: {first_line(error)}"
        ) from error
    seconds = time.process_time() - begun
    memory, costs = step.memory(compiled, batch_size), costs_of(compiled.as_text() or "")
    largest = None
    if find_largest and target.memory is not None:
        try:
            twice = step.memory(step.compile(2 * batch_size), 2 * batch_size)
        except jax.errors.JaxRuntimeError:  # XLA for TPUs refuses what does not fit
            largest = batch_size
        else:
            unit = (1 if step.members > 1 else step.devices) * (
                step.experiment.settings.accumulation_steps
            )
            largest = _largest_batch(batch_size, memory, twice, target.memory, unit)
    return Forecast(
        target,
        _shapes(step.state.generator.params),
        _shapes(step.state.discriminator.params),
        batch_size,
        step.experiment.dataset.shape,
        chunk.discriminator_steps,
        chunk.steps,
        step.members,
        memory,
        flops,
        Costs(*(value / chunk.steps for value in costs)),
        largest,
        seconds,
    )


def _largest_batch(
    batch_size: int, memory: Memory, twice: Memory, available: float, unit: int
) -> int | None:
    """Where the straight line through two batch sizes meets the memory of a device."""
    slope = (twice.total - memory.total) / batch_size
    if slope <= 0:
        return None
    most = batch_size + (available - memory.total) / slope
    return max(int(most // unit) * unit, 0)


def _shapes(params: Any) -> Shapes:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): (leaf.shape, str(leaf.dtype))
        for path, leaf in leaves
    }
