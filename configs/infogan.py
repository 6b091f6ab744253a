"""InfoGAN and IB-GAN: codes in the latents, which the discriminator recognises in the samples.

    python experiments/train.py --config=configs/infogan.py:shapes --workdir=runs/infogan

`shapes`: InfoGAN, Chen et al. (2016), on the shapes of known factors at 32x32: one code of 3
categories and five numbers. `ib_gan`: the same with a bottleneck of weight beta = 0.2 and ten
latents, Jeon et al. (2021), as beta-VAE is to a VAE. `plain`: the same networks without a code.
`fashion_mnist`: InfoGAN's codes for MNIST, one of 10 categories and two numbers, on Fashion-MNIST
(`python -m gan_jax.data.prepare fashion_mnist` first).

None of them has been trained to its end here: steps and rates are those of the other configs.
`experiments/figures/entanglement.py` measures far smaller networks.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("shapes", "ib_gan", "plain", "fashion_mnist")


def get_config(variant: str = "shapes") -> ConfigDict:
    config = default.get_config()
    config.dataset = "fashion_mnist" if variant == "fashion_mnist" else "factor_shapes"
    config.batch_size = 64
    config.ema_decay = 0.999
    config.ema_warmup = "num_updates"
    config.steps = 10_000
    config.steps_per_call = 25
    config.log_every = 100
    config.sample_every = config.checkpoint_every = config.evaluate_every = 1_000
    config.generator_optimizer = "adam(learning_rate=1e-3, b1=0.5)"
    config.discriminator_optimizer = "adam(learning_rate=2e-4, b1=0.5)"
    # Of a sample alone: Q is asked about single images.
    networks = "dcgan(width=32, latent_size={}, discriminator_norm='layer', labels='auxiliary')"
    if variant == "plain":
        config.networks = "dcgan(width=32, latent_size=10, discriminator_norm='layer')"
        config.objective = "non_saturating"
    elif variant == "ib_gan":
        config.networks = f"ib_gan(latent_size=10, networks={networks.format(10)})"
        config.objective = (
            "non_saturating + mutual_information(categories=0, continuous=10) + kl(weight=0.2)"
        )
    else:
        categories, continuous = (10, 2) if variant == "fashion_mnist" else (3, 5)
        code = f"categories={categories}, continuous={continuous}"
        config.networks = f"latent_code({code}, networks={networks.format(62)})"
        config.objective = f"non_saturating + mutual_information({code})"
    return config
