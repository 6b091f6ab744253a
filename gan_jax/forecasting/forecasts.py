"""What a run will take on a machine, before it is started: compiled for it, nothing computed."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from gan_jax.distributed.mesh import device_mesh
from gan_jax.errors import UserError, first_line
from gan_jax.experiment import builder
from gan_jax.experiment.builder import Chunk, Experiment
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.validation import check_experiment, check_settings
from gan_jax.forecasting.flops import flops_of
from gan_jax.forecasting.machines import Chip, Machine, machine
from gan_jax.forecasting.program_costs import Costs, costs_of
from gan_jax.platforms import programs_for
from gan_jax.training.data_parallel import sharded
from gan_jax.training.steps import TrainState, fused

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""By its path, the shape and dtype of each parameter of a network."""


@dataclass(frozen=True)
class Memory:
    """Bytes on each device.

    Attributes:
      parameters: of both networks.
      optimizers: the optimizers' states.
      averages: moving averages of the generator, and what terms remember.
      batch: of the steps of a call.
      activations: XLA's temporary buffers: activations, gradients, copies.
    """

    parameters: float
    optimizers: float
    averages: float
    batch: float
    activations: float

    @property
    def total(self) -> float:
        """Bytes of all parts."""
        return float(sum(getattr(self, field.name) for field in dataclasses.fields(self)))


@dataclass(frozen=True)
class Forecast:
    """What `forecast` returns. Numbers are of one device, and of one step where they are of work.

    Attributes:
      machine: what was compiled for.
      generator: the parameters of the generator.
      discriminator: the parameters of the discriminator.
      batch_size: of the global batch.
      sample_shape: of one sample.
      discriminator_steps: updates of the discriminator at a step.
      steps_per_call: steps in a call of the program.
      memory: what lies on the device.
      flops: of matrix products and convolutions.
      costs: kernels, bytes and collectives.
      largest_batch: the largest global batch that fits, by a straight line through two batch sizes;
        None if the memory is unknown.
      compile_seconds: what compiling took here.
    """

    machine: Machine
    generator: Shapes
    discriminator: Shapes
    batch_size: int
    sample_shape: tuple[int, ...]
    discriminator_steps: int
    steps_per_call: int
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
        of all devices over the link. The first two overlap, so that a step takes at least the
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


def forecast(settings: Settings, topology: str = "local") -> Forecast:
    """Compiles the train step of settings for a machine, and reads off what it will take.

    Nothing is trained or written. Of progressive growing it is the last stage. Measuring health is
    left out: it is part of one step in ``config.log_every``.

    Args:
      settings: of one run, not of a population.
      topology: see `gan_jax.forecasting.machine`.

    Raises:
      UserError: bad settings, a machine that is unknown or cannot be compiled for, or a program
        that needs more memory than a device of it has.
    """
    if settings.population:
        raise UserError("a forecast is of one run: leave config.population out")
    target = machine(topology)
    check_settings(settings, len(target.devices))
    with programs_for(target.platform), _without_cache(topology != "local"):
        experiment = builder.build(settings)
        check_experiment(experiment)
        return _forecast(experiment, target)


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


def _forecast(experiment: Experiment, target: Machine) -> Forecast:
    stage, chunk = experiment.stages[-1], _last_chunk(experiment)
    step = fused(stage.make_step({}), stage.prepare)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(experiment.init, key)
    devices = len(target.devices)
    one_step = _batch(experiment, chunk, 1, stage.batch_size)
    flops = flops_of(jax.make_jaxpr(step)(state, one_step, key)) / devices
    program: Any = sharded(step, device_mesh(list(target.devices)))  # jitted

    def compiled(batch_size: int) -> tuple[jax.stages.Compiled, Memory]:
        batch = _batch(experiment, chunk, chunk.steps, batch_size)
        result = program.lower(state, batch, key).compile()
        return result, _memory(result, state, batch, devices)

    begun = time.perf_counter()
    try:
        result, memory = compiled(stage.batch_size)
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f"a batch of {stage.batch_size} does not compile for {target.name}: {first_line(error)}"
        ) from error
    seconds = time.perf_counter() - begun
    costs = costs_of(result.as_text() or "")
    largest = None
    if target.memory is not None:
        try:
            _, twice = compiled(2 * stage.batch_size)
        except jax.errors.JaxRuntimeError:  # XLA for TPUs refuses what does not fit
            largest = stage.batch_size
        else:
            unit = devices * experiment.settings.accumulation_steps
            largest = _largest_batch(stage.batch_size, memory, twice, target.memory, unit)
    return Forecast(
        target,
        _shapes(state.generator.params),
        _shapes(state.discriminator.params),
        stage.batch_size,
        experiment.dataset.shape,
        chunk.discriminator_steps,
        chunk.steps,
        memory,
        flops,
        Costs(*(value / chunk.steps for value in costs)),
        largest,
        seconds,
    )


def _last_chunk(experiment: Experiment) -> Chunk:
    """A whole call of the last stage, without the steps that have more discriminator updates."""
    settings = experiment.settings
    steps = min(settings.steps_per_call, settings.steps)
    stage = len(experiment.stages) - 1
    return Chunk(stage, 0, steps, settings.discriminator_steps, 0, fading=stage > 0)


def _batch(experiment: Experiment, chunk: Chunk, steps: int, batch_size: int) -> Any:
    """The shapes of a call's batch, ``[steps, discriminator_steps, batch, ...]``."""
    drawn = experiment.batch(dataclasses.replace(chunk, steps=1), slice(0, 1))
    return {
        name: jax.ShapeDtypeStruct((steps, leaf.shape[1], batch_size, *leaf.shape[3:]), leaf.dtype)
        for name, leaf in drawn.items()
    }


def _memory(compiled: jax.stages.Compiled, state: TrainState, batch: Any, devices: int) -> Memory:
    analysis: Any = compiled.memory_analysis()
    fresh = analysis.output_size_in_bytes - analysis.alias_size_in_bytes
    players = state.generator, state.discriminator
    return Memory(
        parameters=_bytes([player.params for player in players]),
        optimizers=_bytes([player.opt_state for player in players]),
        averages=_bytes([state.generator_ema, state.memory, state.other_emas]),
        batch=_bytes(batch) / devices,
        activations=analysis.temp_size_in_bytes + max(fresh, 0),
    )


def _bytes(tree: Any) -> float:
    return float(sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)))


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
