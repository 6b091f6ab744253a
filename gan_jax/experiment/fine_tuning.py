"""Starting from the parameters of another run, for fine-tuning and transfer."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax.distributed.mesh import on_host
from gan_jax.errors import UserError
from gan_jax.experiment.loading import LoadedRun, load
from gan_jax.experiment.remote_runs import fetched
from gan_jax.experiment.settings import Settings
from gan_jax.game import Params
from gan_jax.training.steps import TrainState

MANY_NAMES = 6
"""So many parameters are named in a line."""


class Transfer(NamedTuple):
    """A state that starts from the parameters of another run.

    Attributes:
      state: with fresh optimizers and at step 0.
      kept: how many parameters (leaves) of both networks were taken over whole.
      grown: the paths of those that have more entries along one axis now, which come after those
        that were taken over.
      new: the paths of those that were drawn anew.
    """

    state: TrainState
    kept: int
    grown: Sequence[str]
    new: Sequence[str]

    def describe(self, source: str) -> str:
        """Returns a line that says what was taken over."""
        total = self.kept + len(self.grown) + len(self.new)
        text = f"{self.kept} of {total} arrays of parameters are those of {source}"
        if self.grown:
            text += f"; with more entries along an axis: {_listed(self.grown)}"
        if self.new:
            text += f"; drawn anew: {_listed(self.new)}"
        return text


def load_source(settings: Settings) -> LoadedRun | None:
    """Loads the run that ``config.init_from`` names; None if it names none. Raises UserError."""
    if not settings.init_from:
        return None
    directory, at, number = settings.init_from.rpartition("@")
    step = int(number) if at and number.isascii() and number.isdigit() else None
    run_dir = fetched(settings.init_from if step is None else directory)
    if not run_dir.exists():
        raise UserError(f"config.init_from names {run_dir}, which does not exist: RUN or RUN@STEP")
    try:
        return load(run_dir, step)
    except UserError as error:
        raise UserError(f"config.init_from={settings.init_from}: {error}") from error


def transfer(state: TrainState, source: TrainState) -> Transfer:
    """Returns a state with the parameters of another one, as far as they fit.

    Parameters fit if they have the same path and shape, in the generator, its EMA and the
    discriminator. If all axes but one agree, and that one is longer now (more classes, more latent
    entries), the first entries are taken over. Optimizers start anew.

    Args:
      state: the initial state.
      source: of another run.

    Raises:
      UserError: no parameter fits.
    """
    names: dict[str, list[str]] = {"kept": [], "grown": [], "new": []}

    def take_over(player: str, params: Params, others: Params) -> Params:
        old = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(others)}

        def leaf(path: tuple[Any, ...], new: Any) -> Any:
            kind, value = _fit(new, old.get(_name(path)))
            names[kind].append(f"{player}/{_name(path)}")
            return value

        return jax.tree_util.tree_map_with_path(leaf, params)

    generator = take_over("generator", state.generator.params, source.generator.params)
    discriminator = take_over(
        "discriminator", state.discriminator.params, source.discriminator.params
    )
    counted = {kind: list(paths) for kind, paths in names.items()}
    generator_ema = take_over("generator_ema", state.generator_ema, source.generator_ema)
    if not counted["kept"] and not counted["grown"]:
        raise UserError(
            "no parameter of that run has the path and the shape of one of this run: choose a run "
            "with the same config.networks"
        )
    started = state._replace(
        generator=state.generator._replace(params=generator),
        discriminator=state.discriminator._replace(params=discriminator),
        generator_ema=generator_ema,
        other_emas=tuple(
            take_over("other_emas", average, source.generator_ema) for average in state.other_emas
        ),
    )
    return Transfer(started, len(counted["kept"]), counted["grown"], counted["new"])


def _fit(new: Any, old: Any) -> tuple[str, Any]:
    """The kind and the value of one array of parameters."""
    if old is None or old.ndim != new.ndim or old.dtype != new.dtype:
        return "new", new
    longer = [i for i in range(new.ndim) if new.shape[i] != old.shape[i]]
    if len(longer) > 1 or any(new.shape[i] < old.shape[i] for i in longer):
        return "new", new
    value = np.array(on_host(new))
    value[tuple(slice(size) for size in old.shape)] = on_host(old)
    placed = jax.device_put(value, new.sharding) if isinstance(new, jax.Array) else value
    return "grown" if longer and math.prod(old.shape) else "kept", placed


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - MANY_NAMES} more" if len(paths) > MANY_NAMES else ""
    return ", ".join(paths[:MANY_NAMES]) + more
