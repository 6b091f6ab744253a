"""From the bytes of an image file to pixels."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from gan_jax.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

CHANNELS = (1, 2, 3, 4)
"""Of images: grey, grey with alpha, RGB, and RGB with alpha."""

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's names for them."""

MAX_PIXELS = 2**26
"""The largest image that is decoded, 8192 x 8192: a small file can hold an image that fills
memory."""


def decode_image(
    file: IO[bytes] | Path,
    channels: int,
    resolution: int | tuple[int, int] | None = None,
    upright: bool = False,
) -> np.ndarray:
    """Decodes one PNG or JPEG file.

    Args:
      file: the file.
      channels: 1 for grey, 2 for grey with alpha, 3 for RGB, 4 for RGB with alpha.
      resolution: of the image after `resize`; None keeps its size.
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


def decode_deep_image(
    file: IO[bytes] | Path, resolution: tuple[int, int] | None = None, upright: bool = False
) -> np.ndarray:
    """Decodes one PNG file of grey in 16 bits; 8 bits are spread over 16, 255 becomes 65535.

    Args:
      file: as in `decode_image`.
      resolution: as in `decode_image`.
      upright: as in `decode_image`.

    Returns:
      The image ``[height, width, 1]`` uint16.

    Raises:
      UserError: it is in colour, which Pillow reads in 8 bits, or has too many pixels.
      Exception: the file is damaged; Pillow raises many kinds.
    """
    from PIL import Image, ImageOps

    with _opened(file) as image:
        turned = ImageOps.exif_transpose(image) if upright else image
        if not turned.mode.startswith("I") and turned.mode not in ("1", "L"):
            raise UserError(f"it is stored as {turned.mode}: 16 bits are read of grey images alone")
        is_deep = turned.mode.startswith("I")
        pixels = np.asarray(turned if is_deep else turned.convert("L"))
    pixels = pixels.astype(np.float32) * (1 if is_deep else 257)
    if resolution is not None and pixels.shape != resolution:
        picture = Image.fromarray(_cropped(pixels, resolution))
        pixels = np.asarray(picture.resize(resolution[::-1], _method(picture.height, resolution)))
    return np.clip(np.rint(pixels), 0, 65535).astype(np.uint16)[..., None]


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


def resize(image: np.ndarray, resolution: int | tuple[int, int]) -> np.ndarray:
    """Resizes an image to a square, or to a height and a width.

    From 28 to 32 it pads with two rows or columns of zeros on each side, which keeps every pixel.
    Otherwise it crops to the largest central rectangle of the new shape, then shrinks by averaging
    areas or enlarges by Lanczos interpolation.

    Args:
      image: ``[height, width, channels]`` uint8, of 1 to 4 channels.
      resolution: the new side, or the new height and width.

    Returns:
      The image ``[resolution, resolution, channels]`` uint8.
    """
    from PIL import Image

    size = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    if (height, width, resolution) == (28, 28, 32):
        return np.pad(image, ((2, 2), (2, 2), (0, 0)))
    part = _cropped(image, size)
    picture = Image.fromarray(part[..., 0] if channels == 1 else part)
    resized = np.asarray(picture.resize(size[::-1], _method(len(part), size)))
    return resized.reshape(*size, channels)


def _cropped(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest central part of an image whose sides have the ratio of a size."""
    height, width = image.shape[:2]
    if height * size[1] <= width * size[0]:
        part = (height, max(1, round(height * size[1] / size[0])))
    else:
        part = (max(1, round(width * size[0] / size[1])), width)
    top, left = (height - part[0]) // 2, (width - part[1]) // 2
    return image[top : top + part[0], left : left + part[1]]


def _method(height: int, size: tuple[int, int]) -> "Resampling":
    from PIL import Image

    return Image.Resampling.BOX if size[0] < height else Image.Resampling.LANCZOS
