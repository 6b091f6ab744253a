"""How steps are computed: one run on all devices, or a population in one program.

`SingleRun` and `PopulationRun` have one interface, `Executor`: the training loop is the same
for both.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from gan_jax import random
from gan_jax.data import Dataset
from gan_jax.distributed import mesh, multihost
from gan_jax.distributed.population_layout import members_per_device
from gan_jax.errors import UserError
from gan_jax.experiment import population, roll_backs, trouble
from gan_jax.experiment.builder import Chunk, Experiment, build
from gan_jax.experiment.fused_steps import fused_step, member_step
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.experiment.parallelism import is_fully_sharded, mapped, sharding_of_state
from gan_jax.experiment.roll_backs import RollBacks
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.validation import check_experiment, check_settings
from gan_jax.game import Batch, Metrics, PRNGKey
from gan_jax.training import data_parallel
from gan_jax.training.steps import TrainState


class Executor(Protocol):
    """The programs of a run, or of all members of a population: of ``len(members)`` runs.

    Attributes:
      experiment: what is trained; of a population, that of its first member.
      members: the settings of each run.
      may_retry: whether a run that diverged is tried again when it is started again.
    """

    experiment: Experiment
    members: Sequence[Settings]
    may_retry: bool

    def directories(self, run_dir: Path) -> list[Path]:
        """Returns the run directory of each member, if the whole runs in ``run_dir``."""
        ...

    def init(self) -> TrainState:
        """Computes the state before the first step."""
        ...

    def join(self, states: Sequence[TrainState]) -> TrainState:
        """Returns the state that `step` takes, from that of each member."""
        ...

    def batch(self, chunk: Chunk) -> Batch:
        """Returns the batches of a chunk as `step` takes them."""
        ...

    def step(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """Computes a chunk's steps; metrics are ``[steps]``, or ``[members, steps]``."""
        ...

    def samples(self, chunk: Chunk) -> int:
        """Returns how many real samples a chunk takes, of all members and processes."""
        ...

    def to_host(self, state: TrainState) -> TrainState:
        """Returns a state from which `member` is quick to take parts."""
        ...

    def member(self, tree: Any, index: int) -> Any:
        """Returns one member's part of a state or of metrics."""
        ...

    def key(self, index: int) -> PRNGKey:
        """Returns one member's key."""
        ...

    def set_roll_backs(self, backs: Sequence[RollBacks]) -> None:
        """Gives members that were rolled back another key, and the changes that are in force."""
        ...


def make_executor(settings: Settings, dataset: Dataset | None = None) -> Executor:
    """Checks settings, builds them and returns the executor that trains them.

    Args:
      settings: of one run or of a population.
      dataset: in place of that of the settings.

    Raises:
      UserError: bad input.
    """
    members = population.member_settings(settings)
    if members:
        return PopulationRun(settings, members, dataset)
    return SingleRun(settings, dataset)


