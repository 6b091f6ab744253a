"""From a config to objects: `build` is the one reader of what a config says about training."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import (
    augmentation,
    data,
    growing,
    losses,
    networks,
    optimizers,
    parallel,
    parts,
    penalties,
    schedules,
    training,
)
from gan_jax.accumulation import accumulated
from gan_jax.config import to_text
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.game import Batch, Networks, Objective, PRNGKey, Term, adversarial
from gan_jax.networks import spectral
from gan_jax.training import TrainState, TrainStep, init_state
from gan_jax.unrolling import unrolled


class Stage(NamedTuple):
    """A stretch of training that one train step serves: all of it, or a phase of progressive growing."""

    networks: Networks
    train_step: TrainStep  # of one step, not jitted
    prepare: Callable[[Batch], Batch]  # a raw batch as the one that is played; inside jit
    batch_size: int


class Chunk(NamedTuple):
    """Consecutive steps that are alike, for one call of the device."""

    stage: int  # index into Experiment.stages
    first: int  # step
    steps: int
    turns: int  # of the discriminator at each of these steps
    first_turn: int  # number of turns before
    fading: bool


class Experiment(NamedTuple):
    """What a config describes, as objects."""

    dataset: Dataset
    init: Callable[[PRNGKey], TrainState]
    stages: tuple[Stage, ...]
    chunks: Callable[[int, int, int], Iterator[Chunk]]  # (first step, last step, most steps in a chunk)
    # the chunk's batches, [steps, turns, batch, ...]: the given rows of the global ones, of another seed where one is given
    batch: Callable[..., Batch]  # (chunk, rows=slice(None), seed=None)
    stage_at: Callable[[int], tuple[Stage, float | None]]  # steps done -> the stage, and the fade to sample it with


def build(config: Mapping[str, Any], dataset: Dataset | None = None) -> Experiment:
    """The objects that a config (plain dicts: `gan_jax.config.to_dict`) describes. Raises UserError.

    ``dataset``: that of the config, where it is at hand already. Numbers in the config may be traced arrays: a population
    builds its members inside ``vmap``.
    """
    dataset = dataset or parts.named("dataset", (data,), Dataset, *_only(config, "dataset"))
    phases = growing.check(config["growing"]) if config["growing"] else ()
    sizes: list[tuple[int | None, int]] = [(phase.resolution, phase.batch_size) for phase in phases]
    sizes = sizes or [(None, config["batch_size"])]
    made = [_stage(config, dataset, resolution, batch_size) for resolution, batch_size in sizes]
    stages, init = tuple(stage for stage, _ in made), made[-1][1]
    extra = config["extra_turns"]
    schedule = {"turns": config["turns"]} | (dict(extra) if extra["many"] else {"many": config["turns"]})

    def chunks(first: int, last: int, most: int) -> Iterator[Chunk]:
        step = first
        while step < last:
            alike = _kind(step)
            end = min(last, (step // most + 1) * most)  # calls end where the intervals of a run do
            stop = next((later for later in range(step + 1, end) if _kind(later) != alike), end)
            index, fading, turns = alike
            yield Chunk(index, step, stop - step, turns, schedules.turns_before(step, **schedule), fading)
            step = stop

    def _kind(step: int) -> tuple[int, bool, int]:
        index = growing.phase_index(phases, step) if phases else 0
        fading = bool(phases) and step - growing.starts(phases)[index] < phases[index].fade_steps
        return index, fading, schedules.turns_at(step, **schedule)

    def batch(chunk: Chunk, rows: slice = slice(None), seed: int | None = None) -> Batch:
        size, seed = stages[chunk.stage].batch_size, config["seed"] if seed is None else seed
        batch: dict[str, Any] = data.batches(
            dataset, seed, chunk.first, chunk.steps, chunk.turns, size, rows, first_turn=chunk.first_turn
        )
        if chunk.fading:
            fades = np.asarray(growing.fade(phases, jnp.arange(chunk.first, chunk.first + chunk.steps)))
            batch["fade"] = np.broadcast_to(fades[:, None, None], batch["row"].shape)
        return batch

    def stage_at(done: int) -> tuple[Stage, float | None]:
        index, fading, _ = _kind(max(done - 1, 0))
        return stages[index], float(growing.fade(phases, max(done - 1, 0))) if fading else None

    return Experiment(dataset, init, stages, chunks, batch, stage_at)


def check(experiment: Experiment) -> None:
    """Traces each stage once, without computing anything, so that parts that do not fit are refused before a run starts.

    Raises UserError: labels that nobody gives, a pack that does not divide the batch, networks of another shape.
    """
    state = jax.eval_shape(experiment.init, jax.random.key(0))
    dataset = experiment.dataset
    for index, stage in enumerate(experiment.stages):
        lead = (1, stage.batch_size)  # one turn
        dtype = dataset.arrays["real"].dtype if dataset.arrays else jnp.float32
        batch = {
            "real": jax.ShapeDtypeStruct((*lead, *dataset.shape), dtype),
            "row": jax.ShapeDtypeStruct(lead, jnp.int32),
        }
        if dataset.classes:
            batch["label"] = jax.ShapeDtypeStruct(lead, jnp.int32)
        if index:
            batch["fade"] = jax.ShapeDtypeStruct(lead, jnp.float32)

        def one_step(state: TrainState, batch: Batch, stage: Stage = stage) -> TrainState:
            return stage.train_step(state, stage.prepare(batch), jax.random.key(0))[0]

        try:
            after = jax.eval_shape(one_step, state, batch)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"the parts of this config do not fit: {str(error).strip().splitlines()[0]}") from error
        if jax.tree.map(lambda x: (x.shape, x.dtype), after) != jax.tree.map(lambda x: (x.shape, x.dtype), state):
            raise UserError("the parts of this config do not fit: a step changes the shapes or dtypes of the state")


def _stage(
    config: Mapping[str, Any], dataset: Dataset, resolution: int | None, batch_size: int
) -> tuple[Stage, Callable[[PRNGKey], TrainState]]:
    name, settings = _only(config, "networks")
    if resolution is not None:
        if "resolution" not in inspect.signature(getattr(networks, name, dict.fromkeys)).parameters:
            raise UserError(f"config.growing needs networks that grow, such as progan, not {name}")
        settings = settings | {"resolution": resolution}
    nets = parts.named(
        "networks", (networks,), Networks, name, settings, shape=dataset.shape, classes=dataset.classes,
        dtype=config["precision"],
    )  # fmt: skip
    augmentations = [
        parts.named("augmentation", (augmentation,), augmentation.Augmentation, name, settings)
        for stage in config["augmentation"]
        for name, settings in stage.items()
    ]
    adaptive = bool(augmentations) and _on(config["augmentation_target"])
    if adaptive:
        nets = augmentation.with_strength(nets)

    generator_optimizer = _optimizer(config, "generator_optimizer")
    discriminator_optimizer = _optimizer(config, "discriminator_optimizer")
    if "spectral" in _variables(nets, adaptive):
        discriminator_optimizer = optax.chain(discriminator_optimizer, spectral.spectral_iteration())
    if adaptive:
        discriminator_optimizer = augmentation.adapt_strength(discriminator_optimizer, batch_size / 500_000)

    objective = _objective(config, nets, augmentations, adaptive)
    if config["unroll"]:
        _check_differentiable(config)
        objective = unrolled(
            objective,
            config["unroll"],
            discriminator_optimizer,
            resample=config["unroll_resample"],
            stop_gradient=config["unroll_stop_gradient"],
            rematerialise=config["unroll_rematerialise"],
        )
    decay = config["averaging"]
    if config["averaging_warm_up"]:
        decay = getattr(schedules, config["averaging_warm_up"])(decay)
    train_step = parts.named(
        "play",
        (training,),
        TrainStep,
        *_only(config, "play"),
        objective=objective,
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        averaging=decay,
    )

    def prepare(batch: Batch) -> Batch:
        batch = data.decode(batch)
        if resolution is None:
            return batch
        # The turns are one more batch dimension here.
        fade = batch.get("fade")
        real = jax.vmap(lambda real, fade: growing.resize(real, resolution, fade), in_axes=(0, None if fade is None else 0))
        return batch | {"real": real(batch["real"], fade)}

    return (
        Stage(nets, train_step, prepare, batch_size),
        lambda rng: init_state(nets, generator_optimizer, discriminator_optimizer, rng),
    )


def _objective(config: Mapping[str, Any], nets: Networks, augmentations: list, adaptive: bool) -> Objective:
    terms = {
        name: parts.named("objective", (losses, penalties), Term, name, settings)
        for name, settings in config["objective"].items()
    }
    try:
        objective = adversarial(nets, terms)
    except ValueError as error:
        raise UserError(f"config.objective: {error}") from error
    if adaptive:
        objective = augmentation.adaptive(objective, augmentations, config["augmentation_target"])
    elif augmentations:
        objective = augmentation.augmented(objective, augmentation.composed(augmentations))
    if _on(config["gradient_regularisation"]):
        objective = penalties.gradient_regularised(objective, config["gradient_regularisation"])
    return accumulated(objective, config["accumulate"])


def _optimizer(config: Mapping[str, Any], field: str) -> optax.GradientTransformation:
    stages = []
    for stage in config[field]:
        for name, settings in stage.items():
            made = parts.named(field, (optimizers, optax), optax.GradientTransformation, name, settings)
            if not isinstance(made, optax.GradientTransformation):
                raise UserError(f"config.{field} names {name!r}, which is not an optimizer")
            stages.append(made)
    if not stages:
        raise UserError(f"config.{field} is empty: name an optimizer, as in 'adam(learning_rate=0.0001)'")
    return optax.chain(*stages)


def _check_differentiable(config: Mapping[str, Any]) -> None:
    """Refuses optimizers that a look-ahead cannot be differentiated through.

    Adam's square root has an infinite derivative at 0, where dead units put it; a sign has the derivative 0 everywhere.
    """
    for stage in config["discriminator_optimizer"]:
        for name, settings in stage.items():
            if name in ("lion", "sign_sgd", "signum", "rprop", "optimistic_adam", "scale_by_sign"):
                raise UserError(f"config.unroll cannot learn through {name}, which is not differentiable: take adam or sgd")
            takes = inspect.signature(getattr(optax, name, dict.fromkeys)).parameters
            root = settings.get("eps_root", 0)
            if "eps_root" in takes and not _on(root):
                raise UserError(
                    f"config.unroll differentiates {name}, which needs eps_root > 0: "
                    f"--config.discriminator_optimizer.{name}.eps_root=1e-14"
                )


def _variables(nets: Networks, adaptive: bool) -> Any:
    """What the discriminator's parameters hold at the top, without computing them."""
    discriminator = jax.eval_shape(nets.init, jax.random.key(0))[1]
    return discriminator["network"] if adaptive else discriminator


