"""From the bytes of an image file to pixels."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from gan_jax.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = (1, 3, 4)
"""Of images: grey, RGB, and RGB with alpha."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names for them."""

MAX_PIXELS = 2**26
"""The largest image that is decoded, 8192 x 8192: a small file can hold an image that fills
memory."""


def decode_image(
    file: IO[bytes] | Path, channels: int, resolution: int | None = None, upright: bool = False
) -> np.ndarray:
    """Decodes one PNG or JPEG file.

    Args:
      file: the file.
      channels: 1 for grey, 3 for RGB, 4 for RGB with alpha.
      resolution: side of the image after `resize`; None keeps its size.
      upright: whether to turn the image as its EXIF orientation says.

    Returns:
      The image ``[height, width, channels]`` uint8; 16 bits are rounded to 8.

    Raises:
      UserError: it has more than `MAX_PIXELS` pixels.
      Exception: the file is damaged; Pillow raises many kinds.
    """
    from PIL import ImageOps

    with _opened(file) as image:
        turned = ImageOps.exif_transpose(image) if upright else image
        if turned.mode.startswith("I"):  # grey of 16 bits
            turned = _in_8_bits(turned)
        if turned.mode == "P" and "transparency" in turned.info:
            turned = turned.convert("RGBA")
        pixels = np.asarray(turned.convert(MODES[channels]))
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels if resolution is None else resize(pixels, resolution)


def describe_image(file: IO[bytes] | Path) -> tuple[str, str]:
    """Returns the size of an image, ``"64x48"``, and what its pixels are, in Pillow's words."""
    with _opened(file) as image:
        return f"{image.width}x{image.height}", image.mode


@contextlib.contextmanager
def _opened(file: IO[bytes] | Path) -> Iterator["Image"]:
    """Opens an image, of which Pillow reads no pixel yet. Raises as `decode_image`."""
    from PIL import Image

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
        yield image


def _in_8_bits(image: "Image") -> "Image":
    """A grey image of 16 bits in 8 bits: 65535 becomes 255."""
    from PIL import Image

    pixels = np.asarray(image).astype(np.float64) / 257
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def resize(image: np.ndarray, resolution: int) -> np.ndarray:
    """Resizes an image to a square.

    From 28 to 32 it pads with two rows or columns of zeros on each side, which keeps every pixel.
    Otherwise it crops to the central square, then shrinks by averaging areas or enlarges by
    Lanczos interpolation.

    Args:
      image: ``[height, width, channels]`` uint8, of 1, 3 or 4 channels.
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
