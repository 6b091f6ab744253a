"""The runs of the figure stacked_images: their networks, objectives and optimizers."""

import _image_runs as images

from gan_jax.reproduction import Run

DATASET = "stacked_fashion_mnist"
SAMPLES = 25_600
STEPS = 4_000
CONFIG = "configs/default.py"


def metric(samples: int) -> str:
    """Returns the override of what is scored, on so many samples."""
    return f"metrics=stacked_modes(samples={samples}, weights='')"


COMMON = (
    f"dataset={DATASET}",
    metric(SAMPLES),
    *images.every(STEPS, 4),
    "num_samples=16",
)
FRACTIONS = {"1/4": 2, "1/2": 4}
"""Channels of the discriminator as a fraction of the generator's, and those of its first layer."""

LOOK_AHEAD, PACKS = (0, 1, 5, 10), (2, 4)


def _tiny(width: int, norm: str = "batch") -> str:
    """Returns the networks of Metz et al. with so many channels in the discriminator's first layer.

    Args:
      width: of the discriminator.
      norm: of the discriminator.
    """
    return (
        "dcgan(width=8, depth=3, kernel=3, final_conv=True, first_norm=True, slope=0.3, "
        f"latent_size=256, latent='normal', discriminator_width={width}, "
        f"discriminator_norm='{norm}')"
    )


# The look-ahead differentiates Adam, whose square root has no derivative at 0 without eps_root.
_ADAM = "adam(learning_rate={}, b1=0.5, b2=0.99, eps_root=1e-14)"
TINY = (
    *COMMON,
    f"generator_optimizer={_ADAM.format('1e-4')}",
    f"discriminator_optimizer={_ADAM.format('2e-4')}",
)
WASSERSTEIN = (
    *COMMON,
    f"networks={_tiny(FRACTIONS['1/4'], 'layer')}",
    "objective=wasserstein + gradient_penalty(weight=10.0)",
    "discriminator_steps=5",
    "generator_optimizer=adam(learning_rate=1e-4, b1=0.5, b2=0.9)",
    "discriminator_optimizer=adam(learning_rate=1e-4, b1=0.5, b2=0.9)",
)
RESIDUAL = (
    *COMMON,
    "networks=resnet(latent_size=64, norm='none', generator_widths=(16, 16, 16), "
    "discriminator_widths=(16, 16, 16), downs=2)",
    "generator_optimizer=adam(learning_rate=2e-4, b1=0.0, b2=0.99)",
    "discriminator_optimizer=adam(learning_rate=2e-4, b1=0.0, b2=0.99)",
)
WGAN_GP = "WGAN-GP, D = 1/4"
RELATIVISTIC = {
    "RpGAN + R1 + R2": "relativistic + r1(gamma=1.0) + r2(gamma=1.0)",
    "GAN + R1 + R2": "non_saturating + r1(gamma=1.0) + r2(gamma=1.0)",
    "RpGAN + R1": "relativistic + r1(gamma=1.0)",
}


def unrolled(k: int, fraction: str = "1/4") -> str:
    """Returns the name of the run that looks K steps ahead, with a discriminator of this size."""
    return f"K = {k}, D = {fraction}"


def pack(m: int, fraction: str = "1/4") -> str:
    """Returns the name of the run with packs of m, with a discriminator of this size."""
    return f"PacGAN {m}, D = {fraction}"


RUNS = {
    **{
        unrolled(k, fraction): Run(CONFIG, (*TINY, f"networks={_tiny(width)}", f"unroll={k}"))
        for fraction, width in FRACTIONS.items()
        for k in LOOK_AHEAD
    },
    **{
        pack(m, fraction): Run(CONFIG, (*TINY, f"networks=packed(m={m}, networks={_tiny(width)})"))
        for fraction, width in FRACTIONS.items()
        for m in PACKS
    },
    WGAN_GP: Run(CONFIG, WASSERSTEIN),
    **{
        name: Run(CONFIG, (*RESIDUAL, f"objective={objective}"))
        for name, objective in RELATIVISTIC.items()
    },
}
