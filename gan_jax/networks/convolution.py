"""Convolutions whose derivatives of every order are again one of three fast forms.

With ``X`` the input, ``W`` the kernel and ``Y`` the output, a convolution ``Y = conv(X, W)`` is
linear in each argument, and so are its two transposes ``X = dgrad(Y, W)`` and ``W = wgrad(X, Y)``.
All three are parts of one trilinear form, so the derivative of each consists of the other two. On a
CPU they are three functions with exactly these derivatives, each in the form that XLA runs fastest
there. Each form avoids something that XLA is slow at on a CPU:

- A convolution of a dilated input, the transpose of a strided one: it multiplies the zeros. It is
  an order of magnitude slower still if it also sums over the batch, as does the derivative of a
  transposed convolution and therefore every gradient penalty through a strided one. Instead, there
  is one plain convolution for each position modulo the stride.
- A kernel that is larger than the image: XLA exchanges the two, and the result ran 8x to 50x more
  slowly (5x5 kernels on images of 4x4, in which every DCGAN ends). Instead, the patches of such
  images are laid out as the rows of a matrix, and what remains is one matrix product.
- A convolution to a few channels, such as the gradient with respect to an image: its blocks stay
  nearly empty. One matrix product for all taps of the kernel, followed by their sums, is 2.5x as
  fast. A convolution by a kernel of one pixel is always a matrix product.
- Groups of channels: their derivatives are far slower than those of one group, which the kernel
  becomes with zeros between its groups.

These forms consist of more operations, which take longer to compile, so convolutions that cost next
to nothing are left to XLA. On other platforms XLA's own derivatives are used.

``python experiments/benchmark.py convolutions`` times the forms one by one. They were chosen with
XLA told not to give convolutions to YNNPACK (``gan_jax.distributed.cpu.choose_xla_flags``).
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.game import Array
from gan_jax.platforms import platform

CHEAP_MULTIPLICATIONS = 2**20
"""Below this number of multiplications no fast form is worth its compilation."""

FEW_CHANNELS = 8
"""Up to this many output channels, a convolution is faster as a matrix product and sums over
taps."""

MANY_SAMPLES = 4
"""From this many samples on, sums over the batch are faster as sums over a convolution's
channels."""

_forward_mode = ContextVar("forward_mode", default=False)


@contextlib.contextmanager
def forward_mode() -> Iterator[None]:
    """Within this context convolutions are traced as XLA's own.

    This makes ``jax.jvp`` work through them on a CPU too, slowly.
    """
    token = _forward_mode.set(True)
    try:
        yield
    finally:
        _forward_mode.reset(token)


class Geometry(NamedTuple):
    """What defines a convolution, apart from its arguments; static and hashable.

    Attributes:
      size: height and width of the input X, in pixels.
      kernel: height and width of the kernel.
      stride: pixels of the input per pixel of the output.
      padding: zeros before and after, along height and width.
      groups: groups of channels that are convolved separately.
    """

    size: tuple[int, ...]
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
    shape = (y.shape[0], *geometry.size, w.shape[2] * geometry.groups)
    x = jax.ShapeDtypeStruct(shape, y.dtype)
    transposed: Array
    (transposed,) = jax.linear_transpose(lambda x: _lax_conv(geometry, x, w), x)(y)
    return transposed


def _lax_wgrad(geometry: Geometry, x: Array, y: Array) -> Array:
    shape = (*geometry.kernel, x.shape[3] // geometry.groups, y.shape[3])
    w = jax.ShapeDtypeStruct(shape, y.dtype)
    transposed: Array
    (transposed,) = jax.linear_transpose(lambda w: _lax_conv(geometry, x, w), w)(y)
    return transposed


def _plain_conv(x: Array, w: Array, padding: Sequence[tuple[int, int]], dilation: int = 1) -> Array:
    """A convolution of stride 1, by a kernel that may be dilated."""
    return lax.conv_general_dilated(
        x,
        w,
        (1, 1),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _area(size: Sequence[int]) -> int:
    return math.prod(size[:2])


def _is_cheap(geometry: Geometry, batch: int, kernel_shape: Sequence[int]) -> bool:
    """Whether a convolution by a kernel of that shape costs next to nothing."""
    outputs = math.prod(_ceil_div(n, geometry.stride) for n in geometry.size)
    return batch * outputs * math.prod(kernel_shape) < CHEAP_MULTIPLICATIONS


def _patches(geometry: Geometry, x: Array, shape: Sequence[int]) -> Array:
    """The patches that the kernel meets, ``[batch h w, k k in]``, for an output of that shape."""
    x = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    (height, width), stride = shape[1:3], geometry.stride

    def pixels(start: int, count: int) -> slice:
        return slice(start, start + stride * (count - 1) + 1, stride)

    taps = [
        x[:, pixels(i, height), pixels(j, width)]
        for i in range(geometry.kernel[0])
        for j in range(geometry.kernel[1])
    ]
    return jnp.concatenate(taps, -1).reshape(math.prod(shape[:3]), -1)


def _sum_taps(geometry: Geometry, taps: Array, axis: int) -> Array:
    """The transpose of :func:`_patches` along one image axis, 0 or 1.

    Axis 3 of ``taps`` holds the taps along that image axis. What they add to the image is summed
    for each position modulo the stride (a phase) by itself, and the phases are interleaved.
    """
    stride, size, low = geometry.stride, geometry.size[axis], geometry.padding[axis][0]
    output_size = taps.shape[1 + axis]
    count = _ceil_div(size, stride)
    zero = jnp.zeros((), taps.dtype)
    phases = [zero] * stride
    for t in range(geometry.kernel[axis]):
        phase = (t - low) % stride
        shift = (t - phase - low) // stride
        tap = lax.index_in_dim(taps, t, 3, keepdims=False)
        padding = [(0, 0, 0)] * (taps.ndim - 1)
        padding[1 + axis] = (shift, count - output_size - shift, 0)
        phases[phase] += lax.pad(tap, zero, padding)
    x = jnp.stack(jnp.broadcast_arrays(*phases), 2 + axis)
    x = x.reshape(*x.shape[: 1 + axis], count * stride, *x.shape[3 + axis :])
    return lax.slice_in_dim(x, 0, size, axis=1 + axis)


def _fast_conv(geometry: Geometry, x: Array, w: Array) -> Array:
    exceeds_image = _area(geometry.kernel) > _area(geometry.size)
    is_matrix_product = exceeds_image or _area(geometry.kernel) == 1
    if not is_matrix_product or _is_cheap(geometry, len(x), w.shape):
        return _lax_conv(geometry, x, w)
    height, width = (
        (n + sum(zeros) - k) // geometry.stride + 1
        for n, k, zeros in zip(geometry.size, geometry.kernel, geometry.padding, strict=True)
    )
    shape = (len(x), height, width, w.shape[3])
    return (_patches(geometry, x, shape) @ w.reshape(-1, w.shape[3])).reshape(shape)


def _fast_dgrad(geometry: Geometry, y: Array, w: Array) -> Array:
    if _is_cheap(geometry, len(y), w.shape):
        return _lax_dgrad(geometry, y, w)
    taps_per_phase = [_ceil_div(k, geometry.stride) for k in geometry.kernel]
    exceeds_image = _area(taps_per_phase) > _area(y.shape[1:3])
    if exceeds_image or _area(geometry.kernel) == 1 or w.shape[2] <= FEW_CHANNELS:
        taps = y.reshape(-1, y.shape[3]) @ w.reshape(-1, w.shape[3]).T
        taps = taps.reshape(*y.shape[:3], *w.shape[:3])
        return _sum_taps(geometry, _sum_taps(geometry, taps, 0), 1)
    return _dgrad_by_phases(geometry, y, w)


def _dgrad_by_phases(geometry: Geometry, y: Array, w: Array) -> Array:
    """The transpose of a strided convolution, as a convolution for each position modulo the stride.

    ``x[s q + p]`` meets the taps ``t = p + low + s m``, m integer, at ``y[q - m]``.
    """
    stride = geometry.stride
    w = jnp.swapaxes(w, 2, 3)
    # At least one tap for each phase.
    strides = [min(stride, n) for n in geometry.size]  # a side of one pixel has one position
    missing_taps = [(0, max(stride - k, 0)) for k in geometry.kernel]
    w = jnp.pad(w, (*missing_taps, (0, 0), (0, 0)))
    counts = [_ceil_div(n, stride) for n in geometry.size]
    phases = []
    for phase in itertools.product(*map(range, strides)):
        taps, padding = [], []
        for axis, p in enumerate(phase):
            low = geometry.padding[axis][0]
            taps_of_phase = range((p + low) % stride, w.shape[axis], stride)
            first = (taps_of_phase[0] - p - low) // stride
            last = (taps_of_phase[-1] - p - low) // stride
            taps.append(slice(taps_of_phase.start, None, stride))
            padding.append((last, counts[axis] - first - y.shape[1 + axis]))
        phases.append(_plain_conv(y, w[taps[0], taps[1]][::-1, ::-1], padding))
    if stride == 1:
        return phases[0]
    x = jnp.stack(phases, 3).reshape(len(y), *counts, *strides, -1)
    sides = [n * count for n, count in zip(strides, counts, strict=True)]
    x = jnp.swapaxes(x, 2, 3).reshape(len(y), *sides, -1)
    return x[:, : geometry.size[0], : geometry.size[1]]


def _fast_wgrad(geometry: Geometry, x: Array, y: Array) -> Array:
    is_cheap = _is_cheap(geometry, len(x), (*geometry.kernel, x.shape[3], y.shape[3]))
    if _area(geometry.kernel) == 1 or (len(x) < MANY_SAMPLES and not is_cheap):
        w = _patches(geometry, x, y.shape).T @ y.reshape(-1, y.shape[3])
        return w.reshape(*geometry.kernel, x.shape[3], y.shape[3])
    # A convolution in which samples are the channels that are summed over.
    w = _plain_conv(
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


def _uses_fast_forms() -> bool:
    return platform() == "cpu" and not _forward_mode.get()


def _padding(
    size: Sequence[int], kernel: Sequence[int], stride: int, zeros: int | None
) -> tuple[tuple[int, int], ...]:
    """The zeros before and after; None: such that the output has ``ceil(size / stride)`` pixels.

    Odd kernels are then centred at stride 1 and 2.
    """
    if zeros is not None:
        return ((zeros, zeros),) * len(size)
    padding = []
    for n, k in zip(size, kernel, strict=True):
        low = (k - 1) // 2
        high = (_ceil_div(n, stride) - 1) * stride + k - n - low
        padding.append((low, max(high, 0)))
    return tuple(padding)


def conv(
    x: Array, kernel: Array, stride: int = 1, groups: int = 1, padding: int | None = None
) -> Array:
    """Computes a convolution, ``y[i] = sum_t kernel[t] x[stride i + t - low]`` per axis.

    Args:
      x: ``[batch, height, width, in]``; zeros are assumed outside.
      kernel: ``[k, k, in / groups, out]``.
      stride: pixels of the input per pixel of the output.
      groups: groups of channels that are convolved separately.
      padding: zeros on each side, ``low``; None: ``(k - 1) // 2`` before, and as many after as give
        the size below.

    Returns:
      ``[batch, ceil(height / stride), ceil(width / stride), out]``; with ``padding``, sides of
      ``(side + 2 padding - k) // stride + 1``.
    """
    size, taps = x.shape[1:3], kernel.shape[:2]
    form: Callable[[Geometry, Array, Array], Array] = _lax_conv
    if _uses_fast_forms():
        form, kernel, groups = _conv, _block_diagonal(kernel, groups), 1
    geometry = Geometry(size, taps, stride, _padding(size, taps, stride, padding), groups)
    return form(geometry, x, kernel)


def _block_diagonal(kernel: Array, groups: int) -> Array:
    """The kernel ``[k, k, in, out]`` of one group that acts as that of several, ``in / groups``."""
    if groups == 1:
        return kernel
    height, width, of_group, features = kernel.shape
    blocks = kernel.reshape(height, width, 1, of_group, groups, features // groups)
    diagonal = jnp.eye(groups, dtype=kernel.dtype).reshape(1, 1, groups, 1, groups, 1)
    return (blocks * diagonal).reshape(height, width, groups * of_group, features)


def transposed_conv(
    x: Array, kernel: Array, stride: int, size: tuple[int, int], padding: int | None = None
) -> Array:
    """Computes a transposed convolution: the transpose of :func:`conv` at that stride.

    Args:
      x: ``[batch, height, width, in]``.
      kernel: ``[k, k, in, out]``.
      stride: pixels of the output per pixel of the input.
      size: height and width of the output, of which :func:`conv` must make ``(height, width)``:
        ``ceil(size / stride)``, or ``(size + 2 padding - k) // stride + 1``.
      padding: that of :func:`conv`.

    Returns:
      ``[batch, *size, out]``.
    """
    taps = kernel.shape[:2]
    geometry = Geometry(tuple(size), taps, stride, _padding(size, taps, stride, padding), 1)
    form: Callable[[Geometry, Array, Array], Array] = _dgrad if _uses_fast_forms() else _lax_dgrad
    return form(geometry, x, jnp.swapaxes(kernel, 2, 3))


def _sum_over_blocks(kernel: Array) -> Array:
    """A 3x3 kernel summed over its four positions in a 2x2 block: a 4x4 kernel."""
    padded = jnp.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def upsample_conv(x: Array, kernel: Array) -> Array:
    """Computes 2x nearest-neighbour upsampling, then a convolution.

    With a 3x3 kernel this is one 4x4 transposed convolution of stride 2 with summed taps, which
    takes 2.25 times fewer multiplications. A 1x1 kernel is applied before the upsampling, which
    takes four times fewer. Both are exact.

    Args:
      x: ``[batch, h, w, in]``.
      kernel: ``[k, k, in, out]`` with k 1 or 3.

    Returns:
      ``[batch, 2h, 2w, out]``.
    """
    if kernel.shape[:2] == (1, 1):
        return upsample(conv(x, kernel))
    size = (2 * x.shape[1], 2 * x.shape[2])
    return transposed_conv(x, _sum_over_blocks(kernel)[::-1, ::-1], 2, size)


def conv_downsample(x: Array, kernel: Array) -> Array:
    """Computes a convolution, then the mean of each 2x2 block.

    With a 3x3 kernel this is one 4x4 convolution of stride 2 with averaged taps. A 1x1 kernel is
    applied after the means. Both are exact.

    Args:
      x: ``[batch, 2h, 2w, in]``.
      kernel: ``[k, k, in, out]`` with k 1 or 3.

    Returns:
      ``[batch, h, w, out]``.
    """
    if kernel.shape[:2] == (1, 1):
        return conv(downsample(x), kernel)
    return conv(x, _sum_over_blocks(kernel) / 4, 2)


def upsample(x: Array) -> Array:
    """Doubles images ``[batch, h, w, channels]`` in both directions by nearest neighbour."""
    batch, height, width, channels = x.shape
    blocks = jnp.broadcast_to(x[:, :, None, :, None, :], (batch, height, 2, width, 2, channels))
    return blocks.reshape(batch, 2 * height, 2 * width, channels)


def downsample(x: Array) -> Array:
    """Halves images ``[batch, 2h, 2w, channels]`` in both directions by the means of 2x2 blocks.

    Both sides must be even.
    """
    batch, height, width, channels = x.shape
    return jnp.mean(x.reshape(batch, height // 2, 2, width // 2, 2, channels), (2, 4))
