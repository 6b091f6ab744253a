"""How the steps of a run are computed: by itself on all devices, or as one of a population in one program."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from gan_jax import random
from gan_jax.distributed import mesh, multihost
from gan_jax.distributed.mesh import members_per_device
from gan_jax.experiment import population
from gan_jax.experiment.builder import Chunk, Experiment
from gan_jax.game import Batch, Metrics
from gan_jax.training import TrainState, data_parallel, fused

Config = Mapping[str, Any]


class SingleRun:
    """The programs of one run: each batch is split over all devices, as ``config.parallelism`` says."""

    def __init__(self, config: Config, experiment: Experiment) -> None:
        self.experiment = experiment
        mapped = data_parallel.PARALLELISM[config["parallelism"]]
        self.programs = [
            mapped(fused(stage.train_step, stage.prepare)) for stage in experiment.stages
        ]
        self.key = mesh.compute_replicated(lambda: random.key(config["seed"]))

    def init(self) -> TrainState:
        """The state before the first step."""
        return _started(
            jax.jit(self.experiment.init, out_shardings=mesh.replicated_sharding()), self.key
        )

    def joined(self, states: Sequence[TrainState]) -> TrainState:
        """The state of all runs, from theirs."""
        return states[0]

    def batch(self, chunk: Chunk) -> Batch:
        """The chunk's batches."""
        return self.experiment.batch(
            chunk, multihost.process_slice(self.experiment.stages[chunk.stage].batch_size)
        )

    def __call__(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """The state after the chunk's steps, and its metrics ``[steps]``."""
        return self.programs[chunk.stage](state, batch, self.key)

    def host(self, state: TrainState) -> TrainState:
        """The state as `of` takes it apart."""
        return state

    def of(self, tree: Any, index: int) -> Any:
        """What belongs to run ``index``."""
        return tree

    def key_of(self, index: int) -> jax.Array:
        """The key of run ``index``."""
        return self.key


class PopulationRun:
    """The program of a population: its members, whose leaves are ``[members, ...]``, are spread over the devices.

    Where they do not divide evenly, copies of the last member fill up the program; nobody asks for them.
    """

    def __init__(self, config: Config, experiment: Experiment, members: Sequence[Config]) -> None:
        self.experiment = experiment
        devices, size = members_per_device(len(members), jax.device_count())
        self.copies = size - len(members)
        self.seeds = [member["seed"] for member in members] + [members[-1]["seed"]] * self.copies
        self.numbers = {
            path: np.pad(values, (0, self.copies), "edge")
            for path, values in population.numbers(config).items()
        }
        members_mesh = mesh.device_mesh(jax.devices()[:devices])
        self.place = mesh.split_sharding(members_mesh)
        self.programs = [
            data_parallel.population_step(
                population.step_of_member(config, experiment.dataset, index), members_mesh
            )
            for index in range(len(experiment.stages))
        ]
        self.keys = jax.vmap(random.key)(jnp.asarray(self.seeds, jnp.uint32))

    def init(self) -> TrainState:
        """The states before the first step."""
        # One by one: a batch of QR decompositions, of orthogonal weights, can stand still for ever on a CPU of few cores.
        return _started(
            jax.jit(lambda keys: jax.lax.map(self.experiment.init, keys), out_shardings=self.place),
            self.keys,
        )

    def joined(self, states: Sequence[TrainState]) -> TrainState:
        """The state of all members, from theirs."""
        return jax.device_put(
            population.stacked([*states, *[states[-1]] * self.copies]), self.place
        )

    def batch(self, chunk: Chunk) -> Batch:
        """The chunk's batches, ``[members, ...]``."""
        return population.batches(lambda seed: self.experiment.batch(chunk, seed=seed), self.seeds)

    def __call__(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """The states after the chunk's steps, and metrics ``[members, steps]``."""
        return self.programs[chunk.stage](self.numbers, state, batch, self.keys)

    def host(self, state: TrainState) -> TrainState:
        """The states on the host: taking members out of arrays on devices is slow."""
        return jax.device_get(state)

    def of(self, tree: Any, index: int) -> Any:
        """What belongs to one member, from arrays on the host."""
        return jax.tree.map(lambda leaf: np.asarray(leaf[index]), tree)

    def key_of(self, index: int) -> jax.Array:
        """The key of one member."""
        return self.keys[index]


def _started(init: Any, key: jax.Array) -> TrainState:
    """What the jitted ``init(key)`` returns, computed with one thread for LAPACK.

    On busy cores its threads wait for each other hundreds of times as long as a QR decomposition of small weights takes; and
    the bits no longer depend on how many cores there are.
    """
    compiled = init.lower(
        key
    ).compile()  # loads LAPACK where it is needed: only what is loaded can be limited
    with threadpool_limits(1, user_api="blas"):
        return jax.block_until_ready(compiled(key))
