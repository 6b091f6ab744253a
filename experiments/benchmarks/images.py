"""GANs on images, next to PyTorch: eager, channels_last and torch.compile, on all cores.

WGAN-GP at 32x32 (DCGAN networks of width 64, LayerNorm in the critic, 5 discriminator steps) and
DCGAN at 64x64 (width 64), batch 64, 5x5 kernels. A step is a whole train step, including its uint8
minibatches; gan_jax also computes its metrics and the moving average of the generator. The ProGAN
block: 32x32 features are doubled to 64x64, turned into an image and back, through the blocks of
both networks, with all gradients and an update. gan_jax takes several steps per call.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from _sides import TrainingRun, has_cpp_compiler, noise_images, pytorch_peers

from gan_jax.benchmarking import Call, Comparison
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.part_text import Part
from gan_jax.networks.layers import pixel_norm
from gan_jax.networks.weights import Conv

PACKAGES = ("flax", "optax", "torch")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "fashion_mnist.py"


def training_run(
    variant: str,
    side: int,
    batch_size: int,
    width: int,
    steps: int,
    channels: int = 3,
    **fields: Any,
) -> TrainingRun:
    """Returns a run of a variant of configs/fashion_mnist.py, on noise of another size."""
    networks = Part("dcgan", {"width": width})
    if variant == "wgan_gp":
        networks = networks.updated({"discriminator_norm": "layer"})
    fields = {"networks": networks, "batch_size": batch_size} | fields
    images = noise_images(side, channels, count=4 * batch_size)
    return TrainingRun(load_settings(f"{CONFIG}:{variant}"), steps, images, **fields)


def pytorch_game(
    pytorch: Any,
    variant: str,
    size: int,
    width: int,
    compiled: bool = False,
    channels_last: bool = False,
    eps: float = 1e-8,
) -> Any:
    """Returns PyTorch's networks, losses and optimizers for the same variant."""
    penalised = variant == "wgan_gp"
    networks = pytorch.dcgan(size, 3, width, "layer" if penalised else "batch")
    if channels_last:
        memory_format = pytorch.torch.channels_last
        networks = tuple(network.to(memory_format=memory_format) for network in networks)
    if penalised:
        losses = (pytorch.wasserstein_gp(10.0, compiled), pytorch.wasserstein_generator)
        adam = {"lr": 1e-4, "betas": (0.5, 0.9), "eps": eps}
    else:
        losses = (pytorch.non_saturating, pytorch.non_saturating_generator)
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": eps}
    return pytorch.Game(*networks, losses, adam, compiled)


def pytorch_loop(
    pytorch: Any,
    game: Any,
    images: np.ndarray,
    batch_size: int,
    discriminator_steps: int,
    steps: int,
    channels_last: bool = False,
) -> Call:
    """Returns a call of the same steps in PyTorch."""
    reals = pytorch.shuffled_images(images, batch_size, channels_last)

    def latents() -> Any:
        return 2 * pytorch.torch.rand(batch_size, 100) - 1

    def call() -> None:
        for _ in range(steps):
            draws = [
                (next(reals), latents(), pytorch.torch.rand(batch_size))
                for _ in range(discriminator_steps)
            ]
            game.step(draws, latents())

    return call


SETTINGS = {
    "eager": (False, False),
    "eager, channels_last": (False, True),
    "torch.compile, channels_last": (True, True),
}
"""Settings of PyTorch's side: (compiled, channels_last)."""


def num_threads(small: bool) -> int:
    """Returns the number of cores, or 1 for a quick look.

    On a busy machine, two threads that wait for each other are far slower than one.
    """
    return 1 if small else os.cpu_count() or 1


def pytorch_training(
    variant: str,
    size: int,
    batch_size: int,
    width: int,
    discriminator_steps: int,
    steps: int,
    small: bool,
) -> tuple[Mapping[str, Call], float]:
    """Returns PyTorch's side by settings, and the floating point operations of a step."""
    arrays = noise_images(size, count=4 * batch_size).arrays
    assert arrays is not None
    flops = 0.0

    def make(pytorch: Any) -> dict[str, Call]:
        nonlocal flops
        calls: dict[str, Call] = {}
        for name, (compiled, channels_last) in SETTINGS.items():
            if compiled and (small or not has_cpp_compiler()):
                continue
            game = pytorch_game(pytorch, variant, size, width, compiled, channels_last)
            loop = functools.partial(
                pytorch_loop, pytorch, game, arrays["real"], batch_size, discriminator_steps
            )
            if not calls:
                flops = pytorch.flops(loop(1))
            calls[name] = pytorch.on_threads(num_threads(small), loop(steps, channels_last))
        return calls

    return pytorch_peers(make), flops


