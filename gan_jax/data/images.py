"""The MNIST family: uint8 images ``[height, width, channels]``, and three of them stacked."""

import os

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.positions import Seed, epoch_permutations
from gan_jax.data.tensorflow_datasets import tfds
from gan_jax.errors import UserError
from gan_jax.game import Batch


def fashion_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 10 classes.

    ``python -m gan_jax.data.prepare fashion_mnist`` prepares it.

    Args:
      split: ``"train"``, ``"test"``, or anything that `tfds` takes.
      labels: whether batches carry labels.
      resolution: side of the images; 32 pads with zeros, others resize, see `decoding.resize`.
      data_dir: where prepared datasets are; the default of tensorflow-datasets
        (``TFDS_DATA_DIR``) if None.

    Returns:
      Samples ``[resolution, resolution, 1]`` uint8.

    Raises:
      UserError: the dataset is not prepared.

    References:
      Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
      Learning Algorithms" (2017), arXiv:1708.07747.
    """
    return tfds("fashion_mnist", split, labels, resolution, data_dir)


def mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """MNIST: 60,000 training and 10,000 test images of digits, 10 classes.

    ``python -m gan_jax.data.prepare mnist`` prepares it.

    Args:
      split: see `fashion_mnist`.
      labels: see `fashion_mnist`.
      resolution: see `fashion_mnist`.
      data_dir: see `fashion_mnist`.

    Returns:
      Samples ``[resolution, resolution, 1]`` uint8.

    Raises:
      UserError: the dataset is not prepared.

    References:
      LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    """
    return tfds("mnist", split, labels, resolution, data_dir)


def stacked_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Stacked MNIST: three random digits as the channels of one image, 1000 classes.

    See `stacked`.

    Args:
      split: see `fashion_mnist`.
      labels: see `fashion_mnist`.
      resolution: see `fashion_mnist`.
      data_dir: see `fashion_mnist`.

    Returns:
      Samples ``[resolution, resolution, 3]`` uint8.

    Raises:
      UserError: MNIST is not prepared.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017), section 3.3.1.
    """
    return stacked(mnist(split, True, resolution, data_dir), labels)


def stacked_fashion_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Three random images of Fashion-MNIST as the channels of one, 1000 classes.

    It has the 1000 modes of stacked MNIST, but there are no published results for it. See
    `stacked`.

    Args:
      split: see `fashion_mnist`.
      labels: see `fashion_mnist`.
      resolution: see `fashion_mnist`.
      data_dir: see `fashion_mnist`.

    Returns:
      Samples ``[resolution, resolution, 3]`` uint8.

    Raises:
      UserError: Fashion-MNIST is not prepared.
    """
    return stacked(fashion_mnist(split, True, resolution, data_dir), labels)


def stacked(dataset: Dataset, labels: bool = False) -> Dataset:
    """Three random images of a labelled dataset of grey images as the channels of one.

    They are stacked as they are drawn. Each channel goes through all ``n`` images in its own
    random order, epoch by epoch. With ``c`` classes the label is ``c^2 l_0 + c l_1 + l_2``: for
    digits, the number that they spell.

    Args:
      dataset: a finite dataset whose labels are known.
      labels: whether batches carry labels.

    Returns:
      Samples ``[height, width, 3]`` uint8.

    Raises:
      UserError: the dataset is not finite, not labelled, or not of one channel.
    """
    arrays = dataset.arrays or {}
    real, label = arrays.get("real"), arrays.get("label")
    if (
        not isinstance(real, np.ndarray)
        or not isinstance(label, np.ndarray)
        or dataset.shape[-1:] != (1,)
    ):
        raise UserError(
            "only a finite dataset of labelled images of one channel, held in memory, can be "
            "stacked"
        )
    real = real[..., 0]
    classes = dataset.classes or int(label.max()) + 1
    indices = epoch_permutations(len(real))
    place_values = np.array([classes**2, classes, 1])

    def draw(seed: Seed, positions: np.ndarray, /) -> Batch:
        index = np.stack([indices(seed, positions, channel) for channel in range(3)], axis=-1)
        images = np.stack([real[index[..., channel]] for channel in range(3)], axis=-1)
        batch: dict[str, np.ndarray] = {"real": images}
        if labels:
            batch["label"] = (label[index] @ place_values).astype(np.int32)
        return batch  # type: ignore[return-value]  # NumPy arrays do where JAX's are asked

    return Dataset((*real.shape[1:], 3), draw, classes**3 if labels else 0)
