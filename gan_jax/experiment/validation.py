"""What is refused before a run starts: fields out of bounds, and parts of a config that do not fit each other."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.experiment.builder import Experiment, Stage
from gan_jax.game import Batch
from gan_jax.training import TrainState, data_parallel


def check_fields(config: Mapping[str, Any], devices: int = 1) -> None:
    """Bounds of the plain fields, for batches that are split over so many devices. Raises UserError."""
    for field in ("steps", "batch_size", "discriminator_steps", "steps_per_call", "log_every", "checkpoint_every", "sample_every",
                  "evaluate_every", "keep_checkpoints", "num_samples", "accumulation_steps"):  # fmt: skip
        if config[field] < 1:
            raise UserError(f"config.{field} must be at least 1, not {config[field]}")
    if config["unroll"] < 0:
        raise UserError(f"config.unroll must be at least 0, not {config['unroll']}")
    if not 0 <= config["ema_decay"] < 1:
        raise UserError(f"config.ema_decay must be in [0, 1), not {config['ema_decay']}")
    if config["ema_warmup"] not in ("", "num_updates", "rampup"):
        raise UserError(
            f"config.ema_warmup is '', 'num_updates' or 'rampup', not {config['ema_warmup']!r}"
        )
    for field in ("log_every", "checkpoint_every", "sample_every", "evaluate_every"):
        if config[field] % config["steps_per_call"]:
            raise UserError(
                f"config.{field} must be a multiple of config.steps_per_call, {config['steps_per_call']}, not {config[field]}"
            )
    if config["best_mode"] not in ("min", "max"):
        raise UserError(f"config.best_mode is 'min' or 'max', not {config['best_mode']!r}")
    if config["parallelism"] not in data_parallel.PARALLELISM:
        raise UserError(
            f"config.parallelism is {' or '.join(map(repr, data_parallel.PARALLELISM))}, not {config['mapping']!r}"
        )
    if config["precision"] not in ("float32", "bfloat16"):
        raise UserError(f"config.precision is 'float32' or 'bfloat16', not {config['precision']!r}")
    if config["wandb"]["mode"] not in ("offline", "online"):
        raise UserError(
            f"config.wandb.mode is 'offline' or 'online', not {config['wandb']['mode']!r}"
        )
    for phase in config["progressive_growing"]:
        if not (
            isinstance(phase, tuple)
            and len(phase) in (3, 4)
            and all(isinstance(entry, int) for entry in phase)
        ):
            raise UserError(
                f"config.progressive_growing has phases (resolution, batch size, steps, fade steps), not {phase!r}"
            )
    sizes = [phase[1] for phase in config["progressive_growing"]] or [config["batch_size"]]
    for size in sizes:
        if size % devices:
            raise UserError(
                f"a batch of {size} does not divide over {devices} devices: change config.batch_size"
            )
        shares = devices if config["parallelism"] == "pmapped" else 1
        if size // shares % config["accumulation_steps"]:
            raise UserError(
                f"config.accumulation_steps must divide the batch of {size // shares}{' on each device' * (shares > 1)}, "
                f"not {config['accumulate']}"
            )
    if jnp.size(config["seed"]) == 1 and config["seed"] < 0:
        raise UserError(f"config.seed must be at least 0, not {config['seed']}")


def check_experiment(experiment: Experiment) -> None:
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
            "sample_index": jax.ShapeDtypeStruct(lead, jnp.int32),
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
            raise UserError(
                f"the parts of this config do not fit: {str(error).strip().splitlines()[0]}"
            ) from error
        if jax.tree.map(lambda x: (x.shape, x.dtype), after) != jax.tree.map(
            lambda x: (x.shape, x.dtype), state
        ):
            raise UserError(
                "the parts of this config do not fit: a step changes the shapes or dtypes of the state"
            )
