"""Makes shards of a folder or an archive of images, for `streamed` to read by index."""

import functools
import io
import itertools
import json
import lzma
import secrets
import shutil
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np

from gan_jax import files
from gan_jax.data.contents import Contents
from gan_jax.data.decoding import decode_deep_image, decode_image, describe_image
from gan_jax.data.folders import SUFFIXES, check_image_settings, image_files
from gan_jax.data.shard_reading import CLASSES
from gan_jax.errors import UserError, first_line

SHARD_BYTES = 2**26
"""Size of a shard. As many images as it holds are in memory at once."""

LARGEST_FILE = 2**28
"""Bytes of the largest image file in an archive that is read."""

WINDOW = 64  # images that are decoded side by side

Image = tuple[np.ndarray, str, str]
"""The pixels, the size and the kind of an image."""

Entry = tuple[str, bytes | str]
"""The name of an image file, and its bytes; or, as text, why it is not read."""

Decoded = tuple[str, Image | str]
"""The name of an image file, and the image; or why it cannot be read."""


def write_shards(
    source: str | Path,
    out: str | Path,
    resolution: tuple[int, int] | None = None,
    channels: int = 3,
    bits: int = 8,
    labels: bool = False,
) -> Contents:
    """Writes the images of a folder or an archive as shards, uncompressed ``.npz`` files.

    Images that cannot be read are left out. Memory holds one shard. An interrupted run leaves
    nothing.

    Args:
      source: a folder or a ``.zip`` file of PNG and JPEG files, whose order is alphabetical; or a
        ``.tar`` file, compressed or not, whose own order is kept.
      out: the folder of the shards, which is made.
      resolution: height and width after `decoding.resize`; None: as the images are, all of one
        size.
      channels: 1 for grey, 2 for grey with alpha, 3 for colour, 4 for colour with alpha.
      bits: 8, or 16 for grey images, which are stored as uint16.
      labels: whether each image's first folder is its class; their names go to ``classes.json``.

    Returns:
      What was read and what was left out.

    Raises:
      UserError: bad settings, no images, an image without a class, or images of several sizes.
    """
    check_image_settings(max(resolution or (1, 1)), channels)
    check_image_settings(min(resolution or (1, 1)), channels)
    if bits not in (8, 16) or (bits == 16 and channels != 1):
        raise UserError(
            f"images have 8 bits, or 16 if they are grey, not {bits} in {channels} channels"
        )
    for path in (source, out):
        files.check_local(path)
    source, out = Path(source).expanduser(), Path(out).expanduser()
    if out.exists():
        raise UserError(f"{out} exists: choose another --out")
    classes = sorted({_class_of(name, source) for name in _names(source)}) if labels else []
    files.make_directory(out.parent)
    unfinished = out.parent / f".{secrets.token_hex(8)}.part"
    unfinished.mkdir()
    try:

        def decode(data: bytes) -> Image:
            file = io.BytesIO(data)
            if bits == 16:
                image = decode_deep_image(file, resolution, upright=True)
            else:
                image = decode_image(file, channels, resolution, upright=True)
            return image, *describe_image(file)

        contents = _write(unfinished, _decoded(_entries(source), decode), source, classes)
        if labels:
            names = json.dumps(classes, ensure_ascii=False)
            files.write_text(unfinished / CLASSES, names + "\n")
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    files.sync_directory(out.parent)
    return contents


