"""Images as pixels: grids, and image files."""

import math
import os

import numpy as np

from gan_jax import files


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Returns images ``[...]`` in [-1, 1] as the nearest of the 256 values of uint8."""
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


def image_grid(images: np.ndarray, columns: int | None = None, pad: int = 2) -> np.ndarray:
    """Arranges images in a grid, row by row.

    Args:
      images: ``[n, height, width, channels]`` in [-1, 1]: of 1 or 3 channels, or of 4, the
        last of which is alpha, over white; of others their mean is drawn.
      columns: of the grid; None for the squarest grid.
      pad: width in pixels of the white border around each image. Cells that are left over are
        white too.

    Returns:
      The picture ``[H, W, 3]`` uint8.
    """
    n, height, width, channels = images.shape
    if channels == 4:
        images = over_white(images)
    elif channels not in (1, 3):
        images = images.mean(-1, keepdims=True)
    if columns is None:
        columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    shape = (rows * (height + pad) + pad, columns * (width + pad) + pad, 3)
    picture = np.full(shape, 255, np.uint8)
    for index, image in enumerate(as_pixels(images)):
        row, column = divmod(index, columns)
        top, left = pad + row * (height + pad), pad + column * (width + pad)
        picture[top : top + height, left : left + width] = image
    return picture


def over_white(images: np.ndarray) -> np.ndarray:
    """Returns images ``[..., 4]`` in [-1, 1], whose last channel is alpha, as seen over white."""
    alpha = np.clip((images[..., 3:] + 1) / 2, 0, 1)
    seen: np.ndarray = alpha * images[..., :3] + (1 - alpha)
    return seen


def save_image(path: str | os.PathLike[str], picture: np.ndarray, scale: int = 1) -> None:
    """Writes a picture as a PNG file, whole or not at all.

    Args:
      path: the file.
      picture: ``[H, W, 3]`` uint8.
      scale: side of the square that each pixel becomes.
    """
    from PIL import Image

    image = Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1))
    with files.replacing(path) as file:
        image.save(file, format="PNG")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the pixels of an image file, ``[H, W, 3]`` uint8."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
