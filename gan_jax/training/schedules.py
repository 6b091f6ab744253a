"""What changes with the step, as pure functions of it: the decay of the moving average, and the number of discriminator steps."""

from collections.abc import Callable

import jax.numpy as jnp

from gan_jax.game import Array

Decay = float | Callable[[Array], Array]
"""The decay of the generator's moving average: one number, or a function of the step (`counted`, `ramped`)."""


def ema_num_updates(decay: float) -> Callable[[Array], Array]:
    """A warm-up for the moving average: at step t (from 0) the decay is ``min(decay, (1 + t) / (10 + t))``.

    Source: TensorFlow's ExponentialMovingAverage with ``num_updates``.
    """
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def ema_rampup(decay: float, share: float = 0.05) -> Callable[[Array], Array]:
    """A warm-up for the moving average: its half-life in steps is at most ``share`` of the steps so far.

    ``0.5 ** (1 / min(h, share * t))`` with h the half-life of ``decay``, ``decay = 0.5 ** (1 / h)``; 0 at the first step.

    Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), the authors' code
    (``ema_rampup`` 0.05; ProGAN and StyleGAN give half-lives in images: divide by the batch size).
    """
    return lambda step: jnp.minimum(decay, 0.5 ** (1.0 / (share * jnp.maximum(step, 1e-8))))


def discriminator_steps_at(
    step: int, discriminator_steps: int = 5, many: int = 100, first: int = 25, every: int = 500
) -> int:
    """How many discriminator steps the discriminator takes at ``step`` (from 0): ``many`` at some steps, else ``discriminator_steps``.

    The discriminator steps are the data's shape, so a run with a schedule is a sequence of calls with batches of different shapes, of
    which there are two. The first batch of a step is number `discriminator_steps_before` of the stream, a pure function of the step like
    all else. Each shape compiles once.

    Args: ``first``: so many first steps take ``many`` discriminator_steps; ``every``: so does each step divisible by it.

    Source: Arjovsky et al., "Wasserstein GAN" (2017), the authors' code (100 discriminator steps at the first 25 generator steps and at
    every 500th).
    """
    return many if step < first or step % every == 0 else discriminator_steps


def discriminator_steps_before(
    step: int, discriminator_steps: int = 5, many: int = 100, first: int = 25, every: int = 500
) -> int:
    """How many discriminator steps the discriminator takes before ``step``: the sum of `discriminator_steps_at` over ``0 ... step - 1``."""
    started = min(step, first)
    visits = -(-step // every) - -(-started // every)  # multiples of `every` in [started, step)
    return many * (started + visits) + discriminator_steps * (step - started - visits)
