"""Distances between the features of generated and of real samples."""

from gan_jax import metrics
from gan_jax.evaluation import GeneratedSamples, Protocol
from gan_jax.evaluation.protocols.extractors import extractor_of
from gan_jax.evaluation.protocols.naming import named
from gan_jax.metrics.features import Extractor


def frechet(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Fréchet distance between the features of generated samples and of a whole split.

    Gives the distance, under the protocol's name: ``fd_lenet_10k``; ``fid10k`` with Inception. Squared units of features.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data, all of which is used.
      weights: the extractor's file, where it needs one.

    Source: Heusel et al., "GANs trained by a two time-scale update rule" (2017), equation 6.
    """
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        real, fake = subject.reals.statistics(split, network), subject.statistics(network, samples)
        return {
            "": metrics.frechet_distance_from_statistics(
                real.mean, real.covariance, fake.mean, fake.covariance
            )
        }

    return Protocol(
        named("fid", "fd", network, samples, split),
        "frechet",
        ("",),
        samples,
        score,
        network,
        split,
        whole=True,
    )


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
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        real, fake = subject.beside_real(network, samples, split)
        size = min(subset_size, len(real), len(fake))
        found = metrics.kernel_distance(real, fake, subsets, size, rng=subject.seed)
        return {"mean": found.mean, "std": found.std}

    return Protocol(
        named("kid", "kd", network, samples, split), "kernel", ("mean", "std"), samples, score, network, split, holds=True,
        settings=f"subsets={subsets}, subset_size={subset_size}",
    )  # fmt: skip


def kid(weights: str = "", samples: int = 50_000) -> Protocol:
    """KID: Inception features of 50,000 samples against as many training samples: `kernel`."""
    return kernel("inception", samples, "train", weights=weights)
