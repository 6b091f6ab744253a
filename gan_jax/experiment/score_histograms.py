"""How a run's discriminator scores single samples: what histograms of scores are drawn from."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from gan_jax.experiment.builder import Experiment
from gan_jax.game import Array, Batch, Networks, Params, PRNGKey, conditions, per_sample
from gan_jax.training import TrainState


def score_histograms(
    experiment: Experiment, state: TrainState, step: int, key: PRNGKey
) -> dict[str, np.ndarray]:
    """The raw scores of ``step``'s real batch and of as many generated samples, ``[n]`` each, by the names of their histograms.

    ``state``: after ``step >= 1`` steps. The generator is the one that plays, not its average; nothing is augmented. Two
    histograms that lie apart say that the discriminator has won; ones that coincide, that it sees no difference (at the
    equilibrium D = 1/2 of Goodfellow et al., "Generative Adversarial Nets" (2014), proposition 1, all scores are 0).
    """
    (chunk,) = experiment.chunks(step - 1, step, 1)
    stage = experiment.stages[chunk.stage]
    batch = jax.tree.map(lambda leaf: leaf[0], experiment.batch(chunk, slice(None)))
    real, fake = _scored(
        stage.networks,
        stage.prepare,
        state.generator.params,
        state.discriminator.params,
        batch,
        jax.random.fold_in(key, step),
    )
    # Not "scores/real", which is their mean over the steps: a name of W&B's has one type.
    return {
        "histograms/real_scores": np.asarray(real, np.float32),
        "histograms/fake_scores": np.asarray(fake, np.float32),
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def _scored(
    networks: Networks,
    prepare: Callable[[Batch], Batch],
    generator: Params,
    discriminator: Params,
    batch: Batch,
    rng: PRNGKey,
) -> tuple[Array, Array]:
    batch = jax.tree.map(lambda leaf: leaf[-1], prepare(batch))  # the last turn
    given = conditions(batch)
    latents = per_sample(rng, batch["sample_index"], lambda key: networks.latent(key, 1)[0])
    fake = networks.generate(generator, latents, **given)
    return networks.score(discriminator, batch["real"], **given), networks.score(
        discriminator, fake, **given
    )
