"""Prepares a dataset for tensorflow-datasets.

    python -m gan_jax.data.prepare fashion_mnist [--source DIR]

Fashion-MNIST and MNIST are read from their four IDX files and need no TensorFlow. All other
datasets go through tensorflow-datasets' own preparation, which does (``pip install
'gan_jax[prepare]'``). Datasets that are prepared already are left alone.
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

from gan_jax.data.tensorflow_datasets import find_builder, is_prepared
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
    """Prepares a dataset in the array_record format. An interrupted preparation leaves nothing.

    Args:
      name: its name in tensorflow-datasets: ``"fashion_mnist"``, ``"cifar10"``,
        ``"emnist/letters"``.
      source: the directory with the IDX files; for other datasets, with the files that have to be
        downloaded by hand.
      data_dir: where prepared datasets are; the default of tensorflow-datasets
        (``TFDS_DATA_DIR``) if None.

    Returns:
      The directory that holds the prepared dataset.

    Raises:
      UserError: files are missing or damaged, or the name is unknown.
    """
    builder = find_builder(name, data_dir)
    if is_prepared(builder):
        _print(f"{name} is already prepared: {builder.data_dir}")
        return Path(builder.data_dir)
    if os.path.exists(builder.data_dir):
        raise UserError(
            f"{builder.data_dir} exists and is not a whole dataset: remove it, then run this again"
        )
    start = time.monotonic()
    if name in INSTALLED:
        with _idx_directory(name, source, builder.url_infos) as directory:
            _print(f"{name}: reading {directory}")
            splits = {split: read_pair(directory, split) for split in EXAMPLES}
        builder = _builder_from_arrays(type(builder), splits)(
            data_dir=data_dir, file_format="array_record"
        )
        _print(f"{name}: writing {sum(EXAMPLES.values())} images (about 20 s)")
        with contextlib.redirect_stdout(None):  # it would announce a download
            _download_and_prepare(builder)
    else:
        _prepare_through_tfds(name, builder, source)
    _print(f"{name} is prepared in {time.monotonic() - start:.0f} s: {builder.data_dir}")
    return Path(builder.data_dir)


def read_pair(directory: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads images and labels of MNIST or Fashion-MNIST from a directory's IDX files.

    Args:
      directory: where the files are.
      split: ``"train"`` or ``"test"``.

    Returns:
      Images ``[n, 28, 28]`` and labels ``[n]``, both uint8.

    Raises:
      UserError: a file is missing, damaged, or not what it should be; the message names it.
    """
    paths = {
        kind: _find_idx(directory, f"{PREFIXES[split]}-{kind}-ubyte")
        for kind in ("images-idx3", "labels-idx1")
    }
    n = EXAMPLES[split]
    images = read_idx(paths["images-idx3"], (n, 28, 28))
    labels = read_idx(paths["labels-idx1"], (n,))
    if labels.max() > 9:
        raise UserError(f"{paths['labels-idx1']} holds the label {labels.max()}: labels are 0 to 9")
    return images, labels


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads the uint8 array in an IDX file, gzipped or not.

    The format: two zero bytes, the type (8 is uint8), the number of dimensions, each dimension as
    big-endian uint32, the data.

    Args:
      path: the file.
      shape: that the array must have. No more is read, whatever a gzip file grows to.

    Returns:
      The array, uint8.

    Raises:
      UserError: the file is not a complete IDX file of this shape.
    """
    expected = math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            magic, sizes = file.read(4), file.read(4 * len(shape))
            body = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    known = bytes([0, 0, 8, len(shape)])
    if magic != known:
        raise UserError(
            f"{path} is not an IDX file of {len(shape)}-D uint8: "
            f"magic {magic.hex()}, not {known.hex()}"
        )
    found = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    if len(sizes) == 4 * len(shape) and found != shape:
        raise UserError(f"{path} holds an array of shape {found}, not {shape}")
    if len(sizes) < 4 * len(shape) or len(body) != expected:
        raise UserError(
            f"{path} is cut or has trailing bytes: there are not {expected} bytes of data for the "
            f"shape {shape}"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _find_idx(directory: Path, stem: str) -> Path:
    """Returns the path of an IDX file, gzipped or not."""
    for candidate in (directory / f"{stem}.gz", directory / stem):
        if candidate.is_file():
            return candidate
    raise UserError(f"{directory} has no file {stem}.gz (or {stem})")


@contextlib.contextmanager
def _idx_directory(
    name: str, source: str | Path | None, url_infos: dict[str, Any]
) -> Iterator[Path]:
    """Yields the directory with the IDX files: ``source``, or the installed one, or a download."""
    if source is not None:
        yield Path(source)
        return
    if INSTALLED[name].is_dir():
        yield INSTALLED[name]
        return
    with tempfile.TemporaryDirectory() as directory:
        for url, info in url_infos.items():
            try:
                _download(url, Path(directory) / url.rsplit("/", 1)[-1], info.checksum)
            except (OSError, http.client.HTTPException) as error:
                alternatives = (
                    f"{PACKAGES.get(name, '')}pass --source DIR, a directory with the dataset's "
                    "four IDX files"
                )
                raise UserError(
                    f"cannot download {url} ({error}): try again, or {alternatives}"
                ) from error
        yield Path(directory)


def _download(url: str, path: Path, checksum: str) -> None:
    """Downloads a file and compares its SHA-256 checksum. Raises OSError."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    digest = hashlib.sha256()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with (
        bar,
        urllib.request.urlopen(url, timeout=TIMEOUT) as response,
        open(path, "wb") as file,
    ):
        size = int(response.headers.get("Content-Length") or 0)
        task = bar.add_task(path.name, total=size or None)
        while block := response.read(1 << 18):
            file.write(block)
            digest.update(block)
            bar.advance(task, len(block))
    _print(f"{path.name}: {path.stat().st_size / 2**20:.1f} MiB downloaded")
    if digest.hexdigest() != checksum:
        raise OSError(
            f"the download is not the published file: its SHA-256 is {digest.hexdigest()}"
        )


