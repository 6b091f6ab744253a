"""Where generated samples come from: a `Sampler` of gan_jax, a function, or an array."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any, Protocol, cast

import jax
import numpy as np
from numpy.typing import ArrayLike

from gan_jax.data import decode
from gan_jax.errors import UserError
from gan_jax.training.sampling import Sampler

Array = np.ndarray


class SampleFunction(Protocol):
    """A generator as a function of any library, jitted or not.

    A library with random numbers of its own can be seeded with ``int(jax.random.bits(rng))``.
    """

    def __call__(self, rng: jax.Array, n: int, /) -> ArrayLike:
        """Generates samples.

        Args:
          rng: a JAX key, another one for each call.
          n: how many samples; the same for all calls.

        Returns:
          Samples ``[n, ...]``: float images in [-1, 1], uint8 images, or points.
        """
        ...


class ConditionalSampleFunction(Protocol):
    """A generator of given classes, told from a `SampleFunction` by its parameter ``label``."""

    def __call__(self, rng: jax.Array, n: int, /, *, label: Array) -> ArrayLike:
        """Generates samples.

        Args:
          rng: a JAX key, another one for each call.
          n: how many samples; the same for all calls.
          label: ``[n]`` int32, their classes.

        Returns:
          Samples ``[n, ...]``: float images in [-1, 1], uint8 images, or points.
        """
        ...


class SampleSource(Protocol):
    """What generated samples are drawn from. `gan_jax.training.sampling.Sampler` is one.

    Sample i is a function of the key, of i and of its label. A source that has latents also
    has the methods ``latents`` and ``generate`` of a Sampler.
    """

    def __call__(self, rng: jax.Array, n: int, label: Array | None = None, first: int = 0) -> Array:
        """Draws samples.

        Args:
          rng: a JAX key, the same for all samples of an evaluation.
          n: how many.
          label: ``[n]`` int classes, or None if the source takes none.
          first: the index of the first sample.

        Returns:
          Samples ``first`` to ``first + n``, ``[n, ...]`` float32.
        """
        ...


def sample_source(generate: Any, shape: tuple[int, ...], batch_size: int) -> SampleSource:
    """Returns the source of the samples that `evaluate` is given.

    Args:
      generate: a `Sampler`, a function (`SampleFunction`, `ConditionalSampleFunction`) or an array
        ``[n, ...]``.
      shape: of a real sample.
      batch_size: samples per call of a function.

    Raises:
      TypeError: ``generate`` is something else, or a function of other arguments.
      UserError: samples of another shape or dtype.
    """
    if isinstance(generate, Sampler) and generate.shape != tuple(shape):
        raise UserError(
            f"the sampler draws samples {generate.shape}, and the real ones are {tuple(shape)}"
        )
    if isinstance(generate, Sampler | ArraySamples | FunctionSamples):
        return generate
    if callable(generate):
        return FunctionSamples(generate, shape, batch_size)
    if hasattr(generate, "__array__"):
        return ArraySamples(generate, shape)
    raise TypeError(
        f"generate is {type(generate).__name__}: pass a function (rng, n) -> samples [n, ...], an "
        "array of samples, or a gan_jax.sampler(...)"
    )


def takes_labels(source: SampleSource) -> bool:
    """Returns whether a source generates samples of classes that it is given."""
    return bool(getattr(source, "takes_labels", True))


def has_latents(source: SampleSource) -> bool:
    """Returns whether a source can generate from latents of one's choice."""
    has_both = hasattr(source, "latents") and hasattr(source, "generate")
    return has_both and bool(getattr(source, "takes_latents", True))


def available_samples(source: SampleSource) -> int | None:
    """Returns how many samples a source has; None if it draws any number."""
    return len(source) if isinstance(source, ArraySamples) else None


class ArraySamples:
    """Samples that are there already, in their order.

    Args:
      samples: ``[n, ...]``, floats or uint8 images.
      shape: that samples must have.
    """

    takes_labels = False

    def __init__(self, samples: Any, shape: tuple[int, ...]) -> None:
        self._samples = np.asarray(samples)
        _check(self._samples, (*self._samples.shape[:1], *shape), "the array of generated samples")

    def __len__(self) -> int:
        return len(self._samples)

    def __call__(self, rng: jax.Array, n: int, label: Array | None = None, first: int = 0) -> Array:
        """Returns samples ``first`` to ``first + n``: see `SampleSource`."""
        return _as_float(self._samples[first : first + n])


