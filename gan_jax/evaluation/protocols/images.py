"""Images compared as they are, without a network."""

from collections.abc import Iterable, Iterator

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.naming import counted_name, split_suffix
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.metrics.structural import MS_SSIM_WEIGHTS


def sliced_wasserstein(
    samples: int = 16_384, split: str = "train", patches: int = 128, directions: int = 512
) -> Protocol:
    """Scores the sliced Wasserstein distance of local patches, per level of a Laplacian pyramid.

    Gives ``mean`` and one value per level, named by its height: ``swd16384/mean``, ``swd16384/32``.
    The paper's table lists 1000 times these. All images, real and generated, are held in memory, as
    the definition normalises over all of their patches.

    Args:
      samples: generated, and real.
      split: of the real data.
      patches: of 7 x 7 pixels, from each level of each image.
      directions: random projections.

    References:
      Karras et al., "Progressive growing of GANs" (2018), section 5.
    """

    def score(generated: GeneratedSamples) -> dict[str, float]:
        distance = metrics.sliced_wasserstein(
            np.concatenate([images for images, _ in generated.real.samples(split, samples)]),
            np.concatenate([images for images, _ in generated.samples(samples)]),
            patches_per_image=patches,
            directions=directions,
            rng=generated.seed,
        )
        scores = {"mean": distance.mean}
        for resolution, value in zip(distance.resolutions, distance.values, strict=True):
            scores[str(resolution)] = float(value)
        return scores

    def check_data(real: RealSamples) -> None:
        _check_images(real, "sliced_wasserstein", 16)
        if real.size(split) < samples:
            raise UserError(
                f"the metric sliced_wasserstein needs {samples} real samples, the split {split!r} "
                f"has {real.size(split)}: choose fewer samples"
            )

    return Protocol(
        counted_name("swd", samples) + split_suffix(split),
        "sliced_wasserstein",
        ("mean",),
        samples,
        score,
        split=split,
        holds="samples",
        settings=f"patches={patches}, directions={directions}",
        check_data=check_data,
    )


def swd(samples: int = 16_384) -> Protocol:
    """Scores the sliced Wasserstein distance of 16,384 samples and as many training samples.

    See `sliced_wasserstein`.
    """
    return sliced_wasserstein(samples)


def ms_ssim(samples: int = 20_000, split: str = "train") -> Protocol:
    """Scores the mean multi-scale structural similarity of random pairs of samples: diversity.

    Both samples of a pair are of one class if there are classes.

    Gives the mean over ``samples / 2`` generated pairs, in [0, 1], higher for samples that are more
    alike, and ``real``, that of as many real pairs: ``ms_ssim20k``, ``ms_ssim20k/real``. Images
    below 64 pixels have fewer than five levels, whose weights are scaled to the same sum.

    Args:
      samples: generated, two per pair.
      split: of the real data.

    References:
      Odena et al., "Conditional image synthesis with auxiliary classifier GANs" (2017),
      section 4.2.
    """
    pairs = samples // 2

    def score(generated: GeneratedSamples) -> dict[str, float]:
        labels = generated.labels(pairs)
        first = generated.samples(pairs, 0, labels)
        second = generated.samples(pairs, pairs, labels)
        fake_pairs = ((a, b) for (a, _), (b, _) in zip(first, second, strict=True))
        real_pairs = _real_pairs(generated.real, split, pairs, same_class=labels is not None)
        return {"": _mean_ms_ssim(fake_pairs), "real": _mean_ms_ssim(real_pairs)}

    def check_data(real: RealSamples) -> None:
        _check_images(real, "ms_ssim", 4)

    return Protocol(
        counted_name("ms_ssim", samples) + split_suffix(split),
        "ms_ssim",
        ("", "real"),
        samples,
        score,
        split=split,
        check_data=check_data,
    )


def _check_images(real: RealSamples, metric: str, minimum: int) -> None:
    shape = real.train.shape
    if len(shape) != 3 or min(shape[:2]) < minimum:
        raise UserError(
            f"the metric {metric} needs images of {minimum} pixels or more; the samples are {shape}"
        )


def _mean_ms_ssim(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    total, count = 0.0, 0
    for first, second in pairs:
        levels = min(5, (min(first.shape[1:3]) // 4).bit_length())  # the last has 4 pixels a side
        used = np.array(MS_SSIM_WEIGHTS[:levels])
        weights = tuple(used * (sum(MS_SSIM_WEIGHTS) / used.sum()))
        total += float(np.sum(metrics.ms_ssim(first, second, weights=weights, average=False)))
        count += len(first)
    return total / count


def _real_pairs(
    real: RealSamples, split: str, pairs: int, same_class: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random pairs of real images, of one class if ``same_class`` and the classes are known."""
    waiting: dict[int, np.ndarray] = {}  # an image per class that has no partner yet
    count = 0
    for images, labels in real.samples(split, real.size(split)):
        order = np.random.default_rng(count).permutation(len(images))
        classes = np.zeros(len(order), int)
        if same_class and labels is not None:
            classes = labels[order]
        first, second = [], []
        for index, label in zip(order, classes, strict=True):
            partner = waiting.pop(int(label), None)
            if partner is None:
                waiting[int(label)] = images[index]
            elif count < pairs:
                first.append(partner)
                second.append(images[index])
                count += 1
        if first:
            yield np.stack(first), np.stack(second)
        if count >= pairs:
            return
