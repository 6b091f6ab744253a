"""Convolutions whose derivatives of every order are again one of three fast forms.

With ``X`` the input, ``W`` the kernel and ``Y`` the output, a convolution ``Y = conv(X, W)`` is linear in each argument,
and its two transposes ``X = dgrad(Y, W)`` and ``W = wgrad(X, Y)`` are too. All three are parts of one trilinear form, so
the derivative of each is made of the other two. On a CPU they are written as three functions with exactly these
derivatives, each in the form that XLA runs fastest there. What XLA is slow at on a CPU, and none of the forms has:

- a convolution of a dilated input, the transpose of a strided one: it multiplies the zeros. If it sums over the batch
  besides, as the derivative of a transposed convolution and so every gradient penalty through a strided one, it is an
  order of magnitude slower still. Here, one plain convolution for each position modulo the stride.
- a kernel that is larger than the image: XLA exchanges the two, and the result ran 8x to 50x more slowly (5x5 kernels on
  images of 4x4, where every DCGAN ends). Such images are laid out as rows, and what remains is one matrix product.
- a convolution to a few channels, the gradient of an image: its blocks stay empty. One matrix product to all that the
  kernel's taps give, then their sums, is 2.5x as quick. A kernel of one pixel is a matrix product from the start.

These forms are more operations, which take longer to compile, so what costs next to nothing stays as XLA has it. On other
platforms XLA's own derivatives are used. ``python experiments/benchmark.py convolutions`` times the forms one by one, with
XLA told not to give convolutions to YNNPACK (``gan_jax.distributed.cpu.choose_xla_flags``): the forms are chosen for that.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.game import Array

_forward = ContextVar("forward", default=False)


@contextlib.contextmanager
def forward_mode() -> Iterator[None]:
    """Within it, convolutions are traced as XLA's own, so that ``jax.jvp`` works through them on a CPU too (slowly)."""
    token = _forward.set(True)
    try:
        yield
    finally:
        _forward.reset(token)


class Geometry(NamedTuple):
    """What fixes a convolution besides its arguments: static and hashable."""

    size: tuple[int, ...]  # of the input X, in pixels
    kernel: tuple[int, ...]
    stride: int
    padding: tuple[tuple[int, int], ...]
    groups: int


def _lax_conv(geometry: Geometry, x: Array, w: Array) -> Array:
    return lax.conv_general_dilated(
        x,
        w,
        (geometry.stride, geometry.stride),
        geometry.padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=geometry.groups,
    )


def _lax_dgrad(geometry: Geometry, y: Array, w: Array) -> Array:
    x = jax.ShapeDtypeStruct((y.shape[0], *geometry.size, w.shape[2] * geometry.groups), y.dtype)
    return jax.linear_transpose(lambda x: _lax_conv(geometry, x, w), x)(y)[0]


