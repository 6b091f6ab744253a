"""Augmentation inside the game: instance noise, DiffAugment and its adaptive strength (ADA).

An augmentation is a function of one sample, differentiable in it. `augmented` makes an objective
see real and generated samples through it. Its draws are keyed by sample index, so that any split of
a batch over devices draws the same.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import mean_over_devices
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
    as_context,
    check_objective,
    per_sample,
    sample_indices,
)

__all__ = [
    "AUGMENTATION_KEY",
    "POLICIES",
    "STRENGTH",
    "Augmentation",
    "adaptive",
    "augmented",
    "color",
    "composed",
    "cutout",
    "diff_augment",
    "flip",
    "instance_noise",
    "translation",
]

AUGMENTATION_KEY = 2**31 - 1
"""Folded into a loss's key. The terms of an objective fold in 0, 1, 2, ..."""


class Augmentation(Protocol):
    """A function that changes one sample at random, differentiable in it."""

    def __call__(self, rng: PRNGKey, sample: Array, /) -> Array:
        """Returns the changed sample.

        Args:
          rng: the sample's own key.
          sample: one sample ``[...]``, float, not a batch.

        Returns:
          An array of the same shape and dtype.
        """
        ...


# ----------------------------------------------------------------------------------- augmentations


def instance_noise(std: float = 0.1) -> Augmentation:
    """Returns the augmentation that adds N(0, std^2) to every entry.

    On real and generated samples alike it smooths both densities.

    Args:
      std: the standard deviation of the noise.

    References:
      Sønderby et al., "Amortised MAP Inference for Image Super-resolution" (2017).
      Arjovsky & Bottou, "Towards Principled Methods for Training GANs" (2017), section 3.
    """

    def augment(rng: PRNGKey, sample: Array) -> Array:
        return sample + std * jax.random.normal(rng, sample.shape, sample.dtype)

    return augment


def flip() -> Augmentation:
    """Returns the augmentation that mirrors an image ``[h, w, c]`` with probability 1/2."""

    def augment(rng: PRNGKey, image: Array) -> Array:
        return jnp.where(jax.random.bernoulli(rng), _image(image)[:, ::-1], image)

    return augment


def color() -> Augmentation:
    """Returns DiffAugment's colour jitter of an image ``[h, w, c]`` in [-1, 1].

    It changes brightness, ``x + U[-0.5, 0.5]``; then saturation, the distance from the mean over
    channels of each pixel times U[0, 2]; then contrast, the distance from the image's mean times
    U[0.5, 1.5].

    References:
      Zhao et al., "Differentiable Augmentation" (2020), section 3, and the authors' code.
    """

    def augment(rng: PRNGKey, image: Array) -> Array:
        brightness, saturation, contrast = jax.random.uniform(rng, (3,), image.dtype)
        image = _image(image) + brightness - 0.5
        grey = jnp.mean(image, 2, keepdims=True)
        image = (image - grey) * 2 * saturation + grey
        mean = jnp.mean(image, (0, 1, 2), keepdims=True)
        contrasted: Array = (image - mean) * (contrast + 0.5) + mean
        return contrasted

    return augment


def translation(share: float = 0.125, pixels: int = 0) -> Augmentation:
    """Returns the augmentation that shifts an image ``[h, w, c]``, with zeros outside.

    Args:
      share: shifts are by whole pixels, uniform up to this share of each side, 1/8 in DiffAugment.
      pixels: shifts are uniform up to this many pixels instead, 4 in CR-GAN; 0: ``share`` holds.

    References:
      Zhao et al., "Differentiable Augmentation" (2020), section 3.
    """

    def augment(rng: PRNGKey, image: Array) -> Array:
        sides = _image(image).shape[:2]
        reach = [pixels or int(side * share + 0.5) for side in sides]
        padded = jnp.pad(image, [(r, r) for r in reach] + [(0, 0)])
        start = [
            jax.random.randint(key, (), 0, 2 * r + 1)
            for key, r in zip(jax.random.split(rng), reach, strict=True)
        ]
        return jax.lax.dynamic_slice(padded, [*start, 0], image.shape)

    return augment


def cutout(share: float = 0.5) -> Augmentation:
    """Returns the augmentation that sets a rectangle of an image ``[h, w, c]`` to 0.

    The rectangle's centre is uniform in the image. What lies outside of the image is lost, so that
    less than the whole rectangle may be seen.

    Args:
      share: the rectangle's share of each side, 1/2 in DiffAugment.

    References:
      Zhao et al., "Differentiable Augmentation" (2020), section 3.
    """

    def augment(rng: PRNGKey, image: Array) -> Array:
        inside = jnp.ones((), bool)
        for axis, key in enumerate(jax.random.split(rng)):
            side = _image(image).shape[axis]
            size = int(side * share + 0.5)
            # An even size has no middle pixel: its centre lies between two, of which there are
            # side + 1 choices.
            first = jax.random.randint(key, (), 0, side + 1 - size % 2) - size // 2
            offset = jnp.arange(side) - first
            hit = (offset >= 0) & (offset < size)
            inside = inside & (hit[:, None, None] if axis == 0 else hit[None, :, None])
        return jnp.where(inside, 0.0, image)

    return augment


def diff_augment(policy: tuple[str, ...] = ("color", "translation", "cutout")) -> Augmentation:
    """Returns DiffAugment: the named augmentations one after another, at the authors' strengths.

    Args:
      policy: names out of "color", "translation", "cutout" and "flip", in order.

    Raises:
      UserError: another name.

    References:
      Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020), section 3.
    """
    for name in policy:
        if name not in POLICIES:
            raise UserError(
                f"no augmentation policy is named {name!r}: choose from {', '.join(POLICIES)}"
            )
    return composed([POLICIES[name]() for name in policy])


