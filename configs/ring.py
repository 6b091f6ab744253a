"""A ring of 8 Gaussians: a vanilla GAN rotates through the modes, an unrolled one covers them all.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring-unrolled

Settings of Metz et al., "Unrolled Generative Adversarial Networks" (2017), section 3.1 and appendix A: Adam 1e-4 with
b1 = 0.5 for both, batch 512, latent 256, saddle objective (both halves of V), K = 10 look-ahead steps of Adam.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("vanilla", "unrolled")


def get_config(variant: str = "vanilla") -> ConfigDict:
    config = default.get_config()
    config.dataset = {"ring": {}}
    config.networks = {"mlp": {}}
    config.objective = {"minimax": {}}
    config.unroll = {"vanilla": 0, "unrolled": 10}[variant]
    # The look-ahead differentiates Adam, whose square root has no derivative at 0 without eps_root.
    adam = {"adam": {"learning_rate": 1e-4, "b1": 0.5, "b2": 0.999, "eps_root": 1e-14}}
    config.generator_optimizer = (adam,)
    config.discriminator_optimizer = (adam,)
    config.batch_size = 512
    config.steps = 20_000  # the paper shows 25,000
    config.steps_per_call = 250
    config.log_every = 1_000
    config.evaluate_every = 1_000
    config.metrics = {"modes": {}}
    config.sample_every = 4_000
    config.samples = 2_500
    config.checkpoint_every = 2_000
    return config
