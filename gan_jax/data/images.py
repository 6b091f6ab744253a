"""Images as uint8 arrays ``[height, width, channels]``.

The MNIST family, image folders, and ``.npz`` files.
"""

import math
import os
from pathlib import Path

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import MAX_PIXELS, decode_image
from gan_jax.data.positions import Seed, epoch_permutations
from gan_jax.data.tensorflow_datasets import tfds
from gan_jax.errors import UserError, first_line
from gan_jax.game import Batch
from gan_jax.metrics.npz_files import read_arrays

SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_SIDE = math.isqrt(MAX_PIXELS)
"""The largest side to which images are resized."""


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
    if dataset.arrays is None or "label" not in dataset.arrays or dataset.shape[-1:] != (1,):
        raise UserError("only a finite dataset of labelled images of one channel can be stacked")
    real, label = dataset.arrays["real"][..., 0], dataset.arrays["label"]
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


def folder(
    path: str | os.PathLike[str], resolution: int, channels: int = 3, labels: bool = False
) -> Dataset:
    """All PNG and JPEG files under a directory, cropped to their central square and resized.

    Args:
      path: the directory.
      resolution: side of the images after resizing, see `resize`.
      channels: 3 for colour, 1 for grey.
      labels: whether batches carry labels: the class of an image is its subdirectory of ``path``,
        numbered in alphabetical order.

    Returns:
      Samples ``[resolution, resolution, channels]`` uint8, held in memory, files in alphabetical
      order.

    Raises:
      UserError: there are no images, one cannot be read, or one has no class.
    """
    root = Path(path)
    files = image_files(root)
    real = read_images(root, files, resolution, channels)
    if not labels:
        return Dataset.from_arrays(real)
    without_class = [file for file in files if file.parent == root]
    if without_class:
        raise UserError(
            f"{without_class[0]} has no class: with labels, each image is in a subdirectory "
            f"of {root}"
        )
    names = [file.relative_to(root).parts[0] for file in files]
    classes = sorted(set(names))
    label = np.array([classes.index(name) for name in names], np.int32)
    return Dataset.from_arrays(real, label, len(classes), class_names=classes)


def image_files(root: Path) -> list[Path]:
    """Returns the PNG and JPEG files under a directory, in alphabetical order.

    Raises:
      UserError: there are none, or the directory cannot be read.
    """
    try:
        files = sorted(
            file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
        )
    except (OSError, ValueError) as error:  # a name that is too long, or has a NUL
        raise UserError(f"{root} cannot be read: {first_line(error)}") from error
    if not files:
        raise UserError(f"{root} has no images ({', '.join(SUFFIXES)})")
    return files


def read_images(root: Path, files: list[Path], resolution: int, channels: int) -> np.ndarray:
    """Reads image files, cropped to their central square and resized.

    Args:
      root: what the files are called in an error.
      files: PNG and JPEG files.
      resolution: side of the images after resizing, see `decoding.resize`.
      channels: 3 for colour, 1 for grey.

    Returns:
      ``[n, resolution, resolution, channels]`` uint8.

    Raises:
      UserError: an image cannot be read, or one of the numbers is out of range.
    """
    if channels not in (1, 3):
        raise UserError(f"images have 1 or 3 channels, not {channels}")
    if not 1 <= resolution <= MAX_SIDE:
        raise UserError(f"the resolution of images is from 1 to {MAX_SIDE}, not {resolution}")
    shape = (len(files), resolution, resolution, channels)
    try:
        real = np.empty(shape, np.uint8)
    except MemoryError as error:
        raise UserError(
            f"{len(files)} images of {root} take {math.prod(shape) / 1e9:.0f} GB at resolution "
            f"{resolution}, more than there is: choose a smaller one"
        ) from error
    for index, file in enumerate(files):
        try:
            real[index] = decode_image(file, channels, resolution, upright=True)
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise UserError(f"{file} cannot be read as an image: {first_line(error)}") from error
    return real


def npz(
    path: str | os.PathLike[str], labels: bool = False, conditions: tuple[str, ...] = ()
) -> Dataset:
    """The arrays of an ``.npz`` file.

    Args:
      path: the file. ``"real"`` holds the samples: uint8 images ``[n, height, width, channels]``,
        or finite floats ``[n, ...]``, which become float32 and are not scaled. ``"label"``
        ``[n]``, optional, holds integers from 0.
      labels: whether batches carry labels.
      conditions: names of further arrays ``[n, ...]`` that batches carry, such as ``("input",)``:
        uint8 images, or finite floats, as the samples.

    Returns:
      Samples of the shape in the file.

    Raises:
      UserError: the file cannot be read, or does not hold these arrays.
    """
    try:
        arrays = read_arrays(path, ("real", "label", *conditions))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as an .npz file: {first_line(error)}") from error
    if "real" not in arrays:
        raise UserError(f"{path} needs an array 'real' of samples [n, ...], of uint8 or floats")
    for name in conditions:
        if name in ("real", "label") or name not in arrays:
            raise UserError(f"{path} has no array {name!r} to be a condition")
    real = _check_real(path, arrays["real"])
    given = {name: _check_real(path, arrays[name], name) for name in conditions}
    if "label" in arrays:
        label = _check_label(path, arrays["label"], len(real))
        classes = int(label.max()) + 1 if labels else 0
        return Dataset.from_arrays(real, label, classes, conditions=given)
    if labels:
        raise UserError(f"{path} has no array 'label'")
    return Dataset.from_arrays(real, conditions=given)


def _check_real(path: str | os.PathLike[str], real: np.ndarray, name: str = "real") -> np.ndarray:
    """Returns the samples, or a condition, of an ``.npz`` file as uint8 or float32."""
    is_float = np.issubdtype(real.dtype, np.floating)
    if real.ndim < 2 or not (is_float or real.dtype == np.uint8):
        raise UserError(
            f"{path} needs an array {name!r} of samples [n, ...], of uint8 or floats, "
            f"not {real.dtype} {list(real.shape)}"
        )
    if not real.size:
        raise UserError(f"{name!r} in {path} has no samples: its shape is {list(real.shape)}")
    if not is_float:
        return real
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and is refused below
        real = real.astype(np.float32)
    finite = np.isfinite(real).reshape(len(real), -1).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{name!r} in {path} holds NaN or values beyond float32, first in sample "
            f"{finite.argmin()}"
        )
    return real


def _check_label(path: str | os.PathLike[str], label: np.ndarray, n: int) -> np.ndarray:
    """Returns the labels of an ``.npz`` file as int32."""
    if (
        label.shape != (n,)
        or label.dtype.kind not in "iu"
        or label.min() < 0
        or label.max() >= 2**31 - 1
    ):
        raise UserError(
            f"'label' in {path} must hold an integer from 0 to 2^31 - 2 for each of the {n} samples"
        )
    return label.astype(np.int32)
