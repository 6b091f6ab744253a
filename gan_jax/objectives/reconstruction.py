"""Terms that hold each generated sample next to a target of its own: pairs, cycles, features.

They are the generator's, and are added to an adversarial objective. Weights are numbers or
functions of the step.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, Round, Term
from gan_jax.objectives.timing import Weight, weight_at

__all__ = ["cycle_consistency", "identity", "paired_feature_matching", "reconstruction"]

CHARBONNIER_EPSILON = 1e-3

NORMS: Mapping[str, Callable[[Array], Array]] = {
    "l1": jnp.abs,
    "l2": jnp.square,
    "charbonnier": lambda difference: jnp.sqrt(jnp.square(difference) + CHARBONNIER_EPSILON**2),
}
"""What is averaged over the entries of a difference, by name."""


def reconstruction(
    weight: Weight = 1.0, norm: str = "l1", target: str = "real", mask: str = ""
) -> Term:
    """Returns the distance of generated samples from targets, ``weight E |G(z) - target|``.

    The mean is over all entries of all samples. With a mask m it is ``E m |G(z) - target| / E m``
    in each sample, and 0 in samples whose mask is empty.

    Args:
      weight: the weight of the term: 100 in pix2pix.
      norm: "l1", ``|d|``; "l2", ``d^2``; "charbonnier", ``sqrt(d^2 + 1e-6)``.
      target: the entry of the batch to compare with: "real", or the name of a condition.
      mask: the condition that weights entries, ``[batch, ...]`` from 0 to 1, which broadcasts
        against the samples; empty for none.

    Raises:
      UserError: an unknown norm; in the loss, if the batch has no such entries.

    References:
      Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017),
      eq. 3: L1. Pathak et al., "Context Encoders" (2016), eq. 1: a masked L2. Lai et al., "Deep
      Laplacian Pyramid Networks" (2017), section 3.2: Charbonnier.
    """
    distance = _norm("reconstruction", norm)

    def generator(round: Round) -> Array:
        goal = round.real if target == "real" else _condition(round, target, "reconstruction")
        _check_shape("reconstruction", target, goal, round.fake)
        errors = distance(round.fake - goal)
        if not mask:
            return weight_at(weight, round) * jnp.mean(errors)
        weights = _condition(round, mask, "reconstruction").astype(errors.dtype)
        weights = jnp.broadcast_to(weights, errors.shape)
        axes = tuple(range(1, errors.ndim))
        total = jnp.sum(weights, axes)
        of_samples = jnp.sum(weights * errors, axes) / jnp.where(total > 0, total, 1.0)
        return weight_at(weight, round) * jnp.mean(of_samples)

    return Term(name="reconstruction", generator=generator, each_score=False)


def paired_feature_matching(weight: Weight = 10.0, norm: str = "l1") -> Term:
    """Returns the distance of each generated sample's features from those of its own target.

    ``weight sum over layers of E |h_l(x) - h_l(G(z))|``, with h_l the discriminator's features of
    layer l, the mean over all their entries, and x the real sample of the same index. Unlike
    `losses.feature_matching`, which compares means over the batch, it needs pairs.

    Args:
      weight: the weight of the term. The authors' code divides by the number of discriminators too.
      norm: see `reconstruction`.

    Raises:
      UserError: an unknown norm; in the loss, if the networks have no ``features``.

    References:
      Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs"
      (pix2pixHD, 2018), eqs. 4 and 5.
    """
    distance = _norm("paired_feature_matching", norm)

    def generator(round: Round) -> Array:
        if round.features is None:
            raise UserError(
                "paired_feature_matching needs networks with features: Networks(features=...)"
            )
        pairs = zip(
            jax.tree.leaves(round.features(round.real)),
            jax.tree.leaves(round.features(round.fake)),
            strict=True,
        )
        distances = [jnp.mean(distance(real - fake)) for real, fake in pairs]
        return weight_at(weight, round) * sum(distances[1:], distances[0])

    return Term(name="paired_feature_matching", generator=generator, each_score=False)


def cycle_consistency(weight: Weight = 10.0, norm: str = "l1", condition: str = "input") -> Term:
    """Returns the distance of what is translated twice from where it started.

    ``weight (E |F(G(a)) - a| + E |G(F(b)) - b|)``. A sample is a pair of images, ``[2, ...]``: one
    of domain A and one of domain B. The generator maps the inputs ``(a, b)`` to ``(F(b), G(a))``,
    which is again a pair in this order, so that both cycles are the generator applied twice.

    Args:
      weight: the weight of the term: 10 in the paper, beside squared scores that are not halved.
        `losses.least_squares` halves the generator's, so that 5 is the same there.
      norm: see `reconstruction`.
      condition: the name of the inputs in the batch.

    Raises:
      UserError: an unknown norm; in the loss, samples that are not pairs, or no such condition.

    References:
      Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
      (CycleGAN, 2017), eq. 2.
    """
    distance = _norm("cycle_consistency", norm)

    def generator(round: Round) -> Array:
        pairs = _pairs(round, condition, "cycle_consistency")
        assert round.generate is not None
        changed: Batch = {condition: round.fake}
        again = round.generate(round.latents, **changed)
        # The sum over both domains of their means.
        return weight_at(weight, round) * 2 * jnp.mean(distance(again - pairs))

    return Term(name="cycle_consistency", generator=generator, each_score=False)


def identity(weight: Weight = 5.0, norm: str = "l1", condition: str = "input") -> Term:
    """Returns how far the generators change images that are of their target domain already.

    ``weight (E |G(b) - b| + E |F(a) - a|)``, for pairs as in `cycle_consistency`.

    Args:
      weight: the weight of the term: half of that of `cycle_consistency` in the authors' code.
      norm: see `reconstruction`.
      condition: the name of the inputs in the batch.

    Raises:
      UserError: as `cycle_consistency`.

    References:
      Zhu et al., CycleGAN (2017), section 5.2; Taigman et al., "Unsupervised Cross-Domain Image
      Generation" (2017), eq. 6.
    """
    distance = _norm("identity", norm)

    def generator(round: Round) -> Array:
        pairs = _pairs(round, condition, "identity")
        assert round.generate is not None
        # The other order: G gets b and F gets a.
        changed: Batch = {condition: pairs[:, ::-1]}
        unchanged = round.generate(round.latents, **changed)
        return weight_at(weight, round) * 2 * jnp.mean(distance(unchanged - pairs))

    return Term(name="identity", generator=generator, each_score=False)


def _norm(term: str, name: str) -> Callable[[Array], Array]:
    if name not in NORMS:
        raise UserError(f"{term} has no norm {name!r}: choose one of {', '.join(NORMS)}")
    return NORMS[name]


def _condition(round: Round, name: str, term: str) -> Array:
    if name not in round.conditions:
        known = ", ".join(round.conditions) or "no conditions"
        raise UserError(f"{term} needs {name!r} in the batch, which has {known}")
    return round.conditions[name]


def _pairs(round: Round, condition: str, term: str) -> Array:
    """The inputs, checked to be pairs of images that the generator maps to such pairs."""
    pairs = _condition(round, condition, term)
    if pairs.ndim < 2 or pairs.shape[1] != 2:
        raise UserError(
            f"{term} needs pairs, [batch, 2, ...], and {condition!r} is "
            f"{list(pairs.shape)}: use networks and a dataset of two domains, such as cyclegan and "
            "unpaired_shapes"
        )
    _check_shape(term, condition, pairs, round.fake)
    return pairs


def _check_shape(term: str, name: str, target: Array, fake: Array) -> None:
    if target.shape != fake.shape:
        raise UserError(
            f"{term} compares samples {list(fake.shape)} with {name!r}, which is "
            f"{list(target.shape)}: both need one shape"
        )
