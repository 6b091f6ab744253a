"""Arrays that pass through the game: batches, their conditions, and draws keyed by sample index."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
"""An array of JAX, possibly traced."""
PRNGKey = jax.Array
"""A typed key, as `jax.random.key` makes it."""
Params = Any
"""A pytree of arrays."""
Batch = dict[str, Array]
"""Arrays ``[batch, ...]`` by name.

``"real"`` holds the real samples. ``"sample_index"``, ``[batch]`` int32, is each sample's position
in the global batch (0, 1, 2, ... if absent). ``"fake"`` and ``"latents"`` are generated samples to
score instead of fresh ones, and the latents that they were generated from; ``"outputs"``, a dict of
arrays, is what the generator computed beside them. Every other entry
(``"label"``, ``"fade"``, an image, an embedding), ``[batch, ...]`` each, is a condition that both
networks are given by that name.
"""
Metrics = dict[str, Array]
"""Scalars by name, such as ``"discriminator/wasserstein"``."""

GENERATED = ("fake", "latents", "outputs")
"""The entries of a batch that come from the generator."""

NOT_CONDITIONS = ("real", "sample_index", *GENERATED)


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


def sample_indices(batch: Batch) -> Array:
    """Returns each sample's index in the global batch, ``[batch]`` int32."""
    if "sample_index" in batch:
        return batch["sample_index"]
    return jnp.arange(len(batch["real"]), dtype=jnp.int32)


def without_fakes(batch: Batch) -> Batch:
    """Returns the entries of a batch that do not come from the generator."""
    return {name: value for name, value in batch.items() if name not in GENERATED}


def conditions(batch: Batch) -> Batch:
    """Returns the entries of a batch that condition both networks, such as ``"label"``."""
    return {name: value for name, value in batch.items() if name not in NOT_CONDITIONS}


def check_params(name: str, params: Params) -> None:
    """Checks that all leaves of parameters are arrays of floats, as only those can be trained.

    Args:
      name: of the network, for the error.
      params: its parameters.

    Raises:
      TypeError: a leaf is something else, such as a counter, a random key or a function.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(
                f"the {name}'s parameters hold {dtype or type(leaf).__name__} at "
                f"{jax.tree_util.keystr(path)}, not an array of floats: keep what is not trained "
                "out of the parameters (networks that draw take rng, see Networks.random)"
            )


def check_batch(batch: Batch, *axes: str) -> None:
    """Checks that a batch is a dict with ``"real"`` whose arrays all begin with the given axes.

    Args:
      batch: the batch, as a loss or a train step gets it.
      axes: the names of the axes, ``"batch"`` for a loss.

    Raises:
      TypeError: it is not a dict, has no ``"real"``, has one of integers, or lacks an axis; or
        another entry is images of bytes.
    """
    shape = f"[{', '.join(axes)}, ...]"
    if not isinstance(batch, Mapping):
        raise TypeError(
            f"a batch is a dict of arrays {shape}, as in {{'real': x}}, "
            f"not {'an array' if hasattr(batch, 'shape') else type(batch).__name__}"
        )
    if "real" not in batch:
        raise TypeError(f"a batch needs 'real', samples {shape}: this one has {sorted(batch)}")
    if not jnp.issubdtype(jnp.result_type(batch["real"]), jnp.floating):
        raise TypeError(
            f"batch['real'] is {jnp.result_type(batch['real'])}, not float: images of bytes become "
            "floats in [-1, 1] by gan_jax.data.decode(batch)"
        )
    for name, entry in batch.items():
        for array in jax.tree.leaves(entry):
            if jnp.result_type(array) == jnp.uint8 and jnp.ndim(array) > len(axes) + 1:
                raise TypeError(
                    f"batch[{name!r}] is uint8: images of bytes become floats in [-1, 1] by "
                    "gan_jax.data.decode(batch)"
                )
            if jnp.ndim(array) < len(axes):
                raise TypeError(
                    f"batch leaves are {shape}; batch[{name!r}] is {list(jnp.shape(array))}: "
                    "add the missing axis with x[None]"
                )
