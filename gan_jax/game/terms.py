"""Terms: the named summands of an objective, and what they may look at."""

import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from gan_jax.game.batches import Array, Params, PRNGKey


class RescoreFn(Protocol):
    """The discriminator of a round, as a function of samples."""

    def __call__(self, samples: Array, /, **conditions: Array) -> Any:
        """Returns the scores of samples ``[batch, ...]``; conditions replace those of the batch."""
        ...


class RegenerateFn(Protocol):
    """The generator of a round, as a function of latents."""

    def __call__(self, latents: Array | None = None, /, **conditions: Array) -> Array:
        """Returns samples ``[batch, ...]``.

        Args:
          latents: ``[batch, ...]``; None for a generator that takes none.
          **conditions: replace those of the batch. ``sample_index``, ``[batch]``, is needed if
            there are fewer samples than in the batch, and the generator draws.
        """
        ...


class Round(NamedTuple):
    """Both networks played on one batch: all that a term may look at.

    A round exists inside one loss only; it is never passed into or out of a jitted function.

    Attributes:
      real: real samples ``[batch, ...]``.
      fake: generated samples ``[batch, ...]``.
      real_scores: ``[batch, ...]``, float32 or wider: one score per sample, or a map of them.
      fake_scores: likewise.
      score: the discriminator itself, samples ``[batch, ...]`` -> scores ``[batch, ...]``.
      classify: samples ``[batch, ...]`` -> label logits ``[batch, classes]``; None if the networks
        have no ``classify``.
      label: ``[batch]`` int32; None if the batch has no labels.
      sample_index: ``[batch]`` int32, each sample's position in the global batch.
      rng: a key, different for each term.
      features: samples ``[batch, ...]`` -> the discriminator's features ``[batch, ...]``, or a dict
        of them; None if the networks have no ``features``.
      latents: ``[batch, ...]``, what ``fake`` was generated from; None if ``fake`` came with the
        batch, without its latents, or the generator takes no latents.
      latent: key -> fresh latents ``[batch, ...]``, drawn by sample index; None if the generator
        takes no latents.
      generate: the generator itself, latents ``[batch, ...]`` -> samples ``[batch, ...]``.
      conditions: what the networks are given beside samples and latents, ``[batch, ...]`` by name.
      step: the generator updates before this one, an int32 scalar.
      memory: what the term remembers, if it keeps a memory: see `Term`.
      styles: latents ``[batch, ...]`` -> the generator's intermediate latents ``[batch, ...]``;
        None if it has none.
      outputs: what the generator computed beside ``fake``, ``[batch, ...]`` by name; None if the
        networks have no ``outputs``, or ``fake`` came with the batch, without them.
      generator_params: the generator's parameters.
      discriminator_params: the discriminator's parameters.
    """

    real: Array
    fake: Array
    real_scores: Any
    fake_scores: Any
    score: RescoreFn
    classify: Callable[[Array], Array] | None
    label: Array | None
    sample_index: Array
    rng: PRNGKey
    features: Callable[[Array], Any] | None = None
    latents: Array | None = None
    latent: Callable[[PRNGKey], Array] | None = None
    generate: RegenerateFn | None = None
    conditions: Mapping[str, Array] = types.MappingProxyType({})
    step: Array | int = 0
    memory: Any = None
    styles: RegenerateFn | None = None
    outputs: Mapping[str, Array] | None = None
    generator_params: Params = None
    discriminator_params: Params = None


