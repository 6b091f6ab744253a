"""Coverage of modes that are known."""

from collections.abc import Iterable

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.extractors import classify, load_classifier
from gan_jax.evaluation.protocols.naming import counted_name
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.metrics.modes import ModeCoverage

WELL_COVERED = 20
"""Samples that a well covered mode has at least."""


def stacked_modes(samples: int = 25_600, minimum: int = 1, weights: str = "") -> Protocol:
    """Scores which of 1000 modes of stacked (Fashion-)MNIST are covered.

    A mode is a triple of labels that a LeNet assigns to the three channels.

    Gives ``covered``, the number of modes that are covered; ``reverse_kl`` in nats against even
    modes; and the same of as many real samples, ``real_covered`` and ``real_reverse_kl``, as the
    classifier's errors count too.

    Args:
      samples: generated.
      minimum: samples that a mode needs to count as covered.
      weights: of a LeNet for the dataset's own images; the one that comes with this package is for
        Fashion-MNIST.

    References:
      Metz et al., "Unrolled GANs" (2017), section 3.3.1; Lin et al., "PacGAN" (2018), section 4.2.
    """
    classifier = load_classifier("lenet", weights)

    def coverage(chunks: Iterable[tuple[np.ndarray, np.ndarray | None]]) -> ModeCoverage:
        labels = []
        for images, _ in chunks:
            channels = [images[..., i : i + 1] for i in range(images.shape[3])]
            labels.append(np.stack([classify(classifier, channel) for channel in channels], axis=1))
        return metrics.label_coverage(np.concatenate(labels), minimum=minimum)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        fake = coverage(generated.samples(samples))
        real = coverage(generated.real.samples("train", samples))
        return {
            "covered": fake.modes,
            "reverse_kl": fake.reverse_kl,
            "real_covered": real.modes,
            "real_reverse_kl": real.reverse_kl,
        }

    def check_data(real: RealSamples) -> None:
        if real.train.shape[2:] != (3,):
            raise UserError(
                "the metric stacked_modes needs three stacked images, such as stacked_mnist, "
                f"not {real.train.shape}"
            )
        if real.name == "stacked_mnist" and not weights:
            raise UserError(
                "the classifier of the metric stacked_modes is one of Fashion-MNIST: for "
                "stacked_mnist give it weights=lenet_mnist.npz, a LeNet of digits, which "
                "python -m gan_jax.metrics.lenet trains"
            )

    return Protocol(
        counted_name("stacked_modes", samples),
        "stacked_modes",
        ("covered", "reverse_kl", "real_covered", "real_reverse_kl"),
        samples,
        score,
        classifier,
        "train",
        settings=f"minimum={minimum}",
        check_data=check_data,
    )


def modes(samples: int = 2500, threshold: float = 3.0, minimum: int = 1) -> Protocol:
    """Scores which modes of a Gaussian mixture are covered, and how many samples lie near one.

    Gives ``modes/covered``; ``modes/high_quality``, the share of samples within ``threshold``
    standard deviations of a mode, in [0, 1] (a perfect model of a 2-D mixture reaches 0.989 at 3
    standard deviations); ``modes/well_covered``, modes with at least 20 samples; and
    ``modes/reverse_kl`` in nats.

    Args:
      samples: generated.
      threshold: in standard deviations.
      minimum: samples within the threshold that a mode needs to count as covered.

    References:
      Lin et al., "PacGAN" (2018), section 4.1 (2500 samples, one sample within 3 standard
      deviations).
    """

    def score(generated: GeneratedSamples) -> dict[str, float]:
        centres, std = generated.real.train.centres, generated.real.train.std
        assert centres is not None and std is not None
        points = np.concatenate([chunk for chunk, _ in generated.samples(samples)])

        def coverage(minimum: int) -> ModeCoverage:
            return metrics.mode_coverage(points, centres, std, threshold=threshold, minimum=minimum)

        covered = coverage(minimum)
        return {
            "covered": covered.modes,
            "well_covered": coverage(WELL_COVERED).modes,
            "high_quality": covered.high_quality,
            "reverse_kl": covered.reverse_kl,
        }

    def check_data(real: RealSamples) -> None:
        if real.train.centres is None or real.train.std is None:
            raise UserError(
                "the metric modes needs a dataset with known centres, such as ring or grid"
            )

    return Protocol(
        "modes",
        "modes",
        ("covered", "well_covered", "high_quality", "reverse_kl"),
        samples,
        score,
        holds="samples",
        settings=f"threshold={threshold}, minimum={minimum}",
        check_data=check_data,
    )
