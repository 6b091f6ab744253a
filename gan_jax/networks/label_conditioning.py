"""How labels condition the networks, and the head that every discriminator ends in."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import initializers
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.weights import Dense

LABEL_CONDITIONINGS = ("none", "concatenation", "projection", "auxiliary")


def label_conditioning(labels: str | None, classes: int, default: str) -> str:
    """Returns how the networks use labels, one of `LABEL_CONDITIONINGS`.

    - ``none``: neither network takes a label, and a label that is given is refused.
    - ``concatenation``: the label is appended to what the discriminator sees (Mirza & Osindero
      2014).
    - ``projection``: ``score = psi(h) + <embedding[label], h>`` with ``h`` the last features
      (Miyato & Koyama 2018, equation 3).
    - ``auxiliary``: the discriminator has a second head that classifies (AC-GAN, Odena et al.
      2017). Its score does not depend on the label, and a label that is given is ignored.

    In the last three the generator takes the label.

    Args:
      labels: one of `LABEL_CONDITIONINGS`; None: ``default`` if there are classes, otherwise
        "none".
      classes: number of labels, 0 for none.
      default: the network's own default for data with labels.

    Raises:
      UserError: an unknown name, or fewer than two classes where labels are used.
    """
    if not labels:
        labels = default if classes else "none"
    if labels not in LABEL_CONDITIONINGS:
        known = ", ".join(LABEL_CONDITIONINGS)
        raise UserError(f"labels cannot be {labels!r}: choose one of {known}")
    if labels != "none" and classes < 2:
        raise UserError(
            f"labels={labels!r} needs a dataset with labels: this has classes={classes}"
        )
    return labels


def append_code(x: Array, code: Array | None) -> Array:
    """Appends a code per sample to its vector, or to each of its pixels.

    Args:
      x: ``[batch, ..., channels]``.
      code: ``[batch, n]``, or None for no code.

    Returns:
      ``[batch, ..., channels + n]``, of the dtype of ``x``.
    """
    if code is None:
        return x
    code = code.reshape(code.shape[0], *[1] * (x.ndim - 2), -1).astype(x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(code, (*x.shape[:-1], code.shape[-1]))], -1)


class LabelCode(nn.Module):
    """Labels as vectors, ``[batch] -> [batch, n]`` float32; None stays None.

    Attributes:
      classes: number of labels.
      embedding_size: 0 for one-hot vectors; otherwise the size of learned embeddings, N(0, 1) at
        the start.
    """

    classes: int
    embedding_size: int = 0

    @nn.compact
    def __call__(self, label: Array | None) -> Array | None:
        if label is None:
            return None
        if not self.embedding_size:
            return jax.nn.one_hot(label, self.classes, dtype=jnp.float32)
        shape = (self.classes, self.embedding_size)
        embedding: Array = self.param("embedding", initializers.normal(1.0), shape, jnp.float32)
        return embedding[label]


class Head(nn.Module):
    """The end of a discriminator: from the last features to the score and the label logits.

    Features ``[batch, n]`` give the score ``[batch]`` and, for "auxiliary" labels, the label logits
    ``[batch, classes]``; both are float32 or wider. The features are stored as the variable
    "features" if that collection is mutable.

    Attributes:
      labels: one of `LABEL_CONDITIONINGS`.
      classes: number of labels.
      kernel_init, bias, weight, gain: of the dense layers, see `weights.WeightLayer`.
    """

    labels: str
    classes: int
    kernel_init: Initializer = initializers.variance_scaling(1.0, "fan_in", "normal")
    bias: bool = True
    weight: str = "plain"
    gain: float = 1.0

    @nn.compact
    def __call__(self, features: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        self.sow("features", "features", features)
        features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
        score = self._dense(1, "score", features)[:, 0]
        if self.labels == "projection":
            score = score + jnp.sum(self._embedding(label, features) * features, -1)
        if self.labels != "auxiliary":
            return score, None
        return score, self._dense(self.classes, "classes", features)

    def _dense(self, size: int, name: str, features: Array) -> Array:
        layer = Dense(
            size,
            self.kernel_init,
            bias=self.bias,
            weight=self.weight,
            gain=self.gain,
            dtype=features.dtype,
            name=name,
        )
        return layer(features)

    def _embedding(self, label: Array | None, features: Array) -> Array:
        """The labels' embeddings, of the features' size.

        They are a dense layer of the one-hot label, so that they too can be equalised or
        normalised.
        """
        size = features.shape[-1]
        layer = Dense(
            size,
            initializers.normal(1 / math.sqrt(size)),
            bias=False,
            weight=self.weight,
            gain=self.gain,
            dtype=features.dtype,
            name="embedding",
        )
        return layer(jax.nn.one_hot(label, self.classes, dtype=features.dtype))
