"""Whether a generator's latents are the factors of variation of its data."""

import jax

from gan_jax import networks
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation.disentanglement import Disentanglement
from gan_jax.evaluation.disentanglement import disentanglement as score_encoder
from gan_jax.evaluation.generated_samples import GeneratedSamples, evaluation_key
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.naming import counted_name
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.training.encoding import fit_encoder
from gan_jax.training.sampling import Sampler


def disentanglement(samples: int = 10_000, steps: int = 2_000, width: int = 16) -> Protocol:
    """Scores how far single latents are single factors of variation: MIG, DCI and FactorVAE score.

    An encoder is fitted to the generator, from its samples to its latents, and the codes that it
    returns for real samples are scored: see `gan_jax.evaluation.disentanglement` and
    `gan_jax.training.encoding.fit_encoder`. All generators are scored alike, those with an encoder
    of their own (InfoGAN's Q) too; latents that are no code count as further codes. It needs a
    dataset whose factors are known, such as ``factor_shapes``, and
    ``pip install -e '.[disentanglement]'``.

    Args:
      samples: real ones, at most, for MIG and DCI.
      steps: of the encoder, each on 64 generated samples.
      width: of the encoder, a DCGAN's discriminator.

    References:
      Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
      Representations" (2019), for the scores.
    """
    if steps < 1:
        raise UserError(f"the metric disentanglement fits in 1 step or more, not {steps}")

    def score(generated: GeneratedSamples) -> dict[str, float]:
        source, dataset = generated.source, generated.real.train
        if not isinstance(source, Sampler):
            raise UserError("the metric disentanglement needs a generator: gan_jax.sampler(...)")
        rng = jax.random.fold_in(evaluation_key(generated.seed), steps)
        encoder = networks.dcgan(
            dataset.shape,
            generated.latents(1).shape[1],
            width=width,
            discriminator_norm="layer",
            labels="auxiliary",
        )
        encode = fit_encoder(source, encoder, rng, steps=steps).encode
        scores = score_encoder(encode, dataset, seed=generated.seed, samples=samples)
        return {name: float(value) for name, value in scores._asdict().items()}

    return Protocol(
        counted_name("disentanglement", samples),
        "disentanglement",
        Disentanglement._fields,
        samples,
        score,
        needs=("latents",),
        settings=f"steps={steps}, width={width}",
        check_data=_check_data,
    )


def _check_data(real: RealSamples) -> None:
    dataset: Dataset = real.train
    if dataset.factors is None or len(dataset.shape) != 3:
        raise UserError(
            "the metric disentanglement needs images whose factors of variation are known, such as "
            "those of the dataset factor_shapes"
        )
