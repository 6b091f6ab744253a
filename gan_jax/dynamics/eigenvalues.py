"""Eigenvalues of the Jacobian of a map of parameters, without the Jacobian."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.sparse.linalg
from jax.flatten_util import ravel_pytree
from jax.tree_util import Partial

Point = TypeVar("Point")
"""A pytree of floating-point arrays, such as the parameters of both players."""
Map = Callable[[Any], Any]
"""A function from a point to a pytree of the same structure, as `maps` has them."""
Which = Literal["LM", "SR", "LR"]
"""Of greatest magnitude, smallest real part, greatest real part, as SciPy names them."""

DENSE_SIZE = 64
"""Jacobians of up to so many rows are computed whole."""

ComplexArray = npt.NDArray[np.complex128]


class Spectrum(NamedTuple):
    """Some eigenvalues of a Jacobian, the leading one first.

    Attributes:
      eigenvalues: ``[count]`` complex128, or one more so that no conjugate pair is cut.
      vectors: ``[size, count]``, eigenvectors of length 1 as columns, raveled as
        `jax.flatten_util.ravel_pytree` ravels the point.
      residuals: ``[count]``, ``|J w - lambda w|`` over the greatest magnitude found: how far each
        is from an eigenvalue.
    """

    eigenvalues: ComplexArray
    vectors: ComplexArray
    residuals: npt.NDArray[np.float64]


def jacobian_product(
    function: Callable[[Point], Point], at: Point, direction: Point, forward: bool = True
) -> Point:
    """Computes ``J u``, J the Jacobian of a map at a point.

    Args:
      function: the map.
      at: the point.
      direction: u, a pytree like the point.
      forward: whether by forward differentiation, which is faster. Parts that define their backward
        derivative alone, such as this package's convolutions on a CPU, have no forward one. For
        these J is computed as the transpose of ``w -> J^T w``, backwards twice.
    """
    product: Point
    if forward:
        product = jax.jvp(function, (at,), (direction,))[1]
    else:
        transposed = jax.vjp(function, at)[1]
        zeros = jax.tree.map(jnp.zeros_like, at)
        product = jax.vjp(lambda w: transposed(w)[0], zeros)[1](direction)[0]
    return product


def transposed_jacobian_product(
    function: Callable[[Point], Point], at: Point, direction: Point
) -> Point:
    """Computes ``J^T u``, J the Jacobian of a map at a point, by backward differentiation.

    Args:
      function: the map.
      at: the point.
      direction: u, a pytree like the point.
    """
    product: Point = jax.vjp(function, at)[1](direction)[0]
    return product


def jacobian(function: Map, at: Any) -> npt.NDArray[np.float64]:
    """Computes the whole Jacobian of a map at a point, ``[size, size]`` float64 on the host.

    Rows and columns are in the order of `jax.flatten_util.ravel_pytree`. Its cost is one product
    per parameter: use it for small games.

    Args:
      function: the map.
      at: the point.

    Raises:
      ValueError: the map does not return a pytree like the point.
    """
    _check_returned(function, at)
    product = _flat_product(as_partial(function), at)
    columns = [product(row) for row in np.eye(_size(at), dtype=_precision(at))]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def leading_eigenvalues(
    function: Map,
    at: Any,
    count: int = 6,
    which: Which = "LM",
    *,
    krylov_size: int | None = None,
    tolerance: float | None = None,
    restarts: int | None = None,
    seed: int = 0,
) -> Spectrum:
    """Computes leading eigenvalues of the Jacobian of a map, matrix-free.

    By the implicitly restarted Arnoldi method of ARPACK over Jacobian-vector products, each of
    which costs about as much as two evaluations of the map. Jacobians of up to 64 rows, or of
    hardly more than ``count``, are computed and decomposed whole.

    If the smallest or greatest real parts are asked for, the Jacobian is shifted by its greatest
    magnitude, so that the accuracy is relative to that, also of eigenvalues near 0.

    Args:
      function: a map, such as `vector_field` or `step_map` returns one. Its products are compiled
        once for each objective or train step.
      at: the point.
      count: how many eigenvalues; all, if there are fewer.
      which: ``"LM"``, those of greatest magnitude; ``"SR"``, ``"LR"``, those of smallest and of
        greatest real part.
      krylov_size: the number of Arnoldi vectors, in memory at once; by default
        ``max(3 count + 1, 40)``. More of them need fewer restarts.
      tolerance: the relative accuracy; by default the square root of the precision's, 3e-4 in
        float32 and 1e-8 in float64.
      restarts: the greatest number of restarts; ARPACK's default is 10 times the size.
      seed: of the vector that Arnoldi starts from.

    Returns:
      `Spectrum`.

    Raises:
      ValueError: ``count`` is not positive, the map does not return a pytree like the point, or its
        Jacobian is not finite there.
      RuntimeError: not all eigenvalues converged.

    References:
      Lehoucq, Sorensen, Yang, "ARPACK Users' Guide" (1998).
      Berard et al., "A Closer Look at the Optimization Landscapes of Generative Adversarial
      Networks" (2020), section 4: leading eigenvalues of a GAN's Jacobian by Arnoldi.
    """
    _check_returned(function, at)
    if count < 1:
        raise ValueError(f"count is 1 or more, not {count}")
    size = _size(at)
    count = min(count, size)
    dtype, compiled = _precision(at), _flat_product(as_partial(function), at)

    def product(direction: npt.NDArray[Any]) -> npt.NDArray[Any]:
        moved = np.asarray(compiled(direction.ravel()), dtype)
        if not np.all(np.isfinite(moved)):
            raise ValueError("the Jacobian of the map is not finite at this point")
        return moved

    if size <= max(DENSE_SIZE, count + 2):
        values, vectors = np.linalg.eig(_finite(jacobian(function, at)))
        shift = 0.0
    else:
        values, vectors, shift = _arnoldi(
            product, size, dtype, count, which, krylov_size, tolerance, restarts, seed
        )
    greatest = max(abs(shift), float(np.abs(values).max()), np.finfo(dtype).tiny)
    values, vectors = _leading(values, vectors, count, which)
    moved = np.stack(
        [product(part) for vector in vectors.T for part in (vector.real, vector.imag)], axis=1
    )
    errors = moved[:, ::2] + 1j * moved[:, 1::2] - values * vectors
    return Spectrum(values, vectors, np.linalg.norm(errors, axis=0) / greatest)


def default_tolerance(at: Any) -> float:
    """Returns the square root of the precision of a point's numbers."""
    return float(np.sqrt(np.finfo(_precision(at)).eps))


