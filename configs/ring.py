"""A ring of 8 Gaussians: a vanilla GAN rotates through the modes, an unrolled one covers them all.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring-unrolled

`vanilla`, `non_saturating`, `unrolled`: the settings of Metz et al., "Unrolled Generative
Adversarial Networks" (2017), section 3.1 and appendix A: Adam 1e-4 with b1 = 0.5 for both networks,
batch 512, latents of size 256, the saddle objective (both halves of V), K = 10 look-ahead steps of
Adam.

Expected with seed 0 on 2 CPU cores: `vanilla` sits next to one mode, with no high-quality sample,
at step 20,000, at 220 steps/s; `unrolled` covers 8 modes with 64% of high quality at step 16,000
and 78% at 20,000, at 90 steps/s: 5 minutes for its 25,000 steps. `make run` trains both.
`non_saturating` behaves like `vanilla`: 1 mode and 0.3% at step 24,000, none at 25,000, at the same
speed.

`wgan`, `wgan_gp`: the settings of Gulrajani et al., "Improved Training of Wasserstein GANs" (2017),
section 4.1 and the authors' toy code (there 100,000 steps, and data scaled by 1/1.414): three
hidden layers of 512 units.

Expected with seed 0 after 4,000 steps of five discriminator updates (8 to 17 steps/s on one core, 5
to 8 minutes): `wgan` spreads along the whole ring but has not found the modes, 6 modes hold a
sample and 1.6% are of high quality; `wgan_gp` sits at all 8 modes, with 14% within 3 standard
deviations of a mode and the others close to one or between two. The paper trains 25 times longer.
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
    config.metrics = "modes"
    return _wasserstein(config, variant) if variant.startswith("wgan") else _metz(config, variant)


def _metz(config: ConfigDict, variant: str) -> ConfigDict:
    config.dataset = "ring"
    config.networks = "mlp"
    config.objective = "non_saturating" if variant == "non_saturating" else "minimax"
    config.unroll = 10 if variant == "unrolled" else 0
    # The look-ahead differentiates Adam, whose square root has no derivative at 0 without eps_root.
    adam = "adam(learning_rate=1e-4, b1=0.5, b2=0.999, eps_root=1e-14)"
    config.generator_optimizer = config.discriminator_optimizer = adam
    config.batch_size = 512
    config.steps = 25_000
    return config


def _wasserstein(config: ConfigDict, variant: str) -> ConfigDict:
    config.dataset = f"ring(scale={1 / 1.414})"
    config.networks = (
        "mlp(latent_size=2, init='he_uniform', input_scale=1.0, "
        "generator_widths=(512, 512, 512), discriminator_widths=(512, 512, 512))"
    )
    config.batch_size = 256
    config.discriminator_steps = 5
    config.steps = 4_000
    if variant == "wgan":
        config.objective = "wasserstein"
        config.generator_optimizer = "rmsprop(learning_rate=5e-5, decay=0.99)"
        config.discriminator_optimizer = (
            "rmsprop(learning_rate=5e-5, decay=0.99) + clip_weights(bound=0.01)"
        )
    else:
        # The weight of the authors' toy code; the paper says 10.
        config.objective = "wasserstein + gradient_penalty(weight=0.1)"
        adam = "adam(learning_rate=1e-4, b1=0.5, b2=0.9)"
        config.generator_optimizer = config.discriminator_optimizer = adam
    return config


def sweep(variant: str = "unrolled") -> dict:
    """Which number of look-ahead steps and which learning rate cover the modes, for any seed?

    python experiments/sweep.py --config=configs/ring.py:unrolled --workdir=runs/ring_sweep \
        --config.steps=8000
    """
    optimizer = "rmsprop" if variant == "wgan" else "adam"
    unroll = {} if variant.startswith("wgan") else {"config.unroll": {"values": [0, 1, 5]}}
    rate = f"config.discriminator_optimizer.{optimizer}.learning_rate"
    return {
        "method": "grid",
        "metric": {"name": "modes/high_quality", "goal": "maximize"},
        "parameters": {
            **unroll,
            rate: {"values": [5e-5, 1e-4, 2e-4]},
            "config.seed": {"values": [0, 1, 2]},
        },
    }
