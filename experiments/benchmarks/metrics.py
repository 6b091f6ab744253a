"""Times the metrics beside the packages that a user would pick instead, on the same features in the same process.

    python -m experiments.benchmarks.metrics [--rounds=5] [--small]

Each round runs both sides one after the other, the first one alternating, so that a change of the machine's load falls on
both. Reported are the median time of either side and the median and quartiles of the ratio ``peer / gan_jax`` per round:
above 1, gan_jax is faster. Needs ``pip install -e '.[oracles]'``.
"""

import argparse
import contextlib
import io
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

import numpy as np

from gan_jax.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall


class Contest(NamedTuple):
    """The same score from both sides."""

    name: str
    peer: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    tolerance: float  # relative, to which the two must agree


class Result(NamedTuple):
    """What a contest took. Ratios are peer / gan_jax."""

    name: str
    peer: str
    seconds: float  # median
    peer_seconds: float
    ratio: float
    quartiles: tuple[float, float]
    difference: float  # relative, between the two scores


def features(n: int, d: int, seed: int, shift: float) -> np.ndarray:
    """Like pooled activations: float32, none negative, correlated, of a decaying spectrum."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(d, d)) / np.sqrt(d) * np.arange(1, d + 1)[:, None] ** -0.25
    return np.maximum(rng.normal(size=(n, d)) @ mixing + shift, 0).astype(np.float32)


def contests(small: bool = False) -> list[Contest]:
    """FID of 10,000 features, and neighbours and KID of 5,000, of 2048 dimensions; ``small`` ones for a quick look."""
    many, some, d, subset = (1000, 500, 128, 200) if small else (10_000, 5000, 2048, 1000)
    x, y = features(many, d, 1, 0.0), features(many, d, 2, 0.02)
    few_x, few_y = x[:some], y[:some]
    import torch

    with mock.patch.object(torch.library, "register_fake", lambda *args, **kwargs: lambda function: function):
        # torchvision built for another torch cannot register its operators; none is used here
        from torch_fidelity import metric_fid, metric_kid, metric_prc
    from prdc import compute_prdc

    def sqrtm_distance() -> float:
        """As pytorch-fid: moments by NumPy, and a general matrix square root of the product of covariances."""
        from scipy.linalg import sqrtm

        cov1, cov2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
        shift = x.mean(axis=0) - y.mean(axis=0)
        return float(shift @ shift + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(sqrtm(cov1 @ cov2).real))

    def fidelity_distance() -> float:
        moments = [metric_fid.fid_features_to_statistics(torch.from_numpy(part)) for part in (x, y)]
        return metric_fid.fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]

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
            f"Fréchet distance, {sizes}", "sqrtm (pytorch-fid's way)", lambda: frechet_distance(x, y), sqrtm_distance, 1e-3
        ),
        Contest(f"Fréchet distance, {sizes}", "torch-fidelity", lambda: frechet_distance(x, y), fidelity_distance, 1e-3),
        Contest(f"kernel distance, 10 x {subset}", "torch-fidelity", lambda: kernel(10), lambda: fidelity_kernel(10), 1e-3),
        Contest(f"kernel distance, 100 x {subset}", "torch-fidelity", lambda: kernel(100), lambda: fidelity_kernel(100), 1e-3),
        Contest(
            f"precision and recall, {few}",
            "torch-fidelity",
            lambda: precision_recall(few_x, few_y, 3).precision,
            fidelity_precision,
            1e-3,
        ),
        Contest(
            f"precision and recall, {few}",
            "prdc (all four)",
            lambda: precision_recall(few_x, few_y, 3).precision,
            lambda: prdc_score("precision", 3),
            1e-9,
        ),
        Contest(
            f"density and coverage, {few}",
            "prdc (all four)",
            lambda: density_coverage(few_x, few_y, 5).density,
            lambda: prdc_score("density", 5),
            1e-9,
        ),
    ]


def timed(contest: Contest, rounds: int) -> Result:
    """Both sides in turns."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    scores = {}
    for i in range(rounds):
        for ours in (True, False) if i % 2 == 0 else (False, True):
            start = time.perf_counter()
            scores[ours] = contest.ours() if ours else contest.theirs()
            seconds[ours].append(time.perf_counter() - start)
    ratios = [peer / ours for ours, peer in zip(seconds[True], seconds[False], strict=True)]
    difference = abs(scores[True] - scores[False]) / max(abs(scores[False]), 1e-300)
    if difference > contest.tolerance:
        raise AssertionError(
            f"{contest.name}: {scores[True]} here and {scores[False]} from {contest.peer} are not the same score"
        )
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    return Result(
        contest.name,
        contest.peer,
        statistics.median(seconds[True]),
        statistics.median(seconds[False]),
        statistics.median(ratios),
        (low, high),
        difference,
    )


def run(rounds: int = 5, small: bool = False) -> list[Result]:
    """All contests, printed as they end."""
    print(f"{'score':40} {'peer':27} {'gan_jax':>9} {'peer':>9}   ratio (quartiles)       difference")
    results = []
    for contest in contests(small):
        result = timed(contest, rounds)
        print(
            f"{result.name:40} {result.peer:27} {result.seconds:7.3f} s {result.peer_seconds:7.3f} s  {result.ratio:6.2f} "
            f"({result.quartiles[0]:.2f} to {result.quartiles[1]:.2f})  {result.difference:12.1e}",
            flush=True,
        )
        results.append(result)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="small arrays, for a quick look")
    arguments = parser.parse_args()
    run(arguments.rounds, arguments.small)
