"""Terms that remember, and penalties without double backward: LeCam, path length, approximate R1.

What a term remembers is part of the train state: see `gan_jax.game.Term`.
"""

import functools

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import batch_mean
from gan_jax.errors import UserError
from gan_jax.game import Array, PRNGKey, Round, Term, per_sample
from gan_jax.objectives.timing import Weight, weight_at

__all__ = ["approximate_r1", "approximate_r2", "lecam", "path_length"]


def lecam(weight: Weight = 0.3, decay: float = 0.9, start: int = 1000) -> Term:
    """Returns LeCam's penalty: scores stay near the moving average of the other kind's.

    ``weight (E max(0, s(x) - a_F)^2 + E max(0, a_R - s(G(z)))^2)``, with a_R and a_F the averages
    of the discriminator's mean scores of real and of generated samples. As in the authors' code
    they are moved before they are used, carry no gradient, and are the means of the batch itself
    until the start; the penalty is one-sided and acts strictly after it. (The paper's eq. 5 has the
    squares of both signs.)

    Memory: ``{"real": a_R, "fake": a_F}``, float32 scalars.

    Args:
      weight: the weight of the penalty, 0.3 for BigGAN on CIFAR-10 in the authors' code.
      decay: of the averages, 0.9 in the authors' PyTorch code and 0.99 in their TensorFlow code.
      start: the step after which the penalty acts.

    References:
      Tseng et al., "Regularizing Generative Adversarial Networks under Limited Data" (2021), eq. 5,
      and the authors' code, ``lecam_reg`` and ``ema_losses``.
    """

    def penalty(round: Round) -> tuple[Array, dict[str, Array]]:
        decay_now = jnp.where(jnp.asarray(round.step) < start, 0.0, decay)

        def moved(old: Array, scores: Array) -> Array:
            mean = batch_mean(scores, tuple(range(scores.ndim))).reshape(())
            return jax.lax.stop_gradient(decay_now * old + (1 - decay_now) * mean)

        averages = {
            "real": moved(round.memory["real"], round.real_scores),
            "fake": moved(round.memory["fake"], round.fake_scores),
        }
        above = jax.nn.relu(round.real_scores - averages["fake"])
        below = jax.nn.relu(averages["real"] - round.fake_scores)
        value = jnp.mean(jnp.square(above)) + jnp.mean(jnp.square(below))
        acts = jnp.asarray(round.step) > start
        return jnp.where(acts, weight_at(weight, round) * value, 0.0), averages

    return Term(name="lecam", discriminator=penalty, memory={"real": 0.0, "fake": 0.0})


def path_length(weight: Weight = 2.0, decay: float = 0.99, share: int = 2) -> Term:
    """Returns StyleGAN2's path length regularisation, for the generator.

    ``weight E (|J^T y|_2 - a)^2``: J is the Jacobian of the generator with respect to its latents,
    ``y ~ N(0, 1) / sqrt(h w)`` an image of noise, and a the moving average of the lengths. As in
    the authors' code the new average is used, and lengths are taken on a part of the batch; unlike
    there, no gradient passes through the average.

    Lengths are those in the space of the generator's latents. For a generator with a mapping
    network that is the space of its styles: ``Networks.styles`` and ``generate(params, None,
    styles=...)``, latents ``[batch, layers, size]``, of which the length is the root of the mean
    over layers.

    Memory: a, a float32 scalar. Usual are ``every(4, path_length())`` and ``every(8, ...)``.

    Args:
      weight: the weight of the penalty.
      decay: of the average.
      share: lengths are taken on every sample of the batch that this number divides; it should
        divide the samples of each device.

    Raises:
      UserError: in the loss, if the generator takes no latents.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 3.2,
      eq. 4 and appendix B, and the code of StyleGAN2-ADA.
    """

    def penalty(round: Round) -> tuple[Array, Array]:
        if round.latent is None or round.generate is None:
            raise UserError("path_length needs a generator of latents")
        generate = round.generate
        # Every such sample, not the first ones: any split over devices takes the same.
        sample_index = round.sample_index[::share]
        conditions = {name: value[::share] for name, value in round.conditions.items()}
        conditions["sample_index"] = sample_index
        latents = round.latent(round.rng)[::share]
        image = functools.partial(generate, **conditions)
        if round.styles is not None:
            latents = round.styles(latents, **conditions)
            image = lambda styles: generate(None, **conditions, styles=styles)  # type: ignore[assignment]
        samples, transposed_jacobian = jax.vjp(image, latents)
        noise_key = jax.random.fold_in(round.rng, 1)

        def draw(key: PRNGKey) -> Array:
            return jax.random.normal(key, samples.shape[1:], samples.dtype)

        noise = per_sample(noise_key, sample_index, draw)
        pixels = samples[0, ..., 0].size if samples.ndim > 2 else 1
        (slopes,) = transposed_jacobian(noise / jnp.sqrt(pixels))
        squares = jnp.sum(jnp.square(slopes), axis=-1)
        squares = jnp.mean(squares, axis=tuple(range(1, squares.ndim)))
        lengths = jnp.sqrt(squares + 1e-12)  # finite slopes at a length of 0
        mean = batch_mean(lengths, (0,)).reshape(())
        average = jax.lax.stop_gradient(decay * round.memory + (1 - decay) * mean)
        value = jnp.mean(jnp.square(lengths - average))
        return weight_at(weight, round) * value, average

    return Term(name="path_length", generator=penalty, memory=0.0, each_score=False)


def approximate_r1(gamma: Weight = 10.0, std: float = 0.01) -> Term:
    """Returns R1 by finite differences: ``gamma / (2 std^2) E (s(x) - s(x + std e))^2``.

    e ~ N(0, 1) per entry of a real sample x. For a small std it is `r1`, ``gamma / 2 E |grad
    s(x)|^2``, without a second derivative: it costs one more pass of the discriminator.

    Args:
      gamma: as in `r1`. The weight lambda of the authors is ``gamma / (2 std^2)``.
      std: the size of the step, 0.01 for images in the paper. In float32 the difference of two
        scores has few digits if it is much smaller.

    References:
      Lin et al., "Diffusion Adversarial Post-Training for One-Step Video Generation" (2025),
      eq. 4.
    """
    return Term(
        name="approximate_r1",
        discriminator=lambda round: _finite_difference(
            round, round.real, round.real_scores, gamma, std
        ),
    )


def approximate_r2(gamma: Weight = 10.0, std: float = 0.01) -> Term:
    """Returns R2 by finite differences, as `approximate_r1` but on generated samples.

    Args:
      gamma: as in `r2`.
      std: the size of the step.
    """
    return Term(
        name="approximate_r2",
        discriminator=lambda round: _finite_difference(
            round, round.fake, round.fake_scores, gamma, std
        ),
    )


def _finite_difference(
    round: Round, samples: Array, scores: Array, gamma: Weight, std: float
) -> Array:
    def draw(key: PRNGKey) -> Array:
        return jax.random.normal(key, samples.shape[1:], samples.dtype)

    noise = per_sample(round.rng, round.sample_index, draw)
    moved: Array = round.score(samples + std * noise)
    # Of a map of scores: the slope of its sum, as of all penalties.
    difference = jnp.sum(moved - scores, axis=tuple(range(1, scores.ndim)))
    return weight_at(gamma, round) / (2 * std**2) * jnp.mean(jnp.square(difference))
