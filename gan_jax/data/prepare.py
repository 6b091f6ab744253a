"""Prepares a dataset for tensorflow-datasets: ``python -m gan_jax.data.prepare fashion_mnist [--source DIR]``.

Fashion-MNIST and MNIST are read from their four IDX files and need no TensorFlow. Every other dataset goes through
tensorflow-datasets' own preparation, which does (``pip install 'gan_jax[prepare]'``). What is prepared already is left alone.
"""

import argparse
import contextlib
import gzip
import hashlib
import http.client
import importlib.util
import math
import os
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.tensorflow_datasets import builder_of, is_prepared
from gan_jax.errors import UserError

EXAMPLES = {"train": 60_000, "test": 10_000}
PREFIXES = {"train": "train", "test": "t10k"}
INSTALLED = {
    "fashion_mnist": Path("/usr/share/datasets/fashion-mnist"),
    "mnist": Path("/usr/share/datasets/mnist"),
}
PACKAGES = {"fashion_mnist": "install Debian's package dataset-fashion-mnist, or "}
TIMEOUT = 30.0  # seconds without a byte


def prepare(
    name: str, source: str | Path | None = None, data_dir: str | Path | None = None
) -> Path:
    """Prepares dataset ``name`` in the array_record format, and returns the directory that holds it.

    Args:
      name: as tensorflow-datasets knows it, ``"fashion_mnist"``, ``"cifar10"``, ``"emnist/letters"``.
      source: directory with the IDX files; for other datasets, with the files that they ask to download by hand.
      data_dir: where prepared datasets lie; the default of tensorflow-datasets (``TFDS_DATA_DIR``) if None.

    Raises UserError where files are missing or damaged, or the name is unknown. An interrupted preparation leaves no dataset.
    """
    builder = builder_of(name, data_dir)
    if is_prepared(builder):
        _say(f"{name} is already prepared: {builder.data_dir}")
        return Path(builder.data_dir)
    if os.path.exists(builder.data_dir):
        raise UserError(
            f"{builder.data_dir} exists and is not a whole dataset: remove it, then run this again"
        )
    began = time.monotonic()
    if name in INSTALLED:
        with _idx_directory(name, source, builder.url_infos) as directory:
            _say(f"{name}: reading {directory}")
            splits = {split: read_pair(directory, split) for split in EXAMPLES}
        builder = _from_arrays(type(builder), splits)(data_dir=data_dir, file_format="array_record")
        _say(f"{name}: writing {sum(EXAMPLES.values())} images (about 20 s)")
        with contextlib.redirect_stdout(None):  # it would speak of downloading
            _prepared(builder)
    else:
        _through_tfds(name, builder, source)
    _say(f"{name} is prepared in {time.monotonic() - began:.0f} s: {builder.data_dir}")
    return Path(builder.data_dir)


