"""Distances of draws of samples from training images: what `worth_of_a_score` measures."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from gan_jax.evaluation import RealSamples
    from gan_jax.metrics.features import Extractor
    from gan_jax.training.sampling import Sampler

FILTERS = {
    "nearest": ("nearest", False),
    "cubic": ("cubic", True),
    "Lanczos": ("lanczos3", True),
}
"""Methods of `jax.image.resize`, and whether they are antialiased; next to the linear filter."""


FEW = 5
"""The most draws that are scored on pixels, whose distance takes long."""


class Sizes(NamedTuple):
    """How many samples are scored.

    Attributes:
      draws: of each number of samples, how many draws, with a LeNet and on pixels.
      reference: training images that FD is the distance from.
      total: training images.
      noise: draws of how many samples, of each trained generator.
      efficientnet: draws of each number of samples with EfficientNet-Lite0.
      efficientnet_reference: training images with it.
      changed: images that are rounded and resized with it.
    """

    draws: Mapping[int, int]
    reference: int
    total: int
    noise: tuple[int, int]
    efficientnet: Mapping[int, int]
    efficientnet_reference: int
    changed: int


PAPER = Sizes(
    {100: 100, 200: 50, 500: 20, 1000: 10, 2000: 10, 5000: 5, 10_000: 4},
    reference=10_000,
    total=60_000,
    noise=(4, 10_000),
    efficientnet={500: 8, 1000: 4, 2000: 2, 4000: 1},
    efficientnet_reference=4_000,
    changed=500,
)
SMALL = Sizes(
    {100: 3, 200: 3, 400: 2},
    reference=500,
    total=2_000,
    noise=(2, 200),
    efficientnet={32: 2, 64: 1},
    efficientnet_reference=64,
    changed=32,
)


def real_features(
    real: "RealSamples", networks: Mapping[str, "Extractor"], sizes: Sizes
) -> dict[str, np.ndarray]:
    """Returns features of training images in random order, by network."""
    order = np.random.default_rng(0).permutation(sizes.total)
    return {
        "lenet": real.features("train", networks["lenet"], sizes.total)[order],
        "pixels": real.features("train", networks["pixels"], sizes.reference),
        "efficientnet": real.features(
            "train", networks["efficientnet"], sizes.efficientnet_reference
        ),
    }


def distance_from(reference: np.ndarray) -> Callable[[np.ndarray], float]:
    """Returns the function from features to their FD from these, whose moments it holds."""
    from gan_jax import metrics

    held = metrics.feature_statistics(reference)

    def distance(features: np.ndarray) -> float:
        found = metrics.feature_statistics(features)
        return metrics.frechet_distance_from_statistics(
            held.mean, held.covariance, found.mean, found.covariance
        )

    return distance


def frechet_of_draws(
    sampler: "Sampler", network: "Extractor", reference: np.ndarray, draws: int, n: int
) -> list[float]:
    """Returns FDs of disjoint draws of n samples."""
    distance = distance_from(reference)
    return [distance(network(generated(sampler, n, draw * n))) for draw in range(draws)]


def generated(sampler: "Sampler", n: int, first: int = 0) -> np.ndarray:
    """Returns samples ``first`` to ``first + n``, in [-1, 1]."""
    from gan_jax.evaluation.generated_samples import evaluation_key

    return np.clip(sampler(evaluation_key(0), n, first=first), -1, 1)


def by_size(
    sampler: "Sampler",
    networks: Mapping[str, "Extractor"],
    features: Mapping[str, np.ndarray],
    sizes: Sizes,
) -> dict[str, Any]:
    """Returns FDs and KDs of all draws, by network, by what is scored, and by n."""
    from gan_jax import metrics

    numbers: dict[str, Any] = {name: {"fd": {}} for name in networks}
    kernel: dict[str, Any] = {"DCGAN": {}, "training images": {}}
    real, m = features["lenet"], sizes.reference
    other, first = real[len(real) // 2 :], 0
    distances = {name: distance_from(features[name][:m]) for name in features}
    for n, draws in sizes.draws.items():
        samples = generated(sampler, n * draws, first)
        first += n * draws  # of each n others
        fake = {name: networks[name](samples) for name in ("lenet", "pixels")}
        for name, scored, pool, most in (
            ("lenet", "DCGAN", fake["lenet"], draws),
            ("lenet", "training images", real[m:], draws),
            ("pixels", "DCGAN", fake["pixels"], FEW),
        ):
            numbers[name]["fd"].setdefault(scored, {})[n] = [
                distances[name](block) for block in blocks(pool, n, min(draws, most))
            ]
        for scored, pool, origin in (
            ("DCGAN", fake["lenet"], real),
            ("training images", other, real[: len(real) // 2]),
        ):
            pairs = zip(blocks(origin, n, draws), blocks(pool, n, draws), strict=False)
            kernel[scored][n] = [metrics.kernel_distance_full(*pair) for pair in pairs]
        print(f"{n:,} samples, {draws} draws", flush=True)
    numbers["lenet"]["kd"] = kernel
    most = max(n * draws for n, draws in sizes.efficientnet.items())
    pool = networks["efficientnet"](generated(sampler, most))
    numbers["efficientnet"]["fd"] = {
        "DCGAN": {
            n: [distances["efficientnet"](block) for block in blocks(pool, n, draws)]
            for n, draws in sizes.efficientnet.items()
        }
    }
    return numbers


def blocks(pool: np.ndarray, n: int, most: int) -> list[np.ndarray]:
    """Returns disjoint blocks of n samples, ``most`` of them or as many as there are."""
    return [pool[i * n : (i + 1) * n] for i in range(min(most, len(pool) // n))]


def changes(
    sampler: "Sampler",
    networks: Mapping[str, "Extractor"],
    features: Mapping[str, np.ndarray],
    real: "RealSamples",
    sizes: Sizes,
) -> dict[str, dict[str, float]]:
    """Returns how far FD moves by rounding and by filters, and the FD of test images."""
    from gan_jax import metrics
    from gan_jax.loggers.images import as_pixels

    found: dict[str, dict[str, float]] = {}
    for name, n in (("lenet", max(sizes.draws)), ("efficientnet", sizes.changed)):
        network, reference = networks[name], features[name]
        reference = reference[: sizes.reference] if name == "lenet" else reference
        samples = generated(sampler, n)
        exact, rounded = network(samples), network(as_pixels(samples) / np.float32(127.5) - 1)
        images = np.concatenate([batch for batch, _ in real.samples("train", n)])
        linear = network(resized(images, "linear", True, name))
        found[name] = {
            "n": n,
            "FD": metrics.frechet_distance(reference, exact),
            "rounded": metrics.frechet_distance(reference, rounded),
        } | {
            filter_name: metrics.frechet_distance(
                linear, network(resized(images, method, antialias, name))
            )
            for filter_name, (method, antialias) in FILTERS.items()
        }
    test = real.features("test", networks["lenet"], max(sizes.draws))
    found["lenet"]["test images"] = metrics.frechet_distance(
        features["lenet"][: sizes.reference], test
    )
    return found


def resized(images: np.ndarray, method: str, antialias: bool, name: str) -> np.ndarray:
    """Returns images as a filter leaves them: 224 pixels for EfficientNet, else by way of 14."""
    import jax

    n, side, _, channels = images.shape
    size = 224 if name == "efficientnet" else side // 2
    found = jax.image.resize(images, (n, size, size, channels), method, antialias)
    if name != "efficientnet":
        found = jax.image.resize(found, images.shape, "linear")
    return np.clip(np.asarray(found), -1, 1)
