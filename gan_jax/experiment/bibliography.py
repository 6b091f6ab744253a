"""The papers of the parts that a config names, as BibTeX."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from gan_jax.errors import UserError
from gan_jax.experiment import registry
from gan_jax.experiment.part_text import Part, parse_parts
from gan_jax.experiment.settings import Settings, parse
from gan_jax.experiment.signatures import parameters_of
from gan_jax.game import Term
from gan_jax.networks import NetworksFactory
from gan_jax.objectives import augmentation, penalties, unrolling

PAPERS = Path(__file__).with_name("papers.bib")


def citations(config: Settings | ConfigDict | Mapping[str, Any]) -> str:
    """Returns BibTeX entries of the papers that the parts of a config come from.

    They are those under "References" in the documentation of each function that the config names.
    Functions of other packages are left out.

    Args:
      config: as in a config file, or settings, such as ``gan_jax.load("runs/x").settings``.

    Raises:
      UserError: the config is not one.
    """
    settings = config if isinstance(config, Settings) else parse(config)
    functions = dict.fromkeys(_functions(settings))
    titles = dict.fromkeys(title for function in functions for title in titles_of(function))
    entries = dict.fromkeys(entry for title in titles if (entry := find_paper(title)))
    return "\n".join(entries)


def titles_of(function: Callable[..., Any]) -> list[str]:
    """Returns the titles of papers that the documentation of a function refers to."""
    _, _, references = (inspect.getdoc(function) or "").partition("\nReferences:\n")
    return re.findall(r'"([^"]+)"', " ".join(references.split()))


def find_paper(title: str) -> str | None:
    """Returns the entry of `PAPERS` with a title, or with one that begins so; None without one."""
    papers, wanted = _papers(), _plain(title)
    if wanted in papers:
        return papers[wanted]
    longer = [entry for known, entry in papers.items() if known.startswith(wanted)]
    return longer[0] if len(longer) == 1 else None


@functools.cache
def _papers() -> dict[str, str]:
    """The entries by their plain titles."""
    entries = PAPERS.read_text(encoding="utf-8").split("\n\n")
    found = [re.search(r"title = \{\{(.+)\}\}", entry) for entry in entries]
    return {
        _plain(title[1]): entry.strip() + "\n"
        for title, entry in zip(found, entries, strict=True)
        if title
    }


def _plain(title: str) -> str:
    """A title in lower case, without punctuation, and with GANs called so."""
    words = re.sub(r"[^a-z0-9]+", " ", title.lower()).strip()
    return re.sub(r"generative adversarial net(work)?(s?)\b", r"gan\2", words)


def _functions(settings: Settings) -> Iterator[Callable[..., Any]]:
    """The functions of this package that settings name, and those that plain fields turn on."""
    for field in registry.NAMESPACES:
        parts = getattr(settings, field, ())
        for part in (parts,) if isinstance(parts, Part) else parts:
            yield from _functions_of(field, part)
    if settings.unroll:
        yield unrolling.unrolled
    if settings.augmentation_target:
        yield augmentation.adaptive
    if settings.gradient_regularisation:
        yield penalties.gradient_regularised


def _functions_of(field: str, part: Part) -> Iterator[Callable[..., Any]]:
    try:
        function = registry.resolve(field, part.name)
    except UserError:  # what only a setting can name, such as a schedule
        function = registry.resolve_setting(field, field, part.name)
    if function.__module__.startswith("gan_jax."):
        yield function
    parameters = parameters_of(function)
    for name, value in part.settings.items():
        annotation, _ = parameters.get(name, (None, False))
        if annotation in (Term, NetworksFactory) and isinstance(value, str):  # a bare word
            (value,) = parse_parts(value)
        if isinstance(value, Part):
            yield from _functions_of("networks" if annotation is NetworksFactory else field, value)
