"""Images of datasets that tensorflow-datasets prepared, read without TensorFlow and held in memory."""

import io
import os
import shlex
import tempfile
import urllib.parse
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.dataset import Dataset, finite
from gan_jax.errors import UserError

CHUNK = 1000  # examples read at a time


def tfds(
    name: str,
    split: str = "train",
    labels: bool = False,
    resolution: int | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Dataset:
    """Images of any prepared dataset of tensorflow-datasets that has the feature ``"image"``.

    The first start decodes the whole split into memory and writes it, as it will be used, beside the prepared data; later
    ones load that file. It is made anew where it is damaged.

    Args:
      name: ``"cifar10"``, ``"celeb_a"``, ``"emnist/letters"``; ``"name:1.2.3"`` for a version.
      split: ``"train"``, ``"test"``, ``"train[:10%]"``, ``"train+test"``, ... as tensorflow-datasets writes them.
      labels: whether batches carry the feature ``"label"``.
      resolution: side of square images, see ``images.resized``; None leaves images as they are, all of one size.
      data_dir: where prepared datasets lie; the default of tensorflow-datasets (``TFDS_DATA_DIR``) if None.

    Returns:
      Samples ``[height, width, channels]`` uint8; ``arrays`` holds the labels wherever the dataset has them.

    Raises UserError where the dataset is unknown or not prepared, and says how to prepare it.
    """
    builder = builder_of(name, data_dir)
    if not is_prepared(builder):
        where = "" if data_dir is None else f" --data_dir {shlex.quote(os.fspath(data_dir))}"
        command = f"python -m gan_jax.data.prepare {shlex.quote(name)}{where}"
        raise UserError(f"{name} is not prepared in {builder.data_dir}: run {command}")
    import tensorflow_datasets

    features = dict(builder.info.features)
    if not isinstance(features.get("image"), tensorflow_datasets.features.Image):
        raise UserError(
            f"{name} has no images under 'image', only the features {', '.join(features)}"
        )
    classes = getattr(features.get("label"), "num_classes", 0) or 0
    if labels and not classes:
        raise UserError(f"{name} has no class labels, only the features {', '.join(features)}")
    variant = f"{split}-{resolution or 'native'}"
    cache = Path(builder.data_dir) / f"gan_jax-{urllib.parse.quote(variant, safe='')}.npz"
    arrays = _load(cache)
    if arrays is None:
        try:
            arrays = _decoded(name, builder, split, bool(classes), resolution)
        except UserError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{builder.data_dir} is damaged, remove it and prepare {name} again: {reason}"
            ) from error
        _save(cache, arrays)
    return finite(**arrays, classes=classes if labels else 0)


def builder_of(name: str, data_dir: str | os.PathLike | None = None) -> Any:
    """tensorflow-datasets' builder of a dataset, prepared or not. Raises UserError where the name is unknown."""
    import tensorflow_datasets

    try:
        return tensorflow_datasets.builder(name, data_dir=data_dir, file_format="array_record")
    except tensorflow_datasets.core.registered.DatasetNotFoundError as error:
        raise UserError(f"tensorflow-datasets knows no dataset {name!r}") from error
    except (
        Exception
    ) as error:  # a damaged dataset_info.json, an unknown version, ...: each raises its own
        reason = " ".join(str(error).split())
        if "File format is already set" in reason:
            where = tensorflow_datasets.builder(name, data_dir=data_dir).data_dir
            raise UserError(
                f"{where} is not in array_record format: remove it and prepare {name} again"
            ) from error
        raise UserError(f"tensorflow-datasets cannot build {name!r}: {reason[:400]}") from error


def is_prepared(builder: Any) -> bool:
    """Whether a dataset lies prepared, whole, where its builder looks."""
    return os.path.isdir(builder.data_dir) and builder.is_prepared()


def _decoded(
    name: str, builder: Any, split: str, labelled: bool, resolution: int | None
) -> dict[str, np.ndarray]:
    import tensorflow_datasets

    try:
        source = builder.as_data_source(
            split=split, decoders={"image": tensorflow_datasets.decode.SkipDecoding()}
        )
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{name} has no split {split!r}, only {', '.join(sorted(builder.info.splits))}"
        ) from error
    channels = 1 if builder.info.features["image"].shape[-1] == 1 else 3

    def decode(example: dict[str, Any]) -> np.ndarray:
        from gan_jax.data.images import decoded

        return decoded(io.BytesIO(example["image"]), channels, resolution)

    def chunks() -> Iterator[list[dict[str, Any]]]:
        for start in range(0, len(source), CHUNK):
            yield source.__getitems__(range(start, min(start + CHUNK, len(source))))

    real, label, done = np.empty((0,), np.uint8), np.empty(len(source), np.int32), 0
    with ThreadPoolExecutor() as pool:
        for examples in chunks():
            for example, image in zip(examples, pool.map(decode, examples), strict=True):
                if not done:
                    real = np.empty((len(source), *image.shape), np.uint8)
                if image.shape != real.shape[1:]:
                    raise UserError(
                        f"{name} has images of {image.shape} and of {real.shape[1:]}: pass a resolution"
                    )
                real[done], label[done] = image, example["label"] if labelled else 0
                done += 1
    return {"real": real, "label": label} if labelled else {"real": real}


def _load(cache: Path) -> dict[str, np.ndarray] | None:
    """The arrays in a cache file; None where there is none, or it is damaged (a zip checks the CRC of what it holds)."""
    try:
        with np.load(cache) as file:
            return dict(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        warnings.warn(f"{cache} is damaged and made anew: {error}", stacklevel=3)
        return None


def _save(cache: Path, arrays: dict[str, Any]) -> None:
    """Writes the cache file whole or not at all; a directory that cannot be written to only costs the next start its time."""
    try:
        handle, temporary = tempfile.mkstemp(dir=cache.parent, prefix=f".{cache.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, cache)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        warnings.warn(
            f"{cache} could not be written, so the next start decodes again: {error}", stacklevel=3
        )
