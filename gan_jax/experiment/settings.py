"""Settings: a config parsed once into frozen dataclasses. Nothing else reads configs."""

import contextlib
import dataclasses
import json
import math
import os
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from gan_jax.errors import UserError, brief, did_you_mean, first_line
from gan_jax.experiment import credentials
from gan_jax.experiment.credentials import names_credential, refuse_credentials
from gan_jax.experiment.part_text import (
    Part,
    is_int64,
    parse_parts,
    parse_value,
    parts_text,
)

Parts = tuple[Part, ...]
WARN = Part("warn")


@dataclass(frozen=True)
class ExtraDiscriminatorSteps:
    """Steps with more discriminator updates: WGAN's 100 at the first 25 and each 500th.

    Attributes:
      burst: discriminator updates at such a step; 0: there are no such steps.
      first: this many first steps are such steps.
      every: so is each step divisible by this.
    """

    burst: int
    first: int
    every: int


@dataclass(frozen=True)
class WandbSettings:
    """Whether and how a run is logged to W&B. Empty texts are made up from the run."""

    use: bool
    mode: str
    project: str
    name: str
    group: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Everything a run is told. `configs/default.py` has the same fields, with comments."""

    seed: int
    dataset: Part
    networks: Part
    objective: Parts
    unroll: int
    unroll_resample: bool
    unroll_stop_gradient: bool
    unroll_rematerialise: bool
    augmentation: Parts
    augmentation_target: float
    gradient_regularisation: float
    progressive_growing: tuple[Any, ...]
    update_rule: Part
    steps: int
    batch_size: int
    discriminator_steps: int
    extra_discriminator_steps: ExtraDiscriminatorSteps
    generator_optimizer: Parts
    discriminator_optimizer: Parts
    ema_warmup: str
    ema_decay: float
    population: Mapping[str, tuple[Any, ...]]
    parallelism: Part
    precision: str
    accumulation_steps: int
    steps_per_call: int
    log_every: int
    checkpoint_every: int
    keep_checkpoints: int
    sample_every: int
    num_samples: int
    metrics: Parts
    evaluate_every: int
    best_metric: str
    best_mode: str
    wandb: WandbSettings
    python_path: tuple[str, ...]
    # Fields that came later have a default, so that an older config.json can be read.
    nonfinite: str = "stop"
    init_from: str = ""
    ema: Parts = ()
    transformations: Parts = ()
    health: bool = True
    on_trouble: Part = WARN
    stop_when: Parts = ()
    profile: int = 0
    tensorboard: bool = False


REPEATABLE = ("ema", "stop_when")
"""Fields of parts that may name a part more than once."""


def parse(config: ConfigDict | Mapping[str, Any]) -> Settings:
    """Parses a config.

    Args:
      config: all fields of `configs/default.py`, as a ConfigDict or as plain dicts, lists and
        numbers.

    Returns:
      The settings; their values have the fields' types, but are not checked any further:
      `gan_jax.experiment.validation` does that.

    Raises:
      UserError: an unknown or missing field, or a value of another type.
    """
    plain = config.to_dict() if isinstance(config, ConfigDict) else config
    if not isinstance(plain, Mapping):
        raise UserError(f"it is not a config: a mapping of fields is expected, not {_shown(plain)}")
    return typing.cast(Settings, _dataclass(Settings, plain, ""))


def dumps(settings: Settings) -> str:
    """Returns settings as the JSON text of config.json."""
    return json.dumps(as_config(settings), indent=2) + "\n"


def loads(text: str) -> Settings:
    """Parses a config.json. Raises ValueError if it is not JSON, and UserError as `parse`."""
    try:
        config = json.loads(text, object_pairs_hook=_without_repeats)
        if not isinstance(config, dict):
            raise UserError("it is not a config: a mapping of fields is expected")
        return parse(config)
    except RecursionError as error:
        raise UserError("it has too many levels of nested values") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, number in Counter(name for name, _ in pairs).items():
        if number > 1:
            raise UserError(f"{name} is there {number} times: once is meant")
    return dict(pairs)


def as_config(settings: Any) -> Any:
    """Returns settings as plain dicts, tuples, texts and numbers: what `parse` takes."""
    if isinstance(settings, Part):
        return str(settings)
    if isinstance(settings, tuple):
        if settings and all(isinstance(entry, Part) for entry in settings):
            return parts_text(settings)
        return tuple(map(as_config, settings))
    if dataclasses.is_dataclass(settings):
        return {
            f.name: _config_of(f.type, getattr(settings, f.name))
            for f in dataclasses.fields(settings)
        }
    if isinstance(settings, Mapping):
        return {key: as_config(value) for key, value in settings.items()}
    return settings


def parse_field(path: str, kind: Any, value: Any) -> Any:
    """Returns a config's value as the type of its field.

    Args:
      path: of the field, for the error.
      kind: the annotation of the field in `Settings`.
      value: from a config file, a config.json, or the text of a flag.

    Raises:
      UserError: a value of another type.
    """
    refuse_credentials(path, value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not Part:
        if not isinstance(value, Mapping):
            names = (f"config.{path}.{f.name}" for f in dataclasses.fields(kind))
            raise UserError(f"config.{path} has parts: set them one by one, {', '.join(names)}")
        return _dataclass(kind, value, f"{path}.")
    if kind in (Part, Parts):
        return _parse_parts(path, kind, value)
    if typing.get_origin(kind) is Mapping:
        return _columns(path, parse_value(value) if isinstance(value, str) else value)
    if typing.get_origin(kind) is tuple:
        return _texts(path, value) if str in typing.get_args(kind) else _tuple(path, value)
    if kind is not str and isinstance(value, str):
        value = parse_value(value)
    if isinstance(value, int) and not is_int64(value):
        raise UserError(f"config.{path} takes {KINDS[kind]} of at most 64 bits")
    if kind is bool and type(value) in (int, float) and value in (0, 1):
        value = bool(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e4
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # refused below, as it stays a whole number
            value = float(value)
    is_number = not isinstance(value, bool) and not (kind is float and not _is_finite(value))
    if not isinstance(value, kind) or not (is_number or kind is bool):
        raise UserError(f"config.{path} takes {KINDS[kind]}, not {_shown(value)}")
    return value


KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def unknown_field(path: str, known: Iterable[str]) -> UserError:
    """Returns the error for a field that no config has.

    Args:
      path: of the field, ``"config.unrol"``.
      known: the names of the fields that there are in its place.
    """
    name = path.rpartition(".")[2]
    hint = credentials.HINT if names_credential(name) else did_you_mean(name, known)
    return UserError(f"unknown config key {path}: {hint}")


def field_types(kind: type) -> dict[str, Any]:
    """Returns the types of a settings dataclass's fields, by name."""
    return typing.get_type_hints(kind)


