"""A small LeNet for MNIST-family scores: features, class labels, and the modes of stacked digits.

Weights are written from the four IDX files of an MNIST-like dataset, gzipped or not, by::

    python -m gan_jax.metrics.lenet FOLDER lenet_mnist.npz

which takes some minutes on a CPU; the result is a function of the files and the seed. The weights
``weights/lenet_fashion_mnist.npz`` that come with the package (91.58 % of the 10,000 test images of
Fashion-MNIST right) were trained by the same `fit`, with seed 0, on the training images in the
order in which tensorflow-datasets stores them.
"""

import functools
import gzip
import math
import os
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.metrics.checks import Array
from gan_jax.metrics.command import Parser, new_file
from gan_jax.metrics.features import Extractor, weights_hash
from gan_jax.metrics.npz_files import read_arrays

SIDE, CLASSES, DIMENSION = 28, 10, 128
SHIPPED = "lenet_fashion_mnist"
BATCH_SIZE = 128
MOST_IMAGES = 2**20
"""Images that are read of an IDX file: MNIST has 60,000, and a small gzip file can hold any number
of zeros."""
Params = dict[str, Any]


class LeNet(nn.Module):
    """``[b, 28, 28, 1]`` in [-1, 1] -> features ``[b, 128]`` and logits ``[b, 10]``.

    Units are dropped out only if ``train`` is True.
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        for width, padding in ((16, "SAME"), (32, "VALID")):
            x = nn.relu(nn.Conv(width, (5, 5), padding=padding, precision="highest")(x))
            self.sow("layers", "outputs", x)
            x = _max_pool(x)
        x = nn.Dropout(0.3, deterministic=not train)(x.reshape(len(x), -1))
        features = nn.relu(nn.Dense(DIMENSION, precision="highest")(x))
        self.sow("layers", "outputs", features[:, None, None])
        dropped = nn.Dropout(0.3, deterministic=not train)(features)
        return features, nn.Dense(CLASSES, precision="highest", name="head")(dropped)


def _max_pool(x: jax.Array) -> jax.Array:
    """Pools 2 x 2; the derivative of `nn.max_pool` is slow on a CPU."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def lenet_extractor(
    path: str | os.PathLike[str] | None = None, *, batch_size: int = 500
) -> Extractor:
    """Loads a LeNet, with 128 features and 10 logits.

    Args:
      path: the ``.npz`` that the command above wrote; by default the Fashion-MNIST weights that
        come with the package.
      batch_size: images per batch.

    Returns:
      The extractor, named after its file: ``"lenet_fashion_mnist"``. It takes images of one channel
      and 28 x 28 pixels, or 32 x 32 pixels, of which a border of two pixels is cut off.

    Raises:
      ValueError: if the file is missing or holds no weights of this network.

    References:
      LeCun et al. 1998, Gradient-based learning applied to document recognition; Xiao et al. 2017,
      Fashion-MNIST.
    """
    shipped = resources.files("gan_jax.metrics") / "weights" / f"{SHIPPED}.npz"
    source = shipped if path is None else Path(path)
    name = SHIPPED if path is None else Path(path).stem
    try:
        with source.open("rb") as file:
            weights = read_arrays(file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source}: no weights can be read, "
            "expected the .npz of python -m gan_jax.metrics.lenet"
        ) from error
    initial = _flatten(jax.eval_shape(_initial_params, jax.random.key(0)))
    expected = {key: value.shape for key, value in initial.items()}
    if {key: value.shape for key, value in weights.items()} != expected:
        raise ValueError(
            f"{source}: found arrays {sorted(weights)}, expected LeNet's {sorted(expected)}"
        )
    params = _unflatten({key: value.astype(np.float32) for key, value in weights.items()})
    kernel, bias = params["head"]["kernel"], params["head"]["bias"]
    return Extractor(
        name=name,
        dimension=DIMENSION,
        hash=weights_hash(weights),
        apply=_features,
        variables=params,
        channels=1,
        head=(kernel.astype(np.float64), bias.astype(np.float64)),
        batch_size=batch_size,
    )


