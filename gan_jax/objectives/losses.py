"""The losses of the field, as terms for both players on raw scores ``s`` (logits, critic values).

Each function returns what the players *minimise*. Scores are ``[batch]``, or maps ``[batch, ...]``
over which means are taken too. ``softplus(-s) = -log sigmoid(s)`` and
``softplus(s) = -log(1 - sigmoid(s))``, so nothing overflows at any score. Means are over the
samples at hand; a mean inside a nonlinear function is that of the global batch, over all devices.
"""

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import batch_mean
from gan_jax.errors import UserError
from gan_jax.game import Array, Round, Term
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.objectives.infogan import code_error
from gan_jax.objectives.timing import Weight, weight_at

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
    "wasserstein",
]

softplus = jax.nn.softplus


def _cross_entropy(round: Round) -> Array:
    """``-E log D(x) - E log(1 - D(G(z)))``: eq. 1 of Goodfellow et al. (2014), negated."""
    return jnp.mean(softplus(-round.real_scores)) + jnp.mean(softplus(round.fake_scores))


def minimax() -> Term:
    """Returns the saddle objective ``min_G max_D V``, V = E log D(x) + E log(1 - D(G(z))).

    The discriminator minimises -V. The generator minimises V itself, including its real half:
    without unrolling that half has no gradient; with unrolling the generator sees how it changes
    the discriminator's answer on real data. At the optimal discriminator V = -log 4 + 2 JS(p, q),
    in nats.

    References:
      Goodfellow et al., "Generative Adversarial Nets" (2014), eq. 1.
    """
    return Term(
        name="minimax",
        discriminator=_cross_entropy,
        generator=lambda round: -_cross_entropy(round),
    )


def non_saturating(real_target: float = 1.0) -> Term:
    """Returns the loss of `minimax` with a generator's loss whose gradient does not vanish.

    The generator minimises ``-E log D(G(z))``. With labels smoothed on real samples alone,
    ``real_target`` t < 1, the discriminator minimises
    ``-t E log D(x) - (1 - t) E log(1 - D(x)) - E log(1 - D(G(z)))``, and its best answer is
    t p / (p + q).

    Args:
      real_target: t, the discriminator's target for real samples; 1 is no smoothing.

    References:
      Goodfellow et al., "Generative Adversarial Nets" (2014), section 3.
      Salimans et al., "Improved Techniques for Training GANs" (2016), section 3.4: one-sided label
      smoothing (t = 0.9).
    """

    def discriminator(round: Round) -> Array:
        # softplus(s) - softplus(-s) = s, so smoothing adds (1 - t) s to the plain loss.
        return _cross_entropy(round) + (1 - real_target) * jnp.mean(round.real_scores)

    return Term(
        name="non_saturating",
        discriminator=discriminator,
        generator=lambda round: jnp.mean(softplus(-round.fake_scores)),
    )


def least_squares(
    fake_target: float = 0.0, real_target: float = 1.0, generator_target: float = 1.0
) -> Term:
    """Returns the objective of LSGAN: squared distances of the scores from targets.

    The discriminator minimises ``E (s(x) - b)^2 / 2 + E (s(G(z)) - a)^2 / 2``, the generator
    ``E (s(G(z)) - c)^2 / 2``. With b - c = 1 and b - a = 2 (a, b, c = -1, 1, 0) the generator
    minimises half of Pearson's chi-square between p + q and 2 q; the defaults are the 0-1 coding.

    Args:
      fake_target: a.
      real_target: b.
      generator_target: c.

    References:
      Mao et al., "Least Squares Generative Adversarial Networks" (2017), eqs. 2, 8 and 9.
    """

    def half_square(scores: Array, target: float) -> Array:
        return jnp.mean(jnp.square(scores - target)) / 2

    def discriminator(round: Round) -> Array:
        real = half_square(round.real_scores, real_target)
        return real + half_square(round.fake_scores, fake_target)

    return Term(
        name="least_squares",
        discriminator=discriminator,
        generator=lambda round: half_square(round.fake_scores, generator_target),
    )


