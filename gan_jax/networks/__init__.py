"""Networks by name: each public function takes ``shape`` and ``classes`` first and returns a ``gan_jax.game.Networks``."""

from gan_jax.networks.dcgan import dcgan, infogan
from gan_jax.networks.mlp import mlp

__all__ = ["dcgan", "infogan", "mlp"]
