"""The discriminator's scores of single samples, from which histograms are drawn."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.distributed.mesh import replicate
from gan_jax.experiment.builder import Experiment
from gan_jax.game import Array, Batch, Networks, Params, PRNGKey, call, conditions, draw_latents
from gan_jax.training.steps import TrainState


def score_histograms(
    experiment: Experiment, state: TrainState, step: int, key: PRNGKey
) -> dict[str, np.ndarray]:
    """Computes the raw scores of one step's real batch and of as many generated samples.

    The generator is the one that is trained, not its EMA; nothing is augmented. Two histograms that
    lie apart say that the discriminator has won; two that coincide, that it sees no difference. At
    the equilibrium, D = 1/2, all scores are 0.

    Args:
      experiment: of the run.
      state: after ``step`` steps.
      step: at least 1.
      key: of the run.

    Returns:
      ``{"histograms/real_scores": [batch], "histograms/fake_scores": [batch]}``, float32; of maps,
      or several scores, all numbers in one row.

    References:
      Goodfellow et al., "Generative Adversarial Nets" (2014), proposition 1.
    """
    (chunk,) = experiment.chunks(step - 1, step)
    stage = experiment.stages[chunk.stage]
    batch = jax.tree.map(lambda leaf: leaf[0], experiment.batch(chunk))
    real, fake = _scores(
        stage.networks,
        stage.prepare,
        replicate(state.generator.params),
        replicate(state.discriminator.params),
        batch,
        jax.random.fold_in(key, step),
    )
    # Not "scores/real", which is their mean over the steps: W&B wants one type for each name.
    return {
        "histograms/real_scores": np.asarray(real, np.float32),
        "histograms/fake_scores": np.asarray(fake, np.float32),
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def _scores(
    networks: Networks,
    prepare: Callable[[Batch], Batch],
    generator: Params,
    discriminator: Params,
    batch: Batch,
    rng: PRNGKey,
) -> tuple[Array, Array]:
    last = jax.tree.map(lambda leaf: leaf[-1], prepare(batch))  # the last discriminator step
    given, index = conditions(last), last["sample_index"]
    latents = draw_latents(networks, rng, index)
    fake = call(networks, "generate", generator, latents, given, index, rng, use=0)

    def scores(samples: Array, use: int) -> Array:
        returned = call(networks, "score", discriminator, samples, given, index, rng, use)
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(returned)])

    return scores(last["real"], 1), scores(fake, 2)
