"""Terms for both players: the objectives of the field, on raw scores (logits, critic values) ``s``.

Each is what a player *minimises*. ``softplus(-s) = -log sigmoid(s)`` and ``softplus(s) = -log(1 - sigmoid(s))``, so
nothing overflows at any score.
"""

import jax
import jax.numpy as jnp

from gan_jax.game import Array, Round, Term

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


def non_saturating() -> Term:
    """The discriminator of `minimax`; the generator minimises ``-E log D(G(z))``, whose gradient does not vanish.

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), section 3.
    """
    return Term(discriminator=_cross_entropy, generator=lambda round: jnp.mean(softplus(-round.fake_scores)))


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