def read_pair(directory: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images ``[n, 28, 28]`` and labels ``[n]`` (both uint8) of ``"train"`` or ``"test"`` from a directory's IDX files.

    Raises UserError, naming the file, where one is missing, damaged, or not what it should be.
    """
    paths = {
        kind: _find(directory, f"{PREFIXES[split]}-{kind}-ubyte")
        for kind in ("images-idx3", "labels-idx1")
    }
    images, labels = read_idx(paths["images-idx3"], 3), read_idx(paths["labels-idx1"], 1)
    n = EXAMPLES[split]
    for path, array, shape in zip(
        paths.values(), (images, labels), ((n, 28, 28), (n,)), strict=True
    ):
        if array.shape != shape:
            raise UserError(f"{path} holds an array of shape {array.shape}, not {shape}")
    if labels.max() > 9:
        raise UserError(f"{paths['labels-idx1']} holds the label {labels.max()}: labels are 0 to 9")
    return images, labels


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an IDX file, gzipped or not. Raises UserError where the file is not one, whole.

    Format: two zero bytes, the type (8: uint8), the number of dimensions, each dimension as big-endian uint32, the data.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    magic, expected = data[:4], bytes([0, 0, 8, dimensions])
    if magic != expected:
        raise UserError(
            f"{path} is not an IDX file of {dimensions}-D uint8: magic {magic.hex()}, not {expected.hex()}"
        )
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    body = data[start:]
    if len(data) < start or len(body) != math.prod(shape):
        raise UserError(
            f"{path} is cut or has trailing bytes: {len(body)} bytes of data for the shape {shape}"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _find(directory: Path, stem: str) -> Path:
    for candidate in (directory / f"{stem}.gz", directory / stem):
        if candidate.is_file():
            return candidate
    raise UserError(f"{directory} has no file {stem}.gz (or {stem})")


@contextlib.contextmanager
def _idx_directory(
    name: str, source: str | Path | None, url_infos: dict[str, Any]
) -> Iterator[Path]:
    """The directory with the IDX files: the one given, else the installed one, else a temporary one, downloaded to."""
    if source is not None or INSTALLED[name].is_dir():
        yield Path(source) if source is not None else INSTALLED[name]
        return
    with tempfile.TemporaryDirectory() as directory:
        for url, info in url_infos.items():
            try:
                _download(url, Path(directory) / url.rsplit("/", 1)[-1], info.checksum)
            except (OSError, http.client.HTTPException) as error:
                ways = f"{PACKAGES.get(name, '')}pass --source DIR, a directory with the dataset's four IDX files"
                raise UserError(f"cannot download {url} ({error}): try again, or {ways}") from error
        yield Path(directory)


def _download(url: str, path: Path, checksum: str) -> None:
    digest, done = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, open(path, "wb") as file:
        size = int(response.headers.get("Content-Length") or 0)
        while block := response.read(1 << 18):
            file.write(block)
            digest.update(block)
            done += len(block)
            if sys.stderr.isatty():
                _say(f"\r{path.name}: {done / 2**20:.1f} of {size / 2**20:.1f} MiB", end="")
    _say(f"\r{path.name}: {done / 2**20:.1f} MiB downloaded")
    if digest.hexdigest() != checksum:
        raise OSError(f"what came is not the published file: SHA-256 {digest.hexdigest()}")


def _from_arrays(base: Any, splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    """The dataset's own builder, reading arrays in place of files through TensorFlow; what it writes is the same dataset."""
    import tensorflow_datasets as tfds
    from PIL import Image

    def generate(self: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(zip(*splits[split], strict=True)):
            yield index, {"image": Image.fromarray(image), "label": int(label)}

    def split_generators(self: Any, manager: Any) -> dict[str, Iterator]:
        return {split: generate(self, split) for split in splits}

    methods = {
        "pkg_dir_path": base.pkg_dir_path,
        "_split_generators": split_generators,
        "_generate_examples": generate,
    }
    with tfds.core.registered.skip_registration():
        return type(base.__name__, (base,), methods)


def _through_tfds(name: str, builder: Any, source: str | Path | None) -> None:
    import tensorflow_datasets as tfds

    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"preparing {name} needs TensorFlow: pip install 'gan_jax[prepare]', then run this again"
        )
    try:
        _prepared(
            builder, tfds.download.DownloadConfig(manual_dir=os.fspath(source) if source else None)
        )
    except (OSError, AssertionError, ValueError, tfds.download.DownloadError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"tensorflow-datasets could not prepare {name}: {reason}") from error


def _prepared(builder: Any, config: Any = None) -> None:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        # Written to a temporary directory beside, and renamed when it is whole.
        builder.download_and_prepare(download_config=config, file_format="array_record")
    except OSError:
        if not is_prepared(builder):  # else another process was quicker
            raise


def _say(line: str, end: str = "\n") -> None:
    print(line, end=end, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.data.prepare", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("name", help="fashion_mnist, mnist, or any dataset of tensorflow-datasets")
    parser.add_argument(
        "--source", help="directory with the IDX files, or with files downloaded by hand"
    )
    parser.add_argument(
        "--data_dir",
        help="where prepared datasets lie (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    arguments = parser.parse_args(argv)
    try:
        prepare(arguments.name, arguments.source, arguments.data_dir)
    except UserError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted: nothing was prepared")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
