"""The program of a train step, compiled for a machine that need not be here."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import jax

from gan_jax.distributed.mesh import device_mesh
from gan_jax.distributed.population_layout import members_per_device
from gan_jax.errors import UserError
from gan_jax.experiment import population
from gan_jax.experiment.builder import Chunk, Experiment
from gan_jax.experiment.fused_steps import fused_step, member_step
from gan_jax.experiment.parallelism import is_pmapped, mapped, shapes_with_sharding
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.stage_building import Stage
from gan_jax.forecasting.flops import flops_of
from gan_jax.forecasting.machines import Machine
from gan_jax.training.data_parallel import population_step, sharded


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


class StepProgram:
    """The train step of a run, or of all members of a population, for a machine."""

    def __init__(
        self,
        settings: Settings,
        experiment: Experiment,
        stage: Stage,
        members: int,
        target: Machine,
    ) -> None:
        self.experiment, self.stage, self.target = experiment, stage, target
        self.chunk = _last_chunk(experiment)
        self.state = jax.eval_shape(experiment.init, _key())
        self.members = max(members, 1)
        self._fused = fused_step(settings, stage, {})
        self._stacked, self.devices = 0, len(target.devices)
        self._numbers: Any = None
        if members:
            self.devices, self._stacked = members_per_device(members, self.devices)
            self._numbers = {
                path: jax.ShapeDtypeStruct((self._stacked,), values.dtype)
                for path, values in population.hyperparameters(settings).items()
            }
        devices_mesh = device_mesh(list(target.devices)[: self.devices])
        self._program: Any  # jitted
        if members:
            self._program = population_step(member_step(settings, stage), devices_mesh)
        elif is_pmapped(settings):  # whose collectives are those of sharded
            self._program = sharded(self._fused, devices_mesh)
        else:
            self._program = mapped(settings, self._fused, devices_mesh)
            self.state = shapes_with_sharding(settings, self.state, devices_mesh)
        if not hasattr(self._program, "lower"):
            raise UserError(
                f"config.parallelism={settings.parallelism} makes no jitted function, so its "
                "program cannot be compiled ahead"
            )

    @property
    def share(self) -> float:
        """How many members a device computes; of a run, which part of its batch."""
        return max(self._stacked, 1) / self.devices

    @property
    def copies(self) -> float:
        """How many copies of the state of a run lie on a device."""
        return self.share if self._stacked else 1

    def flops(self) -> float:
        """Of one step, on one device."""
        batch = self.batch(1, self.stage.batch_size)
        return flops_of(jax.make_jaxpr(self._fused)(self.state, batch, _key())) * self.share

    def compile(self, batch_size: int) -> jax.stages.Compiled:
        """Compiles a call with a batch size for the machine."""
        arguments = (self.state, self.batch(self.chunk.steps, batch_size), _key())
        if self._stacked:
            arguments = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct((self._stacked, *leaf.shape), leaf.dtype),
                arguments,
            )
            arguments = (self._numbers, *arguments)
        compiled: jax.stages.Compiled = self._program.lower(*arguments).compile()
        return compiled

    def batch(self, steps: int, batch_size: int) -> Any:
        """The shapes of a run's batch, ``[steps, discriminator_steps, batch, ...]``."""
        one = dataclasses.replace(self.chunk, steps=1)
        return {
            name: jax.ShapeDtypeStruct(
                (steps, leaf.shape[1], batch_size, *leaf.shape[3:]), leaf.dtype
            )
            for name, leaf in self.experiment.batch(one, slice(0, 1)).items()
        }

    def memory(self, compiled: jax.stages.Compiled, batch_size: int) -> Memory:
        """The bytes on each device."""
        analysis: Any = compiled.memory_analysis()
        fresh = analysis.output_size_in_bytes - analysis.alias_size_in_bytes
        state, copies = self.state, self.copies
        players = state.generator, state.discriminator
        return Memory(
            parameters=copies * _bytes([player.params for player in players]),
            optimizers=copies * _bytes([player.opt_state for player in players]),
            averages=copies * _bytes([state.generator_ema, state.memory, state.other_emas]),
            batch=self.share * _bytes(self.batch(self.chunk.steps, batch_size)),
            activations=analysis.temp_size_in_bytes + max(fresh, 0),
        )


def _key() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0))


def _last_chunk(experiment: Experiment) -> Chunk:
    """A whole call of the last stage, without the steps that have more discriminator updates."""
    settings = experiment.settings
    steps = min(settings.steps_per_call, settings.steps)
    stage = len(experiment.stages) - 1
    return Chunk(stage, 0, steps, settings.discriminator_steps, 0, fading=stage > 0)


def _bytes(tree: Any) -> float:
    """The bytes on a device of arrays that are replicated, or divided by a sharding."""
    return float(sum(_entries(leaf) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)))


def _entries(leaf: jax.ShapeDtypeStruct) -> int:
    sharding = leaf.sharding
    return math.prod(sharding.shard_shape(leaf.shape) if sharding else leaf.shape)
