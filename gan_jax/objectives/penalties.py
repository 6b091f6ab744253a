"""Terms that regularise: penalties of the discriminator's slope, scores and answers, and rewards for diversity."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import batch_mean, mean_over_devices
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    Round,
    Term,
    per_sample,
)
from gan_jax.objectives.augmentation import flip, instance_noise, translation

__all__ = [
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
"""Added under the square root of a slope: the root's derivative is infinite at a zero gradient (dead units)."""


def squared_slopes(score: Callable[[Array], Array], samples: Array) -> Array:
    """``|grad_x score(x)|^2`` of each sample, over all of its entries: samples ``[batch, ...]`` -> ``[batch]``.

    The gradient is that of the summed scores, which is each sample's own where the discriminator does not couple samples.
    """
    gradients = jax.grad(lambda x: jnp.sum(score(x)))(samples)
    return jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))


def slopes(score: Callable[[Array], Array], samples: Array) -> Array:
    """``|grad_x score(x)|_2`` of each sample, over all of its entries.

    Args: ``score``: samples ``[batch, ...]`` -> scores ``[batch]``; ``samples``: ``[batch, ...]``, float.
    Returns: ``[batch]``, sqrt(|gradient|^2 + 1e-12), so that its own gradient is finite where the slope is 0.
    """
    return jnp.sqrt(squared_slopes(score, samples) + EPSILON)


def interpolate(round: Round) -> Array:
    """``e x + (1 - e) G(z)`` with one ``e ~ U[0, 1]`` a sample: points between real and generated, ``[batch, ...]``."""
    share = per_sample(
        round.rng, round.sample_index, lambda key: jax.random.uniform(key, dtype=round.fake.dtype)
    )
    share = share.reshape(-1, *[1] * (round.fake.ndim - 1))
    return share * round.real + (1 - share) * round.fake


def gradient_penalty(weight: float = 10.0, target: float = 1.0) -> Term:
    """``weight E (|grad f(x^)|_2 - target)^2`` at points x^ between real and generated samples.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), eq. 3 and algorithm 1 (target 1). ProGAN
    divides by target^2 and uses target 750 for CIFAR-10: weight = 10 / 750^2 here.
    """

    def penalty(round: Round) -> Array:
        return weight * jnp.mean(jnp.square(slopes(round.score, interpolate(round)) - target))

    return Term(discriminator=penalty)


def lipschitz_penalty(weight: float = 10.0, target: float = 1.0) -> Term:
    """WGAN-LP: ``weight E max(0, |grad f(x^)|_2 - target)^2``: slopes below the target are free.

    Source: Petzka et al., "On the Regularization of Wasserstein GANs" (2018), section 5.
    """

    def penalty(round: Round) -> Array:
        return weight * jnp.mean(
            jnp.square(jax.nn.relu(slopes(round.score, interpolate(round)) - target))
        )

    return Term(discriminator=penalty)


def dragan(
    weight: float = 10.0, target: float = 1.0, spread: float = 0.5, noise: str = "uniform"
) -> Term:
    """``weight E (|grad f(x^)|_2 - target)^2`` at points x^ around real samples.

    Args: ``noise``: "uniform" is the authors' code, x^ = x + e d, with e ~ U[0, 1] a sample and d ~ U[0, spread * std] an
    entry, to one side; "normal" is the paper, x^ = x + N(0, (spread * std)^2). ``std`` is that of all entries of the
    global batch together, divided by their number (NumPy's, not PyTorch's). Raises UserError for another noise.

    Source: Kodali et al., "On Convergence and Stability of GANs" (2017), section 2.3.
    """
    if noise not in ("uniform", "normal"):
        raise UserError(f"dragan's noise is 'uniform' or 'normal', not {noise!r}")

    def penalty(round: Round) -> Array:
        real, axes = round.real, tuple(range(round.real.ndim))
        std = jnp.sqrt(batch_mean(jnp.square(real - batch_mean(real, axes)), axes))[
            (0,) * real.ndim
        ]

        def perturb(key: PRNGKey) -> Array:
            shape, dtype = real.shape[1:], real.dtype
            if noise == "normal":
                return jax.random.normal(key, shape, dtype)
            where, share = jax.random.split(key)
            return jax.random.uniform(share, dtype=dtype) * jax.random.uniform(where, shape, dtype)

        points = real + spread * std * per_sample(round.rng, round.sample_index, perturb)
        return weight * jnp.mean(jnp.square(slopes(round.score, points) - target))

    return Term(discriminator=penalty)


