"""Quantities of health: each is a function of a `Snapshot`, computed inside a jitted step.

They use public parts of the game alone, so they are defined for any networks and any objective;
what a game does not have, such as latents, is left out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.distributed.collectives import gather_batch, local_slice, mean_over_devices
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Metrics,
    Networks,
    Objective,
    PRNGKey,
    call,
    conditions,
    sample_indices,
)
from gan_jax.networks.spectral import power_iteration
from gan_jax.training.steps import TrainState

FLAT = 0.01
"""A sample is flat for the generator if its loss would change by less than this share of the
scores' standard deviation while the sample moved, at its present slope, by the mean distance of
real samples."""

DEAD = 0.01
"""A latent is dead if the sample moves towards another one's, at its present speed, by less than
this share of the mean distance of real samples."""

LATENT_STEP = 0.1
"""By what share of the way to another one latents are moved to measure `dead_latents`."""

AT_BOUND = 0.99
"""A weight is at the bound if its magnitude is at least this share of the largest one."""

FAIR_SHARE = 0.2
"""How much of an equal share of the samples covers a mode."""

POWER_ITERATIONS = 10
"""How many estimate each of the `spectral_norms`, from the same vector each time."""

GOLDEN_RATIO = 0.6180340
"""Multiples of it, modulo 1, are spread evenly."""


class Snapshot(NamedTuple):
    """A state and a batch that both networks were played on.

    Attributes:
      networks: both networks.
      objective: what they minimise, without look-ahead and augmentation.
      centres: of the data's modes ``[modes, d]``; None if they have none that is known.
      state: the state.
      batch: with ``"real"`` and ``"fake"``, ``[batch, ...]``.
      real_scores: ``[batch]`` float32; of maps and of several scores, a sample's mean.
      fake_scores: likewise.
      slopes: of the discriminator, ``[batch]`` float32, at points between real and generated
        samples; a map's slope is that of its sum.
      held_out_scores: of real samples that are not trained on, ``[n]`` float32; None without them.
      rng: the key that both networks were played with.
    """

    networks: Networks
    objective: Objective
    centres: np.ndarray | None
    state: TrainState
    batch: Batch
    real_scores: Array
    fake_scores: Array
    slopes: Array
    held_out_scores: Array | None
    rng: PRNGKey


def norms(x: Array) -> Array:
    """Computes the Euclidean norm of each sample, ``[batch]`` float32."""
    return jnp.sqrt(jnp.sum(jnp.square(x.reshape(len(x), -1).astype(jnp.float32)), 1))


def mean_distance(samples: Array) -> Array:
    """Computes the mean Euclidean distance of all pairs of samples.

    Args:
      samples: ``[n, ...]``, of all devices.

    Returns:
      A float32 scalar; NaN if there are fewer than two samples.
    """
    flat = samples.reshape(len(samples), -1).astype(jnp.float32)
    # Distances do not depend on the mean, without which the differences below lose fewer digits.
    flat = flat - jnp.mean(flat, 0, keepdims=True)
    products = jnp.matmul(flat, flat.T, precision="highest")
    squares = jnp.diagonal(products)
    distances = jnp.sqrt(jnp.maximum(squares[:, None] + squares[None] - 2 * products, 0))
    others = 1 - jnp.eye(len(flat), dtype=jnp.float32)
    return jnp.sum(distances * others) / jnp.sum(others)


def diversity(snapshot: Snapshot) -> Metrics:
    """Computes the mean distance of generated samples over that of real ones: 0 is collapse."""
    real, fake = (mean_distance(gather_batch(snapshot.batch[name])) for name in ("real", "fake"))
    return {"diversity": fake / real}


def mode_share(snapshot: Snapshot) -> Metrics:
    """Computes the share of the data's modes that get their share of the generated samples.

    A sample counts for its nearest mode. A mode is covered by at least one sample and a fifth of an
    equal share. Data without known modes have none.
    """
    if snapshot.centres is None:
        return {}
    fake = gather_batch(snapshot.batch["fake"]).astype(jnp.float32)
    fake = fake.reshape(len(fake), 1, -1)
    squares = jnp.sum(jnp.square(fake - jnp.asarray(snapshot.centres)[None]), -1)
    modes = squares.shape[1]
    counts = jnp.bincount(jnp.argmin(squares, 1), length=modes)
    return {"mode_share": jnp.mean(counts >= max(1.0, FAIR_SHARE * len(fake) / modes))}


def dead_latents(snapshot: Snapshot) -> Metrics:
    """Computes the share of latents that hardly move the sample, along one direction each.

    It is the share with ``|G(z + h v) - G(z)| / h < DEAD`` mean distances of real samples, where
    ``z + v`` are the latents of another sample and h is `LATENT_STEP`: a difference in place of a
    Jacobian-vector product, which functions with a derivative of their own do not have. The
    networks' other draws are the same for both. Of latents that are no floats, or of none, there
    is no such share.
    """
    networks, batch, params = snapshot.networks, snapshot.batch, snapshot.state.generator.params
    latents = batch.get("latents")
    if latents is None or not jnp.issubdtype(latents.dtype, jnp.floating):
        return {}
    index = sample_indices(batch)
    given = conditions(batch) | ({"real": batch["real"]} if networks.autoencoder else {})
    others = local_slice(jnp.roll(gather_batch(latents), 1, axis=0), len(latents))
    moved = latents + jnp.asarray(LATENT_STEP, latents.dtype) * (others - latents)
    fake = call(networks, "generate", params, moved, given, index, snapshot.rng, use=0)
    speed = norms(fake - batch["fake"]) / LATENT_STEP
    is_dead = speed < DEAD * mean_distance(gather_batch(batch["real"]))
    return {"dead_latents": mean_over_devices(jnp.mean(is_dead.astype(jnp.float32)))}


def flat_samples(snapshot: Snapshot) -> Metrics:
    """Computes the share of generated samples at which the generator's loss is flat.

    It is the share with ``n |dL_G / dG(z)| d < FLAT s``, where n is the batch size, d the mean
    distance of real samples and s the standard deviation of all scores. Neither the unit of the
    data nor that of the scores changes it.
    """
    state, batch = snapshot.state, snapshot.batch

    def loss(fake: Array) -> Array:
        context = Context(snapshot.rng, state.step, state.memory)
        value, _ = snapshot.objective.generator(
            state.generator.params, state.discriminator, batch | {"fake": fake}, context
        )
        return value

    changes = len(batch["fake"]) * norms(jax.grad(loss)(batch["fake"]))
    changes = changes * mean_distance(gather_batch(batch["real"]))
    scores = jnp.concatenate([snapshot.real_scores, snapshot.fake_scores])
    is_flat = changes < FLAT * jnp.std(gather_batch(scores))
    return {"flat_samples": mean_over_devices(jnp.mean(is_flat.astype(jnp.float32)))}


def separation(snapshot: Snapshot) -> Metrics:
    """Computes the share of pairs in which the real sample scores above the generated one.

    It is the area under the discriminator's ROC curve: 1/2 if it sees no difference, 1 if it is
    never wrong.
    """
    real, fake = gather_batch(snapshot.real_scores), gather_batch(snapshot.fake_scores)
    difference = real[:, None] - fake[None]
    return {"separation": jnp.mean(0.5 * (1.0 + jnp.sign(difference)))}


def slope_quantiles(snapshot: Snapshot) -> Metrics:
    """Computes quantiles of the discriminator's slopes between real and generated samples."""
    quantiles = jnp.quantile(gather_batch(snapshot.slopes), jnp.array([0.05, 0.5, 0.95]))
    return dict(zip(("slope_low", "slope_median", "slope_high"), quantiles))


