"""A small LeNet for MNIST-family scores: features, class labels, and the modes of stacked digits.

Weights are written from the four IDX files of an MNIST-like dataset, gzipped or not, by::

    python -m gan_jax.metrics.lenet FOLDER lenet_mnist.npz

which takes some minutes on a CPU; the result is a function of the files and the seed. The weights
``weights/lenet_fashion_mnist.npz`` that come with the package (91.58 % of the 10,000 test images of
Fashion-MNIST right) were trained by the same `fit`, with seed 0, on the training images in the
order in which tensorflow-datasets stores them.
"""

import argparse
import functools
import gzip
import math
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from gan_jax.metrics.features import Extractor, weights_hash

SIDE, CLASSES, DIMENSION = 28, 10, 128
SHIPPED = "lenet_fashion_mnist"


class LeNet(nn.Module):
    """``[b, 28, 28, 1]`` in [-1, 1] -> features ``[b, 128]`` and logits ``[b, 10]``; dropout only where ``train``."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        for width, padding in ((16, "SAME"), (32, "VALID")):
            x = nn.relu(nn.Conv(width, (5, 5), padding=padding, precision="highest")(x))
            b, h, w, c = x.shape
            x = x.reshape(b, h // 2, 2, w // 2, 2, c).max(
                axis=(2, 4)
            )  # the derivative of nn.max_pool is slow on a CPU
        x = nn.Dropout(0.3, deterministic=not train)(x.reshape(len(x), -1))
        x = nn.relu(nn.Dense(DIMENSION, precision="highest")(x))
        return x, nn.Dense(CLASSES, precision="highest", name="head")(
            nn.Dropout(0.3, deterministic=not train)(x)
        )


def lenet_extractor(path: str | os.PathLike | None = None, *, batch_size: int = 500) -> Extractor:
    """Features and logits of a LeNet, from weights that the command above wrote.

    Args:
      path: the ``.npz``; the shipped Fashion-MNIST weights where None.
      batch_size: images a batch.

    Returns:
      The extractor, named by its file: ``"lenet_fashion_mnist"``. It takes images of 28 x 28, or of 32 x 32 whose border of two
      pixels is cut off, of one channel; 128 features, 10 logits.

    Raises:
      ValueError: the file is missing or holds no weights of this network.

    References:
      LeCun et al. 1998, Gradient-based learning applied to document recognition; Xiao et al. 2017, Fashion-MNIST.
    """
    name = SHIPPED if path is None else os.path.splitext(os.path.basename(path))[0]
    shipped = resources.files("gan_jax.metrics") / "weights" / f"{SHIPPED}.npz"
    source = shipped if path is None else Path(path)
    try:
        with source.open("rb") as file, np.load(file) as arrays:
            weights = {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source}: no weights can be read, expected the .npz of python -m gan_jax.metrics.lenet"
        ) from error
    expected = {
        key: value.shape
        for key, value in _flat(jax.eval_shape(_initial, jax.random.key(0))).items()
    }
    if {key: value.shape for key, value in weights.items()} != expected:
        raise ValueError(
            f"{source}: found arrays {sorted(weights)}, expected LeNet's {sorted(expected)}"
        )
    params = unflatten_dict(
        {key: value.astype(np.float32) for key, value in weights.items()}, sep="/"
    )
    head = (params["head"]["kernel"].astype(np.float64), params["head"]["bias"].astype(np.float64))
    return Extractor(name, DIMENSION, weights_hash(weights), _features, params, 1, head, batch_size)


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int = 12,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> dict:
    """Train a LeNet by AdamW with a cosine schedule, without augmentation.

    Args:
      images: ``[n, 28, 28, 1]`` float32 in [-1, 1].
      labels: ``[n]`` int in [0, 10).
      epochs: passes over the images; an incomplete last batch of a pass is left out.
      batch_size: images a step.
      learning_rate: Adam's, at the start.
      seed: fixes the initial weights, the order and the dropout.

    Returns:
      The network's parameters.
    """
    steps = len(images) // batch_size
    optimizer = optax.adamw(
        optax.cosine_decay_schedule(learning_rate, epochs * steps), weight_decay=1e-3
    )
    params = _initial(jax.random.key(seed))
    opt_state = optimizer.init(params)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, opt_state, x, y, rng):
        def loss(params):
            _, logits = LeNet().apply({"params": params}, x, train=True, rngs={"dropout": rng})
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    order = np.random.default_rng(seed)
    for epoch in range(epochs):
        permutation = order.permutation(len(images))[: steps * batch_size].reshape(
            steps, batch_size
        )
        for i, rows in enumerate(permutation):
            rng = jax.random.fold_in(jax.random.key(seed + 1), epoch * steps + i)
            params, opt_state = step(params, opt_state, images[rows], labels[rows], rng)
    return params


def save(params: dict, path: str) -> None:
    """Write parameters for `lenet_extractor`."""
    with open(path, "wb") as file:
        arrays: dict = {name: np.asarray(value) for name, value in _flat(params).items()}
        np.savez_compressed(file, **arrays)


def _features(params: dict, images: jax.Array) -> jax.Array:
    if images.shape[1:3] == (32, 32):
        images = images[:, 2:-2, 2:-2]
    if images.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(
            f"images: found shape {images.shape}, expected [n, 28, 28, 1] or [n, 32, 32, 1]"
        )
    return LeNet().apply({"params": params}, images)[0]


def _initial(rng: jax.Array) -> dict:
    return LeNet().init(rng, jnp.zeros((1, SIDE, SIDE, 1)))["params"]


def _flat(params: dict) -> dict:
    return flatten_dict(params, sep="/")


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains a LeNet, as the command line says; bad input ends the program with code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with the four IDX files")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    try:
        train_images, train_labels = _read_split(args.source, "train")
        test_images, test_labels = _read_split(args.source, "t10k")
        with open(args.target, "ab"):  # a target that cannot be written fails before the training
            pass
    except (OSError, ValueError) as error:
        parser.exit(2, f"error: {error}\n")
    save(fit(train_images, train_labels, epochs=args.epochs, seed=args.seed), args.target)
    extractor = lenet_extractor(args.target)
    correct = extractor.logits(extractor(test_images)).argmax(axis=1) == test_labels
    print(f"{args.target}: {100 * correct.mean():.2f} % of {len(correct)} test images right")


def _read_split(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads images ``[n, 28, 28, 1]`` float32 in [-1, 1] and labels ``[n]`` uint8 of one split."""
    pixels = _read_idx(folder / f"{prefix}-images-idx3-ubyte", (SIDE, SIDE))
    labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte", ())
    if len(pixels) != len(labels) or labels.max(initial=0) >= CLASSES:
        raise ValueError(
            f"{folder}: found {len(pixels)} images and {len(labels)} labels of {prefix}, "
            f"expected as many of each, with labels 0 to {CLASSES - 1}"
        )
    return pixels[..., None].astype(np.float32) / 127.5 - 1, labels


def _read_idx(path: Path, item_shape: tuple[int, ...]) -> np.ndarray:
    """Reads the uint8 array ``[n, *item_shape]`` of an IDX file, ``path`` or ``path`` with .gz."""
    zipped = path.with_name(f"{path.name}.gz")
    content = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    rank = 1 + len(item_shape)
    start = 4 * (1 + rank)  # a magic number that holds the type and the rank, and the sizes
    magic, *sizes = (int.from_bytes(content[i : i + 4], "big") for i in range(0, start, 4))
    if magic != 0x0800 + rank or tuple(sizes[1:]) != item_shape:
        raise ValueError(f"{path}: found no IDX file of bytes with items of shape {item_shape}")
    if len(content) != start + math.prod(sizes):
        raise ValueError(f"{path}: found {len(content)} bytes, expected {start + math.prod(sizes)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


if __name__ == "__main__":
    main()
