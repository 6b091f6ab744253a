"""Generators and discriminators by name, and adapters for those of Linen, NNX and Equinox.

Each named function takes ``shape`` and ``classes`` first and returns `gan_jax.Networks`.
"""

from gan_jax.networks.adapters import from_equinox, from_linen, from_nnx
from gan_jax.networks.dcgan import dcgan, infogan
from gan_jax.networks.dropout import dropout
from gan_jax.networks.factory import NetworksFactory
from gan_jax.networks.ib_gan import ib_gan
from gan_jax.networks.image_to_image import cyclegan, pix2pix
from gan_jax.networks.latent_code import latent_code
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.mlp import mlp
from gan_jax.networks.packing import packed
from gan_jax.networks.patch_discriminator import MultiScaleDiscriminator, PatchDiscriminator
from gan_jax.networks.progan import progan
from gan_jax.networks.projected import FeatureMapsFn, projected
from gan_jax.networks.r3gan import r3gan
from gan_jax.networks.resnet import resnet, sngan
from gan_jax.networks.resnet_translator import ResnetTranslator
from gan_jax.networks.slicing import san
from gan_jax.networks.stylegan2 import stylegan2
from gan_jax.networks.unet import UNet
from gan_jax.networks.vqgan import vqgan
from gan_jax.networks.wavegan import wavegan

__all__ = [
    "FeatureMapsFn",
    "MultiScaleDiscriminator",
    "NetworksFactory",
    "PatchDiscriminator",
    "ResnetTranslator",
    "UNet",
    "cyclegan",
    "dcgan",
    "dropout",
    "from_equinox",
    "from_linen",
    "from_nnx",
    "ib_gan",
    "infogan",
    "latent_code",
    "latent_distribution",
    "mlp",
    "packed",
    "pix2pix",
    "progan",
    "projected",
    "r3gan",
    "resnet",
    "san",
    "sngan",
    "stylegan2",
    "vqgan",
    "wavegan",
]