def overfitting(snapshot: Snapshot) -> Metrics:
    """Computes how much higher real samples score that are trained on than others.

    It is ``(E s(train) - E s(held out)) / max(E s(train) - E s(fake), std s(train))``: r_v of
    Karras et al. 2020 ("Training Generative Adversarial Networks with Limited Data"), equation 1,
    but for the maximum, without which it is noise as long as the discriminator sees no difference.
    Without held-out samples there is none.
    """
    if snapshot.held_out_scores is None:
        return {}
    real, fake = gather_batch(snapshot.real_scores), gather_batch(snapshot.fake_scores)
    train = jnp.mean(real)
    scale = jnp.maximum(train - jnp.mean(fake), jnp.std(real))
    return {"overfitting": (train - jnp.mean(snapshot.held_out_scores)) / scale}


def weights_at_bound(snapshot: Snapshot) -> Metrics:
    """Computes the share of the discriminator's parameters within 1% of the largest magnitude.

    The largest one itself is left out. Clipped weights gather there (Gulrajani et al. 2017, figure
    1b); of others hardly any does.
    """
    leaves = [
        jnp.abs(leaf)
        for leaf in jax.tree.leaves(snapshot.state.discriminator.params)
        if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.size
    ]
    bound = jnp.max(jnp.stack([jnp.max(leaf).astype(jnp.float32) for leaf in leaves]))
    number = sum(jnp.sum(leaf >= AT_BOUND * bound, dtype=jnp.float32) for leaf in leaves)
    others = max(sum(leaf.size for leaf in leaves) - 1, 1)
    return {"weights_at_bound": (jnp.asarray(number) - 1) / others}


def spectral_norms(snapshot: Snapshot) -> Metrics:
    """Computes the largest singular values of the discriminator's kernels.

    ``spectral_norm`` is the largest over all kernels, and ``log_spectral_product`` the logarithm of
    their product: for layers in a row, and activations of slope 1 at most, it bounds that of the
    discriminator's Lipschitz constant, of convolutions up to a factor of their window's size. A
    kernel is a parameter with two axes or more, seen as a matrix ``[everything else, out]``. The
    power iterations estimate each value from below. Kernels under spectral normalisation count as
    they are stored, not divided by their norm.

    References:
      Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), section
      2.1 and algorithm 1.
    """
    kernels = [
        leaf
        for leaf in jax.tree.leaves(snapshot.state.discriminator.params)
        if leaf.ndim > 1 and leaf.size and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    if not kernels:
        return {}
    values = jnp.stack([_spectral_norm(kernel.astype(jnp.float32)) for kernel in kernels])
    return {"spectral_norm": jnp.max(values), "log_spectral_product": jnp.sum(jnp.log(values))}


def _spectral_norm(kernel: Array) -> Array:
    start = jnp.arange(1, kernel.shape[-1] + 1) * GOLDEN_RATIO % 1 - 0.5

    def iteration(_: Array, u: Array) -> Array:
        return power_iteration(kernel, u)[0]

    u = lax.fori_loop(0, POWER_ITERATIONS - 1, iteration, start)
    return power_iteration(kernel, u)[1]


QUANTITIES: Sequence[Callable[[Snapshot], Metrics]] = (
    diversity,
    mode_share,
    dead_latents,
    flat_samples,
    separation,
    slope_quantiles,
    overfitting,
    weights_at_bound,
    spectral_norms,
)
"""All that is measured of a snapshot. A new quantity is a function here."""
