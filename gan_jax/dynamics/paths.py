"""The vector field along the straight line between two points of training."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
from jax.tree_util import Partial

from gan_jax.dynamics.eigenvalues import Map, as_partial


class PathStatistics(NamedTuple):
    """The vector field along a line, ``[positions]`` each.

    Attributes:
      position: 0 at the start, 1 at the end.
      angle: the cosine between the direction of descent and that from the start to the end.
      norm: the length of the vector field.
    """

    position: npt.NDArray[np.float64]
    angle: npt.NDArray[np.float64]
    norm: npt.NDArray[np.float64]


def path_statistics(
    field: Map, start: Any, end: Any, position: npt.ArrayLike | None = None
) -> PathStatistics:
    """Computes path angle and path norm, which show what kind of point training has come to.

    At ``theta(a) = (1 - a) start + a end`` the path angle is ``<end - start, -v> / (|end - start|
    |v|)``, a cosine, and the path norm ``|v|``. If the end attracts along the line, the angle
    changes its sign there, from positive to negative. If paths rotate around it, the angle has a
    bump where the norm is smallest. Both are seen together in a GAN that turns while it converges.

    The sign is that of the authors' code, which has the cosine of the gradients with start - end.
    The code plots the square of the norm.

    Args:
      field: the vector field: see `vector_field`.
      start: the parameters of both players, in general before training.
      end: the same after training.
      position: ``[positions]``; by default 121 from -0.1 to 1.1.

    Returns:
      `PathStatistics`. An angle is NaN where the field is 0.

    References:
      Berard et al., "A Closer Look at the Optimization Landscapes of Generative Adversarial
      Networks" (2020), section 3.
    """
    position = np.asarray(np.linspace(-0.1, 1.1, 121) if position is None else position, float)
    angle, norm = _along_line(as_partial(field), start, end, jnp.asarray(position))
    return PathStatistics(position, np.asarray(angle, float), np.asarray(norm, float))


@jax.jit
def _along_line(
    field: Partial, start: Any, end: Any, position: jax.Array
) -> tuple[jax.Array, jax.Array]:
    line = optax.tree.sub(end, start)

    def at_position(a: jax.Array) -> tuple[jax.Array, jax.Array]:
        v = field(jax.tree.map(lambda x, along: x + a.astype(x.dtype) * along, start, line))
        norm = optax.global_norm(v)
        return -optax.tree.vdot(line, v) / (optax.global_norm(line) * norm), norm

    angle, norm = jax.lax.map(at_position, position)
    return angle, norm
