"""A ring of 8 Gaussians: a vanilla GAN rotates through the modes, an unrolled one covers them all.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring-unrolled

`vanilla`, `non_saturating`, `unrolled`: settings of Metz et al., "Unrolled Generative Adversarial Networks" (2017), section
3.1 and appendix A: Adam 1e-4 with b1 = 0.5 for both, batch 512, latent 256, the saddle objective (both halves of V), K = 10
look-ahead steps of Adam.

Expected, seed 0 on 2 CPU cores: `vanilla` beside one mode, with no high-quality sample, at step 20,000, at 220 steps/s;
`unrolled` 8 modes and 64% at step 16,000, 78% at 20,000, at 90 steps/s: 5 minutes for its 25,000. `make run` trains both.
`non_saturating` like `vanilla`: 1 mode and 0.3% at step 24,000, none at 25,000, as fast.

`wgan`, `wgan_gp`: settings of Gulrajani et al., "Improved Training of Wasserstein GANs" (2017),
section 4.1 and the authors' toy code (there 100,000 steps, and data scaled by 1/1.414): three hidden layers of 512.

Expected, seed 0, their 4,000 steps of five discriminator steps (8 to 17 steps/s on one core, 5 to 8 minutes): `wgan` spreads along the
whole ring but has not found the modes, 6 hold a sample and 1.6% are of high quality; `wgan_gp` sits at all 8, 14% within 3
standard deviations of a mode, the others beside one or between two. The paper trains 25 times longer.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("vanilla", "non_saturating", "unrolled", "wgan", "wgan_gp")


def get_config(variant: str = "vanilla") -> ConfigDict:
    config = default.get_config()
    config.steps_per_call = 250
    config.log_every = config.evaluate_every = 1_000
    config.checkpoint_every = 2_000
    config.sample_every = 4_000
    config.num_samples = 2_500
    config.metrics = {"modes": {}}
    return _wasserstein(config, variant) if variant.startswith("wgan") else _metz(config, variant)


def _metz(config: ConfigDict, variant: str) -> ConfigDict:
    config.dataset = {"ring": {}}
    config.networks = {"mlp": {}}
    config.objective = {"non_saturating" if variant == "non_saturating" else "minimax": {}}
    config.unroll = 10 if variant == "unrolled" else 0
    # The look-ahead differentiates Adam, whose square root has no derivative at 0 without eps_root.
    adam = {"adam": {"learning_rate": 1e-4, "b1": 0.5, "b2": 0.999, "eps_root": 1e-14}}
    config.generator_optimizer = config.discriminator_optimizer = (adam,)
    config.batch_size = 512
    config.steps = 25_000
    return config


def _wasserstein(config: ConfigDict, variant: str) -> ConfigDict:
    widths = (512, 512, 512)
    config.dataset = {"ring": {"scale": 1 / 1.414}}
    config.networks = {
        "mlp": {
            "latent_size": 2, "generator_widths": widths, "discriminator_widths": widths, "init": "he_uniform",
            "input_scale": 1.0,
        }
    }  # fmt: skip
    config.batch_size = 256
    config.discriminator_steps = 5
    config.steps = 4_000
    if variant == "wgan":
        config.objective = {"wasserstein": {}}
        rmsprop = {"rmsprop": {"learning_rate": 5e-5, "decay": 0.99}}
        config.generator_optimizer = (rmsprop,)
        config.discriminator_optimizer = (rmsprop, {"clip_weights": {"bound": 0.01}})
    else:
        config.objective = {
            "wasserstein": {},
            "gradient_penalty": {"weight": 0.1},
        }  # the authors' toy code; the paper says 10
        adam = {"adam": {"learning_rate": 1e-4, "b1": 0.5, "b2": 0.9}}
        config.generator_optimizer = config.discriminator_optimizer = (adam,)
    return config


def sweep(variant: str = "unrolled") -> dict:
    """Of the look-ahead and of the discriminator's learning rate, which covers the modes, whatever the seed?

    python experiments/sweep.py --config=configs/ring.py:unrolled --workdir=runs/ring_sweep --config.steps=8000
    """
    rate = "rmsprop" if variant == "wgan" else "adam"
    steps = {} if variant.startswith("wgan") else {"config.unroll": {"values": [0, 1, 5]}}
    return {
        "method": "grid",
        "metric": {"name": "modes/high_quality", "goal": "maximize"},
        "parameters": {
            **steps,
            f"config.discriminator_optimizer.{rate}.learning_rate": {"values": [5e-5, 1e-4, 2e-4]},
            "config.seed": {"values": [0, 1, 2]},
        },
    }
