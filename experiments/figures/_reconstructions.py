"""What a generator makes most alike to given images, and how far apart its samples are."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import _image_runs as images
import numpy as np

from gan_jax.reproduction import cached

if TYPE_CHECKING:
    from gan_jax.experiment.loading import LoadedRun


class Sizes(NamedTuple):
    """How much is measured of each generator.

    Attributes:
      images: training images that are searched for.
      search: steps of L-BFGS from each start.
      samples: all pairs of which have their distance measured.
    """

    images: int
    search: int
    samples: int


PAPER_SIZES = Sizes(images=1_280, search=50, samples=1_000)
SHORT_SIZES = PAPER_SIZES._replace(images=256)
SMOKE_SIZES = Sizes(images=8, search=4, samples=50)
RESTARTS = 3

SHOWN = 12
"""Images in a strip."""
EDGES = tuple(range(98))
"""Of a histogram's bins: no two images of 28 x 28 x 3 pixels in [-1, 1] are farther apart."""
BLACK = -1.0


def searched(directory: Path, targets: np.ndarray, sizes: Sizes) -> Mapping[str, Any]:
    """Returns what `measured` does of a run; it is kept in the run's directory."""
    from gan_jax.experiment.loading import load

    run = load(directory)
    settings = {"sizes": sizes, "restarts": RESTARTS, "step": run.step}
    kept: Mapping[str, Any] = cached(
        directory / "inversion.json", settings, lambda: measured(run, targets, sizes)
    )
    return kept


def measured(run: "LoadedRun", targets: np.ndarray, sizes: Sizes) -> dict[str, Any]:
    """Returns the error of each target's reconstruction, some of these, and sample distances."""
    import jax

    from gan_jax.training.inversion import invert

    found = invert(run.sampler, targets, jax.random.key(0), restarts=RESTARTS, steps=sizes.search)
    return {
        "errors": found.distances,
        **distances_of_pairs(run.sample(sizes.samples)),
        "strip": images.to_png(images.side_by_side(images.pixels(found.samples[:SHOWN]))),
    }


def black_images(targets: np.ndarray) -> dict[str, Any]:
    """Returns the errors and distances of a generator that makes black images alone."""
    errors = np.mean(np.square(targets - BLACK).reshape(len(targets), -1), axis=1)
    return {"errors": errors, **distances_of_pairs(np.full_like(targets[:2], BLACK))}


def distances_of_pairs(samples: np.ndarray) -> dict[str, Any]:
    """Returns the median l2 distance of all pairs, and the share of pairs in each bin of `EDGES`.

    Args:
      samples: ``[n, ...]``.
    """
    from scipy.spatial.distance import pdist

    distances = pdist(samples.reshape(len(samples), -1).astype(np.float64))
    counts, _ = np.histogram(distances, EDGES)
    return {"median": float(np.median(distances)), "histogram": counts / len(distances)}
