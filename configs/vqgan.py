"""VQGAN on Fashion-MNIST."""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("vq", "fsq", "kl", "imagenet")

LOSSES = {"vq": " + codebook + commitment", "fsq": "", "kl": " + kl"}


def get_config(variant: str = "vq") -> ConfigDict:
    config = default.get_config()
    config.dataset = "fashion_mnist(resolution=32)"
    config.batch_size = 32
    config.networks = (
        f"vqgan(bottleneck='{variant}', widths=(16,32,32), codes=256, code_size=8, "
        "discriminator_width=16)"
    )
    config.objective = f"reconstruction + perceptual + after(step=600, term=hinge){LOSSES[variant]}"
    config.transformations = (
        "adaptive_weight(terms='hinge', against='reconstruction,perceptual', "
        "layer='params/decoder/output/kernel', scale=0.8)"
    )
    adam = "adam(learning_rate=5e-4, b1=0.5, b2=0.9)"
    config.generator_optimizer = config.discriminator_optimizer = adam
    config.steps = 1_200
    config.steps_per_call = 25
    config.log_every = 100
    config.sample_every = config.checkpoint_every = config.evaluate_every = 300
    config.metrics = "reconstruction(samples=1000)"
    return config
