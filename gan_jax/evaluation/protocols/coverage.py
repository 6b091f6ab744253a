"""Modes that a generator covers, where they are known."""

from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, Protocol, RealSamples
from gan_jax.evaluation.protocols.extractors import classifier_of, labels_of
from gan_jax.evaluation.protocols.naming import amount


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
    network = classifier_of("lenet", weights)

    def coverage(chunks: Any) -> Any:
        labels = [
            np.stack(
                [labels_of(network, images[..., i : i + 1]) for i in range(images.shape[3])], axis=1
            )
            for images, _ in chunks
        ]
        return metrics.label_coverage(np.concatenate(labels), minimum=minimum)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        found, real = (
            coverage(subject.samples(samples)),
            coverage(subject.reals.samples("train", samples)),
        )
        return dict(
            zip(names, (found.modes, found.reverse_kl, real.modes, real.reverse_kl), strict=True)
        )

    def suits(reals: RealSamples) -> None:
        if reals.train.shape[2:] != (3,):
            raise UserError(
                f"the metric stacked_modes needs three stacked images, such as stacked_mnist, not {reals.train.shape}"
            )

    names = ("covered", "reverse_kl", "real_covered", "real_reverse_kl")
    return Protocol(
        amount("stacked_modes", samples), "stacked_modes", names, samples, score, network, "train",
        settings=f"minimum={minimum}", suits=suits,
    )  # fmt: skip


def modes(samples: int = 2500, threshold: float = 3.0, minimum: int = 1) -> Protocol:
    """Modes of a Gaussian mixture that are covered, and the share of samples within ``threshold`` standard deviations.

    Gives ``modes/covered``, ``modes/high_quality`` (in [0, 1]; a perfect model of a 2-D mixture reaches 0.989 at 3
    standard deviations), ``modes/well_covered`` (modes with at least 20 samples), ``modes/reverse_kl`` in nats.

    Source: Lin et al., "PacGAN" (2018), section 4.1 (2500 samples, one sample within 3 standard deviations).
    """

    def score(subject: GeneratedSamples) -> dict[str, float]:
        dataset = subject.reals.train
        points = np.concatenate([points for points, _ in subject.samples(samples)])
        found = metrics.mode_coverage(
            points, dataset.centres, dataset.std, threshold=threshold, minimum=minimum
        )
        well = metrics.mode_coverage(
            points, dataset.centres, dataset.std, threshold=threshold, minimum=20
        )
        return {
            "covered": found.modes,
            "well_covered": well.modes,
            "high_quality": found.high_quality,
            "reverse_kl": found.reverse_kl,
        }

    def suits(reals: RealSamples) -> None:
        if reals.train.centres is None or reals.train.std is None:
            raise UserError(
                "the metric modes needs a dataset with known centres, such as ring or grid"
            )

    names = ("covered", "well_covered", "high_quality", "reverse_kl")
    return Protocol(
        "modes",
        "modes",
        names,
        samples,
        score,
        settings=f"threshold={threshold}, minimum={minimum}",
        suits=suits,
    )
