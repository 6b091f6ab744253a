"""Prepares a dataset for tensorflow-datasets, or makes shards of images.

    python -m gan_jax.data.prepare fashion_mnist [--source DIR]
    python -m gan_jax.data.prepare IMAGES --out=SHARDS [--resolution=64] [--channels=3] [--labels]

Fashion-MNIST and MNIST are read from their four IDX files and need no TensorFlow. All other
datasets go through tensorflow-datasets' own preparation, which does (``pip install
'gan_jax[prepare]'``). Datasets that are prepared already are left alone.

IMAGES is a folder, a .zip or a .tar file of PNG and JPEG files; SHARDS is a new folder, from which
`--config.dataset='streamed(path=SHARDS)'` reads samples as they are needed.
"""

import argparse
import contextlib
import hashlib
import http.client
import importlib.util
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.idx_files import find_idx, read_idx
from gan_jax.data.shard_writing import write_shards
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
        kind: find_idx(directory, f"{PREFIXES[split]}-{kind}-ubyte")
        for kind in ("images-idx3", "labels-idx1")
    }
    n = EXAMPLES[split]
    images = read_idx(paths["images-idx3"], (n, 28, 28))
    labels = read_idx(paths["labels-idx1"], (n,))
    if labels.max() > 9:
        raise UserError(f"{paths['labels-idx1']} holds the label {labels.max()}: labels are 0 to 9")
    return images, labels


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


def _resolution(text: str) -> tuple[int, int]:
    sides = text.split("x")
    if len(sides) not in (1, 2) or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f"takes 64 or HEIGHTxWIDTH, not {text!r}")
    return int(sides[0]), int(sides[-1])


def main(argv: list[str] | None = None) -> int:
    """Prepares the dataset that the command line names, and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.data.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", help="a dataset of tensorflow-datasets; with --out, a folder or archive of images")
    add("--source", help="directory with the IDX files, or with files downloaded by hand")
    add(
        "--data_dir",
        help="where prepared datasets are (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    add("--out", help="the folder of the shards")
    add("--resolution", type=_resolution, help="64 or HEIGHTxWIDTH (default: as images are)")
    add("--channels", type=int, default=3, help="1, 2 with alpha; 3, 4 with alpha (default: 3)")
    add("--bits", type=int, default=8, help="8, or 16 for grey images (default: 8)")
    add("--labels", action="store_true", help="each image's first folder is its class")
    arguments = parser.parse_args(argv)
    try:
        if arguments.out:
            contents = write_shards(
                arguments.name,
                arguments.out,
                arguments.resolution,
                arguments.channels,
                arguments.bits,
                arguments.labels,
            )
            print(contents, flush=True)
        else:
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
