"""How well an autoencoder reconstructs: pairs of real samples and their reconstructions."""

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.naming import counted_name
from gan_jax.evaluation.real_samples import RealSamples


def reconstruction(
    samples: int = 2_000, network: str = "lenet", weights: str = "", linear: str = ""
) -> Protocol:
    """Scores reconstructions of held-out images: the first of the split "test", if there is one.

    Gives means over images in [-1, 1]: ``l1``, of absolute differences of pixels; ``psnr``, of
    ``10 log10(4 / mean squared difference)`` in dB, at most 100; and the perceptual distance, by
    its name (``perceptual_lenet_fashion_mnist``, ``lpips_vgg16``). If the bottleneck has codes:
    ``codes``, how many different ones occur, and ``perplexity``, of their frequencies.

    Args:
      samples: images that are reconstructed.
      network: of the perceptual distance, as in `gan_jax.objectives.autoencoding.perceptual`.
      weights: file of its weights.
      linear: file of its linear weights.

    Raises:
      UserError: an unknown network, or files that it does not take.

    References:
      Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), table 4.
    """
    try:
        layers = metrics.layer_network(network, weights, linear)
    except (OSError, ValueError) as error:
        raise UserError(f"the metric reconstruction: {first_line(error)}") from error

    def score(generated: GeneratedSamples) -> dict[str, float]:
        scores: list[dict[str, float]] = []
        sizes: list[int] = []
        codes: list[np.ndarray] = []
        for made in generated.reconstructions(samples):
            real, fake = made["real"], made["fake"]
            square = np.mean(np.square(real - fake, dtype=np.float64), (1, 2, 3))
            scores.append(
                {
                    "l1": float(np.mean(np.abs(real - fake), dtype=np.float64)),
                    "psnr": float(np.mean(10 * np.log10(4 / np.maximum(square, 4e-10)))),
                    layers.metric_name: metrics.perceptual_distance(real, fake, layers),
                }
            )
            sizes.append(len(real))
            if "codes" in made:
                codes.append(made["codes"])
        means = {
            name: float(np.average([score[name] for score in scores], weights=sizes))
            for name in scores[0]
        }
        if codes:
            size = max(int(part.max()) for part in codes) + 1
            usage = metrics.codebook_usage(np.concatenate(codes), size)
            means |= {"codes": round(usage.used * size), "perplexity": usage.perplexity}
        return means

    def check_data(real: RealSamples) -> None:
        if len(real.train.shape) != 3 or real.train.shape[2] not in (1, layers.channels):
            raise UserError(
                f"the metric reconstruction needs images of 1 or {layers.channels} channels for "
                f"the network {network}; the samples are {real.train.shape}"
            )

    return Protocol(
        counted_name("reconstruction", samples),
        "reconstruction",
        ("l1", "psnr", layers.metric_name),
        samples,
        score,
        needs=("reconstructions",),
        settings=f"network={layers.name}, hash={layers.hash}",
        check_data=check_data,
    )
