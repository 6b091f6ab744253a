"""Sets of samples on disk that are scored against each other: folders of images, and arrays."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan_jax.buckets import local_copy
from gan_jax.data.decoding import decode_image, resize
from gan_jax.data.folders import image_files
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation.real_samples import checked_samples
from gan_jax.metrics.npz_files import read_arrays
from gan_jax.metrics.statistics_files import GaussianStatistics, read_statistics

NAMES = ("images", "samples", "real", "arr_0")
"""What the array of samples of an ``.npz`` file may be called; ``arr_0`` is NumPy's own name."""

RESIZE_NAMES = {"pad": "padded", "shrink": "area", "enlarge": "lanczos"}
"""How `resize` brings images to a size, as scores are named."""


class SampleSet(NamedTuple):
    """Samples that were read.

    Attributes:
      samples: ``[n, ...]``: images uint8 or float in [-1, 1], or vectors.
      resized: the names of the ways in which images were brought to the size asked for, sorted;
        empty if all of them had it.
    """

    samples: np.ndarray
    resized: tuple[str, ...] = ()


def read_samples(path: str | os.PathLike[str], resolution: int | None = None) -> SampleSet:
    """Reads samples.

    Args:
      path: a folder of PNG and JPEG files, with folders in it or not; a ``.npy`` file of one array;
        or an ``.npz`` file with one of the arrays `NAMES`. Arrays are images ``[n, height, width,
        channels]``, uint8 or floats in [-1, 1], or vectors ``[n, d]``.
      resolution: side to which images are resized, see `data.decoding.resize`; None: as they are.

    Raises:
      UserError: there is nothing of this form, or images differ in size and no resolution is given.
    """
    path = local_copy(path)
    if path.is_dir():
        images = _read_folder(path)
    elif path.suffix in (".npy", ".npz"):
        images = list(checked_samples(_read_array(path), str(path)))
    else:
        raise UserError(
            f"{path} is no folder of images and no .npy or .npz file"
            if path.exists()
            else f"{path} does not exist"
        )
    resized: set[str] = set()
    if resolution is not None and images[0].ndim == 3:
        resized = {_way(image.shape, resolution) for image in images} - {""}
        images = [_resized(image, resolution, path) for image in images]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        two = " and ".join(map(str, sorted(shapes)[:2]))
        raise UserError(f"{path} has images of different sizes, such as {two}: pass --resolution")
    return SampleSet(np.stack(images), tuple(sorted(RESIZE_NAMES[way] for way in resized)))


def with_channels(samples: np.ndarray, channels: int) -> np.ndarray:
    """Returns grey images ``[n, h, w, 1]`` as colour ones if there are to be 3 channels."""
    if samples.ndim == 4 and samples.shape[-1] == 1 and channels == 3:
        return samples.repeat(3, axis=-1)
    return samples


def resize_suffix(sets: Collection[SampleSet]) -> str:
    """Returns what the name of a score gets if images were resized: ``"_area64"``, or nothing."""
    ways = sorted({way for each in sets for way in each.resized})
    return f"_{'_'.join(ways)}{next(iter(sets)).samples.shape[1]}" if ways else ""


def read_samples_or_statistics(
    path: str | os.PathLike[str], resolution: int | None = None
) -> SampleSet | GaussianStatistics:
    """Reads samples, or the statistics of features that are saved in their place.

    Args:
      path: as in `read_samples` and `metrics.statistics_files.read_statistics`.
      resolution: as in `read_samples`.

    Raises:
      UserError: there is nothing of either form.
    """
    if Path(path).suffix in (".npz", ".pt"):
        try:
            statistics = read_statistics(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{os.fspath(path)} cannot be read: {first_line(error)}") from error
        if statistics is not None:
            return statistics
    return read_samples(path, resolution)


def _read_folder(folder: Path) -> list[np.ndarray]:
    """The images of a folder, of one channel if all of them are grey."""
    files = image_files(folder)
    images = []
    for file in files:
        try:
            images.append(decode_image(file, 3, upright=True))
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise UserError(f"{file} cannot be read as an image: {first_line(error)}") from error
    if all((image == image[..., :1]).all() for image in images):
        return [image[..., :1] for image in images]
    return images


def _read_array(path: Path) -> np.ndarray:
    try:
        if path.suffix == ".npy":
            array: np.ndarray = np.load(path, allow_pickle=False)
            return array
        arrays = read_arrays(path, NAMES)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    for name in NAMES:
        if name in arrays:
            return arrays[name]
    raise UserError(
        f"{path} holds neither samples (one of the arrays {', '.join(NAMES)}) nor statistics "
        "(mu and sigma)"
    )


def _way(shape: tuple[int, ...], resolution: int) -> str:
    """How `resize` brings an image of some shape to a size."""
    height, width = shape[:2]
    if height == width == resolution:
        return ""
    if (height, width, resolution) == (28, 28, 32):
        return "pad"
    return "shrink" if resolution < min(height, width) else "enlarge"


def _resized(image: np.ndarray, resolution: int, path: Path) -> np.ndarray:
    if image.shape[:2] == (resolution, resolution):
        return image
    if image.dtype != np.uint8:
        raise UserError(f"{path} holds floats, and only uint8 images are resized: leave it out")
    return resize(image, resolution)
