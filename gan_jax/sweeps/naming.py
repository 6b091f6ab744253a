"""Short readable names: of parameters, of a sweep's runs, of a run in W&B."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gan_jax.experiment import config as configs
from gan_jax.experiment.run_directory import FREE

LONGEST = 100  # letters in the name of a run's folder


def labels(paths: Iterable[str]) -> dict[str, str]:
    """A short name for each config path, no two alike.

    ``config.discriminator_optimizer.adam.learning_rate`` is ``discriminator.learning_rate``;
    ``config.objective.gradient_penalty.weight`` is ``gradient_penalty.weight``.
    """
    paths = list(paths)
    short = {path: _label(path.removeprefix("config.")) for path in paths}
    taken = list(short.values())
    return {
        path: name if taken.count(name) == 1 else path.removeprefix("config.")
        for path, name in short.items()
    }


def _label(path: str) -> str:
    parts = path.split(".")
    if parts[0] in configs.CHAINS and len(parts) > 2:
        return f"{parts[0].removesuffix('_optimizer')}.{parts[-1]}"
    return ".".join(parts[-2:]) if parts[0] in configs.NAMED and len(parts) > 2 else path


def text(value: Any) -> str:
    """A parameter's value, four digits of a number that has more."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return ",".join(map(text, value)) if isinstance(value, list | tuple) else str(value)


def folder(parameters: Mapping[str, Any], index: int | None) -> str:
    """The name of a trial's folder: ``unroll=5_seed=0``, with the number before it where one is given."""
    short = labels(parameters)
    words = [f"{short[path]}={text(value)}" for path, value in parameters.items()]
    name = re.sub(r"[^\w.,=+-]+", "-", "_".join(words)).strip("-")
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 7]}_{digest(parameters)[:6]}"
    return name if index is None else f"{index:03d}_{name}"


def digest(value: Any) -> str:
    """A hash of plain values."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


def run_name(spec: str, config: Mapping[str, Any]) -> str:
    """What a run is, in W&B's lists: its file and variant, what was changed in them, its seed.

    ``"ring unrolled, unroll 5, seed 3"`` for ``--config=configs/ring.py:unrolled --config.unroll=5 --config.seed=3``.
    """
    path, _, variant = spec.partition(":")
    plain = configs.to_dict(configs.load(spec))
    changes: dict[str, str] = {}
    for field in configs.differences(plain, config):
        top = field.split(".")[0]
        if top in (*FREE, "seed", "population"):
            continue
        if top in configs.NAMED + configs.CHAINS and _structure(plain[top]) != _structure(
            config[top]
        ):
            changes[top] = configs.to_text(config[top])
        else:
            changes[field] = text(configs.flat(config).get(field))
    short = labels(changes)
    words = " ".join([Path(path).stem, *([variant] if variant else [])])
    varied = list(configs.flat(config["population"])) if config["population"] else []
    last = (
        f"population of {', '.join(labels(varied).values())}"
        if varied
        else f"seed {config['seed']}"
    )
    return ", ".join(
        [words, *(f"{short[field]} {value}" for field, value in changes.items()), last]
    )[:128]


def with_wandb_name(spec: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with a name for W&B, where W&B is used and the config gives none; members of a population share a group."""
    settings = config["wandb"]
    if not settings["use"] or settings["name"]:
        return dict(config)
    name = run_name(spec, config)
    if config["population"]:  # a member is called like its folder
        filed = {"group": settings["group"] or name, "tags": (*settings["tags"], "population")}
    else:
        filed = {"name": name}
    return {**config, "wandb": {**settings, **filed}}


def _structure(part: Any) -> Any:
    return sorted(configs.flat({"part": part}))
