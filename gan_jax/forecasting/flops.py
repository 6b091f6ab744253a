"""Floating-point operations of a program, from what JAX has traced: the same on every machine."""

import math
from collections.abc import Iterator
from typing import Any


def flops_of(jaxpr: Any) -> float:
    """Returns the operations of all matrix products and convolutions of a jaxpr.

    A product of ``[m, k]`` and ``[k, n]`` takes ``2 m k n``. A loop counts as often as it runs, a
    branch as its longest one, and a loop whose length is not known beforehand once. Element-wise
    operations are left out, as in papers. Results that nobody uses are counted, too.

    Args:
      jaxpr: closed or not, such as ``jax.make_jaxpr(f)(*arguments)``.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    return sum(_flops_of_equation(equation) for equation in jaxpr.eqns)


def _flops_of_equation(equation: Any) -> float:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval
        summed = math.prod(left.shape[axis] for axis in contracted)
        return float(2 * _size(equation.outvars[0]) * summed)
    if name == "conv_general_dilated":
        kernel = equation.invars[1]
        outputs = kernel.aval.shape[params["dimension_numbers"].rhs_spec[0]]
        summed = _size(kernel) // outputs  # entries of the kernel for each output
        # Zeros between pixels are not multiplied.
        return float(2 * _size(equation.outvars[0]) * summed / math.prod(params["lhs_dilation"]))
    if name == "cond":
        return max(flops_of(branch) for branch in params["branches"])
    inside = sum(map(flops_of, _jaxprs(params)))
    times: int = params["length"] if name == "scan" else 1
    return inside * times


def _size(variable: Any) -> int:
    return math.prod(variable.aval.shape)


def _jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    for value in params.values():
        for entry in value if isinstance(value, list | tuple) else (value,):
            if hasattr(getattr(entry, "jaxpr", entry), "eqns"):
                yield entry