def wasserstein() -> Term:
    """Returns the Kantorovich-Rubinstein dual of the Wasserstein-1 distance.

    The critic maximises ``E f(x) - E f(G(z))``, the generator ``E f(G(z))``. The negated critic's
    loss estimates the distance (in the samples' units, times the Lipschitz constant) if something
    keeps f Lipschitz: `clip_weights`, `gradient_penalty`.

    References:
      Arjovsky et al., "Wasserstein GAN" (2017), eq. 2 and algorithm 1.
    """
    return Term(
        name="wasserstein",
        discriminator=lambda round: jnp.mean(round.fake_scores) - jnp.mean(round.real_scores),
        generator=lambda round: -jnp.mean(round.fake_scores),
    )


def hinge() -> Term:
    """Returns the hinge loss.

    The discriminator minimises ``E max(0, 1 - s(x)) + E max(0, 1 + s(G(z)))``, the generator
    ``-E s(G(z))``.

    References:
      Lim & Ye, "Geometric GAN" (2017).
      Miyato et al., "Spectral Normalization" (2018), eqs. 16, 17.
    """

    def discriminator(round: Round) -> Array:
        real = jnp.mean(jax.nn.relu(1 - round.real_scores))
        return real + jnp.mean(jax.nn.relu(1 + round.fake_scores))

    return Term(
        name="hinge",
        discriminator=discriminator,
        generator=lambda round: -jnp.mean(round.fake_scores),
    )


def relativistic() -> Term:
    """Returns the relativistic pairing loss, RpGAN: each real sample against one generated sample.

    The discriminator minimises ``E log(1 + exp(-(s(x) - s(G(z)))))``, the generator the same with
    the sign of the difference changed. With `r1` and `r2` it is the objective of R3GAN.

    References:
      Jolicoeur-Martineau, "The Relativistic Discriminator" (2018), section 3 (RSGAN).
      Huang et al., "The GAN is dead; long live the GAN!" (2024), eq. 2.
    """
    return Term(
        name="relativistic",
        discriminator=lambda round: jnp.mean(softplus(round.fake_scores - round.real_scores)),
        generator=lambda round: jnp.mean(softplus(round.real_scores - round.fake_scores)),
    )


def relativistic_average() -> Term:
    """Returns the loss of RaGAN: each sample against the average of the other kind.

    The discriminator minimises ``E softplus(-(s(x) - E s(G(z)))) + E softplus(s(G(z)) - E s(x))``,
    the generator the same with real and generated samples exchanged. The inner means are over the
    global batch. (The author's code halves both losses.)

    References:
      Jolicoeur-Martineau, "The Relativistic Discriminator" (2018), section 4 (RaSGAN).
    """

    def loss(winner: Array, loser: Array) -> Array:
        axes = tuple(range(winner.ndim))
        winner_loss = jnp.mean(softplus(batch_mean(loser, axes) - winner))
        return winner_loss + jnp.mean(softplus(loser - batch_mean(winner, axes)))

    return Term(
        name="relativistic_average",
        discriminator=lambda round: loss(round.real_scores, round.fake_scores),
        generator=lambda round: loss(round.fake_scores, round.real_scores),
    )


def f_gan(divergence: str = "js", saddle: bool = True) -> Term:
    """Returns the objective of f-GAN: a variational bound of an f-divergence of p from q.

    The bound is ``F = E g_f(s(x)) - E f*(g_f(s(G(z))))``. The discriminator minimises -F.

    Args:
      divergence: "kl", "reverse_kl", "pearson", "neyman", "squared_hellinger", "js", "gan" or
        "total_variation"; `gan_jax.objectives.f_divergences.DIVERGENCES` says what is exact about
        each.
      saddle: whether the generator minimises F, including its real part as in `minimax`. Otherwise
        it minimises ``-E g_f(s(G(z)))``, the paper's counterpart of the non-saturating loss.

    Raises:
      UserError: another divergence.

    References:
      Nowozin et al., "f-GAN" (2016), eqs. 4 and 7, section 3.2, tables 2 and 6.
    """
    if divergence not in DIVERGENCES:
        raise UserError(
            f"f_gan has no divergence {divergence!r}: choose one of {', '.join(DIVERGENCES)}"
        )
    on_real, on_fake = DIVERGENCES[divergence].on_real, DIVERGENCES[divergence].on_fake

    def bound(round: Round) -> Array:
        return jnp.mean(on_real(round.real_scores)) - jnp.mean(on_fake(round.fake_scores))

    def non_saturating_generator(round: Round) -> Array:
        return -jnp.mean(on_real(round.fake_scores))

    return Term(
        name="f_gan",
        discriminator=lambda round: -bound(round),
        generator=bound if saddle else non_saturating_generator,
    )