def _builder_from_arrays(
    builder_class: Any, splits: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Any:
    """Returns the dataset's own builder class, changed to read arrays instead of files.

    The original reads files through TensorFlow. What this one writes is the same dataset.
    """
    import tensorflow_datasets
    from PIL import Image

    def generate(self: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(zip(*splits[split], strict=True)):
            yield index, {"image": Image.fromarray(image), "label": int(label)}

    def split_generators(
        self: Any, manager: Any
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {split: generate(self, split) for split in splits}

    methods = {
        "pkg_dir_path": builder_class.pkg_dir_path,
        "_split_generators": split_generators,
        "_generate_examples": generate,
    }
    with tensorflow_datasets.core.registered.skip_registration():
        return type(builder_class.__name__, (builder_class,), methods)


def _prepare_through_tfds(name: str, builder: Any, source: str | Path | None) -> None:
    """Runs tensorflow-datasets' own preparation."""
    import tensorflow_datasets

    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"preparing {name} needs TensorFlow: pip install 'gan_jax[prepare]', "
            "then run this again"
        )
    try:
        manual_dir = os.fspath(source) if source else None
        config = tensorflow_datasets.download.DownloadConfig(manual_dir=manual_dir)
        _download_and_prepare(builder, config)
    except (
        OSError,
        AssertionError,
        ValueError,
        tensorflow_datasets.download.DownloadError,
    ) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"tensorflow-datasets could not prepare {name}: {reason}") from error


def _download_and_prepare(builder: Any, config: Any = None) -> None:
    import tensorflow_datasets

    tensorflow_datasets.disable_progress_bar()
    try:
        # It writes to a temporary directory next to the final one, which it renames at the end.
        builder.download_and_prepare(download_config=config, file_format="array_record")
    except OSError:
        if not is_prepared(builder):  # otherwise another process was faster
            raise


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Prepares the dataset that the command line names, and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.data.prepare",
        description="Prepares a dataset for tensorflow-datasets.",
    )
    parser.add_argument("name", help="fashion_mnist, mnist, or any dataset of tensorflow-datasets")
    parser.add_argument(
        "--source", help="directory with the IDX files, or with files downloaded by hand"
    )
    parser.add_argument(
        "--data_dir",
        help="where prepared datasets are (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    arguments = parser.parse_args(argv)
    try:
        prepare(arguments.name, arguments.source, arguments.data_dir)
    except UserError as error:
        _print(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _print("interrupted: nothing was prepared")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
