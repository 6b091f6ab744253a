"""What a dataset is: real samples as a pure function of a seed and a position in an endless stream.

Nothing has to be saved to continue a run: the batch of a step is computed from the step.
"""

import functools
import math
import operator
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import random
from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, PRNGKey

PERMUTATIONS = 16  # kept per dataset: 16 members of a population, or a few epochs of one run
BLOCK = 1024  # samples drawn in one call


class Dataset(NamedTuple):
    """Real samples as a pure function of ``(seed, position in the stream)``.

    ``draw(seed, positions)`` takes positions ``[...]`` int64 and returns ``"real"`` ``[..., *shape]`` (uint8 images or
    float32 points), and ``"label"`` ``[...]`` int32 where the dataset was made with labels. Drawn distributions return
    device arrays and accept a traced seed, so that ``jax.vmap`` maps over seeds; finite datasets return NumPy arrays and
    need a concrete one. Seeds are integers from 0 to 2^31 - 1, positions from 0 to 2^63 - 1.
    """

    shape: tuple[int, ...]  # of one sample
    draw: Callable[[Any, np.ndarray], Batch]
    classes: int = 0  # how many labels there are; 0: no labels are given
    arrays: dict[str, np.ndarray] | None = (
        None  # a finite dataset, whole: "real" [n, *shape] and "label" [n] if known
    )
    centres: np.ndarray | None = None  # [modes, d] float32, of a mixture of Gaussians
    std: float | None = None  # of every one of them; None where they differ


def drawn(
    shape: tuple[int, ...],
    sample: Callable[[PRNGKey], tuple[Array, Array]],
    classes: int = 0,
    **facts: Any,
) -> Dataset:
    """The dataset of fresh samples of a distribution: no position ever repeats a sample.

    ``sample(key) -> (point [*shape] float32, label [] int32)`` draws one; its key is
    ``fold_in(fold_in(key(seed), position // 2^32), position % 2^32)``. Labels are given where ``classes > 0``.
    """

    @jax.jit
    def block(seed: Array, high: Array, low: Array) -> Batch:
        root = random.key(seed)

        def one(high: Array, low: Array) -> Batch:
            real, label = sample(jax.random.fold_in(jax.random.fold_in(root, high), low))
            return {"real": real, "label": label} if classes else {"real": real}

        return jax.vmap(one)(high, low)

    def draw(seed: Any, positions: np.ndarray) -> Batch:
        positions, seed = np.asarray(positions, np.int64), checked_seed(seed)
        # Always the same program: XLA rounds sin and cos differently in programs of another size, and takes a second to
        # compile each.
        padded = np.pad(positions.ravel(), (0, -positions.size % BLOCK))
        # jax has no 64-bit integers by default: the two words are split here, on the host.
        high, low = (padded >> 32).astype(np.uint32), (padded & 0xFFFFFFFF).astype(np.uint32)
        starts = range(0, len(padded), BLOCK)
        return _joined(
            [block(seed, high[i : i + BLOCK], low[i : i + BLOCK]) for i in starts], positions.shape
        )

    return Dataset(shape, draw, classes, **facts)


@functools.partial(jax.jit, static_argnums=1)
def _joined(blocks: list[Batch], shape: tuple[int, ...]) -> Batch:
    """One batch of leaves ``[*shape, ...]`` from blocks of it, the last one padded."""

    def join(*leaves: Array) -> Array:
        return jnp.concatenate(leaves)[: math.prod(shape)].reshape(*shape, *leaves[0].shape[1:])

    return jax.tree.map(join, *blocks)


def finite(
    real: np.ndarray, label: np.ndarray | None = None, classes: int = 0, **facts: Any
) -> Dataset:
    """The dataset that goes through ``real`` ``[n, ...]`` epoch by epoch, each in a random order of its own.

    With ``epoch, i = divmod(position, n)`` a sample is ``real[permutation(seed, epoch)[i]]``: sampling without
    replacement, for any batch size, smaller or larger than ``n``. Labels ``[n]`` are given where ``classes > 0``.
    """
    if not len(real):
        raise UserError("a dataset needs at least one sample")
    arrays = {"real": real} if label is None else {"real": real, "label": label}
    given = arrays if classes else {"real": real}
    indices = shuffled(len(real))

    def draw(seed: int, positions: np.ndarray) -> Batch:
        index = indices(seed, positions)
        return {name: array[index] for name, array in given.items()}

    return Dataset(real.shape[1:], draw, classes, arrays, **facts)


