"""The Inception network of FID: the 2015 TensorFlow model, in Flax, from a weights file.

Convert the public PyTorch weights once (torch-fidelity's
``weights-inception-2015-12-05-6726825d.pth``, or pytorch-fid's
``pt_inception-2015-12-05-6726825d.pth``; only this step needs PyTorch)::

    python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz

and then call ``inception_extractor("inception.npz")``.
"""

import functools
import re
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.command import Parser, new_file
from gan_jax.metrics.features import (
    Extractor,
    Weights,
    file_hash,
    variables_from_torch,
    weights_hash,
)
from gan_jax.metrics.inception_network import SIZE, Inception
from gan_jax.metrics.npz_files import read_arrays


def inception_extractor(path: str, *, sha256: str | None = None, batch_size: int = 64) -> Extractor:
    """Loads FID's feature extractor.

    It gives 2048 pooled features, and 1008 logits without bias for the Inception Score. Images are
    rounded to 8 bits, as if they had been saved, resized to 299 x 299 as TensorFlow 1 does
    (bilinear, corners at the origin, no antialiasing) and scaled by ``(x - 128) / 128``.

    Args:
      path: the ``.npz`` that `convert` wrote.
      sha256: the expected `Extractor.hash`, if it is to be checked.
      batch_size: images per batch.

    Returns:
      The extractor, named ``"inception"``.

    Raises:
      ValueError: if the file cannot be read, lacks weights, holds others, or has another hash.

    References:
      Szegedy et al. 2016, Rethinking the Inception architecture; Heusel et al. 2017 for its use in
      FID.
    """
    try:
        weights = read_arrays(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: no weights can be read, "
            "expected the .npz of python -m gan_jax.metrics.inception"
        ) from error
    weights.pop("source_sha256", None)
    _check_names_and_shapes(weights, path)
    digest = weights_hash(weights)
    if sha256 is not None and sha256 != digest:
        raise ValueError(f"{path}: found sha256 {digest} of the weights, expected {sha256}")
    variables = variables_from_torch(
        {name: array for name, array in weights.items() if not name.startswith("fc.")}
    )
    kernel = np.asarray(weights["fc.weight"].T, np.float64)
    return Extractor(
        name="inception",
        dimension=2048,
        hash=digest,
        apply=_features,
        variables=variables,
        head=(kernel, np.zeros(kernel.shape[1])),
        batch_size=batch_size,
    )


def convert(source: str, target: str, *, sha256: str | None = None) -> str:
    """Writes a PyTorch state dict of the FID Inception as ``.npz``.

    Only this function needs PyTorch. The file is read with ``torch.load(weights_only=True)``, so
    nothing in it is executed. Its sha256 is checked against ``sha256``, or against the eight digits
    that PyTorch's hub puts at the end of a file's name, and is kept in the ``.npz``.

    Args:
      source: the ``.pth`` file.
      target: the ``.npz`` file to write.
      sha256: the expected digest of ``source``.

    Returns:
      The hash of the weights, `Extractor.hash`.

    Raises:
      ValueError: if the digest is another, these are not the weights of this network, or the target
        exists.
    """
    digest = file_hash(source)
    digest_in_name = re.search(r"-([0-9a-f]{8,64})\.pth$", source)
    expected = sha256 or (digest_in_name.group(1) if digest_in_name else "")
    if not digest.startswith(expected):
        raise ValueError(f"{source}: found sha256 {digest}, expected {expected}")
    with new_file(target) as file:
        weights = _read_torch_weights(source)
        _check_names_and_shapes(weights, source)
        np.savez(file, source_sha256=np.array(digest), **weights)
    return weights_hash(weights)


def _read_torch_weights(source: str) -> dict[str, Any]:
    """Reads the tensors of a state dict as arrays, without what counts batches."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that it then refuses
            state = torch.load(source, map_location="cpu", weights_only=True)
        return {
            name: tensor.numpy()
            for name, tensor in state.items()
            if not name.endswith("num_batches_tracked")
        }
    except Exception as error:  # torch raises many kinds, for programmes in place of weights too
        raise ValueError(f"{source}: found no PyTorch file of named tensors") from error


def _features(variables: Any, images: jax.Array) -> jax.Array:
    pixels = jnp.clip(jnp.round((images + 1) * 127.5), 0, 255)
    features = Inception().apply(variables, (_resize(pixels) - 128) / 128)
    assert isinstance(features, jax.Array)
    return features


def _resize(images: jax.Array) -> jax.Array:
    """Resizes to 299 x 299 as TensorFlow 1 does.

    Output pixel i is taken at input position ``i * side / 299``, both counted from corners.
    """
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
def _expected_shapes() -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all weights by PyTorch's names, from the Flax network."""
    variables = jax.eval_shape(Inception().init, jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))
    torch_names = {
        "kernel": "weight",
        "scale": "weight",
        "bias": "bias",
        "mean": "running_mean",
        "var": "running_var",
    }
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for path, value in jax.tree_util.tree_leaves_with_path(variables):
        _collection, *modules, flax_name = (key.key for key in path)
        shape = value.shape
        if len(shape) == 4:
            shape = (shape[3], shape[2], shape[0], shape[1])
        shapes[".".join([*modules, torch_names[flax_name]])] = shape
    return shapes


def _check_names_and_shapes(weights: Weights, path: str) -> None:
    expected = _expected_shapes()
    actual = {name: tuple(array.shape) for name, array in weights.items()}
    names = expected.keys() | actual.keys()
    wrong = sorted(name for name in names if expected.get(name) != actual.get(name))
    if wrong:
        raise ValueError(
            f"{path}: found {wrong[0]} of shape {actual.get(wrong[0])}, "
            f"expected {expected.get(wrong[0])} "
            f"({len(wrong)} of {len(expected)} weights differ from FID's Inception)"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a weights file, as the command line says; bad input ends the program with code 2."""
    parser = Parser(__doc__)
    parser.add_argument("source", help="the .pth file")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--sha256", help="expected digest of the source file")
    args = parser.parse_args(arguments)
    try:
        digest = convert(args.source, args.target, sha256=args.sha256)
    except (ImportError, OSError, ValueError) as error:
        parser.fail(error)
    print("hash of the weights:", digest)


if __name__ == "__main__":
    main()
