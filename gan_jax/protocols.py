"""Named protocols: each public function is one that `config.metrics` and ``evaluate.py --metrics`` can name.

A protocol's name says what was measured, on how many samples and by which network: ``fid50k`` and ``fid10k`` are the Fréchet
distance under FID's Inception network alone; under others it is called ``fd_lenet_10k``, ``fd_effnetlite0_10k``. An
extractor is named (``"inception"``, ``"efficientnet_lite0"``, ``"lenet"``) or given as a `gan_jax.metrics.Extractor`.
"""

import functools
import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax import parts
from gan_jax.errors import UserError
from gan_jax.evaluation import Protocol, Reals, Subject
from gan_jax.metrics.features import Extractor

NAMES = ("inception", "efficientnet_lite0", "lenet")
SHORT = {"inception": "", "efficientnet_lite0": "effnetlite0"}
CUSTOMARY = {("fid", 10_000): "test"}
"""The split that goes unsaid in a name; elsewhere it is ``"train"``."""


def build(metrics: Mapping[str, Mapping[str, Any]], samples: int | None = None, weights: str = "") -> list[Protocol]:
    """The protocols of ``{name: settings}``.

    Args:
      metrics: as in ``config.metrics``; ``"is"`` is ``inception_score``.
      samples: replaces every protocol's own number of generated samples, where given.
      weights: the extractor's file, for each protocol that takes one and has none of its own.

    Raises:
      UserError: an unknown name or setting, or weights that are missing.
    """
    room = sys.modules[__name__]
    protocols = []
    for name, settings in metrics.items():
        name = {"is": "inception_score"}.get(name, name)
        given: dict[str, Any] = {} if samples is None else {"samples": samples}
        if weights and "weights" in inspect.signature(getattr(room, name, dict.fromkeys)).parameters:
            given["weights"] = settings.get("weights", weights)
        protocols.append(parts.named("metrics", (room,), Protocol, name, {**settings, **given}))
    return protocols


def frechet(extractor: str | Extractor = "lenet", samples: int = 10_000, split: str = "test", weights: str = "") -> Protocol:
    """Fréchet distance between the features of generated samples and of a whole split.

    Gives the distance, under the protocol's name: ``fd_lenet_10k``; ``fid10k`` with Inception. Squared units of features.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data, all of which is used.
      weights: the extractor's file, where it needs one.

    Source: Heusel et al., "GANs trained by a two time-scale update rule" (2017), equation 6.
    """
    network = _extractor(extractor, weights)

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        real, fake = subject.reals.statistics(split, network), subject.statistics(network, samples)
        return {"": metrics.frechet_distance_from_statistics(real.mean, real.covariance, fake.mean, fake.covariance)}

    return Protocol(_name("fid", "fd", network, samples, split), "frechet", ("",), samples, score, network, split, whole=True)


def fid50k(weights: str = "", samples: int = 50_000) -> Protocol:
    """FID: Inception features of 50,000 samples against the whole training data. Source: Heusel et al. (2017)."""
    return frechet("inception", samples, "train", weights)


def fid10k(weights: str = "", samples: int = 10_000) -> Protocol:
    """FID of 10,000 samples against the test split. Source: Lucic et al., "Are GANs created equal?" (2018), section 5."""
    return frechet("inception", samples, "test", weights)


def fd_lenet(weights: str = "", samples: int = 10_000, split: str = "test") -> Protocol:
    """Fréchet distance under a LeNet, for grey images of 28 or 32 pixels: `frechet`."""
    return frechet("lenet", samples, split, weights)


def fd_effnetlite0(samples: int = 10_000, split: str = "test") -> Protocol:
    """Fréchet distance under EfficientNet-Lite0, which needs no download: `frechet`. Not on FID's scale."""
    return frechet("efficientnet_lite0", samples, split)


