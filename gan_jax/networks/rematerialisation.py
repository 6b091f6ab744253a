"""Blocks of networks whose insides are computed twice instead of kept."""

import flax.linen as nn


def rematerialised(block: type[nn.Module], on: bool) -> type[nn.Module]:
    """Returns a module that is ``block``, but keeps only its inputs for the backward pass.

    That pass computes the inside of the block again. Values, gradients and parameters are those of
    ``block``, up to rounding; give each instance the ``name`` that it would have without.

    Args:
      block: a module; the arguments of its ``__call__`` are arrays or None.
      on: without it, the result is ``block`` itself.

    References:
      Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).
    """
    return nn.remat(block) if on else block