class Block(nn.Module):
    """ProGAN's blocks at one resolution.

    Features are doubled in size, turned into an image, and turned back by the discriminator.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        leaky_relu = functools.partial(jax.nn.leaky_relu, negative_slope=0.2)
        conv = functools.partial(Conv, weight="equalised")
        features = x.shape[-1]
        x = pixel_norm(leaky_relu(conv(self.width, resample="up", name="up")(x)))
        x = pixel_norm(leaky_relu(conv(self.width, name="conv_up")(x)))
        x = conv(3, gain=1.0, size=1, name="to_image")(x)
        x = leaky_relu(conv(self.width, size=1, name="from_image")(x))
        x = leaky_relu(conv(self.width, name="conv_down")(x))
        return leaky_relu(conv(features, resample="down", name="down")(x))


def block_program(width: int) -> tuple[Block, Callable[[Any, np.ndarray], Any]]:
    """Returns the module, and a program of one update per input.

    The program maps ``((params, opt_state), inputs)`` to the new ``(params, opt_state)`` and the
    loss of each update.
    """
    module, optimizer = Block(width), optax.adam(1e-3, b1=0.0, b2=0.99)

    def loss(params: Any, x: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(module.apply(params, x)))

    def step(carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        params, opt_state = carry
        value, gradient = jax.value_and_grad(loss)(params, x)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    return module, jax.jit(lambda carry, xs: jax.lax.scan(step, carry, xs), donate_argnums=0)


class BlockTraining:
    """gan_jax's side of the ProGAN block: each call takes one update per input."""

    def __init__(self, batch_size: int, width: int, steps: int, size: int = 32) -> None:
        module, self.program = block_program(width)
        shape = (steps, batch_size, size, size, 2 * width)
        self.inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        params = module.init(jax.random.key(0), self.inputs[0])
        self.initial_params = jax.tree.map(np.asarray, params)
        self.carry = (params, optax.adam(1e-3, b1=0.0, b2=0.99).init(params))

    def __call__(self) -> float:
        """Returns the last loss; only that of the first call is from the initial weights."""
        self.carry, losses = self.program(self.carry, self.inputs)
        return float(jax.block_until_ready(losses)[-1])


def pytorch_block(block: BlockTraining, small: bool) -> tuple[Mapping[str, Call], float]:
    """Returns PyTorch's side by settings, and the floating point operations of a call."""
    flops = 0.0

    def make(pytorch: Any) -> dict[str, Call]:
        nonlocal flops
        weights, inputs = block.initial_params, block.inputs
        flops = pytorch.flops(pytorch.block(weights, inputs, compiled=False, channels_last=False))
        calls: dict[str, Call] = {}
        for name, (compiled, channels_last) in SETTINGS.items():
            if compiled and (small or not has_cpp_compiler()):
                continue
            call = pytorch.block(weights, inputs, compiled, channels_last)
            calls[name] = pytorch.on_threads(num_threads(small), call)
        return calls

    return pytorch_peers(make), flops


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields WGAN-GP, DCGAN and ProGAN's block; ``small`` for a quick look."""
    batch_size, width, steps = (8, 4, 2) if small else (64, 64, 2)
    for name, variant, size, discriminator_steps, goal in (
        ("WGAN-GP 32x32", "wgan_gp", 32, 5, 1.3),
        ("DCGAN 64x64", "dcgan", 64, 1, 1.1),
    ):
        peers, flops = pytorch_training(
            variant, size, batch_size, width, discriminator_steps, steps, small
        )
        yield Comparison(
            f"{name}, batch {batch_size}",
            ours=training_run(variant, size, batch_size, width, steps),
            peers=peers,
            goal=goal,
            steps=steps,
            flops=flops,
            max_rounds=7,
        )
    block = BlockTraining(4 if small else 16, 8 if small else 64, steps, 8 if small else 32)
    peers, flops = pytorch_block(block, small)
    yield Comparison(
        "ProGAN's block at 64x64",
        ours=block,
        peers=peers,
        tolerance=1e-3,
        steps=steps,
        flops=flops / steps,
        max_rounds=9,
    )
