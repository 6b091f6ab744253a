"""VQGAN on Fashion-MNIST at 28x28: an autoencoder with codes, sharpened by a discriminator.

    python -m gan_jax.data.prepare fashion_mnist
    python experiments/train.py --config=configs/vqgan.py:vq --workdir=runs/vqgan

The generator reconstructs real images through 7x7 codes: it minimises L1 and a perceptual distance
(of LeNet's features, so it is not LPIPS). From step 300 on it also faces a patch discriminator,
whose hinge loss has the adaptive weight. Pictures show held-out images next to their
reconstructions. Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021).

`vq`: a codebook of 256 entries, van den Oord et al. (2017). `fsq`: 8 x 6 x 5 = 240 codes without a
codebook, Mentzer et al. (2023). `kl`: a diagonal Gaussian, Rombach et al. (2022). `imagenet`: the
authors' settings at 256x256 but for attention, at a batch of 12; it needs a folder of images,
torchvision's VGG16 and the weights of LPIPS, and has not been run here.

With seed 0, `reconstruction1k` of 1,000 held-out images in [-1, 1]: L1, PSNR, perceptual distance,
codes in use and their perplexity at step 300, before the discriminator, and at step 600:

    variant  L1             PSNR         perceptual     codes      perplexity
    vq       0.157, 0.117   17.7, 19.7   0.954, 0.699   256, 256   230, 225
    fsq      0.132, 0.118   19.0, 19.6   0.778, 0.666   228, 235   118, 131
    kl       0.131, 0.097   19.6, 21.5   0.688, 0.490

A run takes 600 steps and 4.5 minutes of CPU time, compilation and evaluation included. Shapes and
shades are right, prints and laces are lost, and the cloth of `kl` has some texture. The hinge loss
of the discriminator is 0.57, 0.54 and 0.94 at the end.

The adaptive weight makes the generator follow the discriminator equally hard however little that
knows. With the authors' 0.8 from step 300 on, the generator outpaces it: its hinge loss stays at 2,
which is chance, and reconstructions get worse (`fsq`: L1 0.152, perceptual distance 0.878). Against
a generator that stands still its loss falls to 0.04 (`fsq`). So here it learns alone for 50 steps,
and the scale rises to 0.2 in 50 more. Rising to 0.8 in 100 steps, it is back at chance once it is
there.

The codebook of `vq` learns at 50 times the learning rate. At the same rate it does not follow the
encoder, whose outputs run away from its small initial entries: its loss rises from 0.4 to 5.2, and
18 codes are in use at step 600 (perplexity 12.5, L1 0.180, PSNR 16.3, perceptual 1.14; with a scale
of 0.8 from step 300 on).
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("vq", "fsq", "kl", "imagenet")
ADAPTIVE_WEIGHT = (
    "adaptive_weight(terms='hinge', against='reconstruction,perceptual', "
    "layer='params/decoder/output/kernel', scale={scale})"
)
BOTTLENECKS = {
    "vq": ("bottleneck='vq', codes=256, code_size=8", " + codebook + commitment"),
    "fsq": ("bottleneck='fsq', levels=(8, 6, 5)", ""),
    "kl": ("bottleneck='kl', code_size=4", " + kl"),
}


def get_config(variant: str = "vq") -> ConfigDict:
    config = default.get_config()
    config.ema_decay = 0.0
    if variant == "imagenet":
        _imagenet(config)
        return config
    # The discriminator learns alone for 50 steps; then the generator feels it more and more.
    ramp = (
        "linear_schedule(init_value=0.0, end_value=0.2, transition_begin=350, transition_steps=50)"
    )
    config.transformations = ADAPTIVE_WEIGHT.format(scale=ramp)
    bottleneck, losses = BOTTLENECKS[variant]
    config.dataset = "fashion_mnist"
    config.batch_size = 16
    config.networks = f"vqgan({bottleneck}, widths=(16, 32, 32), discriminator_width=16)"
    config.objective = f"reconstruction + perceptual + after(step=300, term=hinge){losses}"
    adam = "adam(learning_rate=5e-4, b1=0.5, b2=0.9)"
    config.generator_optimizer = config.discriminator_optimizer = adam
    if variant == "vq":
        config.generator_optimizer += (
            " + multiply_rate(paths='params/bottleneck/codebook', factor=50.0)"
        )
    config.steps = 600
    config.steps_per_call = 25
    config.log_every = 100
    config.sample_every = config.checkpoint_every = config.evaluate_every = 300
    config.metrics = "reconstruction(samples=1000)"
    return config


def _imagenet(config: ConfigDict) -> None:
    config.dataset = "folder(path='imagenet', resolution=256)"
    config.batch_size = 12
    config.networks = (
        "vqgan(widths=(128, 128, 256, 256, 512), blocks=2, codes=1024, code_size=256, "
        "discriminator_layers=3)"
    )
    config.transformations = ADAPTIVE_WEIGHT.format(scale=0.8)
    lpips = "network='vgg16', weights='vgg16-397923af.pth', linear='vgg.pth'"
    config.objective = (
        f"reconstruction + perceptual({lpips}) + codebook + commitment "
        "+ after(step=250000, term=hinge)"
    )
    # The authors' rate is 4.5e-6 for each image of the batch.
    adam = "adam(learning_rate=5.4e-5, b1=0.5, b2=0.9)"
    config.generator_optimizer = config.discriminator_optimizer = adam
    config.steps = 500_000
    config.metrics = f"reconstruction({lpips})"
