"""CycleGAN, Zhu et al. (2017): filled shapes and outlines without pairs, 32x32, on 2 CPU cores.

    python experiments/train.py --config=configs/cyclegan.py --workdir=runs/cyclegan
    python experiments/sample.py --workdir=runs/cyclegan --num=12 --out=translations.png
    python experiments/evaluate.py --workdir=runs/cyclegan --metrics=paired_similarity

`shapes`: squared scores of patches of 16x16, cycles and identities, without the paper's history of
generated images. `horse2zebra`: the paper's settings for 256x256 images, history and all, not run
here.

With seed 0, the mean absolute error (of pixels in [0, 1]), PSNR and SSIM of 500 held-out images,
`paired_similarity`, after 500, 1,000 and 1,500 steps: 0.131, 11.8 dB and 0.22; 0.097, 13.1 dB and
0.39; 0.076, 14.7 dB and 0.58. At 1,500 steps the error is 0.081 to shapes and 0.072 to outlines,
and still falls. At 1,000 steps outlines have gaps, and most shapes are blue: without pairs nothing
ties a colour to its shape. 2 to 3 steps/s beside other work on the cores.

The paper's weights are 10 and 5 beside squared scores that are not halved for the generators;
`least_squares` halves them, so that 5 and 2.5 are the same here.
"""

from ml_collections import ConfigDict

from configs import default, pix2pix

VARIANTS = ("shapes", "horse2zebra")


def get_config(variant: str = "shapes") -> ConfigDict:
    # Optimizers, intervals and metrics of `shapes` are those of pix2pix.
    config = pix2pix.get_config() if variant == "shapes" else default.get_config()
    config.objective = "least_squares + cycle_consistency(weight=5) + identity(weight=2.5)"
    if variant == "horse2zebra":
        config.dataset = "unpaired_folder(path='datasets/horse2zebra', resolution=256)"
        config.networks = "cyclegan"  # ResNet of 9 blocks, 70x70 patches
        config.transformations = "history(size=50)"
        config.batch_size = 1
        # 200 epochs of 1,334 images; from the 100th on the rate falls to 0.
        config.steps = 266_800
        rate = (
            "linear_schedule(init_value=2e-4, end_value=0.0, transition_begin=133400, "
            "transition_steps=133400)"
        )
        adam = f"adam(learning_rate={rate}, b1=0.5)"
        config.generator_optimizer = config.discriminator_optimizer = adam
        return config
    config.dataset = "unpaired_shapes"
    config.networks = "cyclegan(width=8, blocks=2, layers=1, discriminator_width=16)"
    config.batch_size = 2
    config.steps = 1_500
    return config
