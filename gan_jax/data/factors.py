"""Factors of variation: what samples are made from, known for each of them."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from gan_jax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Factors:
    """The factors of variation of samples that are a function of them.

    Factor j takes the values 0 ... sizes[j] - 1, independently of the others and all equally often.
    A sample is given by its factors, ``[factors]`` integers.

    Attributes:
      names: of the factors.
      sizes: how many values each has, at least 2.
      render: the samples of factors, ``[n, factors]`` integers -> ``[n, *shape]``, uint8 images or
        float32; see `samples`.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    render: Callable[[np.ndarray], np.ndarray]

    @property
    def count(self) -> int:
        """The number of combinations of values."""
        return math.prod(self.sizes)

    def samples(self, factors: np.ndarray) -> np.ndarray:
        """Returns the samples ``[n, *shape]`` of factors ``[n, factors]`` of one's choice.

        Raises:
          UserError: another number of factors, or a value that a factor does not take.
        """
        return self.render(self._checked(factors))

    def at(self, index: np.ndarray) -> np.ndarray:
        """Returns the factors of combinations by number; the last factor varies the fastest.

        Args:
          index: ``[n]`` integers from 0 to ``count - 1``.

        Returns:
          ``[n, factors]`` int64.
        """
        return np.stack(np.unravel_index(np.asarray(index), self.sizes), axis=-1)

    def index(self, factors: np.ndarray) -> np.ndarray:
        """Returns the numbers ``[n]`` int64 of combinations ``[n, factors]``: the inverse of `at`.

        Raises:
          UserError: as `samples`.
        """
        return np.asarray(np.ravel_multi_index(tuple(self._checked(factors).T), self.sizes))

    def _checked(self, factors: np.ndarray) -> np.ndarray:
        factors = np.asarray(factors)
        width = len(self.names)
        if factors.ndim != 2 or factors.shape[1] != width or factors.dtype.kind not in "iu":
            raise UserError(
                f"factors are integers [n, {width}], of {', '.join(self.names)}, not "
                f"{factors.dtype} of shape {factors.shape}"
            )
        outside = (factors < 0) | (factors >= np.array(self.sizes))
        if outside.any():
            sample, factor = np.argwhere(outside)[0]
            raise UserError(
                f"the factor {self.names[factor]} takes values from 0 to {self.sizes[factor] - 1}, "
                f"not {factors[sample, factor]}"
            )
        return factors
