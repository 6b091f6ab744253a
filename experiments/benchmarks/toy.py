"""Toy GANs on a ring of Gaussians, beside PyTorch: eager and torch.compile, on 1 thread and on all.

A step is a train step of configs/ring.py: its discriminator steps and one of the generator, drawing of data and latents
included on both sides; ours computes its metrics (losses, scores, gradient norms) besides. We play many steps a call, as runs
do. In PyTorch the scores of real and generated points come from one pass, and Adam is the fused one.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from _contestant import Call, Contestant, has_compiler, opponents

from gan_jax.benchmarking import Contest
from gan_jax.experiment import config as configs

PACKAGES = ("flax", "optax", "torch")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ring.py"


def ours(variant: str, steps: int, **fields: Any) -> Contestant:
    return Contestant(configs.load(f"{CONFIG}:{variant}"), steps, **fields)


def theirs(
    side: Any,
    game: Any,
    batch: int,
    latent: int,
    discriminator_steps: int,
    steps: int,
    scale: float = 1.0,
) -> Call:
    """The same loop in PyTorch."""

    normal, uniform = side.torch.randn, side.torch.rand

    def call() -> None:
        for _ in range(steps):
            draws = [
                (side.ring_points(batch, scale), normal(batch, latent), uniform(batch))
                for _ in range(discriminator_steps)
            ]
            game.step(draws, normal(batch, latent))

    return call


def settings(small: bool, compiles: bool = True) -> list[tuple[bool, int]]:
    """(compiled, threads) of PyTorch's side."""
    if small:
        return [(False, 1)]
    threads = sorted({1, os.cpu_count() or 1})
    return [
        (compiled, n)
        for compiled in (False, True)[: 1 + (compiles and has_compiler())]
        for n in threads
    ]


def named(compiled: bool, threads: int) -> str:
    return f"{'torch.compile' if compiled else 'eager'}, {threads} thread{'s' * (threads > 1)}"


def metz(side: Any, unroll: int, compiled: bool, eps: float = 1e-8) -> Any:
    """The nets and settings of Metz et al. (2017)."""
    generator, discriminator = side.mlp((256, 128, 128, 2)), side.mlp((2, 128, 1), scale=0.25)
    adam = {"lr": 1e-4, "betas": (0.5, 0.999), "eps": eps}
    if unroll:
        return side.Unrolled(generator, discriminator, unroll, adam, compiled)
    return side.Game(
        generator, discriminator, (side.together, side.non_saturating_generator), adam, compiled
    )


def gulrajani(side: Any, compiled: bool, eps: float = 1e-8) -> Any:
    """The nets and settings of the toy code of Gulrajani et al. (2017)."""
    generator, critic = side.mlp((2, 512, 512, 512, 2)), side.mlp((2, 512, 512, 512, 1))
    losses = (side.wasserstein_gp(0.1, compiled), side.wasserstein_generator)
    return side.Game(
        generator, critic, losses, {"lr": 1e-4, "betas": (0.5, 0.9), "eps": eps}, compiled
    )


def race(
    make: Any,
    batch: int,
    latent: int,
    discriminator_steps: int,
    steps: int,
    scale: float,
    small: bool,
    compiles: bool,
) -> tuple[Mapping[str, Call], float]:
    """PyTorch's side by settings, and the operations of a step; ``make(side, compiled)`` makes its game."""
    work = [0.0]

    def sides(side: Any) -> Mapping[str, Call]:
        def loop(compiled: bool, steps: int) -> Call:
            return theirs(
                side, make(side, compiled), batch, latent, discriminator_steps, steps, scale
            )

        work[0] = side.flops(loop(False, 1))
        return {
            named(compiled, n): side.on_threads(n, loop(compiled, steps))
            for compiled, n in settings(small, compiles)
        }

    return opponents(sides), work[0]


def contests(small: bool = False) -> Iterator[Contest]:
    """The step of the ring, unrolled by 0, 1, 5 and 10, and that of WGAN-GP; ``small`` for a quick look."""
    batch = 64 if small else 512
    for unroll, steps in ((0, 50), (1, 50), (5, 20), (10, 10)):
        steps = 2 if small else steps
        own = ours(
            "unrolled" if unroll else "non_saturating", steps, unroll=unroll, batch_size=batch
        )
        # Of more look-ahead steps than one, inductor compiles for minutes.
        make = lambda side, compiled, unroll=unroll: metz(side, unroll, compiled)
        peers, work = race(make, batch, 256, 1, steps, 1.0, small, compiles=unroll <= 1)
        name = f"ring GAN, unrolled K = {unroll}" if unroll else "ring GAN"
        yield Contest(name, own, peers, goal=2.0, steps=steps, flops=work)
    batch, steps = (32, 2) if small else (256, 10)
    own = ours("wgan_gp", steps, batch_size=batch)
    peers, work = race(gulrajani, batch, 2, 5, steps, 1 / 1.414, small, compiles=True)
    yield Contest(
        "WGAN-GP, 512 x 3, 5 discriminator steps", own, peers, goal=1.6, steps=steps, flops=work
    )