def shuffled(n: int) -> Callable[..., np.ndarray]:
    """``(seed, positions [...], *stream) -> indices [...]`` below ``n``, a new permutation each epoch of ``n`` positions.

    ``stream``: further integers; each value has permutations of its own.
    """

    @functools.lru_cache(maxsize=PERMUTATIONS)
    def permutation(*entropy: int) -> np.ndarray:
        return (
            np.random.default_rng(entropy)
            .permutation(n)
            .astype(np.int32 if n < 2**31 else np.int64)
        )

    def indices(seed: int, positions: np.ndarray, *stream: int) -> np.ndarray:
        seed = checked_seed(operator.index(seed))
        epochs, i = np.divmod(np.asarray(positions, np.int64), n)
        index = np.empty(i.shape, np.int64)
        for epoch in np.unique(epochs).tolist():
            inside = epochs == epoch
            index[inside] = permutation(seed, epoch, *stream)[i[inside]]
        return index

    return indices


def checked_seed(seed: Any) -> Any:
    """The seed; UserError where it is a number outside ``0 ... 2^31 - 1``. Traced seeds pass."""
    if isinstance(seed, int | np.integer) and not 0 <= seed < 2**31:
        raise UserError(f"a seed is an integer from 0 to {2**31 - 1}, not {seed}")
    return seed


def batches(
    dataset: Dataset,
    seed: int,
    first_step: int,
    steps: int,
    discriminator_steps: int,
    batch_size: int,
    rows: slice = slice(None),
    first_discriminator_step: int | None = None,
) -> Batch:
    """The batches of ``steps`` train steps from ``first_step`` on: a pure function of its arguments.

    ``position = (step * discriminator_steps + turn) * batch_size + row``, so that how the steps are cut into calls changes nothing.

    Args:
      seed: of the stream of samples; integer, or traced where the dataset is drawn.
      discriminator_steps: discriminator updates a step, each on a minibatch of its own.
      batch_size: of the global batch, over all devices and processes.
      first_discriminator_step: how many discriminator steps came before, where their number has not always been ``discriminator_steps``; None: first_step * discriminator_steps.
      rows: those rows of the global batch that this process needs; all by default.

    Returns:
      Leaves ``[steps, discriminator_steps, local batch, ...]``: the dataset's own, and ``"sample_index"`` int32, the row in the global batch.
    """
    for name, value in {
        "steps": steps,
        "discriminator_steps": discriminator_steps,
        "batch_size": batch_size,
    }.items():
        if value < 1:
            raise UserError(f"{name} is at least 1, not {value}")
    row = np.arange(batch_size, dtype=np.int32)[rows]
    before = (
        int(first_step) * discriminator_steps
        if first_discriminator_step is None
        else first_discriminator_step
    )
    number = before + np.arange(steps * discriminator_steps, dtype=np.int64).reshape(
        steps, discriminator_steps, 1
    )
    positions = number * batch_size + row
    every_row: Any = np.broadcast_to(row, positions.shape)
    return dataset.draw(seed, positions) | {"sample_index": every_row}


def decode(batch: Batch) -> Batch:
    """Images ready for a network: uint8 ``"real"`` becomes float32 in [-1, 1], ``(2 x - 255) / 255``; floats pass through.

    Meant to be called inside the jitted train step, so that a quarter of the bytes travel to the device.
    """
    real = batch["real"]
    # Exact but for one division. On a CPU x / 127.5 - 1 takes 4 to 7 times as long: XLA gives it away to a slower library.
    return (
        batch | {"real": (2 * real.astype(jnp.int32) - 255).astype(jnp.float32) / 255}
        if real.dtype == jnp.uint8
        else batch
    )


def prefetched(items: Iterable[Any], ahead: int = 2) -> Iterator[Any]:
    """The same items in the same order, made on a background thread, at most ``ahead`` of them waiting.

    What ``items`` raises is raised here, after the items before it. The thread starts with the first item asked for,
    and ends when the items end, or when this iterator is closed or collected; a source that is a generator is closed.
    """
    waiting: queue.Queue = queue.Queue(maxsize=max(1, ahead))
    stopped = threading.Event()

    def work() -> None:
        source = iter(items)
        try:
            for item in source:
                waiting.put((True, item))
                if stopped.is_set():
                    return
            waiting.put((False, None))
        except BaseException as error:  # whatever it is, it is the consumer's to handle
            waiting.put((False, error))
        finally:
            if hasattr(source, "close"):
                source.close()

    def consume() -> Iterator[Any]:
        thread = threading.Thread(target=work, name="prefetched", daemon=True)
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
            while (
                thread.is_alive()
            ):  # room in the queue, so that a thread that waits to put can see the event
                try:
                    waiting.get(timeout=0.05)
                except queue.Empty:
                    pass

    return consume()
