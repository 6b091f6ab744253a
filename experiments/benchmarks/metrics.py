"""Metrics on features of images, next to torch-fidelity, prdc and pytorch-fid's formula."""

import contextlib
import functools
import io
from typing import Any
from unittest import mock

import numpy as np

from gan_jax.benchmarking import Call, Comparison
from gan_jax.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall

PACKAGES = ("scipy", "torch", "torch-fidelity", "prdc")


def features(n: int, d: int, seed: int, shift: float) -> np.ndarray:
    """Draws features ``[n, d]`` like pooled activations.

    They are float32, nonnegative and correlated, and their spectrum decays.
    """
    rng = np.random.default_rng(seed)
    decay = np.arange(1, d + 1)[:, None] ** -0.25
    mixing = np.random.default_rng(0).normal(size=(d, d)) / np.sqrt(d) * decay
    return np.maximum(rng.normal(size=(n, d)) @ mixing + shift, 0).astype(np.float32)


def sqrtm_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The Fréchet distance as in pytorch-fid: moments by NumPy, a matrix square root by SciPy."""
    from scipy.linalg import sqrtm

    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = x.mean(axis=0) - y.mean(axis=0)
    root = sqrtm(cov_x @ cov_y).real
    return float(shift @ shift + np.trace(cov_x) + np.trace(cov_y) - 2 * np.trace(root))


def prdc_score(name: str, x: np.ndarray, y: np.ndarray, k: int) -> float:
    """One of the four scores of prdc, which computes all of them."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        return float(compute_prdc(x, y, k)[name])


class Fidelity:
    """Metrics of torch-fidelity on features."""

    def __init__(self) -> None:
        import torch

        # A torchvision built for another torch cannot register its operators; none is used here.
        skip_registration = lambda *args, **kwargs: lambda function: function
        with mock.patch.object(torch.library, "register_fake", skip_registration):
            from torch_fidelity import metric_fid, metric_kid, metric_prc
        self.tensor: Any = torch.from_numpy
        self.fid, self.kid, self.prc = metric_fid, metric_kid, metric_prc

    def frechet_distance(self, x: np.ndarray, y: np.ndarray) -> float:
        moments = [self.fid.fid_features_to_statistics(self.tensor(array)) for array in (x, y)]
        scores = self.fid.fid_statistics_to_metric(*moments, verbose=False)
        return scores["frechet_inception_distance"]

    def kernel_distance(self, x: np.ndarray, y: np.ndarray, subsets: int, size: int) -> float:
        scores = self.kid.kid_features_to_metric(
            self.tensor(x),
            self.tensor(y),
            kid_subsets=subsets,
            kid_subset_size=size,
            rng_seed=0,
            verbose=False,
        )
        return scores["kernel_inception_distance_mean"]

    def precision(self, x: np.ndarray, y: np.ndarray) -> float:
        scores = self.prc.prc_features_to_metric(
            self.tensor(y),
            self.tensor(x),
            prc_neighborhood=3,
            prc_batch_size=10_000,
            save_cpu_ram=False,
            verbose=False,
        )
        return scores["precision"]


def comparisons(small: bool = False) -> list[Comparison]:
    """Returns FID of 10,000 features, and neighbours and KID of 5,000, all of 2048 dimensions.

    ``small``: fewer of them, for a quick look.
    """
    n, n_few, d, subset = (1000, 500, 128, 200) if small else (10_000, 5000, 2048, 1000)
    x, y = features(n, d, seed=1, shift=0.0), features(n, d, seed=2, shift=0.02)
    few_x, few_y = x[:n_few], y[:n_few]
    fidelity = Fidelity()

    def kernel(subsets: int) -> float:
        return kernel_distance(few_x, few_y, subsets, subset, np.random.RandomState(0)).mean

    def frechet(peer: str, distance: Any, goal: float) -> Comparison:
        return Comparison(
            f"Fréchet distance, {n} x {d}",
            ours=lambda: frechet_distance(x, y),
            peers={peer: lambda: distance(x, y)},
            tolerance=1e-3,
            goal=goal,
        )

    def neighbours(name: str, ours: Call, peer: str, theirs: Call, tolerance: float) -> Comparison:
        return Comparison(f"{name}, {n_few} x {d}", ours, {peer: theirs}, tolerance)

    def precision() -> float:
        return precision_recall(few_x, few_y, 3).precision

    def density() -> float:
        return density_coverage(few_x, few_y, 5).density

    return [
        frechet("pytorch-fid's sqrtm", sqrtm_distance, goal=5),
        frechet("torch-fidelity", fidelity.frechet_distance, goal=1),
        *(
            Comparison(
                f"kernel distance, {subsets} x {subset} of {n_few} x {d}",
                ours=functools.partial(kernel, subsets),
                peers={
                    "torch-fidelity": functools.partial(
                        fidelity.kernel_distance, few_x, few_y, subsets, subset
                    )
                },
                tolerance=1e-3,
            )
            for subsets in (10, 100)
        ),
        neighbours(
            "precision and recall",
            precision,
            "torch-fidelity",
            lambda: fidelity.precision(few_x, few_y),
            tolerance=1e-3,
        ),
        neighbours(
            "precision and recall",
            precision,
            "prdc (all four)",
            lambda: prdc_score("precision", few_x, few_y, 3),
            tolerance=1e-9,
        ),
        neighbours(
            "density and coverage",
            density,
            "prdc (all four)",
            lambda: prdc_score("density", few_x, few_y, 5),
            tolerance=1e-9,
        ),
    ]