def r1(gamma: float = 10.0) -> Term:
    """``gamma / 2 E |grad s(x)|^2`` on real samples.

    The GAN_stability code's ``reg_param`` multiplies E |grad s|^2 itself: its 10 is gamma = 20 here.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), eq. 9.
    """
    return Term(
        discriminator=lambda round: gamma / 2 * jnp.mean(squared_slopes(round.score, round.real))
    )


def r2(gamma: float = 10.0) -> Term:
    """``gamma / 2 E |grad s(G(z))|^2`` on generated samples. Source: Mescheder et al. (2018), eq. 10."""
    return Term(
        discriminator=lambda round: gamma / 2 * jnp.mean(squared_slopes(round.score, round.fake))
    )


def drift(weight: float = 1e-3) -> Term:
    """``weight E s(x)^2`` on real samples: keeps the scores from drifting away from zero.

    Source: Karras et al., "Progressive Growing of GANs" (2018), appendix A.1 (0.001).
    """
    return Term(discriminator=lambda round: weight * jnp.mean(jnp.square(round.real_scores)))


def consistency(weight: float = 10.0, pixels: int = 4, noise: float = 0.1) -> Term:
    """CR-GAN: ``weight E (s(x) - s(T(x)))^2`` on real samples; T should leave the answer as it is.

    T mirrors images ``[batch, h, w, c]`` left to right half of the time and shifts them by up to ``pixels``, with zeros
    outside; on other samples it adds N(0, noise^2).

    Source: Zhang et al., "Consistency Regularization for Generative Adversarial Networks" (2020), section 3
    (weight 10).
    """

    def penalty(round: Round) -> Array:
        def change(key: PRNGKey, sample: Array) -> Array:
            if sample.ndim != 3:
                return instance_noise(noise)(key, sample)
            mirror, shift = jax.random.split(key)
            return translation(pixels=pixels)(shift, flip()(mirror, sample))

        keys = per_sample(round.rng, round.sample_index, lambda key: key)
        return weight * jnp.mean(
            jnp.square(round.real_scores - round.score(jax.vmap(change)(keys, round.real)))
        )

    return Term(discriminator=penalty)


def mode_seeking(weight: float = 1.0, epsilon: float = 1e-5) -> Term:
    """MSGAN, for the generator: ``weight / (E |G(z1) - G(z2)| / E |z1 - z2| + epsilon)``, small where samples differ.

    z1 is each sample's own latent and z2 a fresh one, with the same label; |.| is the mean absolute difference of
    entries, its means over the global batch, as in the authors' code. (The paper maximises E of the ratio.) The samples
    compared are the generator's, whatever augmentation the discriminator sees. Raises UserError where fakes came without
    their latents.

    Source: Mao et al., "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis" (2019), section 3.2.
    """

    def distance(a: Array, b: Array) -> Array:
        return batch_mean(jnp.abs(a - b), tuple(range(a.ndim)))[(0,) * a.ndim]

    def penalty(round: Round) -> Array:
        if round.latents is None or round.latent is None or round.generate is None:
            raise UserError(
                "mode_seeking needs the latents of the generated samples: the batch has fakes alone"
            )
        others = round.latent(round.rng)
        apart = distance(round.generate(round.latents), round.generate(others)) / distance(
            round.latents, others
        )
        return weight / (apart + epsilon)

    return Term(generator=penalty)


def gradient_regularised(objective: Objective, weight: float = 0.5) -> Objective:
    """The objective whose generator minimises ``weight |grad_{theta_D} L_D|^2`` besides, L_D the discriminator's loss.

    The generator avoids what would move the discriminator much: to first order a look-ahead of one gradient step, and the
    damping that makes the equilibrium locally stable. The discriminator's loss is unchanged.

    Source: Nagarajan & Kolter, "Gradient Descent GAN Optimization is Locally Stable" (2017), section 4 (weight 0.5
    in the authors' ring of Gaussians).
    """

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        if objective.generate_fakes:
            batch = objective.generate_fakes(own, batch, rng)  # one minibatch for both summands
        loss, metrics = objective.generator(own, discriminator, batch, rng)
        local = jax.grad(
            lambda params: objective.discriminator(params, Player(own), batch, rng)[0]
        )(discriminator.params)
        push: Array = weight * sum(
            jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(mean_over_devices(local))
        )  # type: ignore[assignment]
        return loss + push, metrics | {
            "generator/gradient_regularised": push,
            "generator/loss": loss + push,
        }

    return objective._replace(generator=generator_loss)
