"""The 2015 Inception network in Flax, with TensorFlow's pooling.

Its modules carry the names of PyTorch's port.
"""

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

SIZE = 299  # pixels per side


class Convolution(nn.Module):
    """Convolution, BatchNorm with running moments, ReLU."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(
            self.features,
            self.kernel,
            self.stride,
            self.padding,
            use_bias=False,
            precision="highest",
            name="conv",
        )(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


# A layer is the tuple of a `Convolution`'s name and arguments, or a pair of such tuples.
Chain = Sequence[tuple[Any, ...]]


class Block(nn.Module):
    """Chains of convolutions side by side, with their outputs concatenated: an "Inception" block.

    Attributes:
      chains: the chains; one whose last layer is a pair of layers ends in both, side by side.
      pool: ``"mean"``, ``"max"`` or ``"stride"`` (max, stride 2), before ``branch_pool``.
      pool_features: the features of ``branch_pool``; if 0, the pooled input is an output itself.
    """

    chains: Sequence[Chain]
    pool: str
    pool_features: int = 0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        outputs = []
        for chain in self.chains:
            y = x
            for layer in chain:
                parallel = layer if isinstance(layer[0], tuple) else (layer,)
                y = jnp.concatenate(
                    [Convolution(*settings, name=name)(y) for name, *settings in parallel], axis=-1
                )
            outputs.append(y)
        pooled = POOLS[self.pool](x)
        if self.pool_features:
            pooled = Convolution(self.pool_features, name="branch_pool")(pooled)
        return jnp.concatenate([*outputs, pooled], axis=-1)


# TensorFlow's mean pool leaves out the padding; its last block takes the maximum instead.
POOLS = {
    "mean": functools.partial(
        nn.avg_pool, window_shape=(3, 3), strides=(1, 1), padding="SAME", count_include_pad=False
    ),
    "max": functools.partial(nn.max_pool, window_shape=(3, 3), strides=(1, 1), padding="SAME"),
    "stride": functools.partial(nn.max_pool, window_shape=(3, 3), strides=(2, 2), padding="VALID"),
}


def _block_a(pool_features: int, name: str) -> Block:
    chains = (
        [("branch1x1", 64)],
        [("branch5x5_1", 48), ("branch5x5_2", 64, (5, 5))],
        [("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3))],
    )
    return Block(chains, "mean", pool_features, name=name)


def _block_b(name: str) -> Block:
    chains = (
        [("branch3x3", 384, (3, 3), 2, "VALID")],
        [
            ("branch3x3dbl_1", 64),
            ("branch3x3dbl_2", 96, (3, 3)),
            ("branch3x3dbl_3", 96, (3, 3), 2, "VALID"),
        ],
    )
    return Block(chains, "stride", name=name)


def _block_c(width: int, name: str) -> Block:
    chains = (
        [("branch1x1", 192)],
        [("branch7x7_1", width), ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1))],
        [
            ("branch7x7dbl_1", width),
            ("branch7x7dbl_2", width, (7, 1)),
            ("branch7x7dbl_3", width, (1, 7)),
            ("branch7x7dbl_4", width, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        ],
    )
    return Block(chains, "mean", 192, name=name)


def _block_d(name: str) -> Block:
    chains = (
        [("branch3x3_1", 192), ("branch3x3_2", 320, (3, 3), 2, "VALID")],
        [
            ("branch7x7x3_1", 192),
            ("branch7x7x3_2", 192, (1, 7)),
            ("branch7x7x3_3", 192, (7, 1)),
            ("branch7x7x3_4", 192, (3, 3), 2, "VALID"),
        ],
    )
    return Block(chains, "stride", name=name)


def _block_e(pool: str, name: str) -> Block:
    chains = (
        [("branch1x1", 320)],
        [("branch3x3_1", 384), (("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1)))],
        [
            ("branch3x3dbl_1", 448),
            ("branch3x3dbl_2", 384, (3, 3)),
            (("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))),
        ],
    )
    return Block(chains, pool, 192, name=name)


class Inception(nn.Module):
    """``[b, 299, 299, 3]`` scaled pixels -> ``[b, 2048]`` pooled features."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Convolution(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(x)
        x = Convolution(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = POOLS["stride"](Convolution(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = Convolution(80, name="Conv2d_3b_1x1")(x)
        x = POOLS["stride"](Convolution(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3")(x))
        for pool_features, name in ((32, "Mixed_5b"), (64, "Mixed_5c"), (64, "Mixed_5d")):
            x = _block_a(pool_features, name)(x)
        x = _block_b("Mixed_6a")(x)
        for width, name in (
            (128, "Mixed_6b"),
            (160, "Mixed_6c"),
            (160, "Mixed_6d"),
            (192, "Mixed_6e"),
        ):
            x = _block_c(width, name)(x)
        x = _block_d("Mixed_7a")(x)
        x = _block_e("mean", "Mixed_7b")(x)
        x = _block_e("max", "Mixed_7c")(x)
        return x.mean(axis=(1, 2))
