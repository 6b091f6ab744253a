"""Runs feature extractors on all devices of all processes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.distributed.mesh import batch_parallel, divisible_batch_size, pad_batch, replicate
from gan_jax.metrics.features import Extractor, FeatureFn


@functools.lru_cache(maxsize=8)
def on_all_devices(extractor: Extractor) -> Extractor:
    """Returns an extractor with each batch split over all devices, and the same features.

    If there are several processes, all of them call it with the same images, and each gets all
    features. The same extractor gives the same result object, so a network is compiled once.
    """
    if extractor.compile is compile_on_all_devices:
        return extractor
    return dataclasses.replace(extractor, compile=compile_on_all_devices)


def compile_on_all_devices(apply: FeatureFn, variables: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Compiles a network for batches of one size, each split over all devices.

    Args:
      apply: the network.
      variables: its weights.

    Returns:
      A function from images ``[b, h, w, c]`` to features ``[b, d]``, for any b.
    """
    program, variables = batch_parallel(apply), replicate(variables)

    def compute(images: np.ndarray) -> np.ndarray:
        padded = pad_batch(images, divisible_batch_size(len(images)))
        return np.asarray(program(variables, padded))[: len(images)]

    return compute
