"""Made-up rows of figures of images, as `_image_runs.rows` returns them."""

import numpy as np
from figure_modules import load


def photos(n, seed):
    """Random images ``[n, 28, 28, 1]`` uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28, 1), np.uint8)


def strip():
    """A strip of 12 samples."""
    images = load("practical_tips").images
    pixels = np.random.default_rng(0).integers(0, 256, (28, 12 * 28), np.uint8)
    return images.to_png(pixels)


def curve(values, every=100):
    """A metric that had these values, at even intervals."""
    steps = list(range(every, every * (len(values) + 1), every))
    return {"step": steps, "value": list(map(float, values))}


def row(run, seed, curves, **others):
    """A row of a run that did not diverge."""
    of_first = {"strip": strip()} if seed == 0 else {}
    return {
        "run": run,
        "seed": seed,
        "steps": 400,
        "diverged": False,
        "curves": curves,
        **of_first,
        **others,
    }


def rows(runs, metric, last, seeds=3):
    """Rows of ``runs``, whose metric falls to ``last[run] + seed``."""
    return [
        row(run, seed, {metric: curve([200, 150, 100, last[run] + seed])})
        for run in runs
        for seed in range(seeds)
    ]


def diverged(run, seed, metric):
    """The row of a run that diverged after one evaluation."""
    return row(run, seed, {metric: curve([200])}, diverged=True)