def kernel(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    subsets: int = 100,
    subset_size: int = 1000,
    weights: str = "",
) -> Protocol:
    """Kernel distance: unbiased squared MMD under a cubic kernel, over random subsets.

    Gives ``mean`` and ``std`` over the subsets: ``kd_lenet_10k/mean``; ``kid10k_test/mean`` with Inception. As many real
    samples are used as are generated, or all there are. Tables often list 1000 times the mean.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      subsets: how many are drawn.
      subset_size: samples in each; all where there are fewer.
      weights: the extractor's file, where it needs one.

    Source: Binkowski et al., "Demystifying MMD GANs" (2018), section 4.
    """
    network = _extractor(extractor, weights)

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        real, fake = _both(subject, network, samples, split)
        size = min(subset_size, len(real), len(fake))
        found = metrics.kernel_distance(real, fake, subsets, size, rng=subject.seed)
        return {"mean": found.mean, "std": found.std}

    return Protocol(
        _name("kid", "kd", network, samples, split), "kernel", ("mean", "std"), samples, score, network, split, holds=True,
        settings=f"subsets={subsets}, subset_size={subset_size}",
    )  # fmt: skip


def kid(weights: str = "", samples: int = 50_000) -> Protocol:
    """KID: Inception features of 50,000 samples against as many training samples: `kernel`."""
    return kernel("inception", samples, "train", weights=weights)


def inception_score(
    extractor: str | Extractor = "inception", samples: int = 50_000, splits: int = 10, weights: str = ""
) -> Protocol:
    """Inception Score; under another classifier it is called a classifier score, ``cs_lenet_50k``.

    Gives ``mean`` and ``std`` over the splits, in [1, classes]: ``is50k/mean``.

    Args:
      extractor: whose classifier.
      samples: generated.
      splits: of the samples, in the order drawn.
      weights: the extractor's file, where it needs one.

    Source: Salimans et al., "Improved techniques for training GANs" (2016), section 4.
    """
    network = _classifier(extractor, weights)
    if splits > samples // 2:
        raise UserError(f"the metric inception_score needs 2 samples a split or more, not {samples} in {splits} splits")

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        found = metrics.inception_score(network.logits(subject.features(network, samples)), splits)
        return {"mean": found.mean, "std": found.std}

    return Protocol(
        _name("is", "cs", network, samples), "inception_score", ("mean", "std"), samples, score, network, holds=True,
        settings=f"splits={splits}",
    )  # fmt: skip


def precision_recall(
    extractor: str | Extractor = "lenet", samples: int = 10_000, split: str = "test", k: int = 3, weights: str = ""
) -> Protocol:
    """Improved precision and recall, each in [0, 1]; as many real samples as are generated, or all there are.

    Gives ``precision`` and ``recall``: ``pr_lenet_10k/precision``.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, where it needs one.

    Source: Kynkäänniemi et al., "Improved precision and recall metric" (2019), equations 1-2.
    """
    if not 1 <= k < samples:
        raise UserError(f"the metric precision_recall needs more samples than neighbours: not {samples} for k = {k}")
    network = _extractor(extractor, weights)

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        return metrics.precision_recall(*_both(subject, network, samples, split), k)._asdict()

    return Protocol(
        _name("pr", "pr", network, samples, split), "precision_recall", ("precision", "recall"), samples, score, network, split,
        holds=True, settings=f"k={k}",
    )  # fmt: skip


def pr(weights: str = "", samples: int = 50_000) -> Protocol:
    """Precision and recall of Inception features, 50,000 samples against as many training samples: `precision_recall`."""
    return precision_recall("inception", samples, "train", weights=weights)


def density_coverage(
    extractor: str | Extractor = "lenet", samples: int = 10_000, split: str = "test", k: int = 5, weights: str = ""
) -> Protocol:
    """Density (0 or more, ideally 1) and coverage (in [0, 1]); as many real samples as are generated, or all there are.

    Gives ``density`` and ``coverage``: ``dc_lenet_10k/density``.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, where it needs one.

    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models" (2020), equations 3-4.
    """
    if not 1 <= k < samples:
        raise UserError(f"the metric density_coverage needs more samples than neighbours: not {samples} for k = {k}")
    network = _extractor(extractor, weights)

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        return metrics.density_coverage(*_both(subject, network, samples, split), k)._asdict()

    return Protocol(
        _name("dc", "dc", network, samples, split), "density_coverage", ("density", "coverage"), samples, score, network, split,
        holds=True, settings=f"k={k}",
    )  # fmt: skip


