"""Functions that make networks for samples of a shape: what networks made of other networks
take."""

from typing import Protocol

from gan_jax.game import Networks


class NetworksFactory(Protocol):
    """A function that makes networks: `mlp`, or ``functools.partial(mlp, latent_size=2)``.

    Args:
      shape: shape of one sample, without the batch axis.
      classes: number of labels, 0 for none.

    Returns:
      Networks whose samples are ``[batch, *shape]``.
    """

    def __call__(self, shape: tuple[int, ...], classes: int = 0) -> Networks: ...
