"""From the bytes of an image file to pixels."""

import warnings
from pathlib import Path
from typing import IO

import numpy as np

from gan_jax.errors import UserError

MAX_PIXELS = 2**26
"""The largest image that is decoded, 8192 x 8192: a small file can hold an image that fills
memory."""


def decode_image(
    file: IO[bytes] | Path, channels: int, resolution: int | None = None, upright: bool = False
) -> np.ndarray:
    """Decodes one PNG or JPEG file.

    Args:
      file: the file.
      channels: 1 for grey, 3 for RGB.
      resolution: side of the image after `resize`; None keeps its size.
      upright: whether to turn the image as its EXIF orientation says.

    Returns:
      The image ``[height, width, channels]`` uint8.

    Raises:
      UserError: it has more than 8 bits per channel, or more than `MAX_PIXELS` pixels.
      Exception: the file is damaged; Pillow raises many kinds.
    """
    from PIL import Image, ImageOps

    # Pillow warns of images that are too large, which are refused here.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        opened = Image.open(file, formats=("PNG", "JPEG"))
    except Image.DecompressionBombError as error:  # Pillow's own limit, which is higher
        raise UserError(f"it has more than {MAX_PIXELS} pixels") from error
    with opened as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UserError(f"it has {width} x {height} pixels, more than {MAX_PIXELS}")
        if image.mode.startswith(("I", "F")):
            raise UserError(f"it has {image.mode} pixels, and only 8 bits per channel are read")
        turned = ImageOps.exif_transpose(image) if upright else image
        pixels = np.asarray(turned.convert("L" if channels == 1 else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels if resolution is None else resize(pixels, resolution)


def resize(image: np.ndarray, resolution: int) -> np.ndarray:
    """Resizes an image to a square.

    From 28 to 32 it pads with two rows or columns of zeros on each side, which keeps every pixel.
    Otherwise it crops to the central square, then shrinks by averaging areas or enlarges by
    Lanczos interpolation.

    Args:
      image: ``[height, width, channels]`` uint8, of 1 or 3 channels.
      resolution: the new side.

    Returns:
      The image ``[resolution, resolution, channels]`` uint8.
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
    resized = np.asarray(picture.resize((resolution, resolution), method))
    return resized.reshape(resolution, resolution, channels)