class SingleRun:
    """One run: each batch is split over all devices, as ``config.parallelism`` says."""

    may_retry = True

    def __init__(self, settings: Settings, dataset: Dataset | None = None) -> None:
        check_settings(settings, jax.device_count())
        self.members: Sequence[Settings] = [settings]
        self._build(settings, dataset)
        check_experiment(self.experiment)
        trouble.check_response(self.experiment)
        self._key = mesh.compute_replicated(lambda: random.key(settings.seed))
        self._init_key = self._key

    def _build(self, settings: Settings, dataset: Dataset | None) -> None:
        self.experiment = build(settings, dataset)
        self._programs = [
            mapped(settings, fused_step(settings, stage, {})) for stage in self.experiment.stages
        ]

    def directories(self, run_dir: Path) -> list[Path]:
        return [run_dir]

    def init(self) -> TrainState:
        shapes = jax.eval_shape(self.experiment.init, self._init_key)
        sharding = sharding_of_state(self.experiment.settings, shapes)
        init = jax.jit(self.experiment.init, out_shardings=sharding)
        return _call_with_one_blas_thread(init, self._init_key)

    def join(self, states: Sequence[TrainState]) -> TrainState:
        return states[0]

    def batch(self, chunk: Chunk) -> Batch:
        size = self.experiment.stages[chunk.stage].batch_size
        return self.experiment.batch(chunk, multihost.process_slice(size))

    def step(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        return self._programs[chunk.stage](state, batch, self._key)

    def samples(self, chunk: Chunk) -> int:
        return self.experiment.samples(chunk)

    def to_host(self, state: TrainState) -> TrainState:
        return state

    def member(self, tree: Any, index: int) -> Any:
        return tree

    def key(self, index: int) -> PRNGKey:
        return self._key

    def set_roll_backs(self, backs: Sequence[RollBacks]) -> None:
        (own,), (settings,) = backs, self.members
        count = len(own)
        self._key = mesh.compute_replicated(
            lambda: roll_backs.run_key(random.key(settings.seed), count)
        )
        changed = apply_overrides(settings, own.changes())
        if changed != self.experiment.settings:
            self._build(changed, self.experiment.dataset)


class PopulationRun:
    """The members of a population: leaves are ``[members, ...]``, split over the devices.

    If the members do not divide evenly over the devices, copies of the last member fill the
    program; their results are never looked at.
    """

    may_retry = False

    def __init__(
        self, settings: Settings, members: Sequence[Settings], dataset: Dataset | None = None
    ) -> None:
        for member in members:
            check_settings(member)
        _check_population(settings)
        self.experiment = build(members[0], dataset)
        self.members = members
        check_experiment(self.experiment)
        devices, size = members_per_device(len(members), jax.device_count())
        self._copies = size - len(members)
        seeds = [member.seed for member in members]
        self._seeds = seeds + [seeds[-1]] * self._copies
        self._numbers: Mapping[str, Any] = {
            path: np.pad(values, (0, self._copies), "edge")
            for path, values in population.hyperparameters(settings).items()
        }
        devices_mesh = mesh.device_mesh(jax.devices()[:devices])
        self._sharding = mesh.split_sharding(devices_mesh)
        stages = build(settings, self.experiment.dataset).stages
        self._programs = [
            data_parallel.population_step(member_step(settings, stage), devices_mesh)
            for stage in stages
        ]
        self._keys = jax.vmap(random.key)(jnp.asarray(self._seeds, jnp.uint32))
        self._init_keys = self._keys

    def directories(self, run_dir: Path) -> list[Path]:
        return [run_dir / "members" / f"{index:03d}" for index in range(len(self.members))]

    def init(self) -> TrainState:
        # One by one: batches of QR decompositions can stand still for ever, see `init_state`.
        init = jax.jit(
            lambda keys: jax.lax.map(self.experiment.init, keys), out_shardings=self._sharding
        )
        return _call_with_one_blas_thread(init, self._init_keys)

    def join(self, states: Sequence[TrainState]) -> TrainState:
        states = [*states, *[states[-1]] * self._copies]
        stacked = jax.tree.map(
            lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *states
        )
        joined: TrainState = jax.device_put(stacked, self._sharding)
        return joined

    def batch(self, chunk: Chunk) -> Batch:
        # What members of one seed share is made once.
        made = {
            seed: self.experiment.batch(chunk, seed=seed) for seed in dict.fromkeys(self._seeds)
        }
        batch: Batch = jax.tree.map(
            lambda *leaves: _stack(leaves), *(made[seed] for seed in self._seeds)
        )
        return batch

    def step(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        return self._programs[chunk.stage](self._numbers, state, batch, self._keys)

    def samples(self, chunk: Chunk) -> int:
        return self.experiment.samples(chunk) * len(self.members)

    def to_host(self, state: TrainState) -> TrainState:
        # Taking members out of arrays on devices is slow.
        on_host: TrainState = jax.device_get(state)
        return on_host

    def member(self, tree: Any, index: int) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf[index]), tree)

    def key(self, index: int) -> PRNGKey:
        key: PRNGKey = self._keys[index]
        return key

    def set_roll_backs(self, backs: Sequence[RollBacks]) -> None:
        counts = [len(own) for own in backs]
        counts += [counts[-1]] * self._copies
        keys = map(random.key, self._seeds)
        self._keys = jnp.stack(list(map(roll_backs.run_key, keys, counts)))


def _check_population(settings: Settings) -> None:
    if jax.process_count() > 1:
        raise UserError(
            "a population runs in one process, on all of its devices: "
            "start it without --distributed"
        )
    if is_fully_sharded(settings):
        raise UserError(
            f"config.parallelism={settings.parallelism} divides the state of a run alone; that of "
            "a population is divided by its members: leave it at sharded"
        )
    if settings.keep_checkpoints < 2:
        raise UserError(
            "config.keep_checkpoints must be at least 2 for a population: a kill may leave its "
            "members a checkpoint apart"
        )
    if trouble.response(settings).action == "roll_back":
        raise UserError(
            "config.on_trouble=roll_back goes with a run alone: the members of a population are "
            "one program, which cannot change for one of them; choose warn or stop"
        )


def _call_with_one_blas_thread(init: Any, key: jax.Array) -> TrainState:
    """Calls the jitted ``init(key)`` with one thread for LAPACK.

    On busy cores its threads wait for each other hundreds of times as long as a QR decomposition of
    small weights takes, and the bits no longer depend on how many cores there are.
    """
    # This loads LAPACK if it is needed: only the threads of what is loaded can be limited.
    compiled = init.lower(key).compile()
    with threadpool_limits(1, user_api="blas"):
        state: TrainState = jax.block_until_ready(compiled(key))
        return state


def _stack(leaves: Sequence[Any]) -> Any:
    return jnp.stack(leaves) if isinstance(leaves[0], jax.Array) else np.stack(leaves)
