"""Metrics on features of images, beside torch-fidelity, prdc and pytorch-fid's formula."""

import contextlib
import io
from unittest import mock

import numpy as np

from gan_jax.benchmarking import Contest
from gan_jax.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall

PACKAGES = ("scipy", "torch", "torch-fidelity", "prdc")


def features(n: int, d: int, seed: int, shift: float) -> np.ndarray:
    """Like pooled activations: float32, none negative, correlated, of a decaying spectrum."""
    rng = np.random.default_rng(seed)
    mixing = (
        np.random.default_rng(0).normal(size=(d, d))
        / np.sqrt(d)
        * np.arange(1, d + 1)[:, None] ** -0.25
    )
    return np.maximum(rng.normal(size=(n, d)) @ mixing + shift, 0).astype(np.float32)


def contests(small: bool = False) -> list[Contest]:
    """FID of 10,000 features, and neighbours and KID of 5,000, of 2048 dimensions; ``small`` ones for a quick look."""
    many, some, d, subset = (1000, 500, 128, 200) if small else (10_000, 5000, 2048, 1000)
    x, y = features(many, d, 1, 0.0), features(many, d, 2, 0.02)
    few_x, few_y = x[:some], y[:some]
    import torch

    with mock.patch.object(
        torch.library, "register_fake", lambda *args, **kwargs: lambda function: function
    ):
        # torchvision built for another torch cannot register its operators; none is used here
        from torch_fidelity import metric_fid, metric_kid, metric_prc
    from prdc import compute_prdc

    def sqrtm_distance() -> float:
        """As pytorch-fid: moments by NumPy, and a general matrix square root of the product of covariances."""
        from scipy.linalg import sqrtm

        cov1, cov2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
        shift = x.mean(axis=0) - y.mean(axis=0)
        return float(
            shift @ shift + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(sqrtm(cov1 @ cov2).real)
        )

    def fidelity_distance() -> float:
        moments = [metric_fid.fid_features_to_statistics(torch.from_numpy(part)) for part in (x, y)]
        return metric_fid.fid_statistics_to_metric(*moments, verbose=False)[
            "frechet_inception_distance"
        ]

    def fidelity_kernel(subsets: int) -> float:
        scores = metric_kid.kid_features_to_metric(
            torch.from_numpy(few_x),
            torch.from_numpy(few_y),
            kid_subsets=subsets,
            kid_subset_size=subset,
            rng_seed=0,
            verbose=False,
        )
        return scores["kernel_inception_distance_mean"]

    def fidelity_precision() -> float:
        scores = metric_prc.prc_features_to_metric(
            torch.from_numpy(few_y),
            torch.from_numpy(few_x),
            prc_neighborhood=3,
            prc_batch_size=10_000,
            save_cpu_ram=False,
            verbose=False,
        )
        return scores["precision"]

    def prdc_score(name: str, k: int) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            return float(compute_prdc(few_x, few_y, k)[name])

    def kernel(subsets: int) -> float:
        return kernel_distance(few_x, few_y, subsets, subset, np.random.RandomState(0)).mean

    sizes, few = f"{many} x {d}", f"{some} x {d}"
    return [
        Contest(
            f"Fréchet distance, {sizes}",
            lambda: frechet_distance(x, y),
            {"pytorch-fid's sqrtm": sqrtm_distance},
            1e-3,
            goal=5,
        ),
        Contest(
            f"Fréchet distance, {sizes}",
            lambda: frechet_distance(x, y),
            {"torch-fidelity": fidelity_distance},
            1e-3,
        ),
        *(
            Contest(
                f"kernel distance, {subsets} x {subset} of {few}",
                lambda subsets=subsets: kernel(subsets),
                {"torch-fidelity": lambda subsets=subsets: fidelity_kernel(subsets)},
                1e-3,
            )
            for subsets in (10, 100)
        ),
        Contest(
            f"precision and recall, {few}",
            lambda: precision_recall(few_x, few_y, 3).precision,
            {"torch-fidelity": fidelity_precision},
            1e-3,
        ),
        Contest(
            f"precision and recall, {few}",
            lambda: precision_recall(few_x, few_y, 3).precision,
            {"prdc (all four)": lambda: prdc_score("precision", 3)},
            1e-9,
        ),
        Contest(
            f"density and coverage, {few}",
            lambda: density_coverage(few_x, few_y, 5).density,
            {"prdc (all four)": lambda: prdc_score("density", 5)},
            1e-9,
        ),
    ]
