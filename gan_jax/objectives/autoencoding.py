"""Terms of autoencoders: perceptual distances, and the losses that a bottleneck computes.

Distances of pixels are in `gan_jax.objectives.reconstruction`, the adaptive weight of VQGAN in
`gan_jax.objectives.weighting`.
"""

import jax.numpy as jnp

from gan_jax import metrics
from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.game import Array, Round, Term
from gan_jax.objectives.timing import Weight, weight_at

__all__ = ["codebook", "commitment", "generator_output", "kl", "perceptual"]


def generator_output(output: str, weight: Weight = 1.0) -> Term:
    """Returns a loss that the generator computes beside its samples: ``weight E output``.

    The term is called after the output. `codebook`, `commitment` and `kl` are such terms.

    Args:
      output: its name in what ``Networks.outputs`` returns, ``[batch, ...]`` floats.
      weight: the weight of the term.

    Raises:
      UserError: in the loss, if there is no such output.
    """

    def generator(round: Round) -> Array:
        if round.outputs is None:
            raise UserError(
                f"generator_output({output!r}) needs networks that have such an output, such as "
                "vqgan: Networks(outputs=...)"
            )
        if output not in round.outputs:
            raise UserError(
                f"the generator has no output {output!r}: {did_you_mean(output, round.outputs)}"
            )
        return weight_at(weight, round) * jnp.mean(round.outputs[output])

    return Term(name=output, generator=generator, each_score=False)


def codebook(weight: Weight = 1.0) -> Term:
    """Returns the loss of a codebook, ``weight E |sg(encoded) - code|^2``, of networks with one.

    Args:
      weight: the weight of the term.

    Raises:
      UserError: in the loss, if the networks have no output ``codebook``.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017), eq. 3: see
      `gan_jax.networks.bottlenecks.codebook_loss`.
    """
    return generator_output("codebook", weight)


def commitment(weight: Weight = 0.25) -> Term:
    """Returns the commitment of an encoder to its codes, ``weight E |encoded - sg(code)|^2``.

    Args:
      weight: the weight of the term, beta in the paper.

    Raises:
      UserError: in the loss, if the networks have no output ``commitment``.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017), eq. 3: see
      `gan_jax.networks.bottlenecks.commitment_loss`.
    """
    return generator_output("commitment", weight)


def kl(weight: Weight = 1e-6) -> Term:
    """Returns the KL divergence of a Gaussian bottleneck from N(0, 1), in nats per sample.

    Args:
      weight: the weight of the term: 1e-6 in latent diffusion, 1 in a VAE whose reconstruction loss
        is a log likelihood.

    Raises:
      UserError: in the loss, if the networks have no output ``kl``.

    References:
      Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2022), section
      3.1: see `gan_jax.networks.bottlenecks.kl_divergence`.
    """
    return generator_output("kl", weight)


def perceptual(
    weight: Weight = 1.0, network: str = "lenet", weights: str = "", linear: str = ""
) -> Term:
    """Returns the perceptual distance of generated samples from real ones of the same index.

    ``weight E d(x, G(...))``, d as `gan_jax.metrics.perceptual_distances` says. It is LPIPS with
    VGG16 or AlexNet and the authors' linear weights, and only then.

    Args:
      weight: the weight of the term: 1 in VQGAN.
      network: "lenet" (images of one channel, 28 x 28 or 32 x 32), "efficientnet_lite0", "vgg16" or
        "alexnet".
      weights: file of its weights: needed for "vgg16" and "alexnet", a LeNet other than that of
        Fashion-MNIST for "lenet".
      linear: file of the authors' linear weights, for "vgg16" and "alexnet".

    Raises:
      UserError: an unknown network, or weights that are missing or not its own; in the loss, images
        that it does not take.

    References:
      Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018).
      Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), section 3.1.
    """
    try:
        layers = metrics.layer_network(network, weights, linear)
    except (OSError, ValueError) as error:
        raise UserError(f"perceptual: {first_line(error)}") from error

    def generator(round: Round) -> Array:
        if round.fake.ndim != 4:
            raise UserError(
                f"perceptual compares images [height, width, channels], not samples "
                f"{list(round.fake.shape[1:])}"
            )
        try:
            distances = metrics.perceptual_distances(layers, round.real, round.fake)
        except ValueError as error:
            raise UserError(f"perceptual: {error}") from error
        return weight_at(weight, round) * jnp.mean(distances)

    return Term(name="perceptual", generator=generator, each_score=False)
