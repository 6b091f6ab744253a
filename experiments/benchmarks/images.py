"""GANs on images, beside PyTorch: eager, channels_last and torch.compile, on all cores.

WGAN-GP at 32x32 (dcgan nets of width 64, LayerNorm in the critic, 5 discriminator steps) and DCGAN at 64x64 (width 64), batch 64, 5x5
kernels: a step is a whole train step, its uint8 minibatches included; ours computes its metrics and the moving average of the
generator besides. The ProGAN block: 32x32 features doubled to 64x64, seen as an image and brought back by the blocks of both
networks, with all gradients and an update. We play several steps a call.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from _contestant import Call, Contestant, has_compiler, images, opponents

from gan_jax.benchmarking import Contest
from gan_jax.experiment import config as configs
from gan_jax.networks.layers import pixel_norm
from gan_jax.networks.weights import Conv

PACKAGES = ("flax", "optax", "torch")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "fashion_mnist.py"


def ours(
    variant: str, side: int, batch: int, width: int, steps: int, channels: int = 3, **fields: Any
) -> Contestant:
    """The config of that variant, on noise of another size."""
    networks = {"width": width} | ({"discriminator_norm": "layer"} if variant == "wgan_gp" else {})
    fields = {"networks": {"dcgan": networks}, "batch_size": batch} | fields
    data = images(side, channels, count=4 * batch)
    return Contestant(configs.load(f"{CONFIG}:{variant}"), steps, data, **fields)


def game(
    side: Any,
    variant: str,
    size: int,
    width: int,
    compiled: bool = False,
    last: bool = False,
    eps: float = 1e-8,
) -> Any:
    """PyTorch's nets, losses and optimizers for the same variant."""
    penalised = variant == "wgan_gp"
    nets = side.dcgan(size, 3, width, "layer" if penalised else "batch")
    if last:
        nets = tuple(network.to(memory_format=side.torch.channels_last) for network in nets)
    if penalised:
        losses = (side.wasserstein_gp(10.0, compiled), side.wasserstein_generator)
        return side.Game(*nets, losses, {"lr": 1e-4, "betas": (0.5, 0.9), "eps": eps}, compiled)
    losses = (side.non_saturating, side.non_saturating_generator)
    return side.Game(*nets, losses, {"lr": 2e-4, "betas": (0.5, 0.999), "eps": eps}, compiled)


def theirs(
    side: Any,
    played: Any,
    data: np.ndarray,
    batch: int,
    discriminator_steps: int,
    steps: int,
    last: bool = False,
) -> Call:
    """The same loop in PyTorch."""
    reals = side.shuffled_images(data, batch, last)
    latents = lambda: 2 * side.torch.rand(batch, 100) - 1

    def call() -> None:
        for _ in range(steps):
            draws = [
                (next(reals), latents(), side.torch.rand(batch)) for _ in range(discriminator_steps)
            ]
            played.step(draws, latents())

    return call


SETTINGS = {
    "eager": (False, False),
    "eager, channels_last": (False, True),
    "torch.compile, channels_last": (True, True),
}


def threads(small: bool) -> int:
    """All; but a quick look is taken on a busy machine, where two that wait for each other are far slower than one."""
    return 1 if small else os.cpu_count() or 1


def training(
    variant: str,
    size: int,
    batch: int,
    width: int,
    discriminator_steps: int,
    steps: int,
    small: bool,
) -> tuple[Any, float]:
    """PyTorch's side by settings, and the operations of a step."""
    data = images(size, count=4 * batch).arrays["real"]  # type: ignore[index]
    work: list[float] = [0.0]

    def make(side: Any) -> dict[str, Call]:
        found: dict[str, Call] = {}
        for name, (compiled, last) in SETTINGS.items():
            if compiled and (small or not has_compiler()):
                continue
            played = game(side, variant, size, width, compiled, last)
            loop = functools.partial(theirs, side, played, data, batch, discriminator_steps)
            if not found:
                work[0] = side.flops(loop(1))
            found[name] = side.on_threads(threads(small), loop(steps, last))
        return found

    return opponents(make), work[0]


class Block(nn.Module):
    """ProGAN's blocks at one resolution: features, doubled; an image of them; what the discriminator makes of that."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        rise = lambda x: jax.nn.leaky_relu(x, 0.2)
        half = x.shape[-1]
        x = pixel_norm(rise(Conv(self.width, weight="equalised", resample="up", name="up")(x)))
        x = pixel_norm(rise(Conv(self.width, weight="equalised", name="conv_up")(x)))
        x = Conv(3, weight="equalised", gain=1.0, size=1, name="to_image")(x)
        x = rise(Conv(self.width, weight="equalised", size=1, name="from_image")(x))
        x = rise(Conv(self.width, weight="equalised", name="conv_down")(x))
        return rise(Conv(half, weight="equalised", resample="down", name="down")(x))


def block_step(width: int) -> tuple[Block, Any]:
    """The module and ``(params, opt_state, x) -> the same after one update``, many times in one program."""
    module, optimizer = Block(width), optax.adam(1e-3, b1=0.0, b2=0.99)

    def step(carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        params, opt_state = carry
        value, gradient = jax.value_and_grad(lambda p: jnp.mean(jnp.square(module.apply(p, x))))(
            params
        )
        move, opt_state = optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, move), opt_state), value

    return module, jax.jit(lambda carry, xs: jax.lax.scan(step, carry, xs), donate_argnums=0)


class OurBlock:
    def __init__(self, batch: int, width: int, steps: int, size: int = 32) -> None:
        module, self.program = block_step(width)
        self.xs = (
            np.random.default_rng(0)
            .normal(size=(steps, batch, size, size, 2 * width))
            .astype(np.float32)
        )
        self.params = module.init(jax.random.key(0), self.xs[0])
        self.work = 0.0  # operations of a call, where someone has counted them
        self.first = jax.tree.map(np.asarray, self.params)
        self.carry = (self.params, optax.adam(1e-3, b1=0.0, b2=0.99).init(self.params))

    def __call__(self) -> float:
        """The first value of the call: of the same weights only at the first."""
        self.carry, values = self.program(self.carry, self.xs)
        return float(jax.block_until_ready(values)[-1])


def contests(small: bool = False) -> Iterator[Contest]:
    """WGAN-GP at 32x32, DCGAN at 64x64, ProGAN's block at 64x64; ``small`` for a quick look."""
    batch, width, steps = (8, 4, 2) if small else (64, 64, 2)
    for name, variant, size, discriminator_steps, goal in (
        ("WGAN-GP 32x32", "wgan_gp", 32, 5, 1.3),
        ("DCGAN 64x64", "dcgan", 64, 1, 1.0),
    ):
        peers, work = training(variant, size, batch, width, discriminator_steps, steps, small)
        own = ours(variant, size, batch, width, steps)
        yield Contest(
            f"{name}, batch {batch}", own, peers, goal=goal, steps=steps, flops=work, most=7
        )
    block = OurBlock(4 if small else 16, 8 if small else 64, steps, 8 if small else 32)

    def make(side: Any) -> dict[str, Call]:
        found: dict[str, Call] = {}
        block.work = side.flops(side.block(block.first, block.xs, False, False))
        for name, (compiled, last) in SETTINGS.items():
            if not compiled or (has_compiler() and not small):
                own = side.block(block.first, block.xs, compiled, last)
                found[name] = side.on_threads(threads(small), own)
        return found

    peers = opponents(make)
    yield Contest(
        "ProGAN's block at 64x64",
        block,
        peers,
        tolerance=1e-3,
        steps=steps,
        flops=block.work / steps,
        most=9,
    )