def auxiliary_classifier(
    weight: Weight = 1.0, generator_weight: Weight = 1.0, generated: bool = True
) -> Term:
    """Returns AC-GAN's classification error ``-E log P(label | x)``, to be added to any objective.

    It needs labels in the batch and networks with ``classify``. Both halves, on real and on
    generated samples, are the paper's L_C. Without the generated half only real samples teach the
    classifier, which keeps it from rewarding samples that are merely easy to classify.

    Args:
      weight: the weight of the discriminator's error.
      generator_weight: the weight of the generator's error, on generated samples.
      generated: whether the discriminator's error includes generated samples.

    Raises:
      UserError: in the loss, if the networks have no ``classify`` or the batch has no labels.

    References:
      Odena et al., "Conditional Image Synthesis with Auxiliary Classifier GANs" (2017), eq. 3.
      WGAN-GP's code (2017) uses weights 1 and 0.1.
    """

    def error(round: Round, samples: Array) -> Array:
        if round.classify is None:
            raise UserError(
                "auxiliary_classifier needs networks with a classifier: labels='auxiliary'"
            )
        if round.label is None:
            raise UserError("auxiliary_classifier needs a dataset with labels")
        logits = round.classify(samples)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, round.label))

    def discriminator(round: Round) -> Array:
        on_real = error(round, round.real)
        on_fake = error(round, round.fake) if generated else 0.0
        return weight_at(weight, round) * (on_real + on_fake)

    return Term(
        name="auxiliary_classifier",
        discriminator=discriminator,
        generator=lambda round: weight_at(generator_weight, round) * error(round, round.fake),
        each_score=False,
    )


def mutual_information(categories: int = 10, continuous: int = 0, weight: Weight = 1.0) -> Term:
    """Returns InfoGAN's bound on the mutual information of codes and samples, for both players.

    Both minimise ``-weight E log Q(c | G(z, c))``, which is, up to H(c), an upper bound on -I(c;
    G(z, c)). The code c is the head of the latents, as
    `gan_jax.objectives.infogan.with_latent_code` draws them. Q is the networks' ``classify``: its
    first ``categories`` outputs are logits, the next ``continuous`` ones the means of Gaussians of
    variance 1 (up to the constant log sqrt(2 pi)).

    Args:
      categories: the size of the one-hot vector at the head of the code; 0: there is none.
      continuous: how many numbers follow it.
      weight: 1 in the paper, less for continuous codes.

    Raises:
      UserError: in the loss, if the networks have no ``classify``, or it returns another size.

    References:
      Chen et al., "InfoGAN" (2016), eqs. 5 and 6.
    """

    def error(round: Round) -> Array:
        return weight_at(weight, round) * jnp.mean(code_error(round, categories, continuous))

    return Term(name="mutual_information", discriminator=error, generator=error, each_score=False)


def feature_matching(weight: Weight = 1.0, alone: bool = False) -> Term:
    """Returns feature matching: the generator minimises ``weight |E h(x) - E h(G(z))|^2``.

    h are the discriminator's features, of all layers if ``features`` returns a dict; the means are
    those of the global batch.

    Args:
      weight: the weight of the generator's loss.
      alone: whether the term is an objective of its own, with the discriminator's loss of `minimax`
        as in the paper. Otherwise it is added to an objective.

    Raises:
      UserError: in the loss, if the networks have no ``features``.

    References:
      Salimans et al., "Improved Techniques for Training GANs" (2016), section 3.1.
    """

    def generator(round: Round) -> Array:
        if round.features is None:
            raise UserError("feature_matching needs networks with features: Networks(features=...)")
        features = round.features

        def mean(samples: Array) -> list[Array]:
            return [batch_mean(leaf, (0,)) for leaf in jax.tree.leaves(features(samples))]

        distances = [
            jnp.sum(jnp.square(real - fake))
            for real, fake in zip(mean(round.real), mean(round.fake), strict=True)
        ]
        return weight_at(weight, round) * sum(distances[1:], distances[0])

    return Term(
        name="feature_matching",
        discriminator=_cross_entropy if alone else None,
        generator=generator,
        each_score=alone,
    )
