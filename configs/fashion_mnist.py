"""Fashion-MNIST, 60,000 images of clothes, with convolutional networks."""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("dcgan", "wgan", "wgan_gp")


def get_config(variant: str = "dcgan") -> ConfigDict:
    config = default.get_config()
    config.dataset = {"fashion_mnist": {}}
    config.batch_size = 64
    config.networks = {"dcgan": {"width": 32}}
    config.averaging = 0.999
    config.steps_per_call = 25
    config.log_every = 100
    config.sample_every = config.checkpoint_every = config.evaluate_every = 500
    if variant == "dcgan":
        config.objective = {"non_saturating": {}}
        adam = {"adam": {"learning_rate": 2e-4, "b1": 0.5}}
        config.generator_optimizer = config.discriminator_optimizer = (adam,)
    elif variant == "wgan":
        config.objective = {"wasserstein": {}}
        config.turns = 5
        rmsprop = {"rmsprop": {"learning_rate": 5e-5, "decay": 0.99}}
        config.generator_optimizer = (rmsprop,)
        config.discriminator_optimizer = (rmsprop, {"clip_weights": {"bound": 0.01}})
    else:
        # A penalty on each sample's slope rules out BatchNorm in the critic: LayerNorm, as in the paper.
        config.networks = {"dcgan": {"width": 32, "discriminator_norm": "layer"}}
        config.objective = {"wasserstein": {}, "gradient_penalty": {"weight": 10.0}}
        config.turns = 5
        adam = {"adam": {"learning_rate": 1e-4, "b1": 0.5, "b2": 0.9}}
        config.generator_optimizer = config.discriminator_optimizer = (adam,)
    config.steps = {"dcgan": 3_000, "wgan": 2_000, "wgan_gp": 1_500}[variant]
    return config
