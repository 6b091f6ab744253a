"""The Inception network of FID: the 2015 TensorFlow model, in Flax, from a weights file that the user names.

Convert the public PyTorch weights once (torch-fidelity's ``weights-inception-2015-12-05-6726825d.pth``, or pytorch-fid's
``pt_inception-2015-12-05-6726825d.pth``; PyTorch must be installed for this step alone)::

    python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz

and then ``inception_extractor("inception.npz")``.
"""

import functools
import re
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.features import Extractor, Weights, file_hash, variables_from_torch, weights_hash

SIZE = 299


def inception_extractor(path: str, *, sha256: str | None = None, batch_size: int = 64) -> Extractor:
    """FID's feature extractor: 2048 pooled features, and 1008 logits without bias for the Inception Score.

    Images are rounded to 8 bits, as if they had been saved, resized to 299 x 299 as TensorFlow 1 does (bilinear, corners
    at the origin, no antialiasing) and scaled by ``(x - 128) / 128``.

    Args:
      path: the ``.npz`` that `convert` wrote.
      sha256: expected `Extractor.hash`, where the caller wants it checked.
      batch_size: images a batch.

    Returns:
      The extractor, named ``"inception"``.

    Raises:
      UserError: the file cannot be read, lacks weights, holds others, or has another hash.

    References:
      Szegedy et al. 2016, Rethinking the Inception architecture; Heusel et al. 2017 for its use in FID.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            weights = {name: file[name] for name in file.files if name != "source_sha256"}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: no weights can be read, expected the .npz of python -m gan_jax.metrics.inception") from error
    _check_names_and_shapes(weights, path)
    found = weights_hash(weights)
    if sha256 is not None and sha256 != found:
        raise UserError(f"{path}: found sha256 {found} of the weights, expected {sha256}")
    variables = variables_from_torch({name: array for name, array in weights.items() if not name.startswith("fc.")})
    kernel = np.asarray(weights["fc.weight"].T, np.float64)
    return Extractor(
        "inception", 2048, found, _features, variables, head=(kernel, np.zeros(kernel.shape[1])), batch_size=batch_size
    )


def convert(source: str, target: str, *, sha256: str | None = None) -> str:
    """Write a PyTorch state dict of the FID Inception as ``.npz``; the only function here that needs PyTorch.

    The file is read with ``torch.load(weights_only=True)``: nothing in it is executed. Its sha256 is checked against
    ``sha256``, or against the eight digits at the end of its name that PyTorch's hub puts there, and is kept in the ``.npz``.

    Args:
      source: the ``.pth``.
      target: where to write.
      sha256: the expected digest of ``source``.

    Returns:
      The hash of the weights, `Extractor.hash`.

    Raises:
      UserError: another digest, or not the weights of this network.
    """
    import torch

    found = file_hash(source)
    in_name = re.search(r"-([0-9a-f]{8,64})\.pth$", source)
    expected = sha256 or (in_name.group(1) if in_name else "")
    if not found.startswith(expected):
        raise UserError(f"{source}: found sha256 {found}, expected {expected}")
    state = torch.load(source, map_location="cpu", weights_only=True)
    weights = {name: tensor.numpy() for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    _check_names_and_shapes(weights, source)
    with open(target, "wb") as file:
        np.savez(file, source_sha256=np.array(found), **weights)
    return weights_hash(weights)


class Convolution(nn.Module):
    """Convolution, BatchNorm with running moments, ReLU."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.features, self.kernel, self.stride, self.padding, use_bias=False, precision="highest", name="conv")(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


Chain = Sequence[tuple]  # each layer: (name, features, kernel) and, where not 1 and "SAME", stride and padding


