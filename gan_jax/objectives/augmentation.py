"""Augmentation inside the game: instance noise, DiffAugment and its adaptive strength (ADA).

An augmentation is a function of one sample, differentiable in it. `augmented` makes an objective see real and generated
samples through it; its draws are keyed by row, so that any split of a batch over devices draws the same.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Metrics,
    Networks,
    Objective,
    Params,
    Player,
    PRNGKey,
    per_sample,
    sample_indices,
)

__all__ = [
    "Augmentation",
    "adapt_strength",
    "adaptive",
    "augmented",
    "color",
    "composed",
    "cutout",
    "diff_augment",
    "flip",
    "instance_noise",
    "translation",
    "with_strength",
]

Augmentation = Callable[[PRNGKey, Array], Array]
"""``(rng, sample [...]) -> sample [...]``: of one sample, not of a batch."""

AUGMENTATION_KEY = 2**31 - 1
"""Folded into a loss's key. The terms of an objective fold in 0, 1, 2, ..."""


# ------------------------------------------------------------------------------------------------------- augmentations


def instance_noise(std: float = 0.1) -> Augmentation:
    """Adds N(0, std^2) to every entry, on real and generated samples alike: both densities are smoothed.

    Source: Sønderby et al., "Amortised MAP Inference for Image Super-resolution" (2017); Arjovsky & Bottou,
    "Towards Principled Methods for Training GANs" (2017), section 3.
    """
    return lambda rng, sample: sample + std * jax.random.normal(rng, sample.shape, sample.dtype)


def flip() -> Augmentation:
    """Mirrors an image ``[h, w, c]`` left to right, with probability 1/2."""
    return lambda rng, image: jnp.where(jax.random.bernoulli(rng), _image(image)[:, ::-1], image)


def color() -> Augmentation:
    """DiffAugment's colour jitter of an image ``[h, w, c]`` in [-1, 1]: brightness, then saturation, then contrast.

    ``x + U[-0.5, 0.5]``; about the mean over channels of each pixel times U[0, 2]; about the image's mean times
    U[0.5, 1.5]. Source: Zhao et al., "Differentiable Augmentation" (2020), section 3 and the authors' code.
    """

    def augment(rng: PRNGKey, image: Array) -> Array:
        brightness, saturation, contrast = jax.random.uniform(rng, (3,), image.dtype)
        image = _image(image) + brightness - 0.5
        grey = jnp.mean(image, 2, keepdims=True)
        image = (image - grey) * 2 * saturation + grey
        mean = jnp.mean(image, (0, 1, 2), keepdims=True)
        return (image - mean) * (contrast + 0.5) + mean

    return augment


def translation(share: float = 0.125, pixels: int = 0) -> Augmentation:
    """Shifts an image ``[h, w, c]`` by whole pixels, uniform up to ``share`` of each side (or up to ``pixels``), zeros outside.

    Source: Zhao et al., "Differentiable Augmentation" (2020), section 3 (1/8); with ``pixels`` 4, CR-GAN's shift.
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
    """Sets a rectangle of ``share`` of each side of an image ``[h, w, c]`` to 0; its centre is uniform in the image.

    What lies outside of the image is lost, so that less than the whole rectangle may be seen.

    Source: Zhao et al., "Differentiable Augmentation" (2020), section 3 (1/2).
    """

    def augment(rng: PRNGKey, image: Array) -> Array:
        inside = jnp.ones((), bool)
        for axis, key in enumerate(jax.random.split(rng)):
            side = _image(image).shape[axis]
            size = int(side * share + 0.5)
            # An even size has no middle pixel: its centre lies between two, of which there are side + 1 choices.
            first = jax.random.randint(key, (), 0, side + 1 - size % 2) - size // 2
            place = jnp.arange(side) - first
            hit = (place >= 0) & (place < size)
            inside = inside & (hit[:, None, None] if axis == 0 else hit[None, :, None])
        return jnp.where(inside, 0.0, image)

    return augment


def diff_augment(policy: tuple = ("color", "translation", "cutout")) -> Augmentation:
    """DiffAugment: the named augmentations one after another, at the authors' strengths.

    Raises UserError for another name than "color", "translation", "cutout" and "flip".

    Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020), section 3.
    """
    return composed([_named(name)() for name in policy])


def composed(augmentations: Sequence[Augmentation]) -> Augmentation:
    """The augmentations one after another, each with a key of its own."""

    def augment(rng: PRNGKey, sample: Array) -> Array:
        for index, augmentation in enumerate(augmentations):
            sample = augmentation(jax.random.fold_in(rng, index), sample)
        return sample

    return augment


POLICIES = {"color": color, "translation": translation, "cutout": cutout, "flip": flip}


def _named(name: str) -> Callable[..., Augmentation]:
    if name not in POLICIES:
        raise UserError(
            f"no augmentation policy is named {name!r}: choose of {', '.join(POLICIES)}"
        )
    return POLICIES[name]


def _image(sample: Array) -> Array:
    if sample.ndim != 3:
        raise UserError(
            f"this augmentation is one of images [h, w, c], not of samples {sample.shape}"
        )
    return sample


# ---------------------------------------------------------------------------------------------------------- objectives


def augmented(objective: Objective, augmentation: Augmentation) -> Objective:
    """The objective whose discriminator sees real and generated samples through ``augmentation``, for both players.

    The generator learns through it. Penalties too see the augmented samples. ``unrolled(augmented(objective))`` looks
    ahead under the same augmentations, as it does on the same minibatch. Raises ValueError for an objective without
    ``generate_fakes``.

    Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020), section 3.
    """
    return _through(objective, lambda rng, sample, params: augmentation(rng, sample))


def _through(objective: Objective, augment: Callable[[PRNGKey, Array, Params], Array]) -> Objective:
    """``objective`` on augmented samples; ``augment`` sees the discriminator's parameters besides."""
    generate_fakes = objective.generate_fakes
    if generate_fakes is None:
        raise ValueError(
            "an augmented objective needs objective.generate_fakes, as adversarial() gives it"
        )

    def seen(generator: Params, discriminator: Params, batch: Batch, rng: PRNGKey) -> Batch:
        batch = batch if "fake" in batch else generate_fakes(generator, batch, rng)
        rng, row = jax.random.fold_in(rng, AUGMENTATION_KEY), sample_indices(batch)

        def drawn(name: str, samples: Array) -> Array:
            keys = per_sample(
                jax.random.fold_in(rng, ("real", "fake").index(name)), row, lambda key: key
            )
            return jax.vmap(lambda key, sample: augment(key, sample, discriminator))(keys, samples)

        return batch | {name: drawn(name, batch[name]) for name in ("real", "fake")}

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        return objective.discriminator(own, generator, seen(generator.params, own, batch, rng), rng)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        return objective.generator(
            own, discriminator, seen(own, discriminator.params, batch, rng), rng
        )

    return Objective(discriminator_loss, generator_loss, generate_fakes)


