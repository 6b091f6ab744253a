"""Distances between the features of generated and of real samples."""

from gan_jax import metrics
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.extractors import load_extractor
from gan_jax.evaluation.protocols.naming import protocol_name
from gan_jax.metrics.features import Extractor


def frechet(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Scores the Fréchet distance between the features of generated samples and of a whole split.

    Gives the distance, in squared units of the features, under the protocol's name:
    ``fd_lenet_10k``; ``fid10k`` with Inception.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data, all of which is used.
      weights: the extractor's file, if it needs one.

    References:
      Heusel et al., "GANs trained by a two time-scale update rule" (2017), equation 6.
    """
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real = generated.real.statistics(split, network)
        fake = generated.statistics(network, samples)
        distance = metrics.frechet_distance_from_statistics(
            real.mean, real.covariance, fake.mean, fake.covariance
        )
        return {"": distance}

    return Protocol(
        protocol_name("fid", "fd", network, samples, split),
        "frechet",
        ("",),
        samples,
        score,
        network,
        split,
        whole_split=True,
    )


def fid50k(weights: str = "", samples: int = 50_000) -> Protocol:
    """Scores FID: Inception features of 50,000 samples against the whole training data.

    Args:
      weights: of Inception, an ``.npz`` file.
      samples: generated.

    References:
      Heusel et al., "GANs trained by a two time-scale update rule" (2017).
    """
    return frechet("inception", samples, "train", weights)


def fid10k(weights: str = "", samples: int = 10_000) -> Protocol:
    """Scores FID of 10,000 samples against the test split.

    Args:
      weights: of Inception, an ``.npz`` file.
      samples: generated.

    References:
      Lucic et al., "Are GANs created equal?" (2018), section 5.
    """
    return frechet("inception", samples, "test", weights)


def fd_lenet(weights: str = "", samples: int = 10_000, split: str = "test") -> Protocol:
    """Scores the Fréchet distance under a LeNet, for grey images of 28 or 32 pixels: `frechet`."""
    return frechet("lenet", samples, split, weights)


def fd_effnetlite0(samples: int = 10_000, split: str = "test") -> Protocol:
    """Scores the Fréchet distance under EfficientNet-Lite0, which needs no download: `frechet`.

    It is not on FID's scale.
    """
    return frechet("efficientnet_lite0", samples, split)


def kernel(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    subsets: int = 100,
    subset_size: int = 1000,
    weights: str = "",
) -> Protocol:
    """Scores the kernel distance: unbiased squared MMD under a cubic kernel, over random subsets.

    Gives ``mean`` and ``std`` over the subsets: ``kd_lenet_10k/mean``; ``kid10k_test/mean`` with
    Inception. As many real samples are used as are generated, or all there are. Tables often list
    1000 times the mean.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      subsets: how many are drawn.
      subset_size: samples in each; all if there are fewer.
      weights: the extractor's file, if it needs one.

    References:
      Binkowski et al., "Demystifying MMD GANs" (2018), section 4.
    """
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real, fake = generated.real_and_generated_features(network, samples, split)
        size = min(subset_size, len(real), len(fake))
        distance = metrics.kernel_distance(real, fake, subsets, size, rng=generated.seed)
        return {"mean": distance.mean, "std": distance.std}

    return Protocol(
        protocol_name("kid", "kd", network, samples, split),
        "kernel",
        ("mean", "std"),
        samples,
        score,
        network,
        split,
        holds="features",
        settings=f"subsets={subsets}, subset_size={subset_size}",
    )


def sliced_wasserstein_distance(
    extractor: str | Extractor = "identity",
    samples: int = 10_000,
    split: str = "test",
    directions: int = 512,
    weights: str = "",
) -> Protocol:
    """Scores the sliced Wasserstein distance of order 2 between features, or samples as they are.

    Gives the distance, in units of the features: ``swd_identity_10k``. As many real samples are
    used as are generated, or all there are. `sliced_wasserstein` is ProGAN's, of patches of images.

    Args:
      extractor: whose features; "identity" for vectors and signals themselves.
      samples: generated.
      split: of the real data.
      directions: random projections.
      weights: the extractor's file, if it needs one.

    References:
      Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures" (2015).
    """
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real, fake = generated.real_and_generated_features(network, samples, split)
        distance = metrics.sliced_wasserstein_distance(
            real, fake, directions=directions, rng=generated.seed
        )
        return {"": distance}

    return Protocol(
        protocol_name("swd_inception_", "swd", network, samples, split),
        "sliced_wasserstein_distance",
        ("",),
        samples,
        score,
        network,
        split,
        holds="features",
        settings=f"power=2, directions={directions}",
    )


def kid(weights: str = "", samples: int = 50_000) -> Protocol:
    """Scores KID: Inception features of 50,000 samples and as many training samples: `kernel`."""
    return kernel("inception", samples, "train", weights=weights)
