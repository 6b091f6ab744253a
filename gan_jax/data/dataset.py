"""Real samples as a pure function of a seed and a position in an endless stream.

No state has to be saved to continue a run: the batches of a step are computed from the step.
"""

import dataclasses
import functools
import math
import operator
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import random
from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, PRNGKey

Seed = int | np.integer[Any] | Array
"""An integer from 0 to 2^31 - 1; some functions accept a traced one."""

Item = TypeVar("Item")

CACHED_PERMUTATIONS = 16  # per dataset: 16 members of a population, or a few epochs of one run
BLOCK_SIZE = 1024  # samples drawn in one call
MAX_SEED = 2**31 - 1


class DrawFunction(Protocol):
    """Draws samples by their positions in the stream of a seed."""

    def __call__(self, seed: Seed, positions: np.ndarray, /) -> Batch:
        """Draws the samples at some positions.

        Args:
          seed: the seed of the stream, an integer from 0 to 2^31 - 1.
          positions: int64 ``[...]``, each from 0 to 2^63 - 1.

        Returns:
          ``"real"``: uint8 images or float32 points ``[..., *shape]``; and, if the dataset was made
          with labels, ``"label"``: int32 ``[...]``. Other entries, uint8 images or numbers
          ``[..., *shape]``, are conditions.
        """
        ...


class SampleFunction(Protocol):
    """Draws one sample of a distribution."""

    def __call__(self, key: PRNGKey, /) -> tuple[Array, Array]:
        """Draws one sample.

        Args:
          key: the key of this sample.

        Returns:
          The point, float32 ``[*shape]``, and its label, an int32 scalar.
        """
        ...


class IndexFunction(Protocol):
    """Maps positions in a stream to indices of a finite dataset."""

    def __call__(self, seed: Seed, positions: np.ndarray, *stream: int) -> np.ndarray:
        """Computes the indices of the samples at some positions.

        Args:
          seed: the seed of the stream, a concrete integer from 0 to 2^31 - 1.
          positions: int64 ``[...]``.
          *stream: further integers; each combination of them has its own permutations.

        Returns:
          Indices ``[...]``, int64.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Real samples as a pure function of ``(seed, position in the stream)``.

    Make one with `Dataset.from_arrays`, `Dataset.from_distribution`, or a `draw` function.

    Attributes:
      shape: of one sample.
      draw: draws samples by position, see `DrawFunction`. For distributions it returns device
        arrays and accepts a traced seed, so that ``jax.vmap`` maps over seeds. For finite datasets
        it returns NumPy arrays and needs a concrete seed.
      classes: the number of classes; 0 if batches carry no labels.
      arrays: all samples of a finite dataset: ``"real"`` ``[n, *shape]``, and ``"label"`` ``[n]``
        if labels are known, even if batches do not carry them, and the conditions. None for
        distributions.
      centres: of a mixture of Gaussians, the means of its modes, float32 ``[modes, d]``.
      std: of a mixture of Gaussians, the standard deviation of every mode; None if they differ.
      conditions: the shapes, by name, of what else batches carry for each sample, such as an image
        ``"input"``, for both networks.
    """

    shape: tuple[int, ...]
    draw: DrawFunction
    classes: int = 0
    arrays: dict[str, np.ndarray] | None = None
    centres: np.ndarray | None = None
    std: float | None = None
    conditions: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_distribution(
        cls,
        shape: tuple[int, ...],
        sample: SampleFunction,
        classes: int = 0,
        *,
        centres: np.ndarray | None = None,
        std: float | None = None,
    ) -> "Dataset":
        """Makes a dataset of fresh samples of a distribution: no sample is ever drawn twice.

        The key of a sample is
        ``fold_in(fold_in(key(seed), position // 2^32), position % 2^32)``.

        Args:
          shape: of one sample.
          sample: draws one sample from its key, see `SampleFunction`.
          classes: the number of classes; batches carry labels if it is above 0.
          centres: see the attribute.
          std: see the attribute.

        Returns:
          The dataset.
        """

        @jax.jit
        def draw_block(seed: Seed, high: Array, low: Array) -> Batch:
            stream_key = random.key(seed)

            def draw_sample(high: Array, low: Array) -> Batch:
                key = jax.random.fold_in(jax.random.fold_in(stream_key, high), low)
                real, label = sample(key)
                return {"real": real, "label": label} if classes else {"real": real}

            return jax.vmap(draw_sample)(high, low)

        def draw(seed: Seed, positions: np.ndarray, /) -> Batch:
            seed = check_seed(seed)
            positions = np.asarray(positions, np.int64)
            # Always the same program: XLA rounds sin and cos differently in programs of another
            # size, and takes a second to compile each.
            padded = np.pad(positions.ravel(), (0, -positions.size % BLOCK_SIZE))
            # JAX has no 64-bit integers by default: the two words are split here, on the host.
            high, low = (padded >> 32).astype(np.uint32), (padded & 0xFFFFFFFF).astype(np.uint32)
            blocks = []
            for start in range(0, len(padded), BLOCK_SIZE):
                block = slice(start, start + BLOCK_SIZE)
                blocks.append(draw_block(seed, high[block], low[block]))
            batch: Batch = _join_blocks(blocks, positions.shape)
            return batch

        return cls(shape, draw, classes, centres=centres, std=std)

    @classmethod
    def from_arrays(
        cls,
        real: np.ndarray,
        label: np.ndarray | None = None,
        classes: int = 0,
        *,
        centres: np.ndarray | None = None,
        std: float | None = None,
        conditions: Mapping[str, np.ndarray] | None = None,
    ) -> "Dataset":
        """Makes a dataset that goes through arrays epoch by epoch, each in its own random order.

        With ``epoch, i = divmod(position, n)`` a sample is ``real[permutation(seed, epoch)[i]]``:
        sampling without replacement, for any batch size, smaller or larger than ``n``.

        Args:
          real: all samples ``[n, ...]``: uint8 images, or float32.
          label: their labels ``[n]``, int32, if known.
          classes: the number of classes; batches carry labels if it is above 0.
          centres: see the attribute.
          std: see the attribute.
          conditions: what else batches carry, ``[n, ...]`` by name: uint8 images, or numbers.

        Returns:
          The dataset.

        Raises:
          UserError: there are no samples, or not as many of a condition.
        """
        if not len(real):
            raise UserError("a dataset needs at least one sample")
        conditions = dict(conditions or {})
        for name, array in conditions.items():
            if len(array) != len(real):
                raise UserError(f"there are {len(real)} samples, and {len(array)} of {name!r}")
        arrays = {"real": real} | conditions
        drawn_arrays = dict(arrays)
        if label is not None:
            arrays["label"] = label
            if classes:
                drawn_arrays["label"] = label
        indices = epoch_permutations(len(real))

        def draw(seed: Seed, positions: np.ndarray, /) -> Batch:
            index = indices(seed, positions)
            samples: Any = {name: array[index] for name, array in drawn_arrays.items()}
            return samples  # type: ignore[no-any-return]  # NumPy arrays do where JAX's are asked

        shapes = {name: array.shape[1:] for name, array in conditions.items()}
        return cls(real.shape[1:], draw, classes, arrays, centres, std, shapes)


