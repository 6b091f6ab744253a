"""Which samples are asked for: seeds and classes, from text such as that of flags."""

import re

import jax
import numpy as np

from gan_jax.data import Dataset
from gan_jax.errors import UserError, brief, did_you_mean
from gan_jax.training.sampling import Sampler

MOST_SEEDS = 100_000
"""Seeds that one text may name."""


def parse_seeds(text: str, flag: str = "--seeds") -> list[int]:
    """Parses seeds: ``"0-3,9"`` is ``[0, 1, 2, 3, 9]``.

    Args:
      text: numbers and ranges, whose ends belong to them, separated by commas.
      flag: where the text stands, for the error.

    Raises:
      UserError: it is something else, or names a seed outside ``0 ... 2^31 - 1``, or more than
        `MOST_SEEDS`.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:-(\d{1,10}))?\s*", part, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last >= 2**31:
            raise UserError(
                f"{flag} takes seeds from 0 to {2**31 - 1}, such as 0-15 or 3,7,20-23, "
                f"not {brief(text)}"
            )
        if len(seeds) + last - first >= MOST_SEEDS:
            raise UserError(f"{flag} takes at most {MOST_SEEDS} seeds")
        seeds.extend(range(first, last + 1))
    return seeds


def parse_classes(text: str, classes: int, names: tuple[str, ...] = ()) -> np.ndarray:
    """Parses classes: ``"Bag,Coat"``, ``"8,4"``, or ``"all"``.

    Args:
      text: names and numbers, separated by commas; one name may hold commas itself.
      classes: how many there are; 0 if the networks take no labels.
      names: of the classes in their order, if they have any.

    Returns:
      The numbers of the classes ``[k]`` int, in the order of the text.

    Raises:
      UserError: there are no classes, or none of that name or number.
    """
    if not classes:
        raise UserError("a label needs networks that take labels, and those of this run do not")
    if text == "all":
        return np.arange(classes)
    parts = [text] if text in names else [part.strip() for part in text.split(",")]
    return np.array([_class_of(part, classes, names) for part in parts])


def sample(
    sampler: Sampler, dataset: Dataset, n: int, seed: int = 0, label: int | str | None = None
) -> np.ndarray:
    """Draws samples of one class, by number or by name, or of each class in turn.

    Args:
      sampler: of the generator.
      dataset: whose classes these are.
      n: how many.
      seed: of their latents.
      label: of all samples; None: each class in turn.

    Returns:
      ``[n, ...]`` float32.

    Raises:
      UserError: no sample is asked for, or there is no such class.
    """
    labels = None
    if label is not None:
        labels = np.resize(parse_classes(str(label), dataset.classes, dataset.class_names), n)
    return sampler(jax.random.key(seed), n, labels)


def _class_of(text: str, classes: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text)
    folded = [name.casefold() for name in names]
    if folded.count(text.casefold()) == 1:
        return folded.index(text.casefold())
    if text.isdecimal() and int(text) < classes:
        return int(text)
    hint = f", or a name: {did_you_mean(text, names)}" if names else ""
    raise UserError(f"a label is from 0 to {classes - 1} for this run, not {text!r}{hint}")
