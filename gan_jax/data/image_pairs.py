"""Images in pairs, an input and what it should become, and images of two domains without pairs.

The input is the condition ``"input"``. Paired samples are images ``[h, w, channels]``. A sample of
two domains is one image of each, ``[2, h, w, channels]``, and is its own input.
"""

import os
from pathlib import Path

import numpy as np

from gan_jax.buckets import local_copy
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import CHANNELS, decode_image, resize
from gan_jax.data.folders import image_files, read_images
from gan_jax.data.positions import Seed, epoch_permutations
from gan_jax.data.shapes import draw_shapes
from gan_jax.errors import UserError, first_line
from gan_jax.game import Batch

DIRECTIONS = ("AtoB", "BtoA")
SPLIT_SIZES = {"train": 4_000, "test": 500}


def paired_shapes(split: str = "train", resolution: int = 32) -> Dataset:
    """Outlines and the filled shapes that they belong to: circles, squares and triangles.

    Of one shape per image, at a random place, in a random size and orientation. Its kind decides
    its colour, and a gradient of light from the upper left lies over it, so that the target is a
    function of the outline. Image i of a split is a function of i alone; see `shapes.draw_shapes`.

    Args:
      split: "train", 4,000 pairs, or "test", 500 others.
      resolution: side of the images, 16 or more.

    Returns:
      Samples ``[resolution, resolution, 3]`` uint8, with ``"input"``: the outline,
      ``[resolution, resolution, 1]`` uint8.

    Raises:
      UserError: another split, or a smaller resolution.
    """
    outlines, filled = _shapes(split, resolution)
    return Dataset.from_arrays(filled, conditions={"input": outlines})


def unpaired_shapes(split: str = "train", resolution: int = 32) -> Dataset:
    """Two domains without pairs: A, filled shapes on white, and B, their outlines.

    The images are those of `paired_shapes`. In training, domain A goes through the even ones and B
    through the odd ones, each in a random order of its own: no shape is in both. The split "test"
    holds pairs, so that translations can be compared with the truth.

    Args:
      split: "train" or "test".
      resolution: side of the images, 16 or more.

    Returns:
      Samples ``[2, resolution, resolution, 3]`` uint8, which are their own ``"input"``.

    Raises:
      UserError: another split, or a smaller resolution.
    """
    outlines, filled = _shapes(split, resolution)
    outlines = np.repeat(outlines, 3, axis=-1)
    if split == "train":
        return _two_domains(filled[::2], outlines[1::2])
    pairs = np.stack([filled, outlines], 1)
    return Dataset.from_arrays(pairs, conditions={"input": pairs})


def paired_folder(
    path: str | os.PathLike[str],
    resolution: int,
    split: str = "train",
    direction: str = "AtoB",
    channels: int = 3,
    input_channels: int = 3,
) -> Dataset:
    """Pairs of a directory, in one of the two layouts of pix2pix's datasets.

    Either ``path/train`` holds images in which A is the left half and B the right one; or
    ``path/trainA`` and ``path/trainB`` hold as many images, paired in alphabetical order, with
    the same names but for their suffixes. Likewise for other splits.

    Args:
      path: the directory.
      resolution: side of the images after resizing, see `decoding.resize`.
      split: "train", "test" or the name of any other part.
      direction: "AtoB", in which A is the input, or "BtoA".
      channels: of the targets, 3 for colour, 1 for grey.
      input_channels: of the inputs.

    Returns:
      Samples ``[resolution, resolution, channels]`` uint8, with ``"input"``,
      ``[resolution, resolution, input_channels]`` uint8.

    Raises:
      UserError: neither layout, an image that cannot be read, or images without a partner.
    """
    if direction not in DIRECTIONS:
        raise UserError(f"direction is AtoB or BtoA, not {direction!r}")
    root = local_copy(path)
    counts = (input_channels, channels) if direction == "AtoB" else (channels, input_channels)
    if (root / split).is_dir():
        a, b = _side_by_side(root / split, resolution, counts)
    else:
        folders = _domain_folders(root, split)
        files = [image_files(folder) for folder in folders]
        names = [[file.stem for file in of_domain] for of_domain in files]
        if names[0] != names[1]:
            alone = sorted(set(names[0]) ^ set(names[1]))
            raise UserError(
                f"the images of {folders[0]} and {folders[1]} are paired by name, and "
                f"{alone[0] if alone else 'a name that is there twice'} has no partner"
            )
        a, b = (
            read_images(folder, of_domain, resolution, count)
            for folder, of_domain, count in zip(folders, files, counts, strict=True)
        )
    source, target = (a, b) if direction == "AtoB" else (b, a)
    return Dataset.from_arrays(target, conditions={"input": source})