def dc(weights: str = "", samples: int = 10_000) -> Protocol:
    """Density and coverage of Inception features, 10,000 samples against as many training samples: `density_coverage`."""
    return density_coverage("inception", samples, "train", weights=weights)


def sliced_wasserstein(samples: int = 16_384, split: str = "train", patches: int = 128, directions: int = 512) -> Protocol:
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

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        real, fake = (
            np.concatenate([images for images, _ in chunks])
            for chunks in (subject.reals.samples(split, samples), subject.samples(samples))
        )
        found = metrics.sliced_wasserstein(real, fake, patches_per_image=patches, directions=directions, rng=subject.seed)
        levels = zip(found.resolutions, found.values, strict=True)
        return {"mean": found.mean} | {str(resolution): float(value) for resolution, value in levels}

    def suits(reals: Reals) -> None:
        _images(reals, "sliced_wasserstein", 16)
        if reals.size(split) < samples:
            raise UserError(
                f"the metric sliced_wasserstein needs {samples} real samples, the split {split!r} has {reals.size(split)}: "
                "choose fewer samples"
            )

    return Protocol(
        _amount("swd", samples) + _of(split), "sliced_wasserstein", ("mean",), samples, score, split=split,
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

    def score(subject: Subject) -> dict[str, float]:
        labels = subject.labels(pairs)
        first, second = (subject.samples(pairs, start, labels) for start in (0, pairs))
        fake = _mean_ms_ssim((a, b) for (a, _), (b, _) in zip(first, second, strict=True))
        return {"": fake, "real": _mean_ms_ssim(_real_pairs(subject.reals, split, pairs, labels is not None))}

    return Protocol(
        _amount("ms_ssim", samples) + _of(split), "ms_ssim", ("", "real"), samples, score, split=split,
        suits=lambda reals: _images(reals, "ms_ssim", 4),
    )  # fmt: skip


def label_accuracy(
    extractor: str | Extractor = "lenet", samples: int = 10_000, split: str = "test", weights: str = ""
) -> Protocol:
    """The share of generated samples that a classifier gives the label they were drawn with: that labels are obeyed.

    Gives the share, in [0, 1], and ``real``, the classifier's accuracy on the split: ``label_accuracy_lenet_10k``.

    Args:
      extractor: whose classifier; its classes are those of the dataset.
      samples: generated.
      split: of the real data, all of which is classified.
      weights: the extractor's file, where it needs one.

    Source: Shmelkov et al., "How good is my GAN?" (2018), GAN-test.
    """
    network = _classifier(extractor, weights)
    assert network.head is not None
    classes = len(network.head[1])

    def score(subject: Subject) -> dict[str, float]:
        return {
            "": _accuracy(network, subject.samples(samples)),
            "real": _accuracy(network, subject.reals.samples(split, subject.reals.size(split))),
        }

    def suits(reals: Reals) -> None:
        if reals.train.classes != classes:
            has = f"{reals.train.classes} classes" if reals.train.classes else "no labels (set dataset's labels=True)"
            raise UserError(f"the metric label_accuracy has a classifier of {classes} classes, and the samples have {has}")

    return Protocol(
        _name("label_accuracy", "label_accuracy", network, samples, split), "label_accuracy", ("", "real"), samples, score,
        network, split, whole=True, suits=suits,
    )  # fmt: skip


def stacked_modes(samples: int = 25_600, minimum: int = 1, weights: str = "") -> Protocol:
    """Modes of stacked (Fashion-)MNIST that are covered: 1000 triples of a LeNet's labels, one a channel.

    Gives ``covered``, ``reverse_kl`` in nats against even modes, and the same of as many real samples: ``real_covered``,
    ``real_reverse_kl``, as a classifier's errors count too.

    Args:
      samples: generated.
      minimum: samples that a mode needs to count as covered.
      weights: of a LeNet for the dataset's own images; the shipped one knows Fashion-MNIST.

    Source: Metz et al., "Unrolled GANs" (2017), section 3.3.1; Lin et al., "PacGAN" (2018), section 4.2.
    """
    network = _classifier("lenet", weights)

    def coverage(chunks: Any) -> Any:
        from gan_jax import metrics

        labels = [
            np.stack([_labels(network, images[..., i : i + 1]) for i in range(images.shape[3])], axis=1) for images, _ in chunks
        ]
        return metrics.label_coverage(np.concatenate(labels), minimum=minimum)

    def score(subject: Subject) -> dict[str, float]:
        found, real = coverage(subject.samples(samples)), coverage(subject.reals.samples("train", samples))
        return dict(zip(names, (found.modes, found.reverse_kl, real.modes, real.reverse_kl), strict=True))

    def suits(reals: Reals) -> None:
        if reals.train.shape[2:] != (3,):
            raise UserError(
                f"the metric stacked_modes needs three stacked images, such as stacked_mnist, not {reals.train.shape}"
            )

    names = ("covered", "reverse_kl", "real_covered", "real_reverse_kl")
    return Protocol(
        _amount("stacked_modes", samples), "stacked_modes", names, samples, score, network, "train",
        settings=f"minimum={minimum}", suits=suits,
    )  # fmt: skip


def nearest_neighbours(
    extractor: str | Extractor = "lenet", samples: int = 10_000, split: str = "test", weights: str = ""
) -> Protocol:
    """Overfitting: whether samples lie nearer to the training data than held-out data does, in a space of features.

    Gives ``z_score`` (about N(0, 1) for a generator as good as held-out data, far below 0 where it copies, far above where
    its samples lie off the data), ``closer`` (the share of pairs in which the generated sample lies nearer; 1/2 is ideal) and
    ``distance`` (mean, to the nearest training sample).

    Args:
      extractor: whose features.
      samples: generated, and at most as many held out; the training data is taken whole.
      split: held-out data.
      weights: the extractor's file, where it needs one.

    Source: Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying" (2020), section 3.
    """
    network = _extractor(extractor, weights)

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        test, fake = _both(subject, network, samples, split)
        train = subject.reals.features("train", network, subject.reals.size("train"))
        found = metrics.memorisation(train, test, fake)
        return {"z_score": found.z_score, "closer": found.closer, "distance": float(found.fake_distances.mean())}

    def suits(reals: Reals) -> None:
        if split == "train":
            raise UserError("the metric nearest_neighbours compares with held-out data: choose a split other than 'train'")

    return Protocol(
        _name("nn", "nn", network, samples, split), "nearest_neighbours", ("z_score", "closer", "distance"), samples, score,
        network, split, holds=True, suits=suits,
    )  # fmt: skip


def modes(samples: int = 2500, threshold: float = 3.0, minimum: int = 1) -> Protocol:
    """Modes of a Gaussian mixture that are covered, and the share of samples within ``threshold`` standard deviations.

    Gives ``modes/covered``, ``modes/high_quality`` (in [0, 1]; a perfect model of a 2-D mixture reaches 0.989 at 3
    standard deviations), ``modes/well_covered`` (modes with at least 20 samples), ``modes/reverse_kl`` in nats.

    Source: Lin et al., "PacGAN" (2018), section 4.1 (2500 samples, one sample within 3 standard deviations).
    """

    def score(subject: Subject) -> dict[str, float]:
        from gan_jax import metrics

        dataset = subject.reals.train
        points = np.concatenate([points for points, _ in subject.samples(samples)])
        found = metrics.mode_coverage(points, dataset.centres, dataset.std, threshold=threshold, minimum=minimum)
        well = metrics.mode_coverage(points, dataset.centres, dataset.std, threshold=threshold, minimum=20)
        return {
            "covered": found.modes,
            "well_covered": well.modes,
            "high_quality": found.high_quality,
            "reverse_kl": found.reverse_kl,
        }

    def suits(reals: Reals) -> None:
        if reals.train.centres is None or reals.train.std is None:
            raise UserError("the metric modes needs a dataset with known centres, such as ring or grid")

    names = ("covered", "well_covered", "high_quality", "reverse_kl")
    return Protocol("modes", "modes", names, samples, score, settings=f"threshold={threshold}, minimum={minimum}", suits=suits)


def _extractor(name: str | Extractor, weights: str) -> Extractor:
    if isinstance(name, Extractor):
        return name
    if name not in NAMES:
        raise UserError(f"there is no extractor {name!r}: there are {', '.join(NAMES)}")
    if name == "inception" and not weights:
        raise UserError(
            "Inception scores need the network's weights: convert torch-fidelity's or pytorch-fid's .pth once, "
            "'python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz', "
            "and name the .npz (--weights=inception.npz, or the metric's setting weights)"
        )
    if name == "efficientnet_lite0" and weights:
        raise UserError("efficientnet_lite0 takes no weights: they come with its package")
    return _loaded(name, weights)


@functools.lru_cache(maxsize=4)
def _loaded(name: str, weights: str) -> Extractor:
    from gan_jax import metrics

    if name == "inception":
        return metrics.inception_extractor(weights)
    return metrics.efficientnet_extractor() if name == "efficientnet_lite0" else metrics.lenet_extractor(weights or None)


def _classifier(name: str | Extractor, weights: str) -> Extractor:
    network = _extractor(name, weights)
    if network.head is None:
        raise UserError(f"the extractor {network.name} has no classifier: choose one of {', '.join(NAMES)}")
    return network


def _name(inception: str, other: str, extractor: Extractor, samples: int, split: str | None = None) -> str:
    """The name of a score under an extractor: the well-known one under Inception alone."""
    known = extractor.name == "inception"
    short = SHORT.get(extractor.name, "lenet" if extractor.name.startswith("lenet") else extractor.name)
    name = _amount(inception if known else f"{other}_{short}_", samples)
    return name if split is None else name + _of(split, CUSTOMARY.get((inception, samples), "train" if known else "test"))


def _of(split: str, customary: str = "train") -> str:
    return "" if split == customary else f"_{split}"


def _amount(name: str, samples: int) -> str:
    """``("fid", 50_000) -> "fid50k"``."""
    return f"{name}{samples // 1000}k" if samples and samples % 1000 == 0 else f"{name}{samples}"


def _both(subject: Subject, extractor: Extractor, samples: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    return subject.reals.features(split, extractor, samples), subject.features(extractor, samples)


def _labels(network: Extractor, images: np.ndarray) -> np.ndarray:
    return network.logits(network(images)).argmax(axis=1)


def _accuracy(network: Extractor, chunks: Any) -> float:
    """NaN where the labels are not known."""
    right = [np.full(len(x), np.nan) if label is None else _labels(network, x) == label for x, label in chunks]
    return float(np.concatenate(right).mean())


def _images(reals: Reals, name: str, smallest: int) -> None:
    shape = reals.train.shape
    if len(shape) != 3 or min(shape[:2]) < smallest:
        raise UserError(f"the metric {name} needs images of {smallest} pixels or more; the samples of this run are {shape}")


def _mean_ms_ssim(pairs: Any) -> float:
    from gan_jax import metrics
    from gan_jax.metrics.structural import MS_SSIM_WEIGHTS

    total, count = 0.0, 0
    for first, second in pairs:
        levels = min(5, (min(first.shape[1:3]) // 4).bit_length())  # 4 pixels a side at the last
        used = np.array(MS_SSIM_WEIGHTS[:levels])
        weights = used * (sum(MS_SSIM_WEIGHTS) / used.sum())
        total += float(np.sum(metrics.ms_ssim(first, second, weights=tuple(weights), average=False)))
        count += len(first)
    return total / count


def _real_pairs(reals: Reals, split: str, pairs: int, alike: bool) -> Any:
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


__all__ = [
    "build", "dc", "density_coverage", "fd_effnetlite0", "fd_lenet", "fid10k", "fid50k", "frechet", "inception_score", "kernel",
    "kid", "label_accuracy", "modes", "ms_ssim", "nearest_neighbours", "pr", "precision_recall", "sliced_wasserstein",
    "stacked_modes", "swd",
]  # fmt: skip
