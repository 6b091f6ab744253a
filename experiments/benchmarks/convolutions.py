"""The convolutions of DCGAN 64x64 one by one, next to XLA's own.

5x5 kernels, stride 2, batch 64, width 64, in a loop as in a train step: each layer of the
discriminator, forward and its two gradients. The generator's layers are the same, taken the other
way round. Each name says how often a step needs the convolution, in both networks together. On
platforms other than CPUs both sides are XLA's own.
"""

import contextlib
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.benchmarking import Call, Comparison
from gan_jax.game import Array
from gan_jax.networks.convolution import conv, forward_mode

PACKAGES = ()
KERNEL, STRIDE = 5, 2
LAYERS = ((64, 3, 64), (32, 64, 128), (16, 128, 256), (8, 256, 512))
"""Size, input channels and output channels of each layer."""

Convolution = Callable[[Array, Array, Array], Array]
"""A pass of a layer: (input, kernel, cotangent of the output) -> result."""


def forward(x: Array, kernel: Array, cotangent: Array) -> Array:
    return conv(x, kernel, STRIDE)


def input_gradient(x: Array, kernel: Array, cotangent: Array) -> Array:
    _, pull_back = jax.vjp(lambda x: conv(x, kernel, STRIDE), x)
    return pull_back(cotangent)[0]


def kernel_gradient(x: Array, kernel: Array, cotangent: Array) -> Array:
    _, pull_back = jax.vjp(lambda kernel: conv(x, kernel, STRIDE), kernel)
    return pull_back(cotangent)[0]


PASSES: dict[str, Convolution] = {
    "forward": forward,
    "input's gradient": input_gradient,
    "kernel's gradient": kernel_gradient,
}


def uses_per_step(pass_name: str, first_layer: bool) -> int:
    """Returns how often a step needs this pass of a layer and of its mirror image in the generator.

    The discriminator sees real and generated samples in its own update, and generated samples in
    the generator's. In its own update no gradient goes to samples. The generator generates twice,
    and learns once.
    """
    return {
        "forward": 3 + 1,
        "input's gradient": (1 if first_layer else 3) + 2,
        "kernel's gradient": 2 + 1,
    }[pass_name]


def compiled_loop(run: Convolution, ours: bool, *arrays: np.ndarray) -> Call:
    """Returns a call that sums ``run`` over the first axis of the arrays, and returns the maximum.

    The sum is accumulated in a loop: of a convolution and a sum of its results, XLA would make one
    slow program.

    Args:
      run: the pass.
      ours: whether to use gan_jax's convolutions, or XLA's.
      arrays: inputs of ``run``, with one more axis in front.
    """

    def total(*arrays: Array) -> Array:
        shape = jax.eval_shape(run, *(array[0] for array in arrays)).shape
        add = lambda total, slices: (total + run(*slices), None)
        return jax.lax.scan(add, jnp.zeros(shape), arrays)[0]

    with contextlib.nullcontext() if ours else forward_mode():
        compiled = jax.jit(lambda *arrays: jnp.max(total(*arrays))).lower(*arrays).compile()
    device_arrays = jax.device_put(arrays)
    return lambda: float(compiled(*device_arrays))


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields the passes of all four layers; ``small`` for a quick look."""
    batch, steps = (2, 2) if small else (64, 2)
    for index, (size, fan_in, fan_out) in enumerate(LAYERS):
        if small:
            fan_in, fan_out = min(fan_in, 8), min(fan_out, 8)
        half = size // 2
        shapes = (
            (batch, size, size, fan_in),
            (KERNEL, KERNEL, fan_in, fan_out),
            (batch, half, half, fan_out),
        )
        normal = np.random.default_rng(index).normal
        arrays = [normal(size=(steps, *shape)).astype(np.float32) for shape in shapes]
        layer = f"{size}x{size}x{fan_in} to {half}x{half}x{fan_out}"
        for pass_name, run in PASSES.items():
            uses = uses_per_step(pass_name, first_layer=index == 0)
            yield Comparison(
                f"{layer}, {pass_name} ({uses} per step)",
                ours=compiled_loop(run, True, *arrays),
                peers={"XLA's own": compiled_loop(run, False, *arrays)},
                tolerance=1e-4,
                steps=steps,
                flops=2.0 * batch * half**2 * KERNEL**2 * fan_in * fan_out,
                max_rounds=5,
            )
