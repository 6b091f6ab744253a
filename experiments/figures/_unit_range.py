"""DCGAN on images in [0, 1], in a game whose images are in [-1, 1]."""

from typing import Any, Unpack

from gan_jax import networks
from gan_jax.game import Array, Networks, Params
from gan_jax.networks.dcgan import DcganSettings


def dcgan(shape: tuple[int, ...], classes: int = 0, **settings: Unpack[DcganSettings]) -> Networks:
    """Returns `networks.dcgan` of which both networks see images in [0, 1].

    The generator ends in a sigmoid. Its images x leave as 2 x - 1, and the discriminator is given
    (x + 1) / 2, so that data, metrics and pictures stay in [-1, 1].

    Args:
      shape: shape of one image.
      classes: number of labels, 0 for none.
      **settings: those of `networks.dcgan` but ``output``.
    """
    merged: DcganSettings = {**settings, "output": "sigmoid"}
    inner = networks.dcgan(shape, classes, **merged)

    def generate(params: Params, latents: Array, /, *args: Any, **conditions: Any) -> Array:
        return 2 * inner.generate(params, latents, *args, **conditions) - 1

    def score(params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Any:
        return inner.score(params, (samples + 1) / 2, *args, **conditions)

    return inner._replace(
        generate=generate, score=score, features=None, outputs=None, bounds=(-1.0, 1.0)
    )
