"""What networks make of labels: the ways by name, embeddings, and the head that ends every discriminator."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import initializers
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.weights import Dense

WAYS = ("none", "concatenation", "projection", "auxiliary")


def way(labels: str | None, classes: int, default: str, known: tuple[str, ...] = WAYS) -> str:
    """How a network uses labels, one of ``WAYS``: ``default`` where there are classes, "none" where there are not.

    - ``none``: neither network takes a label, and one that is given is refused.
    - ``concatenation``: the discriminator sees the label beside the sample (Mirza & Osindero 2014).
    - ``projection``: ``score = psi(h) + <embedding[label], h>`` with h the last features (Miyato & Koyama 2018, eq. 3).
    - ``auxiliary``: the discriminator has a second head that classifies (AC-GAN, Odena et al. 2017). Its score does not
      look at the label, and a label given to it is ignored.

    In the last three the generator takes the label. Raises UserError for another name or where classes are missing.
    """
    labels = labels or (default if classes else "none")
    if labels not in known:
        raise UserError(f"labels cannot be {labels!r} here: choose one of {', '.join(known)}")
    if labels != "none" and classes < 2:
        raise UserError(
            f"labels={labels!r} needs a dataset with labels: this one has classes={classes}"
        )
    return labels


def beside(x: Array, code: Array | None) -> Array:
    """Appends a sample's code ``[batch, n]`` to its vector, or to each of its pixels: ``[batch, ..., c + n]``."""
    if code is None:
        return x
    code = code.reshape(len(code), *[1] * (x.ndim - 2), -1).astype(x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(code, (*x.shape[:-1], code.shape[-1]))], -1)


class Code(nn.Module):
    """A label as numbers: one-hot, or with ``size`` a learned embedding N(0, 1) at first. ``[batch] -> [batch, n]``."""

    classes: int
    size: int = 0

    @nn.compact
    def __call__(self, label: Array | None) -> Array | None:
        if label is None:
            return None
        if not self.size:
            return jax.nn.one_hot(label, self.classes, dtype=jnp.float32)
        return self.param(
            "embedding", initializers.normal(1.0), (self.classes, self.size), jnp.float32
        )[label]


class Head(nn.Module):
    """From the last features ``[batch, n]`` to the score ``[batch]`` and, for AC-GAN, the label logits ``[batch, classes]``.

    Both in float32.
    """

    labels: str
    classes: int
    kernel_init: Initializer = initializers.scaled(1.0, "fan_in", "normal")
    bias: bool = True
    weight: str = "plain"
    gain: float = 1.0

    @nn.compact
    def __call__(self, features: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
        settings: dict[str, Any] = {
            "kernel_init": self.kernel_init,
            "bias": self.bias,
            "weight": self.weight,
            "gain": self.gain,
        }
        score = Dense(1, **settings, dtype=features.dtype, name="score")(features)[:, 0]
        if self.labels == "projection":
            # An embedding is a dense layer of the one-hot label, so all that weights can be applies to it.
            one_hot = jax.nn.one_hot(label, self.classes, dtype=features.dtype)
            settings |= {
                "kernel_init": initializers.normal(1 / math.sqrt(features.shape[-1])),
                "bias": False,
            }
            embedding = Dense(
                features.shape[-1], **settings, dtype=features.dtype, name="embedding"
            )(one_hot)
            score = score + jnp.sum(embedding * features, -1)
        if self.labels != "auxiliary":
            return score, None
        return score, Dense(self.classes, **settings, dtype=features.dtype, name="classes")(
            features
        )
