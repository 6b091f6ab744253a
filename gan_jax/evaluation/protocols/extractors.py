"""Extractors by name."""

import functools

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.feature_extraction import on_all_devices
from gan_jax.metrics.features import Extractor

NAMES = ("inception", "efficientnet_lite0", "lenet")


def extractor_of(name: str | Extractor, weights: str) -> Extractor:
    """The extractor of that name, loaded once. Raises UserError: no such name, or weights that are missing or in vain."""
    if isinstance(name, Extractor):
        return on_all_devices(name)
    if name not in NAMES:
        raise UserError(f"there is no extractor {name!r}: there are {', '.join(NAMES)}")
    if name == "inception" and not weights:
        raise UserError(
            "Inception scores need the network's weights: convert torch-fidelity's or pytorch-fid's .pth once, "
            "'python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz', "
            "and name the .npz (--weights=inception.npz, or the metric's setting weights)"
        )
    if name == "efficientnet_lite0" and weights:
        raise UserError("efficientnet_lite0 takes no weights: they come with its package")
    try:
        return on_all_devices(_loaded(name, weights))
    except ValueError as error:
        raise UserError(str(error)) from error


@functools.lru_cache(maxsize=4)
def _loaded(name: str, weights: str) -> Extractor:
    if name == "inception":
        return metrics.inception_extractor(weights)
    if name == "efficientnet_lite0":
        return metrics.efficientnet_extractor()
    return metrics.lenet_extractor(weights or None)


def classifier_of(name: str | Extractor, weights: str) -> Extractor:
    """As `extractor_of`, for an extractor with a classifier. Raises UserError where it has none."""
    network = extractor_of(name, weights)
    if network.head is None:
        raise UserError(
            f"the extractor {network.name} has no classifier: choose one of {', '.join(NAMES)}"
        )
    return network


def labels_of(network: Extractor, images: np.ndarray) -> np.ndarray:
    """The classes ``[n]`` that a classifier gives images."""
    return network.logits(network(images)).argmax(axis=1)
