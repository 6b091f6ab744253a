"""Where the time of DCGAN 64x64 goes: its convolutions one by one, ours beside XLA's own.

5x5 kernels, stride 2, batch 64, width 64, in a loop as a train step is: each layer of the discriminator, forward and its two
gradients. The generator's layers are the same three, taken the other way round. Behind each name stands how often a step has
it, in both networks together. On platforms other than a CPU both sides are XLA's own.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.benchmarking import Contest
from gan_jax.game import Array
from gan_jax.networks.convolution import conv, forward_mode

PACKAGES = ()
KERNEL, STRIDE = 5, 2
LAYERS = ((64, 3, 64), (32, 64, 128), (16, 128, 256), (8, 256, 512))  # size, channels in and out


def down(x: Array, kernel: Array) -> Array:
    return conv(x, kernel, STRIDE)


PASSES = {
    "forward": lambda x, w, y: down(x, w),
    "input's gradient": lambda x, w, y: jax.vjp(lambda x: down(x, w), x)[1](y)[0],
    "kernel's gradient": lambda x, w, y: jax.vjp(lambda w: down(x, w), w)[1](y)[0],
}


def uses(name: str, first: bool) -> int:
    """How often a step needs this pass of a layer: in the discriminator's turn, in the generator's, and in its mirror image.

    The discriminator sees real, generated, and in the generator's turn generated samples; no gradient goes to real or
    generated samples in its own turn. The generator generates twice, and learns once.
    """
    return {
        "forward": 3 + 1,
        "input's gradient": (1 if first else 3) + 2,
        "kernel's gradient": 2 + 1,
    }[name]


def program(
    run: Callable[[Array, Array, Array], Array], own: bool, *arrays: np.ndarray
) -> Callable[[], float]:
    """The largest sum of ``run`` over the first axis of its arrays; ``own``: with our convolutions, else with XLA's.

    Summed up in the loop, as XLA would make one program, a slow one, of a convolution and a sum over what it gives.
    """

    def sums(*given: Array) -> Array:
        shape = jax.eval_shape(run, *(array[0] for array in given)).shape
        return jax.lax.scan(lambda total, one: (total + run(*one), None), jnp.zeros(shape), given)[
            0
        ]

    with contextlib.nullcontext() if own else forward_mode():
        compiled = jax.jit(lambda *given: jnp.max(sums(*given))).lower(*arrays).compile()
    given = jax.device_put(arrays)
    return lambda: float(compiled(*given))


def contests(small: bool = False) -> Iterator[Contest]:
    """The passes of all four layers; ``small`` for a quick look."""
    batch, steps = (2, 2) if small else (64, 2)
    for index, (size, fan_in, fan_out) in enumerate(LAYERS):
        fan_in, fan_out = (min(fan_in, 8), min(fan_out, 8)) if small else (fan_in, fan_out)
        normal = np.random.default_rng(index).normal
        shapes = (
            (batch, size, size, fan_in),
            (KERNEL, KERNEL, fan_in, fan_out),
            (batch, size // 2, size // 2, fan_out),
        )
        arrays = [normal(size=(steps, *shape)).astype(np.float32) for shape in shapes]
        flops = 2.0 * batch * (size // 2) ** 2 * KERNEL**2 * fan_in * fan_out
        for name, run in PASSES.items():
            make = functools.partial(program, run)
            yield Contest(
                f"{size}x{size}x{fan_in} to {size // 2}x{size // 2}x{fan_out}, {name} ({uses(name, index == 0)} a step)",
                make(True, *arrays), {"XLA's own": make(False, *arrays)}, 1e-4, steps=steps, flops=flops, most=5,
            )  # fmt: skip
