"""Samples as files: one array, arrays with their labels, or one picture each."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_jax import files
from gan_jax.loggers.images import as_pixels


def write_npy(path: Path, samples: np.ndarray) -> None:
    """Writes samples as they are, ``[n, ...]`` float32, whole or not at all."""
    with files.replacing(path) as file:
        np.save(file, samples)


def write_npz(path: Path, samples: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Writes samples and their labels as named arrays, whole or not at all.

    Args:
      path: of the file.
      samples: ``[n, ...]``; images ``[n, height, width, channels]`` in [-1, 1] become the array
        ``images``, uint8, as programs for evaluation take them; others ``samples``, float32.
      labels: ``[n]`` int, or None: the array ``labels``, int64.
    """
    is_image = samples.ndim == 4
    arrays = {"images": as_pixels(samples)} if is_image else {"samples": samples}
    if labels is not None:
        arrays["labels"] = labels.astype(np.int64)
    with files.replacing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def write_folder(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    numbers: Sequence[int] | None = None,
) -> None:
    """Writes each image as a PNG file, in a folder per class if there are classes.

    They are called by number, ``000017.png``, and the folders as `folder_names` says, so that
    `gan_jax.data.folder` finds the same classes.

    Args:
      folder: made if it does not exist.
      images: ``[n, height, width, 1, 3 or 4]`` in [-1, 1].
      labels: ``[n]`` int, or None.
      class_names: of the classes in their order; without them, folders are called by number.
      numbers: of the images, such as their seeds; None: 0, 1, ...
    """
    from PIL import Image

    if labels is None:
        homes = [folder] * len(images)
    else:
        classes = len(class_names) or int(labels.max()) + 1
        names = folder_names(classes, class_names)
        homes = [folder / names[label] for label in labels.tolist()]
    for home in set(homes):
        home.mkdir(parents=True, exist_ok=True)
    for index, (home, image) in enumerate(zip(homes, images, strict=True)):
        pixels = as_pixels(image)
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        number = index if numbers is None else numbers[index]
        with open(home / f"{number:06d}.png", "wb") as file:
            picture.save(file, format="PNG")


def folder_names(classes: int, class_names: Sequence[str]) -> list[str]:
    """Returns what the folders of classes are called, in the alphabetical order of the classes.

    That is the names themselves, with ``_`` in place of what a file name cannot hold, if they are
    in alphabetical order then and differ; otherwise with the class's number before each.
    """
    if len(class_names) != classes:
        return [f"{label:03d}" for label in range(classes)]
    names = [re.sub(r"[^\w. -]+", "_", name).strip(". ") for name in class_names]
    if all(names) and names == sorted(set(names)):
        return names
    return [f"{label:03d}_{name}" for label, name in enumerate(names)]