def fit(
    images: Array,
    labels: Array,
    *,
    epochs: int = 12,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> Params:
    """Trains a LeNet by AdamW with a cosine schedule, without augmentation.

    Args:
      images: ``[n, 28, 28, 1]`` float32 in [-1, 1].
      labels: ``[n]`` int in [0, 10).
      epochs: passes over the images; an incomplete last batch of a pass is left out.
      batch_size: images per step.
      learning_rate: Adam's, at the start.
      seed: fixes the initial weights, the order and the dropout.

    Returns:
      The network's parameters.
    """
    steps = len(images) // batch_size
    schedule = optax.cosine_decay_schedule(learning_rate, epochs * steps)
    optimizer = optax.adamw(schedule, weight_decay=1e-3)
    params = _initial_params(jax.random.key(seed))
    opt_state = optimizer.init(params)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(
        params: Params, opt_state: optax.OptState, x: jax.Array, y: jax.Array, rng: jax.Array
    ) -> tuple[Any, optax.OptState]:
        def loss(params: Params) -> jax.Array:
            _, logits = LeNet().apply({"params": params}, x, train=True, rngs={"dropout": rng})
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    order = np.random.default_rng(seed)
    for epoch in range(epochs):
        permutation = order.permutation(len(images))[: steps * batch_size]
        for i, batch in enumerate(permutation.reshape(steps, batch_size)):
            rng = jax.random.fold_in(jax.random.key(seed + 1), epoch * steps + i)
            params, opt_state = step(params, opt_state, images[batch], labels[batch], rng)
    return params


def save(params: Params, file: BinaryIO) -> None:
    """Writes parameters for `lenet_extractor`."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in _flatten(params).items()}
    np.savez_compressed(file, **arrays)


def layers(variables: Any, images: jax.Array) -> tuple[jax.Array, ...]:
    """Computes the features of each layer, ``[b, h, w, c]``, of images as `lenet_extractor`'s."""
    _, state = LeNet().apply({"params": variables}, _cropped(images), mutable=["layers"])
    outputs: tuple[jax.Array, ...] = state["layers"]["outputs"]
    return outputs


def _features(variables: Any, images: jax.Array) -> jax.Array:
    features, _ = LeNet().apply({"params": variables}, _cropped(images))
    assert isinstance(features, jax.Array)
    return features


def _cropped(images: jax.Array) -> jax.Array:
    """Images without the border of those of 32 x 32 pixels."""
    if images.shape[1:3] == (32, 32):
        images = images[:, 2:-2, 2:-2]
    if images.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(
            f"images: found shape {images.shape}, expected [n, 28, 28, 1] or [n, 32, 32, 1]"
        )
    return images


def _initial_params(rng: jax.Array) -> Params:
    params: Params = LeNet().init(rng, jnp.zeros((1, SIDE, SIDE, 1)))["params"]
    return params


def _flatten(params: Params) -> dict[str, Any]:
    paths_and_leaves = jax.tree_util.tree_leaves_with_path(params)
    return {"/".join(key.key for key in path): leaf for path, leaf in paths_and_leaves}


def _unflatten(flat: dict[str, Any]) -> Params:
    params: Params = {}
    for name, leaf in flat.items():
        *modules, last = name.split("/")
        node = params
        for module in modules:
            node = node.setdefault(module, {})
        node[last] = leaf
    return params


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains a LeNet, as the command line says; bad input ends the program with code 2."""
    parser = Parser(__doc__)
    parser.add_argument("source", type=Path, help="the folder with the four IDX files")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    try:
        train_images, train_labels = _read_split(args.source, "train")
        test_images, test_labels = _read_split(args.source, "t10k")
        if args.epochs < 1 or len(train_images) < BATCH_SIZE:
            raise ValueError(
                f"found {args.epochs} epochs of {len(train_images)} images, expected at least one "
                f"epoch of {BATCH_SIZE} images"
            )
        with new_file(args.target) as file:  # refused before the training
            save(fit(train_images, train_labels, epochs=args.epochs, seed=args.seed), file)
    except (OSError, ValueError) as error:
        parser.fail(error)
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
    rank = 1 + len(item_shape)
    start = 4 * (1 + rank)  # a magic number that holds the type and the rank, and the sizes
    try:
        with gzip.open(zipped) if zipped.exists() else open(path, "rb") as file:
            header = file.read(start)
            magic, *sizes = (int.from_bytes(header[i : i + 4], "big") for i in range(0, start, 4))
            if magic != 0x0800 + rank or tuple(sizes[1:]) != item_shape or sizes[0] > MOST_IMAGES:
                raise ValueError(
                    f"{path}: found no IDX file of bytes with items of shape {item_shape}"
                )
            expected = math.prod(sizes)
            content = file.read(expected + 1)
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path}: found a damaged gzip file") from error
    if len(content) != expected:
        found = f"more than {expected}" if len(content) > expected else len(content)
        raise ValueError(f"{path}: found {found} bytes of data, expected {expected}")
    return np.frombuffer(content, np.uint8).reshape(sizes)


if __name__ == "__main__":
    main()