class TermFn(Protocol):
    """A function that returns one summand of a player's loss."""

    def __call__(self, round: Round, /) -> Any:
        """Returns a float scalar, differentiable in the parameters of both networks.

        Of a term with a memory: the scalar, and the memory after this update.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """One named summand of an objective: a scalar for one or both players.

    Terms add up: ``losses.wasserstein() + penalties.gradient_penalty()`` is a `Terms`.

    If the discriminator returns several scores (a dict), a term is computed for each of them, with
    a round that shows that one, and the values are summed.

    Attributes:
      name: what its metrics are called, ``"discriminator/<name>"``. A term needs one to be added;
        in a mapping the key is the name.
      discriminator: what the discriminator minimises; None adds nothing.
      generator: what the generator minimises; None adds nothing.
      memory: what the term remembers before the first update, a pytree of numbers or arrays; None:
        nothing. With a memory both functions return ``(value, new memory)`` and find the present
        one as ``round.memory``. It is part of the train state, has no gradient, stands still inside
        a look-ahead, and is averaged over devices: compute it from means over the batch.
      each_score: whether the term is computed for each of several scores. False for a term that
        does not look at scores, or looks at all of them: its round has the dict.

    Raises:
      TypeError: what a player minimises is not a function.
    """

    name: str = ""
    discriminator: TermFn | None = None
    generator: TermFn | None = None
    memory: Any = None
    each_score: bool = True

    def __post_init__(self) -> None:
        for side in ("discriminator", "generator"):
            function = getattr(self, side)
            if function is not None and not callable(function):
                raise TypeError(
                    f"Term({side}=...) takes a function of a Round, not {_described(function)}"
                )

    def named(self, name: str) -> "Term":
        """Returns the same term by another name."""
        return dataclasses.replace(self, name=name)

    def __add__(self, other: "Term | Terms | Literal[0]") -> "Terms":
        return _added(self, other)

    def __radd__(self, other: Literal[0]) -> "Terms":
        return _added(other, self)


class Terms(Mapping[str, Term]):
    """A sum of terms: an ordered, immutable mapping from names to terms.

    Terms draw from keys that depend on their position, so the order matters for the random numbers.

    Args:
      terms: a mapping from names to terms; each term takes its key as its name. None: no term.

    Raises:
      TypeError: a key is not a string, or a value is not a `Term`.
    """

    __slots__ = ("_terms",)

    def __init__(self, terms: Mapping[str, Term] | None = None) -> None:
        self._terms: dict[str, Term] = {}
        for name, term in (terms or {}).items():
            if not isinstance(name, str):
                raise TypeError(f"the name of a term is a string, not {name!r}")
            if not isinstance(term, Term):
                raise TypeError(f"terms[{name!r}] is a Term, not {_described(term)}")
            self._terms[name] = term.named(name)

    def __getitem__(self, name: str) -> Term:
        return self._terms[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def __add__(self, other: "Term | Terms | Literal[0]") -> "Terms":
        return _added(self, other)

    def __radd__(self, other: Literal[0]) -> "Terms":
        return _added(other, self)

    def __repr__(self) -> str:
        return f"Terms({' + '.join(self)})"


def _added(left: Any, right: Any) -> Terms:
    """The terms of both sides in order. Zero is the empty sum, so that ``sum(terms)`` works."""
    terms: dict[str, Term] = {}
    for side in (left, right):
        if isinstance(side, int) and side == 0:
            continue
        if isinstance(side, Mapping) and not isinstance(side, Terms):
            side = Terms(side)
        for term in as_terms(side, "a sum of terms takes").values():
            if term.name in terms:
                raise ValueError(
                    f'two terms are named {term.name!r}: rename one of them, term.named("other")'
                )
            terms[term.name] = term
    return Terms(terms)


def as_terms(terms: Any, takes: str = "adversarial takes") -> Terms:
    """``terms`` as a sum. Raises TypeError, with a message that starts with ``takes``."""
    if isinstance(terms, Terms):
        return terms
    if isinstance(terms, Term):
        if not terms.name:
            raise ValueError(
                'a term needs a name: Term(name="...", ...), term.named("...") or {"...": term}'
            )
        return Terms({terms.name: terms})
    if isinstance(terms, Mapping):
        return Terms(terms)
    raise TypeError(f"{takes} terms, as in wasserstein() + r1(), not {_described(terms)}")


def _described(value: Any) -> str:
    """What ``value`` is, and how it becomes a term, for an error message."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return f"a {type(value).__name__}: add its terms up, a + b"
    if isinstance(value, str):
        return f"the string {value!r}: call the function of that name in losses or penalties"
    if callable(value):
        name = getattr(value, "__name__", type(value).__name__)
        return f"the function {name}: call it to make a term, {name}()"
    return f"an object of type {type(value).__name__}"