def samples_at(dataset: Dataset, index: np.ndarray) -> dict[str, np.ndarray]:
    """Returns samples by their index, decoded, with all that batches carry.

    Args:
      dataset: of arrays, which are taken in their order, again and again; or of a distribution, of
        which these are the draws of seed 0.
      index: ``[n]`` integers.

    Returns:
      ``"real"`` ``[n, *shape]`` and the conditions, images float32 in [-1, 1].
    """
    if dataset.arrays is None:
        batch: Any = dataset.draw(0, index)
    else:
        names = ("real", *dataset.conditions)
        batch = {name: dataset.arrays[name] for name in names}
        batch = {name: array[index % len(array)] for name, array in batch.items()}
    return {name: np.asarray(leaf) for name, leaf in decode(batch).items()}


@functools.partial(jax.jit, static_argnums=1)
def _join_blocks(blocks: list[Batch], shape: tuple[int, ...]) -> Batch:
    """Joins blocks of samples, the last one padded, to one batch of leaves ``[*shape, ...]``."""

    def join(*leaves: Array) -> Array:
        return jnp.concatenate(leaves)[: math.prod(shape)].reshape(*shape, *leaves[0].shape[1:])

    return jax.tree.map(join, *blocks)  # type: ignore[no-any-return]


def epoch_permutations(n: int) -> IndexFunction:
    """Returns the function that goes through ``n`` samples in a new random order each epoch.

    With ``epoch, i = divmod(position, n)`` the index is ``permutation(seed, epoch, *stream)[i]``.

    Args:
      n: the number of samples.

    Returns:
      The function ``(seed, positions [...], *stream) -> indices [...]``, see `IndexFunction`.
    """

    @functools.lru_cache(maxsize=CACHED_PERMUTATIONS)
    def permutation(*entropy: int) -> np.ndarray:
        order = np.random.default_rng(entropy).permutation(n)
        return order.astype(np.int32 if n < 2**31 else np.int64)

    def indices(seed: Seed, positions: np.ndarray, *stream: int) -> np.ndarray:
        seed = check_seed(operator.index(seed))
        epochs, offsets = np.divmod(np.asarray(positions, np.int64), n)
        result = np.empty(offsets.shape, np.int64)
        for epoch in np.unique(epochs).tolist():
            in_epoch = epochs == epoch
            result[in_epoch] = permutation(seed, epoch, *stream)[offsets[in_epoch]]
        return result

    return indices


