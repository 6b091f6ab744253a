"""Images as uint8 arrays ``[height, width, channels]``: the MNIST family, one's own folders, and ``.npz`` files."""

import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from gan_jax.data.dataset import Dataset, finite, shuffled
from gan_jax.data.tensorflow_datasets import tfds
from gan_jax.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg")


def fashion_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike | None = None,
) -> Dataset:
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 10 classes, ``[28, 28, 1]`` uint8.

    ``resolution=32`` pads with zeros, others resize (``resized``). Raises UserError where it is not prepared:
    ``python -m gan_jax.data.prepare fashion_mnist``. Xiao, Rasul and Vollgraf, arXiv:1708.07747.
    """
    return tfds("fashion_mnist", split, labels, resolution, data_dir)


def mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike | None = None,
) -> Dataset:
    """MNIST: 60,000 training and 10,000 test images of digits, 10 classes, ``[28, 28, 1]`` uint8.

    ``resolution=32`` pads with zeros, others resize (``resized``). Raises UserError where it is not prepared:
    ``python -m gan_jax.data.prepare mnist``. LeCun, Cortes and Burges, 1998.
    """
    return tfds("mnist", split, labels, resolution, data_dir)


def stacked_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike | None = None,
) -> Dataset:
    """Stacked MNIST: three random digits as the channels of one image, 1000 classes; see ``stacked``.

    Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017), section 3.3.1.
    """
    return stacked(mnist(split, True, resolution, data_dir), labels)


def stacked_fashion_mnist(
    split: str = "train",
    labels: bool = False,
    resolution: int = 28,
    data_dir: str | os.PathLike | None = None,
) -> Dataset:
    """Three random images of Fashion-MNIST as the channels of one, 1000 classes; see ``stacked``.

    It has the 1000 modes of stacked MNIST, and none of the published numbers.
    """
    return stacked(fashion_mnist(split, True, resolution, data_dir), labels)


def stacked(dataset: Dataset, labels: bool = False) -> Dataset:
    """Three random images of a labelled, finite dataset of grey images as the channels of one, stacked as they are drawn.

    Each channel goes through all ``n`` images in a random order of its own, epoch by epoch. With ``c`` classes the label is
    ``c^2 l_0 + c l_1 + l_2``: for digits, the number that they spell. Samples ``[height, width, 3]`` uint8.
    """
    if dataset.arrays is None or "label" not in dataset.arrays or dataset.shape[-1:] != (1,):
        raise UserError("only a finite dataset of labelled images of one channel can be stacked")
    real, label = dataset.arrays["real"][..., 0], dataset.arrays["label"]
    classes = dataset.classes or int(label.max()) + 1
    indices = shuffled(len(real))

    def draw(seed: int, positions: np.ndarray) -> dict[str, Any]:
        index = np.stack([indices(seed, positions, channel) for channel in range(3)], axis=-1)
        batch = {"real": np.stack([real[index[..., channel]] for channel in range(3)], axis=-1)}
        if labels:
            batch["label"] = (label[index] @ np.array([classes**2, classes, 1])).astype(np.int32)
        return batch

    return Dataset((*real.shape[1:], 3), draw, classes**3 if labels else 0)


def folder(
    path: str | os.PathLike, resolution: int, channels: int = 3, labels: bool = False
) -> Dataset:
    """All PNG and JPEG files under a directory, cropped to their central square and resized to ``resolution``.

    Args:
      channels: 3 for colour, 1 for grey.
      labels: the class of an image is its subdirectory of ``path``, in alphabetical order.

    Returns:
      Samples ``[resolution, resolution, channels]`` uint8, held in memory, files in alphabetical order.

    Raises UserError where there are no images, or one cannot be read.
    """
    root = Path(path)
    files = sorted(
        file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
    )
    if not files:
        raise UserError(f"{root} has no images ({', '.join(SUFFIXES)})")
    if channels not in (1, 3):
        raise UserError(f"images have 1 or 3 channels, not {channels}")
    real = np.empty((len(files), resolution, resolution, channels), np.uint8)
    for index, file in enumerate(files):
        try:
            real[index] = decoded(file, channels, resolution, upright=True)
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{file} cannot be read as an image: {error}") from error
    if not labels:
        return finite(real)
    if loose := [file for file in files if file.parent == root]:
        raise UserError(
            f"{loose[0]} has no class: with labels every image lies in a subdirectory of {root}"
        )
    owners = [file.relative_to(root).parts[0] for file in files]
    classes = sorted(set(owners))
    return finite(
        real, np.array([classes.index(owner) for owner in owners], np.int32), len(classes)
    )


def npz(path: str | os.PathLike, labels: bool = False) -> Dataset:
    """The arrays of an ``.npz`` file: ``"real"``, uint8 images ``[n, h, w, c]`` or floats ``[n, ...]``; ``"label"`` ``[n]``.

    Floats become float32 and are used as they are. Labels are integers from 0. Raises UserError where the file has not these.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in ("real", "label") if name in file}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} cannot be read as an .npz file: {error}") from error
    real, label = arrays.get("real"), arrays.get("label")
    if (
        real is None
        or real.ndim < 2
        or not (real.dtype == np.uint8 or np.issubdtype(real.dtype, np.floating))
    ):
        raise UserError(f"{path} needs an array 'real' of samples [n, ...], of uint8 or floats")
    if label is not None and (
        label.shape != real.shape[:1] or label.dtype.kind not in "iu" or label.min() < 0
    ):
        raise UserError(
            f"'label' in {path} must hold an integer from 0 for each of the {len(real)} samples"
        )
    real = real if real.dtype == np.uint8 else real.astype(np.float32)
    if label is not None:
        return finite(real, label.astype(np.int32), int(label.max()) + 1 if labels else 0)
    if labels:
        raise UserError(f"{path} has no array 'label'")
    return finite(real)


def decoded(
    file: IO[bytes] | Path, channels: int, resolution: int | None = None, upright: bool = False
) -> np.ndarray:
    """One PNG or JPEG file as ``[height, width, channels]`` uint8: grey for one channel, RGB for three; then ``resized``.

    ``upright``: turn it as the camera says it was held. Raises UserError where it has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    with Image.open(file, formats=("PNG", "JPEG")) as image:
        if image.mode.startswith(("I", "F")):
            raise UserError(f"it has {image.mode} pixels, and only 8 bits a channel are read")
        turned = ImageOps.exif_transpose(image) if upright else image
        pixels = np.asarray(turned.convert("L" if channels == 1 else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels if resolution is None else resized(pixels, resolution)


def resized(image: np.ndarray, resolution: int) -> np.ndarray:
    """An image ``[h, w, c]`` uint8 as ``[resolution, resolution, c]``.

    28 to 32 pads with two rows of zeros on each side, which keeps every pixel. All else is cropped to the central square,
    then shrunk by ema_decay areas or enlarged by Lanczos interpolation.
    """
    from PIL import Image

    height, width, channels = image.shape
    if height == width == resolution:
        return image
    if (height, width, resolution) == (28, 28, 32):
        return np.pad(image, ((2, 2), (2, 2), (0, 0)))
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    method = Image.Resampling.BOX if resolution < side else Image.Resampling.LANCZOS
    picture = Image.fromarray(square[..., 0] if channels == 1 else square)
    return np.asarray(picture.resize((resolution, resolution), method)).reshape(
        resolution, resolution, channels
    )
