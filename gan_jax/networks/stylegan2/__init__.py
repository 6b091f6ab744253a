"""StyleGAN2: a generator whose convolutions are modulated by styles, and a residual
discriminator."""

from gan_jax.networks.stylegan2.networks import stylegan2

__all__ = ["stylegan2"]
