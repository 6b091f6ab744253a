"""Circles, squares and triangles, filled and as outlines, each a function of an index."""

import numpy as np

COLOURS = np.array([[220, 60, 50], [50, 160, 80], [60, 90, 210]], np.float64)
"""Red circles, green squares, blue triangles."""

KINDS = len(COLOURS)
SEED = 0x5AE5  # any number: it tells the draws of shapes from others


def draw_shapes(index: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws one shape per index, antialiased.

    Centre, radius (0.2 to 0.32 of the side), angle and kind are drawn from the index. The outline
    is the line of 1.5 pixels at 32 x 32 around the signed distance 0.

    Args:
      index: ``[n]`` integers, 0 or more.
      resolution: side of the images.

    Returns:
      Outlines ``[n, resolution, resolution, 1]`` uint8, black on white, and filled shapes
      ``[n, resolution, resolution, 3]`` uint8, coloured on white.
    """
    draws = np.stack([np.random.default_rng((SEED, int(i))).random(5) for i in index])
    radius = 0.2 + 0.12 * draws[:, 2]
    centre = 0.36 + 0.28 * draws[:, :2]
    angle = 2 * np.pi * draws[:, 3]
    kind = (KINDS * draws[:, 4]).astype(int)
    outlines = np.empty((len(index), resolution, resolution, 1), np.uint8)
    filled = np.empty((len(index), resolution, resolution, 3), np.uint8)
    pixels = (np.arange(resolution) + 0.5) / resolution
    for i in range(len(index)):
        x, y = np.meshgrid(pixels - centre[i, 0], pixels - centre[i, 1])
        distance = resolution * _distance(kind[i], x, y, radius[i], angle[i])
        line = np.clip(0.5 + 0.75 * resolution / 32 - np.abs(distance), 0, 1)
        inside = np.clip(0.5 - distance, 0, 1)[..., None]
        light = 1 - 0.6 * (x + y)[..., None]
        outlines[i, ..., 0] = np.rint(255 * (1 - line))
        colour = np.clip(COLOURS[kind[i]] * light, 0, 255)
        filled[i] = np.rint(255 * (1 - inside) + colour * inside)
    return outlines, filled


def _distance(kind: int, x: np.ndarray, y: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """The signed distance to a shape, negative inside; of corners, that to the nearest side."""
    if kind == 0:
        to_centre: np.ndarray = np.hypot(x, y)
        return to_centre - radius
    sides = 4 if kind == 1 else 3
    return polygon_distance(x, y, sides, radius * (0.85 if sides == 4 else 0.65), angle)


def polygon_distance(
    x: np.ndarray,
    y: np.ndarray,
    sides: int,
    apothem: float | np.ndarray,
    angle: float | np.ndarray,
) -> np.ndarray:
    """Computes the signed distance to a regular polygon, negative inside.

    Beyond a corner it is the distance to the nearest line through a side.

    Args:
      x: coordinates from the centre, ``[...]``.
      y: likewise.
      sides: of the polygon.
      apothem: distance of the sides from the centre; a number, or an array that broadcasts.
      angle: of the first side's normal, in radians; likewise.

    Returns:
      Distances ``[...]``.
    """
    # A regular polygon is where the coordinates along all normals are below that of its sides.
    normals = np.expand_dims(angle, -1) + 2 * np.pi * np.arange(sides) / sides
    along = x[..., None] * np.cos(normals) + y[..., None] * np.sin(normals)
    farthest: np.ndarray = along.max(-1)
    return farthest - apothem
