"""Toy GANs on a ring of Gaussians, next to PyTorch, on 1 thread and on all.

A step is a train step of configs/ring.py: its discriminator steps and one generator step, including
the drawing of data and latents on both sides; gan_jax also computes its metrics (losses, scores,
gradient norms). gan_jax takes many steps per call, as in runs. In PyTorch, eager or with
torch.compile, the scores of real and generated points come from one pass, and Adam is fused.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from _sides import TrainingRun, has_cpp_compiler, pytorch_peers

from gan_jax.benchmarking import Call, Comparison
from gan_jax.experiment.config_files import load_settings

PACKAGES = ("flax", "optax", "torch")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ring.py"
COMPILE_MINUTES_FROM = 2
"""Look-ahead steps from which on inductor compiles for minutes."""


def training_run(variant: str, steps: int, **fields: Any) -> TrainingRun:
    """Returns a run of a variant of configs/ring.py."""
    return TrainingRun(load_settings(f"{CONFIG}:{variant}"), steps, **fields)


def pytorch_loop(
    pytorch: Any,
    game: Any,
    batch_size: int,
    latent_size: int,
    discriminator_steps: int,
    steps: int,
    scale: float = 1.0,
) -> Call:
    """Returns a call of the same steps in PyTorch."""
    normal, uniform = pytorch.torch.randn, pytorch.torch.rand

    def call() -> None:
        for _ in range(steps):
            draws = [
                (
                    pytorch.ring_points(batch_size, scale),
                    normal(batch_size, latent_size),
                    uniform(batch_size),
                )
                for _ in range(discriminator_steps)
            ]
            game.step(draws, normal(batch_size, latent_size))

    return call


def pytorch_settings(small: bool, compilable: bool = True) -> dict[str, tuple[bool, int]]:
    """Returns the settings of PyTorch's side, (compiled, threads), by name."""
    if small:
        return {"eager, 1 thread": (False, 1)}
    compilations = [False, True] if compilable and has_cpp_compiler() else [False]
    settings = {}
    for compiled in compilations:
        for threads in sorted({1, os.cpu_count() or 1}):
            name = "torch.compile" if compiled else "eager"
            plural = "thread" if threads == 1 else "threads"
            settings[f"{name}, {threads} {plural}"] = (compiled, threads)
    return settings


def metz(pytorch: Any, unroll: int, compiled: bool, eps: float = 1e-8) -> Any:
    """Returns the networks and settings of Metz et al. (2017) in PyTorch."""
    generator = pytorch.mlp((256, 128, 128, 2))
    discriminator = pytorch.mlp((2, 128, 1), scale=0.25)
    adam = {"lr": 1e-4, "betas": (0.5, 0.999), "eps": eps}
    if unroll:
        return pytorch.Unrolled(generator, discriminator, unroll, adam, compiled)
    losses = (pytorch.non_saturating_in_one_pass, pytorch.non_saturating_generator)
    return pytorch.Game(generator, discriminator, losses, adam, compiled)


def gulrajani(pytorch: Any, compiled: bool, eps: float = 1e-8) -> Any:
    """Returns the networks and settings of the toy code of Gulrajani et al. (2017) in PyTorch."""
    generator = pytorch.mlp((2, 512, 512, 512, 2))
    critic = pytorch.mlp((2, 512, 512, 512, 1))
    losses = (pytorch.wasserstein_gp(0.1, compiled), pytorch.wasserstein_generator)
    adam = {"lr": 1e-4, "betas": (0.5, 0.9), "eps": eps}
    return pytorch.Game(generator, critic, losses, adam, compiled)


def pytorch_training(
    make_game: Callable[[Any, bool], Any],
    batch_size: int,
    latent_size: int,
    discriminator_steps: int,
    steps: int,
    scale: float,
    small: bool,
    compilable: bool,
) -> tuple[Mapping[str, Call], float]:
    """Returns PyTorch's side by settings, and the floating point operations of a step.

    Args:
      make_game: ``(_pytorch, compiled) -> game``.
      batch_size: points per batch.
      latent_size: numbers per latent.
      discriminator_steps: discriminator updates per step.
      steps: steps per call.
      scale: of the ring.
      small: one setting only, for a quick look.
      compilable: whether torch.compile is worth the wait.
    """
    flops = 0.0

    def make(pytorch: Any) -> Mapping[str, Call]:
        nonlocal flops

        def loop(compiled: bool, steps: int) -> Call:
            game = make_game(pytorch, compiled)
            return pytorch_loop(
                pytorch, game, batch_size, latent_size, discriminator_steps, steps, scale
            )

        flops = pytorch.flops(loop(False, 1))
        return {
            name: pytorch.on_threads(threads, loop(compiled, steps))
            for name, (compiled, threads) in pytorch_settings(small, compilable).items()
        }

    return pytorch_peers(make), flops


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields the step of the ring, unrolled by 0, 1, 5 and 10, and that of WGAN-GP.

    ``small``: small batches and few steps, for a quick look.
    """
    batch_size = 64 if small else 512
    for unroll, steps in ((0, 50), (1, 50), (5, 20), (10, 10)):
        steps = 2 if small else steps
        variant = "unrolled" if unroll else "non_saturating"
        peers, flops = pytorch_training(
            lambda pytorch, compiled, unroll=unroll: metz(pytorch, unroll, compiled),
            batch_size=batch_size,
            latent_size=256,
            discriminator_steps=1,
            steps=steps,
            scale=1.0,
            small=small,
            compilable=unroll < COMPILE_MINUTES_FROM,
        )
        yield Comparison(
            f"ring GAN, unrolled K = {unroll}" if unroll else "ring GAN",
            ours=training_run(variant, steps, unroll=unroll, batch_size=batch_size),
            peers=peers,
            goal=2.0,
            steps=steps,
            flops=flops,
        )
    batch_size, steps = (32, 2) if small else (256, 10)
    peers, flops = pytorch_training(
        gulrajani,
        batch_size=batch_size,
        latent_size=2,
        discriminator_steps=5,
        steps=steps,
        scale=1 / 1.414,
        small=small,
        compilable=True,
    )
    yield Comparison(
        "WGAN-GP, 512 x 3, 5 discriminator steps",
        ours=training_run("wgan_gp", steps, batch_size=batch_size),
        peers=peers,
        goal=2.0,
        steps=steps,
        flops=flops,
    )