SeedType = TypeVar("SeedType", bound=Seed)


def check_seed(seed: SeedType) -> SeedType:
    """Returns the seed. Traced seeds pass.

    Raises:
      UserError: the seed is a number outside ``0 ... 2^31 - 1``.
    """
    if isinstance(seed, int | np.integer) and not 0 <= seed <= MAX_SEED:
        raise UserError(f"a seed is an integer from 0 to {MAX_SEED}, not {seed}")
    return seed


def batches(
    dataset: Dataset,
    seed: Seed,
    first_step: int,
    steps: int,
    discriminator_steps: int,
    batch_size: int,
    sample_indices: slice = slice(None),
    first_discriminator_step: int | None = None,
) -> Batch:
    """Draws the batches of ``steps`` train steps, starting at ``first_step``.

    A pure function of its arguments. A sample's position in the stream is ``(step *
    discriminator_steps + discriminator_step) * batch_size + sample_index``, so the batches do not
    depend on how the steps are cut into calls.

    Args:
      dataset: the samples.
      seed: the seed of the stream of samples; it may be traced if the dataset is a distribution.
      first_step: the first of the steps, counted from 0.
      steps: the number of steps.
      discriminator_steps: discriminator updates per step, each on its own minibatch.
      batch_size: the size of the global batch, over all devices and processes.
      sample_indices: the part of the global batch that this process needs; all by default.
      first_discriminator_step: the number of discriminator steps before ``first_step``, if it has
        not always been ``discriminator_steps`` per step; None: ``first_step *
        discriminator_steps``.

    Returns:
      Leaves ``[steps, discriminator_steps, local batch, ...]``: the dataset's own, and
      ``"sample_index"``, int32, each sample's position in the global batch.

    Raises:
      UserError: a count is below 1, or the seed is out of range.
    """
    counts = {"steps": steps, "discriminator_steps": discriminator_steps, "batch_size": batch_size}
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"{name} is at least 1, not {count}")
    if first_discriminator_step is None:
        first_discriminator_step = int(first_step) * discriminator_steps
    shape = (steps, discriminator_steps, 1)
    offsets = np.arange(steps * discriminator_steps, dtype=np.int64).reshape(shape)
    sample_index = np.arange(batch_size, dtype=np.int32)[sample_indices]
    positions = (first_discriminator_step + offsets) * batch_size + sample_index
    everywhere: Any = np.broadcast_to(sample_index, positions.shape)
    return dataset.draw(seed, positions) | {"sample_index": everywhere}


def decode(batch: Batch) -> Batch:
    """Turns uint8 images into what networks take: float32 in [-1, 1], ``(2 x - 255) / 255``.

    Meant to be called inside the jitted train step, so that a quarter of the bytes travel to the
    device.

    Args:
      batch: a batch with samples ``"real"``, and possibly images among its conditions.

    Returns:
      The batch with decoded images; samples and conditions of other types stay as they are.
    """
    return {
        # Exact but for one division. On a CPU x / 127.5 - 1 takes 4 to 7 times as long: XLA hands
        # it to a slower library.
        name: (2 * leaf.astype(jnp.int32) - 255).astype(jnp.float32) / 255
        if leaf.dtype == jnp.uint8
        else leaf
        for name, leaf in batch.items()
    }


def prefetch(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Yields the same items in the same order, made ahead of time on a background thread.

    An exception of ``items`` is raised here, after the items before it. The thread starts when the
    first item is requested. It ends when the items end, or when this iterator is closed or
    collected; ``items`` is closed if it is a generator.

    Args:
      items: the items.
      ahead: how many of them may wait to be requested.

    Returns:
      The iterator.
    """
    # (True, item), and at the end (False, the exception that ended the items, or None).
    waiting: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=max(1, ahead))
    stopped = threading.Event()

    def produce() -> None:
        source = iter(items)
        try:
            for item in source:
                waiting.put((True, item))
                if stopped.is_set():
                    return
            waiting.put((False, None))
        except BaseException as error:  # any kind: the consumer handles it
            waiting.put((False, error))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def consume() -> Iterator[Item]:
        thread = threading.Thread(target=produce, name="prefetch", daemon=True)
        thread.start()
        try:
            while True:
                more, value = waiting.get()
                if more:
                    yield value
                elif value is None:
                    return
                else:
                    raise value
        finally:
            stopped.set()
            # Makes room in the queue, so that a thread that waits to put an item sees the event.
            while thread.is_alive():
                try:
                    waiting.get(timeout=0.05)
                except queue.Empty:
                    pass

    return consume()
