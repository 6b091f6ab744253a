"""The two-player game: objectives as sums of named terms, and one optimizer step of one player.

Everything here is a pure function of arrays. Nothing depends on files, devices, configs or a
network library.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices

Array = jax.Array
PRNGKey = jax.Array
Params = Any
"""A pytree of arrays."""
Batch = dict[str, Array]
"""Arrays ``[batch, ...]`` by name.

``"real"`` holds the real samples. ``"sample_index"``, ``[batch]`` int32, is each sample's position
in the global batch (0, 1, 2, ... if absent). ``"fake"`` and ``"latents"`` are generated samples to
score instead of fresh ones, and the latents that they were generated from. Every other entry
(``"label"``, ``"fade"``), ``[batch]`` each, is a condition of both networks.
"""
Metrics = dict[str, Array]
"""Scalars by name, such as ``"discriminator/wasserstein"``."""
Side = Literal["discriminator", "generator"]

NOT_CONDITIONS = ("real", "fake", "latents", "sample_index")
SIDES: tuple[Side, Side] = ("discriminator", "generator")


# ----------------------------------------------------------------------------- players, objectives


class Player(NamedTuple):
    """A network in the game: its parameters and the state of the optimizer that updates them."""

    params: Params
    opt_state: optax.OptState = ()


class LossFn(Protocol):
    """A function that returns what a player minimises against a fixed opponent."""

    def __call__(
        self, own: Params, opponent: Player, batch: Batch, rng: PRNGKey, /
    ) -> tuple[Array, Metrics]:
        """Computes the loss and its metrics.

        Args:
          own: the player's own parameters, with respect to which the loss is differentiated.
          opponent: the other player, whole: a look-ahead needs its optimizer's state.
          batch: arrays ``[batch, ...]``, among them ``"real"``.
          rng: one key, from which all draws of this loss are derived.

        Returns:
          The loss, a float scalar, and metrics, a dict of scalars.
        """
        ...


class FakesFn(Protocol):
    """A function that adds to a batch the samples that both losses would generate from a key."""

    def __call__(self, generator: Params, batch: Batch, rng: PRNGKey, /) -> Batch:
        """Returns ``batch`` with ``"fake"`` and ``"latents"``, ``[batch, ...]`` each."""
        ...


class Objective(NamedTuple):
    """What each player minimises against a fixed opponent.

    Attributes:
      discriminator: the discriminator's loss.
      generator: the generator's loss.
      generate_fakes: generates the samples that both losses would generate from the same key;
        unrolling uses it to generate once for all its look-ahead steps. Without it each loss
        generates anew.
    """

    discriminator: LossFn
    generator: LossFn
    generate_fakes: FakesFn | None = None


# --------------------------------------------------------------------------------------- networks


class InitFn(Protocol):
    """A function that draws the parameters of both networks."""

    def __call__(self, rng: PRNGKey, /) -> tuple[Params, Params]:
        """Returns the generator's and the discriminator's parameters, pytrees of float arrays."""
        ...


class LatentFn(Protocol):
    """A function that draws latents: the generator's input."""

    def __call__(self, rng: PRNGKey, batch_size: int, /) -> Array:
        """Returns ``[batch_size, ...]`` floats. The losses ask for one latent per key at a time."""
        ...


# `*args: Any, **conditions: Any` tells type checkers that a function may take any conditions it
# likes, or none. They are passed by keyword, never by position.


