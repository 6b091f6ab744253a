"""Real samples as a pure function of a seed and a position in an endless stream.

No state has to be saved to continue a run: the batches of a step are computed from the step.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import random
from gan_jax.data.contents import Contents
from gan_jax.data.factors import Factors
from gan_jax.data.positions import IndexFunction, Seed, check_seed, epoch_permutations
from gan_jax.data.stored_arrays import StoredArray
from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, PRNGKey

BLOCK_SIZE = 1024  # samples drawn in one call

Samples = np.ndarray | StoredArray
"""An array ``[n, ...]`` in memory or on the disk."""


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
        if labels are known, even if batches do not carry them, and the conditions. They may lie
        on the disk, see `StoredArray`. None for distributions.
      centres: of a mixture of Gaussians, the means of its modes, float32 ``[modes, d]``.
      std: of a mixture of Gaussians, the standard deviation of every mode; None if they differ.
      conditions: the shapes, by name, of what else batches carry for each sample, such as an image
        ``"input"``, for both networks.
      class_names: of the classes in their order; empty if they have none.
      contents: what a dataset of files was read from; None for others. A run prints it.
      factors: the factors of variation that samples are made from, if they are known; the samples
        in ``arrays`` are then all combinations of their values.
    """

    shape: tuple[int, ...]
    draw: DrawFunction
    classes: int = 0
    arrays: dict[str, Samples] | None = None
    centres: np.ndarray | None = None
    std: float | None = None
    conditions: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    contents: Contents | None = None
    factors: Factors | None = None

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
        real: Samples,
        label: np.ndarray | None = None,
        classes: int = 0,
        *,
        centres: np.ndarray | None = None,
        std: float | None = None,
        conditions: Mapping[str, Samples] | None = None,
        class_names: Sequence[str] = (),
        contents: Contents | None = None,
        factors: Factors | None = None,
        orders: Callable[[int], IndexFunction] = epoch_permutations,
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
          class_names: see the attribute.
          contents: see the attribute.
          factors: see the attribute.
          orders: of the epochs, from the number of samples; or `shuffling.epoch_shuffles`, which
            takes no memory.

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
        arrays: dict[str, Samples] = {"real": real} | conditions
        drawn_arrays = dict(arrays)
        if label is not None:
            arrays["label"] = label
            if classes:
                drawn_arrays["label"] = label
        indices = orders(len(real))

        def draw(seed: Seed, positions: np.ndarray, /) -> Batch:
            index = indices(seed, positions)
            samples: Any = {name: array[index] for name, array in drawn_arrays.items()}
            return samples  # type: ignore[no-any-return]  # NumPy arrays do where JAX's are asked

        shapes = {name: array.shape[1:] for name, array in conditions.items()}
        names = tuple(class_names)
        return cls(
            real.shape[1:], draw, classes, arrays, centres, std, shapes, names, contents, factors
        )


@functools.partial(jax.jit, static_argnums=1)
def _join_blocks(blocks: list[Batch], shape: tuple[int, ...]) -> Batch:
    """Joins blocks of samples, the last one padded, to one batch of leaves ``[*shape, ...]``."""

    def join(*leaves: Array) -> Array:
        return jnp.concatenate(leaves)[: math.prod(shape)].reshape(*shape, *leaves[0].shape[1:])

    return jax.tree.map(join, *blocks)  # type: ignore[no-any-return]