def _write(
    folder: Path, images: Iterator[Decoded], source: Path, classes: Sequence[str]
) -> Contents:
    sizes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    refused: dict[str, str] = {}
    shape: tuple[int, ...] = ()
    held: list[np.ndarray] = []
    label: list[int] = []
    shards = 0

    def write() -> None:
        nonlocal shards
        arrays = {"real": np.stack(held)}
        if classes:
            arrays["label"] = np.array(label, np.int32)
        with files.replacing(folder / f"shard-{shards:06d}.npz") as file:
            np.savez(file, allow_pickle=False, **arrays)
        shards += 1
        held.clear()
        label.clear()

    for name, result in images:
        if isinstance(result, str):
            refused[name] = result
            continue
        image, size, kind = result
        shape = shape or image.shape
        if image.shape != shape:
            raise UserError(
                f"{source} has images of {image.shape} and of {shape}, such as {name}: pass "
                "--resolution"
            )
        sizes[size] += 1
        kinds[kind] += 1
        held.append(image)
        if classes:
            name_of_class = _class_of(name, source)
            label.append(classes.index(name_of_class))
            counts[name_of_class] += 1
        if len(held) * image.nbytes >= SHARD_BYTES:
            write()
    if held:
        write()
    if not shards:
        name, reason = next(iter(refused.items()))
        raise UserError(f"{name} in {source} cannot be read as an image: {reason}")
    remarks = (f"in {shards} files",)
    total = sum(kinds.values())
    return Contents(
        str(source), total, shape, "all", sizes, kinds, counts, refused, remarks=remarks
    )


def _decoded(entries: Iterator[Entry], decode: Callable[[bytes], Image]) -> Iterator[Decoded]:
    """Decodes images side by side, a window of them at a time, in order."""

    def one(entry: Entry) -> Decoded:
        name, data = entry
        if isinstance(data, str):
            return name, data
        try:
            return name, decode(data)
        except Exception as error:  # Pillow raises many kinds for damaged files
            return name, first_line(error).split(" <_io.")[0]  # bytes have no name

    with ThreadPoolExecutor() as pool:
        while window := list(itertools.islice(entries, WINDOW)):
            yield from pool.map(one, window)


def _names(source: Path) -> Iterator[str]:
    """The names of all images, of which nothing is read."""
    return (name for name, _ in _members(source))


def _entries(source: Path) -> Iterator[Entry]:
    for name, read in _members(source):
        try:
            data = read()
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError) as error:
            data = first_line(error)  # damaged, encrypted, or compressed in an unknown way
        yield name, data


def _members(source: Path) -> Iterator[tuple[str, Callable[[], bytes | str]]]:
    """Yields the name of each image of a folder or an archive, and what reads it.

    Raises UserError if there are no images, or the source cannot be read.
    """
    if source.is_dir() or not source.exists():
        for file in image_files(source):
            yield file.relative_to(source).as_posix(), file.read_bytes
        return
    is_zip, count = zipfile.is_zipfile(source), 0
    try:
        for member in _in_zip(source) if is_zip else _in_tar(source):
            count += 1
            yield member
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise UserError(
            f"{source} cannot be read as a .zip or .tar file: {first_line(error)}"
        ) from error
    except zipfile.BadZipFile as error:
        raise UserError(f"{source} is damaged: {first_line(error)}") from error
    if not count:
        raise UserError(f"{source} has no images ({', '.join(SUFFIXES)})")


def _in_zip(source: Path) -> Iterator[tuple[str, Callable[[], bytes | str]]]:
    with zipfile.ZipFile(source) as archive:
        infos = [info for info in archive.infolist() if _is_image(info.filename)]
        for info in sorted(infos, key=lambda info: info.filename):
            read = functools.partial(archive.read, info)
            yield info.filename, read if info.file_size <= LARGEST_FILE else _too_large


def _in_tar(source: Path) -> Iterator[tuple[str, Callable[[], bytes | str]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member) if _is_image(member.name) else None
            if file is not None:
                yield member.name, file.read if member.size <= LARGEST_FILE else _too_large


def _too_large() -> str:
    return f"it has more than {LARGEST_FILE} bytes"


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not is_hidden


def _class_of(name: str, source: Path) -> str:
    parts = PurePosixPath(name).parts
    if len(parts) < 2:
        raise UserError(
            f"{name} in {source} has no class: with labels, each image is in a folder of its class"
        )
    return parts[0]