class FunctionSamples:
    """Samples of a function ``(rng, n) -> [n, ...]``, called for one batch after another.

    Batch b is drawn with ``fold_in(rng, b)`` and always as a whole, so that samples do not depend
    on how many are asked for, and a jitted function is compiled once.

    Args:
      function: see `SampleFunction` and `ConditionalSampleFunction`.
      shape: that samples must have.
      batch_size: the n of each call.
    """

    def __init__(
        self, function: Callable[..., Any], shape: tuple[int, ...], batch_size: int
    ) -> None:
        self._function, self._shape, self._batch_size = function, shape, batch_size
        self._label = _label_parameter(function)
        self.takes_labels = self._label is not None
        self._last: tuple[Any, Array] | None = None
        self._checked = False

    def __call__(self, rng: jax.Array, n: int, label: Array | None = None, first: int = 0) -> Array:
        """Returns samples ``first`` to ``first + n``: see `SampleSource`."""
        size = self._batch_size
        batches = range(first // size, -(-(first + n) // size))
        samples = []
        for batch in batches:
            batch_label = None
            if label is not None:
                index = np.arange(batch * size, (batch + 1) * size)
                batch_label = label[np.clip(index - first, 0, n - 1)].astype(np.int32)
            samples.append(self._draw(rng, batch, batch_label))
        start = first - batches.start * size
        return np.concatenate(samples)[start : start + n]

    def _draw(self, rng: jax.Array, batch: int, label: Array | None) -> Array:
        """One batch; the last one is kept, as calls may end within a batch."""
        key = jax.random.fold_in(rng, batch)
        drawn_with = (
            jax.random.key_data(key).tobytes(),
            None if label is None else label.tobytes(),
        )
        if self._last is None or self._last[0] != drawn_with:
            self._last = (drawn_with, self._call(key, label))
        return self._last[1]

    def _call(self, key: jax.Array, label: Array | None) -> Array:
        if (
            label is None
            and self._label is not None
            and self._label.default is inspect.Parameter.empty
        ):
            raise UserError(
                "generate takes labels, and the real samples have none: pass "
                "{'real': ..., 'label': ...}, or a function (rng, n)"
            )
        conditions = {} if label is None else {"label": label}
        samples = np.asarray(self._function(key, self._batch_size, **conditions))
        _check(samples, (self._batch_size, *self._shape), f"generate(rng, {self._batch_size})")
        if not self._checked:
            _warn_of_scale(samples)
            self._checked = True
        return _as_float(samples)


def _label_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """The parameter ``label`` of a function, if there is one.

    Raises TypeError if the function cannot be called as `evaluate` does.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of compiled modules have no signature
        return None
    label = signature.parameters.get("label")
    conditions = {} if label is None else {"label": None}
    try:
        signature.bind(None, None, **conditions)
    except TypeError as error:
        raise TypeError(
            f"generate takes {signature}, but is called as generate(rng, n), or as "
            f"generate(rng, n, label=...) if it has a parameter label: {error}"
        ) from error
    return label


def _check(samples: Array, shape: tuple[int, ...], what: str) -> None:
    if samples.shape != shape:
        raise UserError(
            f"{what} has shape {samples.shape}: samples are {shape[1:]} like the real ones, so it "
            f"should be {shape}"
        )
    if samples.dtype != np.uint8 and samples.dtype.kind != "f":
        raise UserError(f"{what} has dtype {samples.dtype}: it should be floats, or uint8 images")


def _as_float(samples: Array) -> Array:
    return np.asarray(decode({"real": cast(Any, samples)})["real"], np.float32)


def _warn_of_scale(samples: Array) -> None:
    """Images are clipped to [-1, 1], which would hide that they have another scale."""
    if samples.ndim != 4 or samples.dtype == np.uint8:
        return
    low, high = samples.min(), samples.max()
    if low >= 0 or low < -2 or high > 2:
        warnings.warn(
            f"generated images lie in [{low:g}, {high:g}], and are clipped to [-1, 1]: images are "
            "floats in [-1, 1], or uint8",
            stacklevel=2,
        )
