"""Terms for both players: the objectives of the field, on raw scores (logits, critic values) ``s``.

Each is what a player *minimises*. ``softplus(-s) = -log sigmoid(s)`` and ``softplus(s) = -log(1 - sigmoid(s))``, so
nothing overflows at any score. Means are over the samples at hand; where a mean stands inside a nonlinear function it is
that of the global batch, over all devices.
"""

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import batch_mean
from gan_jax.errors import UserError
from gan_jax.game import Array, Round, Term
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.objectives.infogan import code_error

__all__ = [
    "auxiliary_classifier",
    "f_gan",
    "feature_matching",
    "hinge",
    "least_squares",
    "minimax",
    "mutual_information",
    "non_saturating",
    "relativistic",
    "relativistic_average",
    "softplus",
    "wasserstein",
]

softplus = jax.nn.softplus


def _cross_entropy(round: Round) -> Array:
    """-E log D(x) - E log(1 - D(G(z))), the discriminator's loss of Goodfellow et al. (2014), negated eq. 1."""
    return jnp.mean(softplus(-round.real_scores)) + jnp.mean(softplus(round.fake_scores))


def minimax() -> Term:
    """The saddle objective ``min_G max_D V``, V = E log D(x) + E log(1 - D(G(z))).

    The discriminator minimises -V, the generator V itself, its real half included: without unrolling that half has no
    gradient, with it the generator sees how it moves the discriminator's answer on real data. At the optimal
    discriminator V = -log 4 + 2 JS(p, q), in nats.

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), eq. 1.
    """
    return Term(discriminator=_cross_entropy, generator=lambda round: -_cross_entropy(round))


def non_saturating(real_target: float = 1.0) -> Term:
    """The discriminator of `minimax`; the generator minimises ``-E log D(G(z))``, whose gradient does not vanish.

    ``real_target`` below 1 smooths the labels of real samples alone: the discriminator minimises
    ``-t E log D(x) - (1 - t) E log(1 - D(x)) - E log(1 - D(G(z)))``, and its best answer is t p / (p + q).

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), section 3; one-sided label smoothing: Salimans et
    al., "Improved Techniques for Training GANs" (2016), section 3.4 (t = 0.9).
    """

    def discriminator(round: Round) -> Array:
        # softplus(s) - softplus(-s) = s, so smoothing adds (1 - t) s to the plain loss.
        return _cross_entropy(round) + (1 - real_target) * jnp.mean(round.real_scores)

    return Term(
        discriminator=discriminator, generator=lambda round: jnp.mean(softplus(-round.fake_scores))
    )


def least_squares(
    fake_target: float = 0.0, real_target: float = 1.0, generator_target: float = 1.0
) -> Term:
    """LSGAN: the discriminator minimises ``E (s(x) - b)^2 / 2 + E (s(G(z)) - a)^2 / 2``, the generator
    ``E (s(G(z)) - c)^2 / 2``.

    Args: a, ``fake_target``; b, ``real_target``; c, ``generator_target``. With b - c = 1 and b - a = 2 (a, b, c = -1, 1, 0)
    the generator minimises half of Pearson's chi-square between p + q and 2 q; the defaults are the 0-1 coding.

    Source: Mao et al., "Least Squares Generative Adversarial Networks" (2017), eqs. 2, 8 and 9.
    """
    half = lambda scores, target: jnp.mean(jnp.square(scores - target)) / 2
    return Term(
        discriminator=lambda round: (
            half(round.real_scores, real_target) + half(round.fake_scores, fake_target)
        ),
        generator=lambda round: half(round.fake_scores, generator_target),
    )


def wasserstein() -> Term:
    """The Kantorovich-Rubinstein dual: the critic maximises ``E f(x) - E f(G(z))``, the generator ``E f(G(z))``.

    The negated critic's loss estimates the Wasserstein-1 distance (in the samples' units, times the Lipschitz constant)
    where something keeps f Lipschitz: `clip_weights`, `gradient_penalty`.

    Source: Arjovsky et al., "Wasserstein GAN" (2017), eq. 2 and algorithm 1.
    """
    return Term(
        discriminator=lambda round: jnp.mean(round.fake_scores) - jnp.mean(round.real_scores),
        generator=lambda round: -jnp.mean(round.fake_scores),
    )


def hinge() -> Term:
    """The discriminator minimises ``E max(0, 1 - s(x)) + E max(0, 1 + s(G(z)))``, the generator ``-E s(G(z))``.

    Source: Lim & Ye, "Geometric GAN" (2017); Miyato et al., "Spectral Normalization" (2018), eqs. 16, 17.
    """
    relu = jax.nn.relu
    return Term(
        discriminator=lambda round: (
            jnp.mean(relu(1 - round.real_scores)) + jnp.mean(relu(1 + round.fake_scores))
        ),
        generator=lambda round: -jnp.mean(round.fake_scores),
    )


def relativistic() -> Term:
    """RpGAN: each real sample against one generated sample, ``E log(1 + exp(-(s(x) - s(G(z)))))`` and, for the generator,
    with the sign of the difference turned.

    With `r1` and `r2` it is the objective of R3GAN.

    Source: Jolicoeur-Martineau, "The Relativistic Discriminator" (2018), section 3 (RSGAN); Huang et al., "The GAN is
    dead; long live the GAN!" (2024), eq. 2.
    """
    return Term(
        discriminator=lambda round: jnp.mean(softplus(round.fake_scores - round.real_scores)),
        generator=lambda round: jnp.mean(softplus(round.real_scores - round.fake_scores)),
    )