class GenerateFn(Protocol):
    """A function that generates samples: the generator."""

    def __call__(self, params: Params, latents: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns samples ``[batch, ...]``.

        Args:
          params: the generator's parameters.
          latents: ``[batch, ...]``.
          *args: none.
          **conditions: ``[batch]`` each, such as ``label`` (int32) or ``fade`` (float32).
        """
        ...


class ScoreFn(Protocol):
    """A function that scores samples: the discriminator."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns raw scores ``[batch]`` (logits, critic values), never probabilities.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: ``[batch]`` each, such as ``label`` (int32) or ``fade`` (float32).
        """
        ...


class ClassifyFn(Protocol):
    """A function that classifies samples: a second head of the discriminator."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns label logits ``[batch, classes]``.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: those of ``score``, without the label.
        """
        ...


class StandingFn(Protocol):
    """A function that fixes the statistics of a generator which couples the samples of a batch."""

    def __call__(self, params: Params, latents: Array, /, *args: Any, **conditions: Any) -> Params:
        """Returns generator parameters with which a sample no longer depends on its batch.

        Args:
          params: the generator's parameters.
          latents: ``[batch, ...]``, over which the statistics are gathered.
          *args: none.
          **conditions: those of ``generate``.
        """
        ...


class FeaturesFn(Protocol):
    """A function that returns the discriminator's features of samples."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns features ``[batch, ...]``.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: those of ``score``.
        """
        ...


class Networks(NamedTuple):
    """A generator and a discriminator of any library, as plain functions of pytrees of arrays.

    Attributes:
      init: key -> the generator's and the discriminator's parameters.
      latent: key, batch size -> latents ``[batch, ...]``.
      generate: generator parameters, latents, conditions -> samples ``[batch, ...]``.
      score: discriminator parameters, samples, conditions -> raw scores ``[batch]``.
      classify: discriminator parameters, samples -> label logits ``[batch, classes]``.
      standing: generator parameters, latents, conditions -> parameters with which ``generate`` does
        not couple samples. Only needed if the generator does (BatchNorm).
      features: discriminator parameters, samples, conditions -> features ``[batch, ...]``.
      independent_scores: whether a sample's score depends on no other sample of its batch, so that
        one pass may score real and generated samples together.
    """

    init: InitFn
    latent: LatentFn
    generate: GenerateFn
    score: ScoreFn
    classify: ClassifyFn | None = None
    standing: StandingFn | None = None
    features: FeaturesFn | None = None
    independent_scores: bool = False


# ------------------------------------------------------------------------------------------ terms


class Round(NamedTuple):
    """Both networks played on one batch: all that a term may look at.

    A round exists inside one loss only; it is never passed into or out of a jitted function.

    Attributes:
      real: real samples ``[batch, ...]``.
      fake: generated samples ``[batch, ...]``.
      real_scores: ``[batch]``, float32 or wider.
      fake_scores: ``[batch]``, float32 or wider.
      score: the discriminator itself, samples ``[batch, ...]`` -> scores ``[batch]``.
      classify: samples ``[batch, ...]`` -> label logits ``[batch, classes]``.
      label: ``[batch]`` int32.
      sample_index: ``[batch]`` int32, each sample's position in the global batch.
      rng: a key, different for each term.
      features: samples ``[batch, ...]`` -> the discriminator's features ``[batch, ...]``.
      latents: ``[batch, ...]``, what ``fake`` was generated from; None if ``fake`` came with the
        batch, without its latents.
      latent: key -> fresh latents ``[batch, ...]``, drawn by sample index.
      generate: the generator itself, latents ``[batch, ...]`` -> samples ``[batch, ...]``.
    """

    real: Array
    fake: Array
    real_scores: Array
    fake_scores: Array
    score: Callable[[Array], Array]
    classify: Callable[[Array], Array] | None
    label: Array | None
    sample_index: Array
    rng: PRNGKey
    features: Callable[[Array], Array] | None = None
    latents: Array | None = None
    latent: Callable[[PRNGKey], Array] | None = None
    generate: Callable[[Array], Array] | None = None


class TermFn(Protocol):
    """A function that returns one summand of a player's loss."""

    def __call__(self, round: Round, /) -> Array:
        """Returns a float scalar, differentiable in the parameters of both networks."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """One named summand of an objective: a scalar for one or both players.

    Terms add up: ``losses.wasserstein() + penalties.gradient_penalty()`` is a `Terms`.

    Attributes:
      name: what its metrics are called, ``"discriminator/<name>"``. A term needs one to be added;
        in a mapping the key is the name.
      discriminator: what the discriminator minimises; None adds nothing.
      generator: what the generator minimises; None adds nothing.
    """

    name: str = ""
    discriminator: TermFn | None = None
    generator: TermFn | None = None

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
        for term in _as_terms(side, "a sum of terms takes").values():
            if term.name in terms:
                raise ValueError(
                    f'two terms are named {term.name!r}: rename one of them, term.named("other")'
                )
            terms[term.name] = term
    return Terms(terms)


def _as_terms(terms: Any, takes: str = "adversarial takes") -> Terms:
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
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__}: add its terms up, a + b"
    if isinstance(value, str):
        return f"the string {value!r}: call the function of that name in losses or penalties"
    if callable(value):
        name = getattr(value, "__name__", type(value).__name__)
        return f"the function {name}: call it to make a term, {name}()"
    return f"an object of type {type(value).__name__}"


# ---------------------------------------------------------------------------------------- batches


def per_sample(rng: PRNGKey, sample_index: Array, draw: Callable[[PRNGKey], Any]) -> Any:
    """Draws for each sample from a key of its own, ``draw(fold_in(rng, index))``.

    The numbers depend on a sample's index in the global batch alone, so any split of a batch over
    devices or processes draws the same ones. Use it for every draw that belongs to a sample.

    Args:
      rng: the key of the whole batch.
      sample_index: ``[batch]`` int32.
      draw: key -> array or pytree of arrays ``[...]``.

    Returns:
      The draws, stacked to ``[batch, ...]``.
    """
    return jax.vmap(lambda index: draw(jax.random.fold_in(rng, index)))(sample_index)


def draw_latents(networks: Networks, rng: PRNGKey, sample_index: Array) -> Array:
    """Draws latents ``[batch, ...]``, each from the key of its sample index: see `per_sample`."""
    latents: Array = per_sample(rng, sample_index, lambda key: networks.latent(key, 1)[0])
    return latents


def sample_indices(batch: Batch) -> Array:
    """Returns each sample's index in the global batch, ``[batch]`` int32."""
    if "sample_index" in batch:
        return batch["sample_index"]
    return jnp.arange(len(batch["real"]), dtype=jnp.int32)


def conditions(batch: Batch) -> Batch:
    """Returns the entries of a batch that condition both networks, such as ``"label"``."""
    return {name: value for name, value in batch.items() if name not in NOT_CONDITIONS}


def check_batch(batch: Batch, *axes: str) -> None:
    """Checks that a batch is a dict with ``"real"`` whose arrays all begin with the given axes.

    Args:
      batch: the batch, as a loss or a train step gets it.
      axes: the names of the axes, ``"batch"`` for a loss.

    Raises:
      TypeError: it is not a dict, has no ``"real"``, or lacks an axis.
    """
    shape = f"[{', '.join(axes)}, ...]"
    if not isinstance(batch, Mapping):
        raise TypeError(
            f"a batch is a dict of arrays {shape}, as in {{'real': x}}, "
            f"not {'an array' if hasattr(batch, 'shape') else type(batch).__name__}"
        )
    if "real" not in batch:
        raise TypeError(f"a batch needs 'real', samples {shape}: this one has {sorted(batch)}")
    for name, array in batch.items():
        if jnp.ndim(array) < len(axes):
            raise TypeError(
                f"batch leaves are {shape}; batch[{name!r}] is {list(jnp.shape(array))}: "
                "add the missing axis with x[None]"
            )


# ---------------------------------------------------------------------------- the adversarial game


def adversarial(networks: Networks, terms: Term | Mapping[str, Term]) -> Objective:
    """Returns the objective that sums named terms for each player.

    Each term draws from ``fold_in(rng, position + 1)``; key 0 draws the latents.

    Metrics: each term's value as ``"discriminator/<name>"`` or ``"generator/<name>"``, each
    player's sum as ``".../loss"``, the mean scores of real and generated samples
    (``"scores/real"``, ``"scores/fake"``), and the mean sign of the real ones
    (``"scores/real_sign"``, ADA's measure of overfitting).

    Args:
      networks: the two networks.
      terms: one term, a sum of terms, ``losses.wasserstein() + penalties.gradient_penalty()``, or a
        mapping from names to terms.

    Returns:
      The objective. Its losses raise ValueError if ``score`` does not return ``[batch]`` or a term
      does not return a scalar, and TypeError for a batch without ``"real"`` or without an axis.

    Raises:
      TypeError: ``terms`` is something else, such as a list or a function that was not called.
      ValueError: a player has no term.
    """
    terms = _as_terms(terms)
    for side in SIDES:
        if not any(getattr(term, side) for term in terms.values()):
            raise ValueError(
                f"no term of {list(terms)} moves the {side}: "
                "add an objective such as non_saturating()"
            )

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        round = _play_round(
            networks, generator.params, own, batch, rng, in_one_pass=networks.independent_scores
        )
        loss, metrics = _sum_terms(terms, "discriminator", round)
        return loss, metrics | _score_metrics(round)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        round = _play_round(networks, own, discriminator.params, batch, rng, in_one_pass=False)
        return _sum_terms(terms, "generator", round)

    return Objective(
        discriminator_loss, generator_loss, functools.partial(_generate_fakes, networks)
    )


def _generate_fakes(networks: Networks, generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
    """The batch with fresh ``"fake"`` and the ``"latents"`` that they were generated from."""
    check_batch(batch, "batch")
    latents = draw_latents(networks, jax.random.fold_in(rng, 0), sample_indices(batch))
    fake = networks.generate(generator, latents, **conditions(batch))
    if batch["real"].shape == fake.shape[1:]:
        # Only here is the shape of a sample known.
        raise TypeError(
            f"batch['real'] is {list(batch['real'].shape)}, the shape of a single sample: batch "
            "leaves are [batch, ...] for a loss and [discriminator_steps, batch, ...] for a train "
            "step; add the missing axis with x[None]"
        )
    return batch | {"fake": fake, "latents": latents}


def _play_round(
    networks: Networks,
    generator: Params,
    discriminator: Params,
    batch: Batch,
    rng: PRNGKey,
    in_one_pass: bool,
) -> Round:
    """Generates, unless the batch has ``"fake"``, and scores; ``in_one_pass``: both together."""
    check_batch(batch, "batch")
    if "fake" not in batch:
        batch = _generate_fakes(networks, generator, batch, rng)
    real, fake, conditioning = batch["real"], batch["fake"], conditions(batch)
    score = functools.partial(_scores, networks, discriminator, conditioning)
    if in_one_pass:
        real_scores, fake_scores = _paired_scores(networks, discriminator, conditioning, real, fake)
    else:
        real_scores, fake_scores = score(real), score(fake)
    # A classifier that saw the label would have nothing to learn.
    unlabelled = {name: value for name, value in conditioning.items() if name != "label"}
    return Round(
        real=real,
        fake=fake,
        real_scores=real_scores,
        fake_scores=fake_scores,
        score=score,
        classify=_of_samples(networks.classify, discriminator, unlabelled),
        label=batch.get("label"),
        sample_index=sample_indices(batch),
        rng=rng,
        features=_of_samples(networks.features, discriminator, conditioning),
        latents=batch.get("latents"),
        latent=lambda key: draw_latents(networks, key, sample_indices(batch)),
        generate=lambda latents: networks.generate(generator, latents, **conditioning),
    )


def _scores(
    networks: Networks, discriminator: Params, conditioning: Batch, samples: Array
) -> Array:
    """Scores ``[batch]``, float32 or wider, under the conditions."""
    scores = networks.score(discriminator, samples, **conditioning)
    if scores.shape != samples.shape[:1]:
        raise ValueError(
            f"score must return {list(samples.shape[:1])}, one score per sample, "
            f"for samples {list(samples.shape)}, not {list(scores.shape)}"
        )
    return scores.astype(jnp.promote_types(scores.dtype, jnp.float32))


def _paired_scores(
    networks: Networks, discriminator: Params, conditioning: Batch, real: Array, fake: Array
) -> tuple[Array, Array]:
    """The scores of both kinds from one pass of the discriminator."""
    # Each real sample stands next to a generated one, so that a batch which is split over devices
    # stays where it is.
    pairs = jnp.stack([real, fake], 1).reshape(-1, *real.shape[1:])
    twice = {name: jnp.repeat(value, 2, axis=0) for name, value in conditioning.items()}
    scores = _scores(networks, discriminator, twice, pairs).reshape(-1, 2)
    return scores[:, 0], scores[:, 1]


def _of_samples(
    function: ClassifyFn | FeaturesFn | None, discriminator: Params, conditioning: Batch
) -> Callable[[Array], Array] | None:
    """A head of the discriminator as a function of samples alone; None if there is none."""
    if function is None:
        return None
    return lambda samples: function(discriminator, samples, **conditioning)


def _sum_terms(terms: Terms, side: Side, round: Round) -> tuple[Array, Metrics]:
    """One player's loss and the values of its terms."""
    values: Metrics = {}
    for position, (name, term) in enumerate(terms.items()):
        function: TermFn | None = getattr(term, side)
        if function is None:
            continue
        # Key 0 drew the latents.
        value = function(round._replace(rng=jax.random.fold_in(round.rng, position + 1)))
        if jnp.shape(value) != ():
            raise ValueError(
                f"{name} returned {list(jnp.shape(value))} for the {side}, not a scalar: "
                "a mean over the batch is missing"
            )
        values[f"{side}/{name}"] = value
    loss: Array = sum(values.values())  # type: ignore[assignment]
    return loss, values | {f"{side}/loss": loss}


def _score_metrics(round: Round) -> Metrics:
    return {
        "scores/real": jnp.mean(round.real_scores),
        "scores/fake": jnp.mean(round.fake_scores),
        "scores/real_sign": jnp.mean(jnp.sign(round.real_scores)),
    }


# ---------------------------------------------------------------------------------------- updates


def descend(optimizer: optax.GradientTransformation, player: Player, gradient: Params) -> Player:
    """Returns the player after one optimizer step; ``gradient`` is a pytree like its parameters."""
    step, opt_state = optimizer.update(gradient, player.opt_state, player.params)
    return Player(optax.apply_updates(player.params, step), opt_state)


def update(
    loss: LossFn,
    optimizer: optax.GradientTransformation,
    player: Player,
    opponent: Player,
    batch: Batch,
    rng: PRNGKey,
) -> tuple[Player, Metrics]:
    """Computes one optimizer step of ``player`` on ``loss`` against a fixed ``opponent``.

    If the batch is split over a mapped axis (`gan_jax.distributed.collectives`), the gradient is
    that of the whole batch.

    Args:
      loss: what the player minimises.
      optimizer: the player's optimizer.
      player: who moves.
      opponent: who does not.
      batch: arrays ``[batch, ...]``.
      rng: the key of the loss.

    Returns:
      The player after the step, and the metrics of the loss with ``"gradient_norm"``, the global l2
      norm of the gradient before the optimizer sees it.
    """
    gradient, metrics = jax.grad(loss, has_aux=True)(player.params, opponent, batch, rng)
    gradient = mean_over_devices(gradient)
    moved = descend(optimizer, player, gradient)
    return moved, metrics | {"gradient_norm": optax.global_norm(gradient)}
