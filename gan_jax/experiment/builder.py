"""From a config to objects: `build` is the one reader of what a config says about training."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import data, networks, training
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.experiment import registry
from gan_jax.experiment.config import to_text
from gan_jax.game import Batch, Networks, Objective, PRNGKey, Term, adversarial
from gan_jax.networks import spectral
from gan_jax.objectives import augmentation, losses, penalties
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import (
    TrainState,
    TrainStep,
    init_state,
    optimizers,
    progressive_growing,
    schedules,
)


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
    discriminator_steps: int  # of the discriminator at each of these steps
    first_discriminator_step: int  # number of discriminator steps before
    fading: bool


class Experiment(NamedTuple):
    """What a config describes, as objects."""

    dataset: Dataset
    init: Callable[[PRNGKey], TrainState]
    stages: tuple[Stage, ...]
    chunks: Callable[
        [int, int, int], Iterator[Chunk]
    ]  # (first step, last step, most steps in a chunk)
    # the chunk's batches, [steps, discriminator_steps, batch, ...]: the given rows of the global ones, of another seed where one is given
    batch: Callable[..., Batch]  # (chunk, rows=slice(None), seed=None)
    stage_at: Callable[
        [int], tuple[Stage, float | None]
    ]  # steps done -> the stage, and the fade to sample it with


def build(config: Mapping[str, Any], dataset: Dataset | None = None) -> Experiment:
    """The objects that a config (plain dicts: `gan_jax.experiment.config.to_dict`) describes. Raises UserError.

    ``dataset``: that of the config, where it is at hand already. Numbers in the config may be traced arrays: a population
    builds its members inside ``vmap``.
    """
    dataset = dataset or registry.build_part("dataset", (data,), Dataset, *_only(config, "dataset"))
    phases = (
        progressive_growing.check(config["progressive_growing"])
        if config["progressive_growing"]
        else ()
    )
    sizes: list[tuple[int | None, int]] = [(phase.resolution, phase.batch_size) for phase in phases]
    sizes = sizes or [(None, config["batch_size"])]
    made = [_stage(config, dataset, resolution, batch_size) for resolution, batch_size in sizes]
    stages, init = tuple(stage for stage, _ in made), made[-1][1]
    extra = config["extra_discriminator_steps"]
    schedule = {"discriminator_steps": config["discriminator_steps"]} | (
        dict(extra) if extra["many"] else {"many": config["discriminator_steps"]}
    )

    def chunks(first: int, last: int, most: int) -> Iterator[Chunk]:
        step = first
        while step < last:
            alike = _kind(step)
            end = min(last, (step // most + 1) * most)  # calls end where the intervals of a run do
            stop = next((later for later in range(step + 1, end) if _kind(later) != alike), end)
            index, fading, discriminator_steps = alike
            yield Chunk(
                index,
                step,
                stop - step,
                discriminator_steps,
                schedules.discriminator_steps_before(step, **schedule),
                fading,
            )
            step = stop

    def _kind(step: int) -> tuple[int, bool, int]:
        index = progressive_growing.phase_index(phases, step) if phases else 0
        fading = (
            bool(phases)
            and step - progressive_growing.starts(phases)[index] < phases[index].fade_steps
        )
        return index, fading, schedules.discriminator_steps_at(step, **schedule)

    def batch(chunk: Chunk, rows: slice = slice(None), seed: int | None = None) -> Batch:
        size, seed = stages[chunk.stage].batch_size, config["seed"] if seed is None else seed
        batch: dict[str, Any] = data.batches(
            dataset,
            seed,
            chunk.first,
            chunk.steps,
            chunk.discriminator_steps,
            size,
            rows,
            first_discriminator_step=chunk.first_discriminator_step,
        )
        if chunk.fading:
            fades = np.asarray(
                progressive_growing.fade(phases, jnp.arange(chunk.first, chunk.first + chunk.steps))
            )
            batch["fade"] = np.broadcast_to(fades[:, None, None], batch["sample_index"].shape)
        return batch

    def stage_at(done: int) -> tuple[Stage, float | None]:
        index, fading, _ = _kind(max(done - 1, 0))
        return stages[index], float(
            progressive_growing.fade(phases, max(done - 1, 0))
        ) if fading else None

    return Experiment(dataset, init, stages, chunks, batch, stage_at)


def _stage(
    config: Mapping[str, Any], dataset: Dataset, resolution: int | None, batch_size: int
) -> tuple[Stage, Callable[[PRNGKey], TrainState]]:
    name, settings = _only(config, "networks")
    if resolution is not None:
        if "resolution" not in inspect.signature(getattr(networks, name, dict.fromkeys)).parameters:
            raise UserError(
                f"config.progressive_growing needs networks that grow, such as progan, not {name}"
            )
        settings = settings | {"resolution": resolution}
    nets = registry.build_part(
        "networks", (networks,), Networks, name, settings, shape=dataset.shape, classes=dataset.classes,
        dtype=config["precision"],
    )  # fmt: skip
    augmentations = [
        registry.build_part(
            "augmentation", (augmentation,), augmentation.Augmentation, name, settings
        )
        for stage in config["augmentation"]
        for name, settings in stage.items()
    ]
    adaptive = bool(augmentations) and _on(config["augmentation_target"])
    if adaptive:
        nets = augmentation.with_strength(nets)

    generator_optimizer = _optimizer(config, "generator_optimizer")
    discriminator_optimizer = _optimizer(config, "discriminator_optimizer")
    if "spectral" in _variables(nets, adaptive):
        discriminator_optimizer = optax.chain(
            discriminator_optimizer, spectral.spectral_iteration()
        )
    if adaptive:
        discriminator_optimizer = augmentation.adapt_strength(
            discriminator_optimizer, batch_size / 500_000
        )

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
    decay = config["ema_decay"]
    if config["ema_warmup"]:
        decay = getattr(schedules, "ema_" + config["ema_warmup"])(decay)
    train_step = registry.build_part(
        "update_rule",
        (training,),
        TrainStep,
        *_only(config, "update_rule"),
        objective=objective,
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        ema_decay=decay,
    )

    def prepare(batch: Batch) -> Batch:
        batch = data.decode(batch)
        if resolution is None:
            return batch
        # The discriminator steps are one more batch dimension here.
        fade = batch.get("fade")
        real = jax.vmap(
            lambda real, fade: progressive_growing.resize(real, resolution, fade),
            in_axes=(0, None if fade is None else 0),
        )
        return batch | {"real": real(batch["real"], fade)}

    return (
        Stage(nets, train_step, prepare, batch_size),
        lambda rng: init_state(nets, generator_optimizer, discriminator_optimizer, rng),
    )


def _objective(
    config: Mapping[str, Any], nets: Networks, augmentations: list, adaptive: bool
) -> Objective:
    terms = {
        name: registry.build_part("objective", (losses, penalties), Term, name, settings)
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
    return accumulated(objective, config["accumulation_steps"])


def _optimizer(config: Mapping[str, Any], field: str) -> optax.GradientTransformation:
    stages = []
    for stage in config[field]:
        for name, settings in stage.items():
            made = registry.build_part(
                field, (optimizers, optax), optax.GradientTransformation, name, settings
            )
            if not isinstance(made, optax.GradientTransformation):
                raise UserError(f"config.{field} names {name!r}, which is not an optimizer")
            stages.append(made)
    if not stages:
        raise UserError(
            f"config.{field} is empty: name an optimizer, as in 'adam(learning_rate=0.0001)'"
        )
    return optax.chain(*stages)


def _check_differentiable(config: Mapping[str, Any]) -> None:
    """Refuses optimizers that a look-ahead cannot be differentiated through.

    Adam's square root has an infinite derivative at 0, where dead units put it; a sign has the derivative 0 everywhere.
    """
    for stage in config["discriminator_optimizer"]:
        for name, settings in stage.items():
            if name in ("lion", "sign_sgd", "signum", "rprop", "optimistic_adam", "scale_by_sign"):
                raise UserError(
                    f"config.unroll cannot learn through {name}, which is not differentiable: take adam or sgd"
                )
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
