"""Images of one shape each, made from known factors: kind, size, angle, place and colour."""

import colorsys
import functools
import math

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.factors import Factors
from gan_jax.data.shapes import polygon_distance
from gan_jax.errors import UserError

KINDS = ("square", "ellipse", "triangle")
FACTORS = ("kind", "size", "angle", "x", "y", "colour")

# In sides of the image. The largest shape in a corner place ends inside the image.
SIZE_RANGE = (0.12, 0.22)
PLACE_RANGE = (0.25, 0.75)
ANGLE_RANGE = (0.0, math.pi / 3)
HUE_RANGE = (0.0, 2 / 3)  # from red over green to blue, which does not come back to red

MOST_BYTES = 2**32
CHUNK = 1024


def factor_shapes(
    kinds: int = 3,
    sizes: int = 4,
    angles: int = 4,
    xs: int = 8,
    ys: int = 8,
    colours: int = 6,
    resolution: int = 32,
    labels: bool = False,
) -> Dataset:
    """One filled shape per image, whose kind, size, angle, place and colour are known factors.

    It is made as dSprites is, with colours: each combination of the factors' values is one sample,
    and no two samples are alike. Shapes are antialiased, on white. Factors are ``"kind"`` (square,
    ellipse, triangle), ``"size"`` (circumradius from 0.12 to 0.22 of the side), ``"angle"`` (from 0
    to 60 degrees: all three kinds look different at each), ``"x"`` and ``"y"`` (of the centre, from
    0.25 to 0.75 of the side) and ``"colour"`` (hues from red over green to blue), with values at
    equal distances. A factor of one value is left out and has its middle value.

    The dataset's ``factors`` names them, gives those of each sample, and draws samples of factors
    of one's choice.

    Args:
      kinds: how many of the kinds there are, from 1 to 3; the label.
      sizes: the number of sizes.
      angles: the number of angles.
      xs: the number of horizontal places.
      ys: the number of vertical places.
      colours: the number of colours.
      resolution: side of the images, from 8 to 256.
      labels: whether batches carry the kind as their label; it takes 2 kinds or more.

    Returns:
      Samples ``[resolution, resolution, 3]`` uint8.

    Raises:
      UserError: a number is out of range, or all of them are 1.

    References:
      Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
      Framework" (2017), for dSprites.
    """
    counts = dict(zip(FACTORS, (kinds, sizes, angles, xs, ys, colours), strict=True))
    _check(counts, resolution, labels)
    names = tuple(name for name, count in counts.items() if count > 1)
    factors = Factors(
        names,
        tuple(counts[name] for name in names),
        functools.partial(_draw, counts=counts, names=names, resolution=resolution),
    )
    combinations = factors.at(np.arange(factors.count))
    label = combinations[:, 0].astype(np.int32) if kinds > 1 else None
    return Dataset.from_arrays(
        factors.render(combinations),
        label,
        kinds if labels else 0,
        class_names=KINDS[:kinds] if labels else (),
        factors=factors,
    )


def _check(counts: dict[str, int], resolution: int, labels: bool) -> None:
    for name, count in counts.items():
        most = len(KINDS) if name == "kind" else 64
        if not 1 <= count <= most:
            raise UserError(f"the factor {name} of shapes has from 1 to {most} values, not {count}")
    if not 8 <= resolution <= 256:
        raise UserError(f"the resolution of shapes is from 8 to 256, not {resolution}")
    count = math.prod(counts.values())
    if count < 2:
        raise UserError("all factors of shapes have one value: give one of them 2 or more")
    if 3 * count * resolution**2 > MOST_BYTES:
        raise UserError(
            f"{count:,} combinations of the factors of shapes at a resolution of {resolution} take "
            f"more than {MOST_BYTES // 2**30} GiB: lower one of them"
        )
    if labels and counts["kind"] < 2:
        raise UserError("labels of shapes are their kinds, and there is only one: set kinds=3")


def _draw(
    factors: np.ndarray, *, counts: dict[str, int], names: tuple[str, ...], resolution: int
) -> np.ndarray:
    """The images ``[n, resolution, resolution, 3]`` of factors ``[n, len(names)]``."""
    kind = factors[:, names.index("kind")] if "kind" in names else np.zeros(len(factors), int)
    shares = np.empty((len(factors), len(FACTORS) - 1))  # from 0 to 1, of the range of each factor
    for column, name in enumerate(FACTORS[1:]):
        is_varied = name in names
        shares[:, column] = factors[:, names.index(name)] / (counts[name] - 1) if is_varied else 0.5
    # Shapes that differ in colour alone are drawn once.
    outlines, shape = np.unique(
        np.column_stack([kind, shares[:, :-1]]), axis=0, return_inverse=True
    )
    covered = np.empty((len(outlines), resolution, resolution, 1), np.float32)
    for index in range(len(KINDS)):
        of_kind = outlines[:, 0] == index
        covered[of_kind, ..., 0] = _coverage(index, resolution, *outlines[of_kind, 1:].T)
    low, high = HUE_RANGE
    colours = np.array(
        [colorsys.hsv_to_rgb(low + (high - low) * s, 0.8, 0.85) for s in shares[:, -1]]
    )
    images = np.empty((len(factors), resolution, resolution, 3), np.uint8)
    for start in range(0, len(factors), CHUNK):
        part = slice(start, start + CHUNK)
        inside = covered[shape[part]]
        images[part] = np.rint(255 * (1 - inside + colours[part, None, None] * inside))
    return images


def _coverage(
    kind: int, resolution: int, size: np.ndarray, angle: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """How much of each pixel shapes of a kind cover, ``[n, resolution, resolution]``, from 0 to 1.

    Size, angle and place are ``[n]``, from 0 to 1.
    """

    def within(limits: tuple[float, float], share: np.ndarray) -> np.ndarray:
        low, high = limits
        place: np.ndarray = (low + (high - low) * share)[:, None, None]
        return place

    pixels = (np.arange(resolution) + 0.5) / resolution
    u, v = np.broadcast_arrays(
        pixels[None, None, :] - within(PLACE_RANGE, x),
        pixels[None, :, None] - within(PLACE_RANGE, y),
    )
    radius, turn = within(SIZE_RANGE, size), within(ANGLE_RANGE, angle)
    if KINDS[kind] == "ellipse":
        distance = _ellipse_distance(u, v, radius, 0.55 * radius, turn)
    else:
        sides = 4 if KINDS[kind] == "square" else 3
        distance = polygon_distance(u, v, sides, radius * math.cos(math.pi / sides), turn)
    covered: np.ndarray = np.clip(0.5 - resolution * distance, 0, 1)
    return covered


def _ellipse_distance(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, angle: np.ndarray
) -> np.ndarray:
    """The signed distance to an ellipse of half-axes a and b, to first order around its border."""
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    level = np.hypot(u / a, v / b)
    slope = np.hypot(u / a**2, v / b**2)
    # At the centre both are 0; it lies b inside.
    tiny = 1e-9
    distance: np.ndarray = np.where(slope > tiny, (level - 1) * level / np.maximum(slope, tiny), -b)
    return distance
