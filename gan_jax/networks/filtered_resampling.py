"""Doubling and halving of images through the low-pass filter [1, 3, 3, 1], as in StyleGAN2.

The filter is separable and sums to 1. Outside of an image are zeros. Where a convolution comes with
the resampling, the filter stands on the side of the larger image.

References:
  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2 and
  figure 7, and the authors' code, ``upfirdn2d`` and ``conv2d_resample``.
"""

import jax.numpy as jnp
from jax import lax

from gan_jax.game import Array
from gan_jax.networks import convolution

TAPS = (1 / 8, 3 / 8, 3 / 8, 1 / 8)


def low_pass(x: Array, padding: int) -> Array:
    """Computes the filtered image, ``y[i] = sum_t TAPS[t] x[i + t - padding]`` per axis.

    Args:
      x: ``[batch, height, width, channels]``.
      padding: zeros on each side.

    Returns:
      ``[batch, height + 2 padding - 3, width + 2 padding - 3, channels]``.
    """
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for axis in (1, 2):
        length = x.shape[axis] - len(TAPS) + 1
        taps = [
            tap * lax.slice_in_dim(x, start, start + length, axis=axis)
            for start, tap in enumerate(TAPS)
        ]
        x = sum(taps[1:], taps[0])
    return x


def upsample(x: Array) -> Array:
    """Doubles images ``[batch, h, w, channels]``: zeros between pixels, then the filter times 4.

    Per axis ``y[2i] = (x[i - 1] + 3 x[i]) / 4`` and ``y[2i + 1] = (3 x[i] + x[i + 1]) / 4``.
    """
    for axis in (1, 2):
        length = x.shape[axis]
        padded = jnp.pad(x, [(int(a == axis),) * 2 for a in range(x.ndim)])
        before = lax.slice_in_dim(padded, 0, length, axis=axis)
        after = lax.slice_in_dim(padded, 2, length + 2, axis=axis)
        pairs = jnp.stack([(before + 3 * x) / 4, (3 * x + after) / 4], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * length, *x.shape[axis + 1 :])
    return x


def downsample(x: Array) -> Array:
    """Halves images ``[batch, 2h, 2w, channels]``: the filter, then every second pixel.

    Per axis ``y[i] = (x[2i - 1] + 3 x[2i] + 3 x[2i + 1] + x[2i + 2]) / 8``.
    """
    return low_pass(x, 1)[:, ::2, ::2]


def upsample_conv(x: Array, kernel: Array) -> Array:
    """Computes `upsample`, then the convolution by the mirrored kernel.

    As in the authors' code the kernel is mirrored, and the image is padded once, before both: the
    convolution sees what the filter makes of the pixels just outside of the image. The filter comes
    last here, after one transposed convolution: the order does not matter.

    Args:
      x: ``[batch, h, w, in]``.
      kernel: ``[3, 3, in, out]``.

    Returns:
      ``[batch, 2h, 2w, out]``.
    """
    size = (2 * x.shape[1] + 1, 2 * x.shape[2] + 1)
    return low_pass(convolution.transposed_conv(x, 4 * kernel, 2, size, padding=0), 1)


def conv_downsample(x: Array, kernel: Array) -> Array:
    """Computes the filter, then a convolution of stride 2.

    Args:
      x: ``[batch, 2h, 2w, in]``.
      kernel: ``[k, k, in, out]`` with k 1 or 3.

    Returns:
      ``[batch, h, w, out]``.
    """
    if kernel.shape[:2] == (1, 1):
        return convolution.conv(downsample(x), kernel)
    return convolution.conv(low_pass(x, 2), kernel, 2, padding=0)