def composed(augmentations: Sequence[Augmentation]) -> Augmentation:
    """Returns the augmentations one after another, each with a key of its own."""

    def augment(rng: PRNGKey, sample: Array) -> Array:
        for index, augmentation in enumerate(augmentations):
            sample = augmentation(jax.random.fold_in(rng, index), sample)
        return sample

    return augment


POLICIES: dict[str, Callable[[], Augmentation]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
    "flip": flip,
}
"""What `diff_augment` can name."""


def _image(sample: Array) -> Array:
    if sample.ndim != 3:
        raise UserError(
            f"this augmentation is for images [h, w, c], not for samples {list(sample.shape)}"
        )
    return sample


# -------------------------------------------------------------------------------------- objectives


def augmented(objective: Objective, augmentation: Augmentation) -> Objective:
    """Returns the objective whose discriminator sees all samples through ``augmentation``.

    Both players see real and generated samples augmented, and so do penalties; the generator learns
    through the augmentation. ``unrolled(augmented(objective))`` looks ahead under the same
    augmentations, as it does on the same minibatch.

    Args:
      objective: one with ``generate_fakes``, such as that of `adversarial`.
      augmentation: a function of one sample.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      ValueError: the objective has no ``generate_fakes``.

    References:
      Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020), section 3.
    """
    check_objective(objective, "augmented")
    return _augmented(objective, lambda rng, sample, memory: augmentation(rng, sample))


def _augmented(
    objective: Objective, augment: Callable[[PRNGKey, Array, Memory], Array]
) -> Objective:
    """As `augmented`, with an augmentation that also gets the objective's memory."""
    generate_fakes = objective.generate_fakes
    if generate_fakes is None:
        raise ValueError(
            "an augmented objective needs objective.generate_fakes, as adversarial() makes it"
        )

    def augment_batch(generator: Params, batch: Batch, context: Context) -> Batch:
        if "fake" not in batch:
            batch = generate_fakes(generator, batch, context.rng)
        rng, index = jax.random.fold_in(context.rng, AUGMENTATION_KEY), sample_indices(batch)

        def augment_samples(samples: Array, rng: PRNGKey) -> Array:
            keys = per_sample(rng, index, lambda key: key)
            return jax.vmap(lambda key, sample: augment(key, sample, context.memory))(keys, samples)

        return batch | {
            "real": augment_samples(batch["real"], jax.random.fold_in(rng, 0)),
            "fake": augment_samples(batch["fake"], jax.random.fold_in(rng, 1)),
        }

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        batch = augment_batch(generator.params, batch, context)
        return objective.discriminator(own, generator, batch, context)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        batch = augment_batch(own, batch, context)
        return objective.generator(own, discriminator, batch, context)

    return objective._replace(discriminator=discriminator_loss, generator=generator_loss)


# ------------------------------------------------------------------------------- adaptive strength

STRENGTH = "augmentation_strength"
"""The name of ADA's strength p in the memory of an `adaptive` objective."""


def adaptive(
    objective: Objective,
    augmentations: Sequence[Augmentation],
    target: float = 0.6,
    step: float = 64 / 500_000,
    strength: float = 0.0,
) -> Objective:
    """Returns the objective with ADA: augmentations whose probability p follows the overfitting.

    The heuristic is ``r_t = E sign(s(x))`` of (augmented) real samples: 0 without overfitting, 1 at
    its worst. Each loss of the discriminator moves p by ``step sign(r_t - target)``, within [0, 1].
    p is part of the objective's memory, a float32 scalar; inside a look-ahead it stands still.

    Metrics: the objective's, and ``"augmentation/strength"``, the p with which the loss was
    computed; r_t is its ``"scores/real_sign"``.

    Args:
      objective: that of `adversarial`, or one made of it.
      augmentations: applied in order, each with probability p. The authors' pipeline has 18.
      target: the r_t at which p stays, 0.6 in the paper.
      step: batch size / 500,000 in the paper: p may cross from 0 to 1 in 500,000 images. (The
        authors take the sign of a mean over 4 minibatches, and 4 steps at once.)
      strength: p before the first update.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      ValueError: the objective has no ``generate_fakes``, or is adaptive already.

    References:
      Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), section
      3.1 and eq. 1.
    """
    check_objective(objective, "adaptive")
    if STRENGTH in objective.memory:
        raise ValueError("the objective is adaptive already")

    def augment(rng: PRNGKey, sample: Array, memory: Memory) -> Array:
        for index, augmentation in enumerate(augmentations):
            gate_key, augmentation_key = jax.random.split(jax.random.fold_in(rng, index))
            hit = jax.random.bernoulli(gate_key, memory[STRENGTH])
            sample = jnp.where(hit, augmentation(augmentation_key, sample), sample)
        return sample

    through_augmentations = _augmented(objective, augment)

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        loss, (metrics, memory) = through_augmentations.discriminator(
            own, generator, batch, context
        )
        p = context.memory[STRENGTH]
        # The sign of the whole batch's mean, not a mean of signs.
        overfitting = mean_over_devices(jax.lax.stop_gradient(metrics["scores/real_sign"]))
        moved = jnp.clip(p + step * jnp.sign(overfitting - target), 0, 1).astype(p.dtype)
        return loss, (metrics | {"augmentation/strength": p}, memory | {STRENGTH: moved})

    return through_augmentations._replace(
        discriminator=discriminator_loss,
        memory={**objective.memory, STRENGTH: jnp.float32(strength)},
    )
