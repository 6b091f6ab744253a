"""pix2pix, Isola et al. (2017): outlines of shapes to filled shapes, 32x32, on 2 CPU cores.

    python experiments/train.py --config=configs/pix2pix.py --workdir=runs/pix2pix
    python experiments/sample.py --workdir=runs/pix2pix --num=12 --out=translations.png
    python experiments/evaluate.py --workdir=runs/pix2pix --metrics=paired_similarity

`shapes`: cross-entropy on patches of 16x16 + 100 L1, the noise is dropout.

With seed 0, the mean absolute error (of pixels in [0, 1]), PSNR and SSIM of 500 held-out outlines,
`paired_similarity`: 0.034, 25.2 dB and 0.87 after 3,000 steps; 5 to 10 steps/s beside other work on
the cores. The error still falls: triangles and squares have their colours, circles are still green
as squares are.

`edges2shoes`: the paper's settings for 256x256 images, not run here. Its data is a folder, set by
`--config.dataset.paired_folder.path=...`: `train` and `val` with pairs side by side.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ("shapes", "edges2shoes")


def get_config(variant: str = "shapes") -> ConfigDict:
    config = default.get_config()
    config.generator_optimizer = config.discriminator_optimizer = "adam(learning_rate=2e-4, b1=0.5)"
    config.objective = "non_saturating + reconstruction(weight=100)"
    if variant == "edges2shoes":
        config.dataset = "paired_folder(path='datasets/edges2shoes', resolution=256)"
        config.networks = "pix2pix"  # U-Net of 8 halvings, 70x70 patches, instance norm
        config.batch_size = 4
        config.steps = 187_000  # 15 epochs of 49,825 pairs
        return config
    config.dataset = "paired_shapes"
    config.networks = "pix2pix(width=16, layers=1)"
    config.batch_size = 8
    config.steps = 3_000
    config.steps_per_call = 25
    config.num_samples = 12
    config.log_every = 100
    config.metrics = "paired_similarity"
    config.sample_every = config.checkpoint_every = config.evaluate_every = 500
    return config