# ------------------------------------------------------------------------------------------------------ adaptive strength


def with_strength(networks: Networks, strength: float = 0.0) -> Networks:
    """The networks whose discriminator's parameters are ``{"network": its own, "strength": p}``, p at first ``strength``.

    The first of ADA's three parts: `adaptive` applies p and `adapt_strength` moves it. As p is a leaf of the
    discriminator's parameters it is saved, resumed, mapped and populated like all others.
    """

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator, discriminator = networks.init(rng)
        return generator, {"network": discriminator, "strength": jnp.asarray(strength, jnp.float32)}

    def inner(function: Callable | None) -> Callable | None:
        return function and (
            lambda params, samples, **given: function(params["network"], samples, **given)
        )

    return networks._replace(
        init=init,
        score=inner(networks.score) or networks.score,
        classify=inner(networks.classify),
        features=inner(networks.features),
    )


def adaptive(
    objective: Objective, augmentations: Sequence[Augmentation], target: float = 0.6
) -> Objective:
    """ADA: each of ``augmentations`` with probability p, which follows how much the discriminator overfits.

    The heuristic is ``r_t = E sign(s(x))`` of (augmented) real samples: 0 without overfitting, 1 at its worst; p should
    grow where r_t > ``target`` and fall where it is less. Here ``target - r_t`` becomes the gradient of p, the loss being
    unchanged, and `adapt_strength` makes of its sign p's fixed steps.

    Args: ``objective``: that of `adversarial` with the networks of `with_strength`; ``augmentations``: in order.
    Metrics: the objective's, and ``"augmentation/strength"``; r_t is its ``"scores/real_sign"``.

    Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), section 3.1 and eq. 1
    (target 0.6). Their pipeline has 18 transformations; this has those that it is given.
    """

    def augment(rng: PRNGKey, sample: Array, params: Params) -> Array:
        for index, augmentation in enumerate(augmentations):
            gate, draw = jax.random.split(jax.random.fold_in(rng, index))
            hit = jax.random.bernoulli(gate, jax.lax.stop_gradient(params["strength"]))
            sample = jnp.where(hit, augmentation(draw, sample), sample)
        return sample

    seen = _through(objective, augment)

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        loss, metrics = seen.discriminator(own, generator, batch, rng)
        p = own["strength"]
        lesson = jax.lax.stop_gradient(target - metrics["scores/real_sign"]) * (
            p - jax.lax.stop_gradient(p)
        )  # value 0
        return loss + lesson, metrics | {"augmentation/strength": p}

    return seen._replace(discriminator=discriminator_loss)


def adapt_strength(
    optimizer: optax.GradientTransformation, step: float = 64 / 500_000
) -> optax.GradientTransformation:
    """``optimizer`` for the discriminator of `with_strength`; its p moves by ``step`` a turn, within [0, 1].

    ``p <- p + step sign(r_t - target)``. The authors let p cross from 0 to 1 in 500,000 images: step = batch size / 500,000.
    (They take the sign of a mean over 4 minibatches, and 4 steps at once.)

    Source: Karras et al. (2020), section 3.1.
    """

    def init(params: Params) -> optax.OptState:
        return optimizer.init(params["network"])

    def update(updates, state, params=None):
        if params is None:
            raise ValueError(
                "adapt_strength needs the parameters: call update(updates, state, params)"
            )
        moves, state = optimizer.update(updates["network"], state, params["network"])
        p = params["strength"]
        lesson = mean_over_devices(
            updates["strength"]
        )  # the sign of the whole batch's mean, not a mean of signs
        return {
            "network": moves,
            "strength": jnp.clip(p - step * jnp.sign(lesson), 0, 1).astype(p.dtype) - p,
        }, state

    return optax.GradientTransformation(init, update)