class Block(nn.Module):
    """Chains of convolutions side by side, their outputs joined: an "Inception" block.

    A chain that ends in a pair of names ends in both layers side by side. ``pool`` comes before ``branch_pool``, or stands
    alone where that has no features.
    """

    chains: Sequence[Chain]
    pool: str  # "mean", "max" or "stride" (max, stride 2)
    pool_features: int = 0

    @nn.compact
    def __call__(self, x):
        outputs = []
        for chain in self.chains:
            y = x
            for layer in chain:
                forks = layer if isinstance(layer[0], tuple) else (layer,)
                y = jnp.concatenate([Convolution(*fork[1:], name=fork[0])(y) for fork in forks], axis=-1)
            outputs.append(y)
        pooled = POOLS[self.pool](x)
        if self.pool_features:
            pooled = Convolution(self.pool_features, name="branch_pool")(pooled)
        return jnp.concatenate([*outputs, pooled], axis=-1)


# TensorFlow's mean pool leaves out the padding; its last block takes the maximum instead.
POOLS = {
    "mean": functools.partial(nn.avg_pool, window_shape=(3, 3), strides=(1, 1), padding="SAME", count_include_pad=False),
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
        [("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3), 2, "VALID")],
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
    def __call__(self, x):
        x = Convolution(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(x)
        x = Convolution(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = POOLS["stride"](Convolution(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = Convolution(80, name="Conv2d_3b_1x1")(x)
        x = POOLS["stride"](Convolution(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3")(x))
        for pool_features, name in ((32, "Mixed_5b"), (64, "Mixed_5c"), (64, "Mixed_5d")):
            x = _block_a(pool_features, name)(x)
        x = _block_b("Mixed_6a")(x)
        for width, name in ((128, "Mixed_6b"), (160, "Mixed_6c"), (160, "Mixed_6d"), (192, "Mixed_6e")):
            x = _block_c(width, name)(x)
        x = _block_d("Mixed_7a")(x)
        x = _block_e("mean", "Mixed_7b")(x)
        x = _block_e("max", "Mixed_7c")(x)
        return x.mean(axis=(1, 2))


def _features(variables, images: jax.Array) -> jax.Array:
    pixels = jnp.clip(jnp.round((images + 1) * 127.5), 0, 255)
    features: jax.Array = Inception().apply(variables, (_resized(pixels) - 128) / 128)  # type: ignore[assignment]
    return features


def _resized(images: jax.Array) -> jax.Array:
    """To 299 x 299 as TensorFlow 1: output pixel i looks at input position ``i * side / 299``, both counted from corners."""
    for axis in (2, 1):
        side = images.shape[axis]
        position = np.arange(SIZE, dtype=np.float32) * np.float32(side / SIZE)
        low = position.astype(np.int32)
        high = np.minimum(low + 1, side - 1)
        weight = (position - low).reshape([-1 if i == axis else 1 for i in range(4)])
        first = jnp.take(images, low, axis=axis)
        images = first + (jnp.take(images, high, axis=axis) - first) * weight
    return images


@functools.cache
def _shapes() -> dict[str, tuple[int, ...]]:
    """PyTorch's names and shapes of all weights, from this network's own."""
    variables = jax.eval_shape(Inception().init, jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))
    leaves = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for path, value in jax.tree_util.tree_leaves_with_path(variables):
        *modules, leaf = (key.key for key in path[1:])
        shape = value.shape
        shapes[".".join([*modules, leaves[leaf]])] = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
    return shapes


def _check_names_and_shapes(weights: Weights, path: str) -> None:
    expected = _shapes()
    found = {name: tuple(array.shape) for name, array in weights.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        raise UserError(
            f"{path}: found {wrong[0]} of shape {found.get(wrong[0])}, expected {expected.get(wrong[0])} "
            f"({len(wrong)} of {len(expected)} weights differ from FID's Inception)"
        )


def main(arguments: list[str]) -> None:
    from gan_jax.command_line import Parser

    parser = Parser(__doc__)
    parser.add_argument("source", help="the .pth")
    parser.add_argument("target", help="the .npz to write")
    parser.add_argument("--sha256", help="expected digest of the source file")
    args = parser.parse_args(arguments)
    print("hash of the weights:", convert(args.source, args.target, sha256=args.sha256))


if __name__ == "__main__":
    from gan_jax import command_line

    command_line.main(main)