def _dataclass(kind: type, values: Mapping[str, Any], prefix: str) -> Any:
    known = field_types(kind)
    for name in values:
        if name not in known:
            raise unknown_field(f"config.{prefix}{name}", known)
    optional = {f.name for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
    missing = [name for name in known if name not in values and name not in optional]
    if missing:
        raise UserError(
            f"this config lacks {', '.join(f'config.{prefix}{name}' for name in missing)}"
        )
    return kind(
        **{
            name: parse_field(f"{prefix}{name}", annotation, values[name])
            for name, annotation in known.items()
            if name in values
        }
    )


def _parse_parts(path: str, kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        raise UserError(
            f"config.{path} takes text like 'name(key=value) + other', not {_shown(value)}"
        )
    try:
        parts = parse_parts(value, repeats=path in REPEATABLE)
    except ValueError as error:
        raise UserError(
            f"config.{path} takes parts like 'name(key=value) + other', not {brief(value)}: "
            f"{first_line(error)}"
        ) from error
    if kind == Parts:
        return parts
    if len(parts) != 1:
        raise UserError(f"config.{path} names one part, not {brief(value)}")
    return parts[0]


def _texts(path: str, value: Any) -> tuple[str, ...]:
    """A tuple of texts, which on the command line are separated by commas."""
    if isinstance(value, str):
        literal = parse_value(value) if value.strip()[:1] in ("(", "[") else None
        is_tuple = isinstance(literal, tuple)
        value = literal if is_tuple else tuple(filter(None, value.split(",")))
    if not isinstance(value, list | tuple) or not all(map(_is_text, value)):
        raise UserError(f"config.{path} takes texts, ('a', 'b') or a,b, not {_shown(value)}")
    return tuple(map(str, value))


def _is_text(value: Any) -> bool:
    """Whether a value is text, or an integer in its place, that a path can hold."""
    try:
        return isinstance(value, str | int) and b"\0" not in os.fsencode(str(value))
    except ValueError:  # half of a surrogate pair, or thousands of digits
        return False


def _tuple(path: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        literal = parse_value(value)
        value = literal if isinstance(literal, tuple) else tuple(filter(None, value.split(",")))
    if not isinstance(value, list | tuple):
        value = (value,)
    entries = tuple(tuple(v) if isinstance(v, list) else v for v in value)
    for entry in entries:
        for number in entry if isinstance(entry, tuple) else (entry,):
            if isinstance(number, int) and not is_int64(number):
                raise UserError(f"config.{path} takes whole numbers of at most 64 bits")
    return entries


def _columns(name: str, value: Any) -> dict[str, tuple[Any, ...]]:
    """A population's values by dotted path, from nested or flat mappings."""
    if not isinstance(value, Mapping):
        raise UserError(
            f"config.{name} takes fields with a tuple of values each, not {_shown(value)}"
        )
    columns: dict[str, tuple[Any, ...]] = {}
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            columns |= {f"{key}.{path}": values for path, values in _columns(name, entry).items()}
        else:
            columns[key] = tuple(entry) if isinstance(entry, list) else entry
    return columns


def _config_of(annotation: Any, value: Any) -> Any:
    if annotation == Parts:  # no parts at all are an empty text, not an empty tuple
        return parts_text(value)
    return as_config(value)


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Part) else brief(value)
