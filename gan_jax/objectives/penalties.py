"""Terms that regularise: penalties on the discriminator's slopes and scores, and on samples.

Weights are numbers, or functions of the step such as optax's schedules. If the discriminator
returns a map of scores, ``[batch, ...]``, a sample's slope is that of the sum of its map, as in the
code of CycleGAN and pix2pix (``cal_gradient_penalty``); penalties on scores are means over the map.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import batch_mean, mean_over_devices
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    Round,
    Term,
    as_context,
    per_sample,
)
from gan_jax.objectives.augmentation import flip, instance_noise, translation
from gan_jax.objectives.timing import Weight, weight_at

__all__ = [
    "EPSILON",
    "consistency",
    "dragan",
    "drift",
    "gradient_penalty",
    "gradient_regularised",
    "interpolate",
    "lipschitz_penalty",
    "mode_seeking",
    "r1",
    "r2",
    "slopes",
    "squared_slopes",
]

EPSILON = 1e-12
"""Added under the square root of a slope, whose derivative is infinite at 0 (dead units)."""


def squared_slopes(score: Callable[[Array], Array], samples: Array) -> Array:
    """Computes ``|grad_x score(x)|^2`` of each sample, over all of its entries.

    The gradient is that of the summed scores, which is each sample's own if the discriminator does
    not couple samples. Of a map of scores it is that of the map's sum.

    Args:
      score: samples ``[batch, ...]`` -> scores ``[batch, ...]``.
      samples: ``[batch, ...]``, float.

    Returns:
      ``[batch]``.
    """
    gradients = jax.grad(lambda x: jnp.sum(score(x)))(samples)
    return jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))


def slopes(score: Callable[[Array], Array], samples: Array) -> Array:
    """Computes ``|grad_x score(x)|_2`` of each sample, over all of its entries.

    Args:
      score: samples ``[batch, ...]`` -> scores ``[batch, ...]``.
      samples: ``[batch, ...]``, float.

    Returns:
      ``[batch]``, ``sqrt(|gradient|^2 + 1e-12)``, so that its own gradient is finite at a slope of
      0.
    """
    return jnp.sqrt(squared_slopes(score, samples) + EPSILON)


def interpolate(round: Round) -> Array:
    """Draws points between real and generated samples, ``[batch, ...]``.

    They are ``e x + (1 - e) G(z)`` with one ``e ~ U[0, 1]`` per sample.
    """
    share = per_sample(
        round.rng, round.sample_index, lambda key: jax.random.uniform(key, dtype=round.fake.dtype)
    )
    share = share.reshape(-1, *[1] * (round.fake.ndim - 1))
    points: Array = share * round.real + (1 - share) * round.fake
    return points


def gradient_penalty(weight: Weight = 10.0, target: float = 1.0) -> Term:
    """Returns WGAN-GP's penalty: ``weight E (|grad f(x^)|_2 - target)^2``.

    The points x^ are drawn between real and generated samples: see `interpolate`.

    Args:
      weight: the weight of the penalty.
      target: the slope that is free. ProGAN divides by target^2 and uses target 750 for CIFAR-10,
        which is weight = 10 / 750^2 here.

    References:
      Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), eq. 3 and algorithm 1
      (target 1).
    """

    def penalty(round: Round) -> Array:
        distances = slopes(round.score, interpolate(round)) - target
        return weight_at(weight, round) * jnp.mean(jnp.square(distances))

    return Term(name="gradient_penalty", discriminator=penalty)


def lipschitz_penalty(weight: Weight = 10.0, target: float = 1.0) -> Term:
    """Returns WGAN-LP's penalty: ``weight E max(0, |grad f(x^)|_2 - target)^2``.

    Slopes below the target are free. The points x^ are those of `gradient_penalty`.

    Args:
      weight: the weight of the penalty.
      target: the greatest slope that is free.

    References:
      Petzka et al., "On the Regularization of Wasserstein GANs" (2018), section 5.
    """

    def penalty(round: Round) -> Array:
        excess = jax.nn.relu(slopes(round.score, interpolate(round)) - target)
        return weight_at(weight, round) * jnp.mean(jnp.square(excess))

    return Term(name="lipschitz_penalty", discriminator=penalty)


def dragan(
    weight: Weight = 10.0, target: float = 1.0, noise_scale: float = 0.5, noise: str = "uniform"
) -> Term:
    """Returns DRAGAN's penalty: ``weight E (|grad f(x^)|_2 - target)^2`` around real samples.

    Args:
      weight: the weight of the penalty.
      target: the slope that is free.
      noise_scale: the size of the noise in units of std, the standard deviation of all entries of
        the global batch together, divided by their number (NumPy's, not PyTorch's).
      noise: "uniform" is the authors' code: x^ = x + e d, with e ~ U[0, 1] per sample and
        d ~ U[0, noise_scale * std] per entry, to one side. "normal" is the paper:
        x^ = x + N(0, (noise_scale * std)^2).

    Raises:
      UserError: another noise.

    References:
      Kodali et al., "On Convergence and Stability of GANs" (2017), section 2.3.
    """
    if noise not in ("uniform", "normal"):
        raise UserError(f"dragan's noise is 'uniform' or 'normal', not {noise!r}")

    def penalty(round: Round) -> Array:
        real = round.real
        axes = tuple(range(real.ndim))
        variance = batch_mean(jnp.square(real - batch_mean(real, axes)), axes)
        std = jnp.sqrt(variance)[(0,) * real.ndim]

        def draw_noise(key: PRNGKey) -> Array:
            shape, dtype = real.shape[1:], real.dtype
            if noise == "normal":
                return jax.random.normal(key, shape, dtype)
            entries_key, sample_key = jax.random.split(key)
            length = jax.random.uniform(sample_key, dtype=dtype)
            return length * jax.random.uniform(entries_key, shape, dtype)

        offsets = noise_scale * std * per_sample(round.rng, round.sample_index, draw_noise)
        distances = slopes(round.score, real + offsets) - target
        return weight_at(weight, round) * jnp.mean(jnp.square(distances))

    return Term(name="dragan", discriminator=penalty)


def r1(gamma: Weight = 10.0) -> Term:
    """Returns R1, ``gamma / 2 E |grad s(x)|^2`` on real samples.

    Args:
      gamma: the weight. The GAN_stability code's ``reg_param`` multiplies E |grad s|^2 itself: its
        10 is gamma = 20 here.

    References:
      Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), eq. 9.
    """

    def penalty(round: Round) -> Array:
        return weight_at(gamma, round) / 2 * jnp.mean(squared_slopes(round.score, round.real))

    return Term(name="r1", discriminator=penalty)


def r2(gamma: Weight = 10.0) -> Term:
    """Returns R2, ``gamma / 2 E |grad s(G(z))|^2`` on generated samples.

    Args:
      gamma: the weight.

    References:
      Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), eq. 10.
    """

    def penalty(round: Round) -> Array:
        return weight_at(gamma, round) / 2 * jnp.mean(squared_slopes(round.score, round.fake))

    return Term(name="r2", discriminator=penalty)


def drift(weight: Weight = 1e-3) -> Term:
    """Returns ProGAN's ``weight E s(x)^2`` on real samples, which keeps scores near zero.

    Args:
      weight: the weight of the penalty, 0.001 in the paper.

    References:
      Karras et al., "Progressive Growing of GANs" (2018), appendix A.1.
    """

    def penalty(round: Round) -> Array:
        return weight_at(weight, round) * jnp.mean(jnp.square(round.real_scores))

    return Term(name="drift", discriminator=penalty)


def consistency(weight: Weight = 10.0, pixels: int = 4, noise: float = 0.1) -> Term:
    """Returns CR-GAN's ``weight E (s(x) - s(T(x)))^2`` on real samples.

    T, which should leave the score as it is, mirrors images ``[batch, h, w, c]`` left to right half
    of the time and shifts them by up to ``pixels``, with zeros outside; on other samples it adds
    N(0, noise^2).

    Args:
      weight: the weight of the penalty, 10 in the paper.
      pixels: the greatest shift of an image.
      noise: the standard deviation of the noise on samples that are not images.

    References:
      Zhang et al., "Consistency Regularization for Generative Adversarial Networks" (2020), section
      3.
    """

    def transform(key: PRNGKey, sample: Array) -> Array:
        if sample.ndim != 3:
            return instance_noise(noise)(key, sample)
        mirror, shift = jax.random.split(key)
        return translation(pixels=pixels)(shift, flip()(mirror, sample))

    def penalty(round: Round) -> Array:
        keys = per_sample(round.rng, round.sample_index, lambda key: key)
        scores = round.score(jax.vmap(transform)(keys, round.real))
        return weight_at(weight, round) * jnp.mean(jnp.square(round.real_scores - scores))

    return Term(name="consistency", discriminator=penalty)


def mode_seeking(weight: Weight = 1.0, epsilon: float = 1e-5) -> Term:
    """Returns MSGAN's term for the generator, which is small if samples differ.

    It is ``weight / (E |G(z1) - G(z2)| / E |z1 - z2| + epsilon)``. z1 is each sample's own latent
    and z2 a fresh one, with the same label; |.| is the mean absolute difference of entries, its
    means over the global batch, as in the authors' code. (The paper maximises E of the ratio.) The
    samples compared are the generator's, whatever augmentation the discriminator sees.

    Args:
      weight: the weight of the term.
      epsilon: keeps the term finite.

    Raises:
      UserError: in the loss, if the batch has fakes without their latents.

    References:
      Mao et al., "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis" (2019),
      section 3.2.
    """

    def distance(a: Array, b: Array) -> Array:
        return batch_mean(jnp.abs(a - b), tuple(range(a.ndim)))[(0,) * a.ndim]

    def penalty(round: Round) -> Array:
        if round.latents is None or round.latent is None or round.generate is None:
            raise UserError(
                "mode_seeking needs the latents of the generated samples: the batch has fakes alone"
            )
        fresh = round.latent(round.rng)
        between_samples = distance(round.generate(round.latents), round.generate(fresh))
        ratio = between_samples / distance(round.latents, fresh)
        return weight_at(weight, round) / (ratio + epsilon)

    return Term(name="mode_seeking", generator=penalty, each_score=False)


def gradient_regularised(objective: Objective, weight: float = 0.5) -> Objective:
    """Returns the objective whose generator also minimises ``weight |grad_{theta_D} L_D|^2``.

    L_D is the discriminator's loss, which is unchanged. The generator avoids what would move the
    discriminator much: to first order a look-ahead of one gradient step, and the damping that makes
    the equilibrium locally stable.

    Metrics: the objective's, and the penalty as ``"generator/gradient_regularised"``;
    ``"generator/loss"`` includes it.

    Args:
      objective: any objective.
      weight: the weight of the penalty, 0.5 in the authors' ring of Gaussians.

    References:
      Nagarajan & Kolter, "Gradient Descent GAN Optimization is Locally Stable" (2017), section 4.
    """

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        if objective.generate_fakes:
            # One minibatch for both summands.
            batch = objective.generate_fakes(own, batch, context.rng)
        loss, (metrics, memory) = objective.generator(own, discriminator, batch, context)

        def discriminator_loss(params: Params) -> Array:
            return objective.discriminator(params, Player(own), batch, context)[0]

        gradient = mean_over_devices(jax.grad(discriminator_loss)(discriminator.params))
        squares = [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)]
        penalty: Array = weight * sum(squares)  # type: ignore[assignment]
        metrics = metrics | {
            "generator/gradient_regularised": penalty,
            "generator/loss": loss + penalty,
        }
        return loss + penalty, (metrics, memory)

    return objective._replace(generator=generator_loss)
