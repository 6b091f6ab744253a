"""Fashion-MNIST, 60,000 images of clothes: convolutional networks that train on 2 CPU cores.

    python -m gan_jax.data.prepare fashion_mnist
    python experiments/train.py --config=configs/fashion_mnist.py:dcgan --workdir=runs/dcgan

`dcgan`: non-saturating, Radford et al. (2016). `wgan`: weights clipped to 0.01, RMSProp 5e-5,
Arjovsky et al. (2017). `wgan_gp`: Gulrajani et al. (2017). `conditional`: labels appended to every
layer's input, Radford et al. (2016), code. `acgan`: a discriminator that also classifies, Odena et
al. (2017). `progan`: grown from 4x4 to 32x32, Karras et al. (2018).

Expected with seed 0 on 2 CPU cores: the LeNet Frechet distance (fd_lenet) of 10,000 samples, and
precision and recall of 2,000 samples under LeNet features:

    variant     steps  steps/s  time    fd_lenet  precision / recall
    dcgan       3,000  13     4 min         49  0.65 / 0.55
    wgan        2,000  3.3*   10 min       142  0.72 / 0.07   blurred; the critic learns slowly
    wgan_gp     1,500  2.8    9 min         81  0.66 / 0.28   rough edges, still improving
    conditional 3,000  4.2*   12 min        22  0.80 / 0.44   86% have the label asked for
    acgan       3,000  7.7*   7 min         32  0.77 / 0.34   84%; of test images LeNet tells 92%
    progan      3,000  1.2*  27 min         73  0.74 / 0.18   sound outlines, a grid inside;
                                                              38 steps/s while at 4x4

`fd_lenet` is computed at each evaluation, against the test images. With images of your own, choose
another metric, or none: `--config.metrics=`.

*: the best rate over 100 steps of a run that shared the cores with other work, so a quiet machine
is faster. A step of `wgan` or `wgan_gp` has five discriminator updates and takes about five times
as long as a step of `dcgan`.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("dcgan", "wgan", "wgan_gp", "conditional", "acgan", "progan")


def get_config(variant: str = "dcgan") -> ConfigDict:
    config = default.get_config()
    config.dataset = "fashion_mnist"
    config.batch_size = 64
    config.networks = "dcgan(width=32)"
    config.ema_decay = 0.999
    config.ema_warmup = "num_updates"
    config.metrics = "fd_lenet"
    config.steps_per_call = 25
    config.log_every = 100
    config.sample_every = config.checkpoint_every = config.evaluate_every = 500
    config.steps = {"wgan": 2_000, "wgan_gp": 1_500}.get(variant, 3_000)
    if variant in ("dcgan", "conditional", "acgan"):
        _non_saturating(config, variant)
    elif variant == "progan":
        _progan(config)
    else:
        _wasserstein(config, variant)
    return config


def _non_saturating(config: ConfigDict, variant: str) -> None:
    config.objective = "non_saturating"
    adam = "adam(learning_rate=2e-4, b1=0.5)"
    config.generator_optimizer = config.discriminator_optimizer = adam
    if variant != "dcgan":
        config.dataset = "fashion_mnist(labels=True)"
        config.num_samples = 80  # 8 of each class, one row per class
    if variant == "acgan":
        config.networks = "dcgan(width=32, labels='auxiliary')"
        config.objective = "non_saturating + auxiliary_classifier"


def _wasserstein(config: ConfigDict, variant: str) -> None:
    config.discriminator_steps = 5
    if variant == "wgan":
        config.objective = "wasserstein"
        config.generator_optimizer = "rmsprop(learning_rate=5e-5, decay=0.99)"
        config.discriminator_optimizer = (
            "rmsprop(learning_rate=5e-5, decay=0.99) + clip_weights(bound=0.01)"
        )
        return
    config.objective = "wasserstein + gradient_penalty(weight=10.0)"
    # A penalty on each sample's slope rules out BatchNorm in the critic: LayerNorm, as in the
    # paper.
    config.networks = "dcgan(width=32, discriminator_norm='layer')"
    adam = "adam(learning_rate=1e-4, b1=0.5, b2=0.9)"
    config.generator_optimizer = config.discriminator_optimizer = adam


def _progan(config: ConfigDict) -> None:
    config.dataset = "fashion_mnist(resolution=32)"
    config.networks = "progan(latent_size=64, fmap_base=512, fmap_max=64)"
    config.objective = "wasserstein + gradient_penalty(weight=10.0) + drift(weight=1e-3)"
    config.progressive_growing = (
        (4, 64, 400, 0),
        (8, 64, 600, 300),
        (16, 64, 800, 400),
        (32, 64, 1_200, 600),
    )
    adam = "adam(learning_rate=1e-3, b1=0.0, b2=0.99)"
    config.generator_optimizer = config.discriminator_optimizer = adam