def as_partial(function: Map) -> Partial:
    """Returns the map as an argument of compiled functions: arrays that it holds are not static."""
    return function if isinstance(function, Partial) else Partial(function)


def _flat_product(function: Partial, at: Any) -> Callable[[npt.NDArray[Any]], jax.Array]:
    """The product of the Jacobian and a vector ``[size]``, by forward differentiation if it can."""
    forward = True
    try:
        _compiled_product(function, at, np.zeros(_size(at), _precision(at)), forward=True)
    except TypeError as error:  # raised when the program is compiled, not when it is traced
        if "custom_vjp" not in str(error):
            raise
        forward = False
    return lambda direction: _compiled_product(function, at, direction, forward=forward)


@functools.partial(jax.jit, static_argnames="forward")
def _compiled_product(
    function: Partial, at: Any, direction: npt.NDArray[Any], forward: bool
) -> jax.Array:
    flat, unravel = ravel_pytree(at)
    along = unravel(jnp.asarray(direction, flat.dtype))
    return ravel_pytree(jacobian_product(function, at, along, forward))[0]


def _size(at: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(at))


def _precision(at: Any) -> np.dtype[Any]:
    """The precision that Arnoldi computes in: float32 or float64."""
    dtype = jnp.result_type(*jax.tree.leaves(at))
    return np.dtype(jnp.promote_types(dtype, jnp.float32))


def _check_returned(function: Map, at: Any) -> None:
    returned = jax.eval_shape(function, at)
    shapes = [jax.tree.map(jnp.shape, tree) for tree in (returned, at)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"the map returns {shapes[0]}, which is unlike the point, {shapes[1]}")


def _finite(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not np.all(np.isfinite(matrix)):
        raise ValueError("the Jacobian of the map is not finite at this point")
    return matrix


def _arnoldi(
    product: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    size: int,
    dtype: np.dtype[Any],
    count: int,
    which: Which,
    krylov_size: int | None,
    tolerance: float | None,
    restarts: int | None,
    seed: int,
) -> tuple[ComplexArray, ComplexArray, float]:
    """Eigenvalues and eigenvectors by ARPACK, in its order, and the shift that was used."""
    start = np.random.default_rng(seed).normal(size=size)

    def solve(
        count: int, which: Which, shift: float, tolerance: float
    ) -> tuple[ComplexArray, ComplexArray]:
        # In float64 also if the products are of float32, whose Schur forms ARPACK may not reorder.
        operator = scipy.sparse.linalg.LinearOperator(
            (size, size), lambda u: product(u) - shift * u.ravel(), dtype=np.float64
        )
        vectors = min(size, krylov_size or max(3 * count + 1, 40))
        try:
            values, found = scipy.sparse.linalg.eigs(
                operator, count, which=which, v0=start, ncv=vectors, maxiter=restarts, tol=tolerance
            )
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            raise RuntimeError(
                f"Arnoldi found {len(error.eigenvalues)} of {count} eigenvalues with "
                f"krylov_size={vectors}: raise krylov_size, restarts or tolerance"
            ) from error
        except scipy.sparse.linalg.ArpackError as error:
            raise RuntimeError(f"Arnoldi failed with krylov_size={vectors}: {error}") from error
        found = found / np.linalg.norm(found, axis=0)
        return values.astype(np.complex128) + shift, found.astype(np.complex128)

    tolerance = float(np.sqrt(np.finfo(dtype).eps)) if tolerance is None else tolerance
    shift = 0.0
    if which != "LM":
        # A tenth is enough to know how large the eigenvalues are.
        greatest, _ = solve(1, "LM", 0.0, max(tolerance, 0.1))
        shift = float(np.abs(greatest[0])) * (1 if which == "SR" else -1)
    return *solve(count, which, shift, tolerance), shift


def _leading(
    values: ComplexArray, vectors: ComplexArray, count: int, which: Which
) -> tuple[ComplexArray, ComplexArray]:
    """The leading ones in order, with the conjugate of the last one if it has been cut off."""
    keys = {"LM": -np.abs(values), "SR": values.real, "LR": -values.real}
    # Of conjugates, which are equal up to rounding, the one above the real axis comes first.
    size = max(float(np.abs(values).max()), np.finfo(float).tiny)
    order = np.lexsort((-values.imag, np.round(keys[which] / size, 9)))[:count]
    values = values[order].astype(np.complex128)
    vectors = vectors[:, order].astype(np.complex128)
    alone = [
        index
        for index, value in enumerate(values)
        if abs(value.imag) > 1e-12 * size
        and not np.any(np.abs(values - value.conj()) <= 1e-6 * size)
    ]
    if alone:
        values = np.append(values, values[alone[-1]].conj())
        vectors = np.concatenate([vectors, vectors[:, alone[-1:]].conj()], axis=1)
    return values, vectors