def _only(config: Mapping[str, Any], field: str) -> tuple[str, dict[str, Any]]:
    if len(config[field]) != 1:
        raise UserError(f"config.{field} names one part, not {to_text(config[field])!r}")
    ((name, settings),) = config[field].items()
    return name, settings


def _on(value: Any) -> bool:
    """Whether a numeric field asks for anything; a traced one does."""
    return not isinstance(value, int | float) or value != 0


def check_fields(config: Mapping[str, Any], devices: int = 1) -> None:
    """Bounds of the plain fields, for batches that are split over so many devices. Raises UserError."""
    for field in ("steps", "batch_size", "turns", "steps_per_call", "log_every", "checkpoint_every", "sample_every",
                  "evaluate_every", "keep", "samples", "accumulate"):  # fmt: skip
        if config[field] < 1:
            raise UserError(f"config.{field} must be at least 1, not {config[field]}")
    if config["unroll"] < 0:
        raise UserError(f"config.unroll must be at least 0, not {config['unroll']}")
    if not 0 <= config["averaging"] < 1:
        raise UserError(f"config.averaging must be in [0, 1), not {config['averaging']}")
    if config["averaging_warm_up"] not in ("", "counted", "ramped"):
        raise UserError(f"config.averaging_warm_up is '', 'counted' or 'ramped', not {config['averaging_warm_up']!r}")
    for field in ("log_every", "checkpoint_every", "sample_every", "evaluate_every"):
        if config[field] % config["steps_per_call"]:
            raise UserError(
                f"config.{field} must be a multiple of config.steps_per_call, {config['steps_per_call']}, not {config[field]}"
            )
    if config["best_is"] not in ("lowest", "highest"):
        raise UserError(f"config.best_is is 'lowest' or 'highest', not {config['best_is']!r}")
    if config["mapping"] not in parallel.MAPPINGS:
        raise UserError(f"config.mapping is {' or '.join(map(repr, parallel.MAPPINGS))}, not {config['mapping']!r}")
    if config["precision"] not in ("float32", "bfloat16"):
        raise UserError(f"config.precision is 'float32' or 'bfloat16', not {config['precision']!r}")
    if config["wandb"]["mode"] not in ("offline", "online"):
        raise UserError(f"config.wandb.mode is 'offline' or 'online', not {config['wandb']['mode']!r}")
    for phase in config["growing"]:
        if not (isinstance(phase, tuple) and len(phase) in (3, 4) and all(isinstance(entry, int) for entry in phase)):
            raise UserError(f"config.growing has phases (resolution, batch size, steps, fade steps), not {phase!r}")
    sizes = [phase[1] for phase in config["growing"]] or [config["batch_size"]]
    for size in sizes:
        if size % devices:
            raise UserError(f"a batch of {size} does not divide over {devices} devices: change config.batch_size")
        shares = devices if config["mapping"] == "pmapped" else 1
        if size // shares % config["accumulate"]:
            raise UserError(
                f"config.accumulate must divide the batch of {size // shares}{' on each device' * (shares > 1)}, "
                f"not {config['accumulate']}"
            )
    if jnp.size(config["seed"]) == 1 and config["seed"] < 0:
        raise UserError(f"config.seed must be at least 0, not {config['seed']}")
