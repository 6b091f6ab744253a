"""Folders in object stores: ``s3://bucket/runs/x``, ``gs://...``, and all that fsspec knows.

An object appears whole once it is written, and can be created only if it is not there. It cannot be
appended to, renamed or locked.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.errors import UserError, first_line

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""The extra of this package that reads and writes URLs of a kind."""

DOWNLOADS = 16
"""How many objects are downloaded at once."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a URL such as ``gs://bucket/runs``."""
    return files.URL.match(os.fspath(path)) is not None


class Bucket:
    """A folder in an object store.

    Names are those of objects below the folder, ``"checkpoints/100/record/metadata"``. All methods
    raise OSError if the store cannot be reached or refuses.

    Attributes:
      url: of the folder.
    """

    def __init__(self, url: str) -> None:
        """Opens a folder, which need not hold anything.

        Args:
          url: of the folder; credentials are those of the environment, as s3fs and gcsfs find them.

        Raises:
          UserError: no package here reads such URLs, or the bucket cannot be reached.
        """
        kind, _, rest = url.partition(":")
        self.url = f"{kind}://{rest.strip('/')}"
        if kind in ("file", "local"):
            raise UserError(f"{url} is a path of this machine: leave {kind}:// out")
        import fsspec

        try:
            self._store, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            extra = EXTRAS.get(kind)
            install = f"pip install 'gan_jax[{extra}]'" if extra else first_line(error)
            raise UserError(f"{self.url} cannot be opened: {install}") from error
        except Exception as error:  # each kind of store has errors of its own
            raise UserError(f"{self.url} cannot be opened: {first_line(error)}") from error
        self._root = root.rstrip("/")

    def names(self) -> dict[str, str]:
        """Returns what is in the folder, by name: a text that changes with the content."""
        with _as_os_error(self.url):
            # Some stores remember what they listed, also if they are told not to.
            self._store.invalidate_cache()
            try:
                entries: dict[str, Any] = self._store.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        prefix = f"{self._root}/"
        found = {
            path.removeprefix(prefix): _version(entry)
            for path, entry in entries.items()
            if path.startswith(prefix) and not path.endswith("/")
        }
        for name in found:
            if ".." in name.split("/") or name.startswith("/"):
                raise OSError(f"{self.url} has an object {name!r}, which is no name of a file")
        return found

    def version(self) -> str | None:
        """Returns a text that changes with the content if the URL is that of an object."""
        with _as_os_error(self.url):
            self._store.invalidate_cache()
            try:
                entry: dict[str, Any] = self._store.info(self._root)
            except FileNotFoundError:
                return None
        return _version(entry) if entry.get("type") == "file" else None

    def read(self, name: str) -> bytes | None:
        """Returns the content of an object; None if there is none."""
        with _as_os_error(self._path(name)):
            try:
                content: bytes = self._store.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Writes an object, in place of the one that is there."""
        with _as_os_error(self._path(name)):
            self._store.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Writes an object unless there is one; returns whether it did."""
        with _as_os_error(self._path(name)):
            try:
                self._store.pipe_file(self._path(name), content, mode="create")
            except FileExistsError:
                return False
        return True

    def upload(self, name: str, path: Path) -> None:
        """Writes a file as an object. Raises FileNotFoundError if the file is gone."""
        if not path.exists():
            raise FileNotFoundError(path)
        with _as_os_error(self._path(name)):
            try:
                self._store.put_file(str(path), self._path(name))
            except FileNotFoundError as error:
                if path.exists():  # it is the bucket that is not there
                    raise OSError(first_line(error)) from error
                raise

    def download(self, name: str, path: Path) -> None:
        """Writes an object as a file, whole or not at all. Raises FileNotFoundError."""
        files.make_directory(path.parent)
        with (
            files.replacing(path) as file,
            _as_os_error(self._path(name)),
            self._store.open(self._path(name), "rb") as source,
        ):
            shutil.copyfileobj(source, file, 1 << 22)

    def remove(self, names: Iterable[str]) -> None:
        """Removes objects, as far as they are there."""
        for name in names:
            with _as_os_error(self._path(name)), contextlib.suppress(FileNotFoundError):
                self._store.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


@contextlib.contextmanager
def _as_os_error(path: str) -> Iterator[None]:
    """Raises what a store says as OSError: clients have exceptions of their own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{path}: {first_line(error)}") from error


def _version(entry: dict[str, Any]) -> str:
    """What tells one content of an object from another, as far as the store says."""
    known = ("size", "ETag", "etag", "md5Hash", "crc32c", "mtime", "LastModified", "created")
    return " ".join(str(entry[key]) for key in known if entry.get(key) is not None)


def cache_folder(kind: str, url: str) -> Path:
    """Returns the folder of this machine for what a URL holds; it need not exist.

    It is in ``$XDG_CACHE_HOME/gan_jax``, by default ``~/.cache/gan_jax``.

    Args:
      kind: the folder above it, such as ``"runs"`` or ``"data"``.
      url: each has a folder of its own.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", url.rstrip("/").rpartition("/")[2])[:60]
    return home / "gan_jax" / kind / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def local_copy(path: str | os.PathLike[str], leave_out: Collection[str] = ()) -> Path:
    """Returns a path of this machine with what a URL holds: a file, or a folder of files.

    It is in the cache, see `cache_folder`, and only what has changed since is downloaded. Paths
    that are no URLs are returned as they are.

    Args:
      path: of a file system, or a URL.
      leave_out: folders of these names, at any depth, are not downloaded.

    Raises:
      UserError: there is nothing, or it cannot be read.
    """
    if not is_url(path):
        return Path(path)
    bucket = Bucket(os.fspath(path))
    folder = cache_folder("parts" if leave_out else "data", bucket.url)
    try:
        version = bucket.version()
        if version is not None:
            above, _, name = bucket.url.rpartition("/")
            download_changed(Bucket(above), {name: version}, folder)
            return folder / name
        names = bucket.names()
        if not names:
            raise UserError(f"{bucket.url} does not exist")
        wanted = {
            name: version
            for name, version in names.items()
            if set(leave_out).isdisjoint(name.split("/")[:-1])
        }
        download_changed(bucket, wanted, folder)
        return folder
    except OSError as error:
        raise UserError(f"{bucket.url} cannot be read: {first_line(error)}") from error


def download_changed(bucket: Bucket, names: dict[str, str], folder: Path) -> None:
    """Downloads what is not in a folder in the same version, and removes what is not listed."""
    record = folder.with_name(f"{folder.name}.json")
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(record.read_text(encoding="utf-8"))
    for name in known.keys() - names.keys():
        (folder / name).unlink(missing_ok=True)
        for above in (folder / name).relative_to(folder).parents[:-1]:
            with contextlib.suppress(OSError):  # not empty
                (folder / above).rmdir()
    changed = {
        name
        for name, version in names.items()
        if known.get(name) != version or not (folder / name).exists()
    }
    if changed:
        print(f"{bucket.url}: downloading {len(changed)} of {len(names)} files", flush=True)
    whole = {name: known[name] for name in names.keys() - changed}
    try:
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            downloads = {
                name: pool.submit(bucket.download, name, folder / name) for name in changed
            }
            for name, download in downloads.items():
                download.result()
                whole[name] = names[name]
    finally:
        files.make_directory(record.parent)
        files.write_text(record, json.dumps(whole))
