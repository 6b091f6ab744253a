"""Feature extractors by name."""

import functools

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation.feature_extraction import on_all_devices
from gan_jax.metrics.features import Extractor

NAMES = ("inception", "efficientnet_lite0", "lenet", "identity")


def load_extractor(name: str | Extractor, weights: str) -> Extractor:
    """Returns an extractor that runs on all devices; each is loaded once.

    Args:
      name: one of `NAMES`, or an extractor, whose weights are its own.
      weights: file of its weights; empty for those that come with an extractor.

    Raises:
      UserError: there is no such extractor, its weights are missing or cannot be read, or weights
        are given to one that takes none.
    """
    if isinstance(name, Extractor):
        return on_all_devices(name)
    if name not in NAMES:
        raise UserError(f"there is no extractor {name!r}: there are {', '.join(NAMES)}")
    if name == "inception" and not weights:
        raise UserError(
            "Inception scores need the network's weights: convert torch-fidelity's or "
            "pytorch-fid's .pth once, 'python -m gan_jax.metrics.inception "
            "weights-inception-2015-12-05-6726825d.pth inception.npz', and name the .npz "
            "(--weights=inception.npz, or the metric's setting weights)"
        )
    if name == "efficientnet_lite0" and weights:
        raise UserError("efficientnet_lite0 takes no weights: they come with its package")
    if name == "identity" and weights:
        raise UserError("the extractor identity takes no weights: it is no network")
    try:
        return on_all_devices(_load(name, weights))
    except ValueError as error:
        raise UserError(first_line(error)) from error


@functools.lru_cache(maxsize=4)
def _load(name: str, weights: str) -> Extractor:
    if name == "inception":
        return metrics.inception_extractor(weights)
    if name == "identity":
        return metrics.IdentityExtractor()
    if name == "efficientnet_lite0":
        return metrics.efficientnet_extractor()
    return metrics.lenet_extractor(weights or None)


def load_classifier(name: str | Extractor, weights: str) -> Extractor:
    """Returns an extractor that has a classifier; see `load_extractor`.

    Raises:
      UserError: it has none.
    """
    extractor = load_extractor(name, weights)
    if extractor.head is None:
        raise UserError(
            f"the extractor {extractor.name} has no classifier: choose one of {', '.join(NAMES)}"
        )
    return extractor


def classify(classifier: Extractor, images: np.ndarray) -> np.ndarray:
    """Returns the classes ``[n]`` that a classifier assigns to images ``[n, h, w, c]``."""
    classes: np.ndarray = classifier.logits(classifier(images)).argmax(axis=1)
    return classes