def unpaired_folder(
    path: str | os.PathLike[str], resolution: int, split: str = "train", channels: int = 3
) -> Dataset:
    """Two domains of a directory in the layout of CycleGAN's datasets: ``trainA``, ``trainB``, ...

    Each domain goes through its images in a random order of its own, epoch by epoch.

    Args:
      path: the directory.
      resolution: side of the images after resizing, see `decoding.resize`.
      split: "train", "test" or the name of any other part.
      channels: 3 for colour, 1 for grey.

    Returns:
      Samples ``[2, resolution, resolution, channels]`` uint8, which are their own ``"input"``.

    Raises:
      UserError: a folder is missing or has no images, or one cannot be read.
    """
    a, b = (
        read_images(folder, image_files(folder), resolution, channels)
        for folder in _domain_folders(local_copy(path), split)
    )
    return _two_domains(a, b)


def _shapes(split: str, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    if split not in SPLIT_SIZES:
        raise UserError(f"the shapes have no split {split!r}: choose one of train, test")
    if not 16 <= resolution <= 1024:
        raise UserError(f"the resolution of shapes is from 16 to 1024, not {resolution}")
    first = 0 if split == "train" else SPLIT_SIZES["train"]
    return draw_shapes(np.arange(first, first + SPLIT_SIZES[split]), resolution)


def _two_domains(a: np.ndarray, b: np.ndarray) -> Dataset:
    """Each domain in an order of its own."""
    indices = [epoch_permutations(len(domain)) for domain in (a, b)]

    def draw(seed: Seed, positions: np.ndarray, /) -> Batch:
        images = [
            domain[of_domain(seed, positions, stream)]
            for stream, (domain, of_domain) in enumerate(zip((a, b), indices, strict=True))
        ]
        pairs = np.stack(images, axis=np.ndim(positions))
        batch = {"real": pairs, "input": pairs}
        return batch  # type: ignore[return-value]  # NumPy arrays do where JAX's are asked

    shape = (2, *a.shape[1:])
    return Dataset(shape, draw, conditions={"input": shape})


def _domain_folders(root: Path, split: str) -> tuple[Path, Path]:
    folders = (root / f"{split}A", root / f"{split}B")
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{root} has no folder {folder.name} of images")
    return folders


def _side_by_side(
    folder: Path, resolution: int, channels: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The left and the right halves of images."""
    if not set(channels) <= set(CHANNELS):
        known = ", ".join(map(str, CHANNELS))
        raise UserError(f"images have {known} channels, not {channels[0]} and {channels[1]}")
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for file in image_files(folder):
        for half, count in enumerate(channels):
            try:
                image = decode_image(file, count, upright=True)
            except Exception as error:  # Pillow raises many kinds for damaged files
                raise UserError(
                    f"{file} cannot be read as an image: {first_line(error)}"
                ) from error
            width = image.shape[1] // 2
            if not width:
                raise UserError(f"{file} is one pixel wide: a pair is two images side by side")
            image = image[:, :width] if half == 0 else image[:, -width:]
            halves[half].append(resize(image, resolution))
    return np.stack(halves[0]), np.stack(halves[1])
