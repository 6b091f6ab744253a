"""Images compared as they are, without a network."""

from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, Protocol, RealSamples
from gan_jax.evaluation.protocols.naming import amount, of
from gan_jax.metrics.structural import MS_SSIM_WEIGHTS


def sliced_wasserstein(
    samples: int = 16_384, split: str = "train", patches: int = 128, directions: int = 512
) -> Protocol:
    """Sliced Wasserstein distance of local patches, per level of a Laplacian pyramid.

    Gives ``mean`` and one value a level by its height: ``swd16384/mean``, ``swd16384/32``. The paper's table lists 1000
    times these. Holds all images, real and generated, as the definition normalises over all of their patches.

    Args:
      samples: generated, and real.
      split: of the real data.
      patches: of 7 x 7 pixels, from each level of each image.
      directions: random projections.

    Source: Karras et al., "Progressive growing of GANs" (2018), section 5.
    """

    def score(subject: GeneratedSamples) -> dict[str, float]:
        real, fake = (
            np.concatenate([images for images, _ in chunks])
            for chunks in (subject.reals.samples(split, samples), subject.samples(samples))
        )
        found = metrics.sliced_wasserstein(
            real, fake, patches_per_image=patches, directions=directions, rng=subject.seed
        )
        levels = zip(found.resolutions, found.values, strict=True)
        return {"mean": found.mean} | {
            str(resolution): float(value) for resolution, value in levels
        }

    def suits(reals: RealSamples) -> None:
        _images(reals, "sliced_wasserstein", 16)
        if reals.size(split) < samples:
            raise UserError(
                f"the metric sliced_wasserstein needs {samples} real samples, the split {split!r} has {reals.size(split)}: "
                "choose fewer samples"
            )

    return Protocol(
        amount("swd", samples) + of(split), "sliced_wasserstein", ("mean",), samples, score, split=split,
        settings=f"patches={patches}, directions={directions}", suits=suits,
    )  # fmt: skip


def swd(samples: int = 16_384) -> Protocol:
    """Sliced Wasserstein distance of 16,384 samples and as many training samples: `sliced_wasserstein`."""
    return sliced_wasserstein(samples)


def ms_ssim(samples: int = 20_000, split: str = "train") -> Protocol:
    """Mean multi-scale structural similarity of random pairs of samples, of one class where there are classes: diversity.

    Gives the mean over ``samples / 2`` generated pairs, in [0, 1], where more alike is higher, and ``real``, that of as
    many real pairs: ``ms_ssim20k``, ``ms_ssim20k/real``. Images below 64 pixels have fewer than five levels, whose
    weights are scaled to the same sum.

    Args:
      samples: generated, two a pair.
      split: of the real data.

    Source: Odena et al., "Conditional image synthesis with auxiliary classifier GANs" (2017), section 4.2.
    """
    pairs = samples // 2

    def score(subject: GeneratedSamples) -> dict[str, float]:
        labels = subject.labels(pairs)
        first, second = (subject.samples(pairs, start, labels) for start in (0, pairs))
        fake = _mean_ms_ssim((a, b) for (a, _), (b, _) in zip(first, second, strict=True))
        return {
            "": fake,
            "real": _mean_ms_ssim(_real_pairs(subject.reals, split, pairs, labels is not None)),
        }

    return Protocol(
        amount("ms_ssim", samples) + of(split), "ms_ssim", ("", "real"), samples, score, split=split,
        suits=lambda reals: _images(reals, "ms_ssim", 4),
    )  # fmt: skip


def _images(reals: RealSamples, name: str, smallest: int) -> None:
    shape = reals.train.shape
    if len(shape) != 3 or min(shape[:2]) < smallest:
        raise UserError(
            f"the metric {name} needs images of {smallest} pixels or more; the samples of this run are {shape}"
        )


def _mean_ms_ssim(pairs: Any) -> float:
    total, count = 0.0, 0
    for first, second in pairs:
        levels = min(5, (min(first.shape[1:3]) // 4).bit_length())  # 4 pixels a side at the last
        used = np.array(MS_SSIM_WEIGHTS[:levels])
        weights = used * (sum(MS_SSIM_WEIGHTS) / used.sum())
        total += float(
            np.sum(metrics.ms_ssim(first, second, weights=tuple(weights), average=False))
        )
        count += len(first)
    return total / count


def _real_pairs(reals: RealSamples, split: str, pairs: int, alike: bool) -> Any:
    """Random pairs of real images, of one class where ``alike`` and the classes are known."""
    mates: dict[int, np.ndarray] = {}  # an image of each class that has no mate yet
    made = 0
    for images, labels in reals.samples(split, reals.size(split)):
        order = np.random.default_rng(made).permutation(len(images))
        classes = labels[order] if alike and labels is not None else np.zeros(len(order), int)
        first, second = [], []
        for index, label in zip(order, classes, strict=True):
            mate = mates.pop(int(label), None)
            if mate is None:
                mates[int(label)] = images[index]
            elif made < pairs:
                first.append(mate)
                second.append(images[index])
                made += 1
        if first:
            yield np.stack(first), np.stack(second)
        if made >= pairs:
            return