def relativistic_average() -> Term:
    """RaGAN: each sample against the average of the other kind, over the global batch.

    The discriminator minimises ``E softplus(-(s(x) - E s(G(z)))) + E softplus(s(G(z)) - E s(x))``, the generator the same
    with real and generated exchanged. (The author's code halves both.)

    Source: Jolicoeur-Martineau, "The Relativistic Discriminator" (2018), section 4 (RaSGAN).
    """

    def beats(winner: Array, loser: Array) -> Array:
        return jnp.mean(softplus(batch_mean(loser, (0,)) - winner)) + jnp.mean(
            softplus(loser - batch_mean(winner, (0,)))
        )

    return Term(
        discriminator=lambda round: beats(round.real_scores, round.fake_scores),
        generator=lambda round: beats(round.fake_scores, round.real_scores),
    )


def f_gan(divergence: str = "js", saddle: bool = True) -> Term:
    """f-GAN: the variational bound ``F = E g_f(s(x)) - E f*(g_f(s(G(z))))`` of an f-divergence of p from q.

    The discriminator minimises -F. The generator minimises F, its real part included as in `minimax`; without ``saddle``
    it minimises ``-E g_f(s(G(z)))``, the paper's counterpart of the non-saturating loss.

    Args: ``divergence``: one of "kl", "reverse_kl", "pearson", "neyman", "squared_hellinger", "js", "gan",
    "total_variation": see ``divergences.DIVERGENCES`` for what is exact about each. Raises UserError for another.

    Source: Nowozin et al., "f-GAN" (2016), eqs. 4 and 7, section 3.2, tables 2 and 6.
    """
    if divergence not in DIVERGENCES:
        raise UserError(
            f"f_gan knows no divergence {divergence!r}: choose one of {', '.join(DIVERGENCES)}"
        )
    row = DIVERGENCES[divergence]

    def bound(round: Round) -> Array:
        return jnp.mean(row.on_real(round.real_scores)) - jnp.mean(row.on_fake(round.fake_scores))

    return Term(
        discriminator=lambda round: -bound(round),
        generator=bound if saddle else lambda round: -jnp.mean(row.on_real(round.fake_scores)),
    )


def auxiliary_classifier(
    weight: float = 1.0, generator_weight: float = 1.0, generated: bool = True
) -> Term:
    """AC-GAN's classification: ``-E log P(label | x)`` of the discriminator's second head, added to any objective.

    The discriminator minimises ``weight`` times its error on real samples and, where ``generated``, on generated ones; the
    generator ``generator_weight`` times the error on its samples. Both halves are the paper's L_C; without the generated
    half only real samples teach the classifier, which keeps it from rewarding samples that are merely easy to classify.
    Needs labels in the batch and networks with ``classify``; raises UserError without.

    Source: Odena et al., "Conditional Image Synthesis with Auxiliary Classifier GANs" (2017), eq. 3. WGAN-GP's code
    (2017) uses weights 1 and 0.1.
    """

    def error(round: Round, samples: Array) -> Array:
        if round.classify is None:
            raise UserError(
                "auxiliary_classifier needs networks with a classifier: labels='auxiliary'"
            )
        if round.label is None:
            raise UserError("auxiliary_classifier needs a dataset with labels")
        return jnp.mean(
            optax.softmax_cross_entropy_with_integer_labels(round.classify(samples), round.label)
        )

    def discriminator(round: Round) -> Array:
        return weight * (
            error(round, round.real) + (error(round, round.fake) if generated else 0.0)
        )

    return Term(
        discriminator=discriminator,
        generator=lambda round: generator_weight * error(round, round.fake),
    )


def mutual_information(categories: int = 10, continuous: int = 0, weight: float = 1.0) -> Term:
    """InfoGAN: both players minimise ``-weight E log Q(c | G(z, c))``, a lower bound on -I(c; G(z, c)) but for H(c).

    The code c is the head of the latents, as `information.coded` draws them: one of ``categories`` as a one-hot vector,
    then ``continuous`` numbers. Q is the networks' ``classify``: its first ``categories`` outputs are logits, the next
    ``continuous`` ones the means of Gaussians of variance 1 (up to the constant log sqrt(2 pi)). ``categories`` 0 leaves
    the categorical code out. Raises UserError where networks have no ``classify`` or it returns another size.

    Source: Chen et al., "InfoGAN" (2016), eqs. 5 and 6 (weight 1; less for continuous codes).
    """
    error = lambda round: weight * jnp.mean(code_error(round, categories, continuous))
    return Term(discriminator=error, generator=error)


def feature_matching(weight: float = 1.0, alone: bool = False) -> Term:
    """The generator minimises ``weight |E h(x) - E h(G(z))|^2``, h the discriminator's features, means of the global batch.

    A term beside an objective; ``alone`` makes it one, with the discriminator of `minimax`, as in the paper. Needs
    networks with ``features``; raises UserError without.

    Source: Salimans et al., "Improved Techniques for Training GANs" (2016), section 3.1.
    """

    def generator(round: Round) -> Array:
        if round.features is None:
            raise UserError("feature_matching needs networks with features: Networks(features=...)")
        real, fake = (
            batch_mean(round.features(samples), (0,)) for samples in (round.real, round.fake)
        )
        return weight * jnp.sum(jnp.square(real - fake))

    return Term(discriminator=_cross_entropy if alone else None, generator=generator)
