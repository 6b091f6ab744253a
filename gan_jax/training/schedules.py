"""Schedules: of numbers, of a moving average's decay, of the number of discriminator steps."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from gan_jax.game import Array

__all__ = [
    "Decay",
    "cosine",
    "discriminator_steps_at",
    "discriminator_steps_before",
    "ema_num_updates",
    "ema_rampup",
]

Decay = float | Callable[[Array], Array]
"""The decay of the generator's moving average: a number, or a function from the step (int32 scalar)
to one (float32 scalar), such as those here and in `moving_averages` return."""


def cosine(start: float, end: float, steps: float) -> Callable[[Any], Any]:
    """Returns the schedule that goes from one number to another by half a period of a cosine.

    ``end + (start - end) (1 + cos(pi min(step / steps, 1))) / 2``. Unlike optax's it may grow, from
    0 too.

    Args:
      start: the number at step 0.
      end: the number from ``steps`` on.
      steps: how long it takes.

    Raises:
      ValueError: it takes no step.

    References:
      Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024), the authors'
      code: learning rate, beta2, gamma, half-life of the moving average.
    """
    if not steps > 0:
        raise ValueError(f"cosine takes a positive number of steps, not {steps}")

    def schedule(step: Any) -> Array:
        share = jnp.minimum(jnp.asarray(step) / steps, 1.0)
        return end + (start - end) * (1 + jnp.cos(jnp.pi * share)) / 2

    return schedule


def ema_num_updates(decay: float) -> Callable[[Array], Array]:
    """Returns a warm-up of the moving average by the number of updates.

    At step t (from 0) the decay is ``min(decay, (1 + t) / (10 + t))``.

    Args:
      decay: the decay after the warm-up.

    References:
      TensorFlow's ExponentialMovingAverage with ``num_updates``.
    """
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def ema_rampup(decay: float, share: float = 0.05) -> Callable[[Array], Array]:
    """Returns a warm-up of the moving average by a share of the steps so far.

    Its half-life is at most that share: at step t (from 0) the decay is
    ``0.5 ** (1 / min(h, share * t))`` with h the half-life of
    ``decay`` in steps, ``decay = 0.5 ** (1 / h)``; it is 0 at the first step.

    Args:
      decay: the decay after the warm-up.
      share: StyleGAN2-ADA's ``ema_rampup``. ProGAN and StyleGAN give half-lives in images: divide
        by the batch size.

    References:
      Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), the
      authors' code.
    """
    return lambda step: jnp.minimum(decay, 0.5 ** (1.0 / (share * jnp.maximum(step, 1e-8))))


def discriminator_steps_at(
    step: int, discriminator_steps: int = 5, burst: int = 100, first: int = 25, every: int = 500
) -> int:
    """Returns the number of discriminator steps at a step: ``burst`` at some steps.

    Discriminator steps are the data's shape, so a run with bursts is a sequence of calls with
    batches of two shapes, each of which compiles once. The first batch of a step is number
    `discriminator_steps_before` of the stream, a pure function of the step like everything else.

    Args:
      step: the step, from 0.
      discriminator_steps: how many there usually are.
      burst: how many there are in a burst.
      first: this many first steps have bursts.
      every: and so has every step that this number divides.

    References:
      Arjovsky et al., "Wasserstein GAN" (2017), the authors' code: 100 discriminator steps at the
      first 25 generator steps and at every 500th.
    """
    return burst if step < first or step % every == 0 else discriminator_steps


def discriminator_steps_before(
    step: int, discriminator_steps: int = 5, burst: int = 100, first: int = 25, every: int = 500
) -> int:
    """Returns the number of discriminator steps before a step.

    It is the sum of `discriminator_steps_at` over ``0 ... step - 1``, with the same arguments.
    """
    at_start = min(step, first)
    # Multiples of `every` in [at_start, step): the negations round divisions up.
    later_bursts = -(-step // every) - -(-at_start // every)
    bursts = at_start + later_bursts
    return burst * bursts + discriminator_steps * (step - bursts)
