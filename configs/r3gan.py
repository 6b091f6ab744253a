"""R3GAN: a relativistic loss with R1 and R2, networks without normalisation, and schedules.

    python -m gan_jax.data.prepare fashion_mnist
    python experiments/train.py --config=configs/r3gan.py --workdir=runs/r3gan

The settings of Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024),
and of the authors' code, preset CIFAR10. By half a cosine go, over 20 million images: the learning
rate of both Adams from 2e-4 to 5e-5, b2 from 0.9 to 0.99 (b1 is 0), gamma of R1 and R2 from 0.05 to
0.005, and the half-life of the EMA from 0 to 5 million images.

`cifar10`: those settings, 768 channels at each size, batch 512, conditional, 39,063 steps, which is
when the schedules end; not run here. The authors also mirror the images, and augment with a
probability that grows to 0.55, which this config does not.

`fashion_mnist`: small networks on 28x28 images for 2 CPU cores, batch 32. The schedules take the
500 steps of the run, the half-life ends at a tenth of it, and the learning rate is five times as
high. With seed 0 `fd_lenet_2k`, the LeNet Frechet distance of 2,000 samples, is 167 after 250 steps
and 154 after 500: outlines of tops, shoes and bags with a grid of pixels inside, and a few nearly
black images. So short a run shows that it learns, and no more. It took 5.4 minutes of CPU time,
compilation and evaluation included.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("fashion_mnist", "cifar10")


def get_config(variant: str = "fashion_mnist") -> ConfigDict:
    config = default.get_config()
    if variant == "cifar10":
        config.dataset = "tfds(name='cifar10', labels=True)"
        config.networks = "r3gan(width=768, max_width=768, embedding_size=64)"
        config.batch_size = 512
        _schedules(config, steps=39_063, learning_rate=2e-4, half_life=5e6 / 512)
        config.steps_per_call = 1
        config.checkpoint_every = config.sample_every = config.evaluate_every = 1_000
        return config
    config.dataset = "fashion_mnist"
    config.networks = "r3gan(width=16, max_width=64, blocks=1)"
    config.batch_size = 32
    _schedules(config, steps=500, learning_rate=1e-3, half_life=50)
    config.steps_per_call = 10
    config.log_every = 50
    config.metrics = "fd_lenet(samples=2000)"
    config.checkpoint_every = config.sample_every = config.evaluate_every = 250
    return config


def _schedules(config: ConfigDict, steps: int, learning_rate: float, half_life: float) -> None:
    """Sets the objective, the optimizers and the EMA, all of which follow half a cosine."""

    def cosine(start: float, end: float) -> str:
        return f"cosine(start={start}, end={end}, steps={steps})"

    gamma = cosine(0.05, 0.005)
    adam = (
        f"adam(learning_rate={cosine(learning_rate, learning_rate / 4)}, b1=0.0, "
        f"b2={cosine(0.9, 0.99)})"
    )
    config.steps = steps
    config.objective = f"relativistic + r1(gamma={gamma}) + r2(gamma={gamma})"
    config.generator_optimizer = config.discriminator_optimizer = adam
    config.ema = f"ema_half_life(half_life={cosine(0.0, half_life)})"