def _lax_wgrad(geometry: Geometry, x: Array, y: Array) -> Array:
    w = jax.ShapeDtypeStruct((*geometry.kernel, x.shape[3] // geometry.groups, y.shape[3]), y.dtype)
    return jax.linear_transpose(lambda w: _lax_conv(geometry, x, w), w)(y)[0]


def _plain(x: Array, w: Array, padding: Sequence[tuple[int, int]], dilation: int = 1) -> Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, w, (1, 1), padding, rhs_dilation=(dilation,) * 2, dimension_numbers=numbers
    )


CHEAP = 2**20
"""Multiplications below which no form is worth its compilation."""


def _cheap(geometry: Geometry, batch: int, w: Sequence[int]) -> bool:
    """Whether a convolution by a kernel of shape ``w`` costs next to nothing."""
    return batch * math.prod(-(-n // geometry.stride) for n in geometry.size) * math.prod(w) < CHEAP


FEW = 8
"""Channels up to which a convolution to them is quicker as a matrix product, and sums of what it gives."""
MANY = 4
"""Samples from which on their sum is quicker as the channels of a convolution."""


def _area(size: Sequence[int]) -> int:
    return math.prod(size[:2])


def _rows(geometry: Geometry, x: Array, shape: Sequence[int]) -> Array:
    """What the kernel meets for each pixel of an output of that ``shape``, side by side: ``[batch h w, k k in]``."""
    x = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    (height, width), stride = shape[1:3], geometry.stride
    span = lambda start, count: slice(start, start + stride * (count - 1) + 1, stride)
    kernel = itertools.product(*map(range, geometry.kernel))
    taps = [x[:, span(i, height), span(j, width)] for i, j in kernel]
    return jnp.concatenate(taps, -1).reshape(math.prod(shape[:3]), -1)


def _folded(geometry: Geometry, rows: Array, axis: int) -> Array:
    """The transpose of :func:`_rows` along one axis, whose taps are axis 3 of ``rows``: their sums, by phases as below."""
    stride, size, low, out = (
        geometry.stride,
        geometry.size[axis],
        geometry.padding[axis][0],
        rows.shape[1 + axis],
    )
    count = -(-size // stride)
    phases = [jnp.zeros((), rows.dtype)] * stride
    for t in range(geometry.kernel[axis]):
        p = (t - low) % stride
        m = (t - p - low) // stride
        tap, shift = lax.index_in_dim(rows, t, 3, keepdims=False), [(0, 0, 0)] * (rows.ndim - 1)
        shift[1 + axis] = (m, count - out - m, 0)
        phases[p] += lax.pad(tap, jnp.zeros((), rows.dtype), shift)
    x = jnp.stack(jnp.broadcast_arrays(*phases), 2 + axis)
    x = x.reshape(*x.shape[: 1 + axis], count * stride, *x.shape[3 + axis :])
    return lax.slice_in_dim(x, 0, size, axis=1 + axis)


def _fast_conv(geometry: Geometry, x: Array, w: Array) -> Array:
    exchanged = _area(geometry.kernel) > _area(geometry.size)
    if (
        geometry.groups > 1
        or not (exchanged or _area(geometry.kernel) == 1)
        or _cheap(geometry, len(x), w.shape)
    ):
        return _lax_conv(geometry, x, w)
    shape = (len(x), *(-(-n // geometry.stride) for n in geometry.size), w.shape[3])
    return (_rows(geometry, x, shape) @ w.reshape(-1, w.shape[3])).reshape(shape)


def _fast_dgrad(geometry: Geometry, y: Array, w: Array) -> Array:
    if geometry.groups > 1 or _cheap(geometry, len(y), w.shape):
        return _lax_dgrad(geometry, y, w)
    exchanged = _area([-(-k // geometry.stride) for k in geometry.kernel]) > _area(y.shape[1:3])
    if exchanged or _area(geometry.kernel) == 1 or w.shape[2] <= FEW:
        rows = y.reshape(-1, y.shape[3]) @ w.reshape(-1, w.shape[3]).T
        rows = rows.reshape(*y.shape[:3], *w.shape[:3])
        return _folded(geometry, _folded(geometry, rows, 0), 1)
    return _by_phases(geometry, y, w)


def _by_phases(geometry: Geometry, y: Array, w: Array) -> Array:
    """``x[s q + p]`` meets the taps ``t = p + low + s m``, m integer, at ``y[q - m]``: for each p a convolution of its own."""
    stride, w = geometry.stride, jnp.swapaxes(w, 2, 3)
    w = jnp.pad(
        w, (*((0, max(stride - k, 0)) for k in geometry.kernel), (0, 0), (0, 0))
    )  # some tap for each p
    counts = [-(-n // stride) for n in geometry.size]
    phases = []
    for at in itertools.product(range(stride), repeat=2):
        own, padding = [], []
        for p, k, (low, _), count, out in zip(
            at, w.shape[:2], geometry.padding, counts, y.shape[1:3], strict=True
        ):
            taps = range((p + low) % stride, k, stride)
            first, last = (taps[0] - p - low) // stride, (taps[-1] - p - low) // stride
            own.append(slice(taps.start, None, stride))
            padding.append((last, count - first - out))
        phases.append(_plain(y, w[own[0], own[1]][::-1, ::-1], padding))
    if stride == 1:
        return phases[0]
    x = jnp.stack(phases, 3).reshape(len(y), *counts, stride, stride, -1)
    x = jnp.swapaxes(x, 2, 3).reshape(len(y), *(stride * n for n in counts), -1)
    return x[:, : geometry.size[0], : geometry.size[1]]


def _fast_wgrad(geometry: Geometry, x: Array, y: Array) -> Array:
    if geometry.groups > 1:
        return _lax_wgrad(geometry, x, y)
    cheap = _cheap(geometry, len(x), (*geometry.kernel, x.shape[3], y.shape[3]))
    if _area(geometry.kernel) == 1 or (len(x) < MANY and not cheap):
        w = _rows(geometry, x, y.shape).T @ y.reshape(-1, y.shape[3])
        return w.reshape(*geometry.kernel, x.shape[3], y.shape[3])
    # A convolution that sums over the batch as others do over channels.
    w = _plain(
        jnp.transpose(x, (3, 1, 2, 0)),
        jnp.transpose(y, (1, 2, 0, 3)),
        geometry.padding,
        geometry.stride,
    )
    return jnp.transpose(w[:, : geometry.kernel[0], : geometry.kernel[1]], (1, 2, 0, 3))


_conv = jax.custom_vjp(_fast_conv, nondiff_argnums=(0,))
_dgrad = jax.custom_vjp(_fast_dgrad, nondiff_argnums=(0,))
_wgrad = jax.custom_vjp(_fast_wgrad, nondiff_argnums=(0,))
_conv.defvjp(
    lambda geometry, x, w: (_conv(geometry, x, w), (x, w)),
    lambda geometry, xw, y: (_dgrad(geometry, y, xw[1]), _wgrad(geometry, xw[0], y)),
)
_dgrad.defvjp(
    lambda geometry, y, w: (_dgrad(geometry, y, w), (y, w)),
    lambda geometry, yw, x: (_conv(geometry, x, yw[1]), _wgrad(geometry, x, yw[0])),
)
_wgrad.defvjp(
    lambda geometry, x, y: (_wgrad(geometry, x, y), (x, y)),
    lambda geometry, xy, w: (_dgrad(geometry, xy[1], w), _conv(geometry, xy[0], w)),
)


def _own_derivatives() -> bool:
    return jax.default_backend() == "cpu" and not _forward.get()


def _padding(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: int
) -> tuple[tuple[int, int], ...]:
    """Such that the output has ``ceil(size / stride)`` pixels and odd kernels stay centred at stride 1 and 2."""
    pads = []
    for n, k in zip(size, kernel, strict=True):
        low = (k - 1) // 2
        pads.append((low, max((-(-n // stride) - 1) * stride + k - n - low, 0)))
    return tuple(pads)


def conv(x: Array, kernel: Array, stride: int = 1, groups: int = 1) -> Array:
    """Convolution: ``[batch, height, width, in]`` by ``[k, k, in / groups, out]`` -> ``[batch, ceil(height / stride), ...]``.

    ``y[i] = sum_t kernel[t] x[stride i + t - (k - 1) // 2]`` along each axis, zeros outside.
    """
    size, taps = x.shape[1:3], kernel.shape[:2]
    geometry = Geometry(size, taps, stride, _padding(size, taps, stride), groups)
    return (_conv if _own_derivatives() else _lax_conv)(geometry, x, kernel)


def transposed_conv(x: Array, kernel: Array, stride: int, size: tuple[int, int]) -> Array:
    """Transposed convolution: ``[batch, height, width, in]`` by ``[k, k, in, out]`` -> ``[batch, *size, out]``.

    The transpose of :func:`conv` at this stride, so ``ceil(size / stride)`` must be ``(height, width)``.
    """
    taps = kernel.shape[:2]
    geometry = Geometry(tuple(size), taps, stride, _padding(size, taps, stride), 1)
    return (_dgrad if _own_derivatives() else _lax_dgrad)(geometry, x, jnp.swapaxes(kernel, 2, 3))


def _doubled(kernel: Array) -> Array:
    """``[3, 3, ...] -> [4, 4, ...]``: the sum of the kernel at the four positions of a 2x2 block."""
    padded = jnp.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def upsample_conv(x: Array, kernel: Array) -> Array:
    """2x nearest-neighbour upsampling, then a convolution.

    ``[batch, h, w, in]`` by ``[k, k, in, out]``, k 1 or 3 -> ``[batch, 2h, 2w, out]``.
    A 3x3 kernel needs 2.25 times fewer multiplications as one 4x4 transposed convolution of stride 2 with summed taps,
    and a 1x1 kernel four times fewer before the upsampling than after it. Both are exact.
    """
    if kernel.shape[:2] == (1, 1):
        return upsample(conv(x, kernel))
    return transposed_conv(x, _doubled(kernel)[::-1, ::-1], 2, (2 * x.shape[1], 2 * x.shape[2]))


def conv_downsample(x: Array, kernel: Array) -> Array:
    """A convolution, then the mean of each 2x2 block.

    ``[batch, 2h, 2w, in]`` by ``[k, k, in, out]``, k 1 or 3 -> ``[batch, h, w, out]``.
    A 3x3 kernel becomes one 4x4 convolution of stride 2 with averaged taps, a 1x1 kernel acts after the means. Exact.
    """
    if kernel.shape[:2] == (1, 1):
        return conv(downsample(x), kernel)
    return conv(x, _doubled(kernel) / 4, 2)


def upsample(x: Array) -> Array:
    """2x nearest neighbour: ``[batch, h, w, channels] -> [batch, 2h, 2w, channels]``."""
    batch, height, width, channels = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None, :], (batch, height, 2, width, 2, channels))
    return wide.reshape(batch, 2 * height, 2 * width, channels)


def downsample(x: Array) -> Array:
    """The mean of each 2x2 block: ``[batch, 2h, 2w, channels] -> [batch, h, w, channels]``; both sizes must be even."""
    batch, height, width, channels = x.shape
    return jnp.mean(x.reshape(batch, height // 2, 2, width // 2, 2, channels), (2, 4))
