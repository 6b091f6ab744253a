"""Fashion-MNIST some of whose training labels are wrong, or unknown."""

import numpy as np

from gan_jax import data
from gan_jax.data import Dataset

CLASSES = 10


def fashion_mnist(split: str = "train", wrong: float = 0.0, known: float = 1.0) -> Dataset:
    """Returns `data.fashion_mnist` with labels, of which those of the training images are changed.

    Which labels are wrong or unknown is drawn once, the same for all seeds of a run.

    Args:
      split: the labels of any but ``"train"`` are as they were.
      wrong: the share of labels that are another one, each of the nine alike.
      known: the share of labels that are known; all others become an eleventh class, if there are
        any.
    """
    dataset = data.fashion_mnist(split, labels=True)
    assert dataset.arrays is not None
    label = np.asarray(dataset.arrays["label"])
    names = dataset.class_names
    if split == "train":
        label = unknown_outside(with_wrong(label, wrong), known)
    if known < 1:
        names = (*names, "unknown")
    return Dataset.from_arrays(
        dataset.arrays["real"], label, CLASSES + (known < 1), class_names=names
    )


def with_wrong(label: np.ndarray, share: float) -> np.ndarray:
    """Returns labels ``[n]`` of which a share, chosen at random, is another of the ten."""
    draws = np.random.default_rng(0)
    chosen = draws.permutation(len(label))[: round(share * len(label))]
    changed = label.copy()
    changed[chosen] = (label[chosen] + draws.integers(1, CLASSES, len(chosen))) % CLASSES
    return changed


def unknown_outside(label: np.ndarray, share: float) -> np.ndarray:
    """Returns labels ``[n]`` of which a share, chosen at random, is kept; the others are 10."""
    hidden = np.random.default_rng(1).permutation(len(label))[round(share * len(label)) :]
    changed = label.copy()
    changed[hidden] = CLASSES
    return changed
