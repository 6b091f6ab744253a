"""Runs in object stores: a run directory of this machine, and its copy at ``gs://bucket/runs/x``.

A run trains in a folder of this machine, as any other, because objects cannot be appended to,
renamed or locked. What has changed is uploaded every `UPLOAD_SECONDS`, and at the end. An upload is
finished by writing `MANIFEST`, which lists the files; what is no longer listed is removed after it.
So the store holds a whole run at any time, also if the process or the machine is lost.
"""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gan_jax import buckets, files
from gan_jax.buckets import Bucket
from gan_jax.errors import StorageError, UserError, first_line
from gan_jax.experiment import checkpoint_files, lock
from gan_jax.experiment.bucket_lease import LEASE, Lease, leased
from gan_jax.experiment.run_directory import CHECKPOINTS, CONFIG
from gan_jax.loggers.progress import print_line

MANIFEST = "manifest.json"
"""The object that lists the files of a run, and names the upload that wrote it."""

UPLOAD_SECONDS = 10.0
"""How often it is looked for what has changed."""

READS = 5
"""How often a run that changes while it is downloaded is tried again."""


class Manifest(NamedTuple):
    """What an upload has left in the store.

    Attributes:
      token: of the upload.
      names: of the files.
    """

    token: str
    names: frozenset[str]


@contextlib.contextmanager
def working_copy(path: str | os.PathLike[str]) -> Iterator["WorkingCopy"]:
    """Opens a run for writing: its directory, or a copy of this machine of a run in a store.

    Args:
      path: a directory, which is used as it is, or a URL.

    Raises:
      UserError: the store cannot be reached, another process writes the run, or what is there is no
        run.
      StorageError: at the end, if not everything could be uploaded.
    """
    if not buckets.is_url(path):
        yield WorkingCopy(Path(path))
        return
    bucket = Bucket(os.fspath(path))
    folder = buckets.cache_folder("runs", bucket.url)
    with contextlib.ExitStack() as held:
        try:
            lease = held.enter_context(leased(bucket))
            _bring_up_to_date(bucket, folder)
            copy = UploadedCopy(bucket, folder, lease)
        except OSError as error:
            raise UserError(f"{bucket.url} cannot be used: {first_line(error)}") from error
        print_line(f"{bucket.url} is worked on in {folder}")
        try:
            yield copy
        except BaseException:
            with contextlib.suppress(StorageError):  # it is said; what happened first counts
                copy.close()
            raise
        copy.close()


def fetched(path: str | os.PathLike[str]) -> Path:
    """Returns the directory of a run for reading; of a run in a store that of a copy, up to date.

    Args:
      path: a directory, which is returned as it is, or a URL.

    Raises:
      UserError: there is no run, or it cannot be read.
    """
    if not buckets.is_url(path):
        return Path(path)
    bucket = Bucket(os.fspath(path))
    # Apart from the copy that is written: this machine may train the run as well.
    folder = buckets.cache_folder("read_runs", bucket.url)
    try:
        for _ in range(READS):
            manifest = _manifest(bucket)
            if manifest is None:
                raise UserError(f"{bucket.url} holds no run: it has no {CONFIG}")
            try:
                _download(bucket, manifest, folder)
            except FileNotFoundError:  # a checkpoint was removed meanwhile
                continue
            return folder
    except OSError as error:
        raise UserError(f"{bucket.url} cannot be read: {first_line(error)}") from error
    raise UserError(f"{bucket.url} changes faster than it can be read: try again")


class WorkingCopy:
    """A run directory that is written where it is.

    Attributes:
      folder: the directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """Raises StorageError if the run may not be written any more."""


class UploadedCopy(WorkingCopy):
    """A run directory that is uploaded by a thread."""

    def __init__(self, bucket: Bucket, folder: Path, lease: Lease) -> None:
        super().__init__(folder)
        self._bucket, self._lease = bucket, lease
        manifest = _manifest(bucket)
        self._token, self._listed = manifest or Manifest("", frozenset())
        self._uploaded: dict[str, tuple[int, int]] = {}
        self._taken_over: StorageError | None = None
        self._has_warned = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_uploading, name="uploads", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises StorageError if another process has taken over the run."""
        if self._taken_over is not None:
            raise self._taken_over

    def close(self) -> None:
        """Uploads what is left.

        Raises:
          StorageError: it cannot be uploaded, or another process has taken over the run.
        """
        self._ended.set()
        self._thread.join()
        self.check()
        try:
            self.upload()
        except OSError as error:
            message = (
                f"not all of the run could be uploaded to {self._bucket.url} "
                f"({first_line(error)}). It is in {self.folder}, and the same command uploads it"
            )
            print_line(f"warning: {message}")
            raise StorageError(message) from error

    def upload(self) -> None:
        """Uploads what has changed.

        Raises:
          StorageError: another process has taken over the run.
          OSError: the store cannot be reached.
        """
        self._lease.confirm()
        while True:
            try:
                present = _files(self.folder)
                changed = {
                    name: stamp
                    for name, stamp in present.items()
                    if self._uploaded.get(name) != stamp
                }
                for name, stamp in changed.items():
                    self._bucket.upload(name, self.folder / name)
                    self._uploaded[name] = stamp
                break
            except FileNotFoundError:  # a checkpoint was removed meanwhile
                continue
        if not changed and present.keys() == self._listed:
            return
        self._lease.confirm()
        token = secrets.token_hex(8)
        record = json.dumps({"token": token, "files": sorted(present)}, indent=1) + "\n"
        _note(self.folder, self._token, token)  # whether or not the next line is reached
        self._bucket.write(MANIFEST, record.encode())
        self._token = token
        gone = self._listed - present.keys()
        self._listed = frozenset(present)
        self._bucket.remove(gone)
        for name in gone:
            self._uploaded.pop(name, None)

    def _keep_uploading(self) -> None:
        while not self._ended.wait(UPLOAD_SECONDS):
            try:
                self.upload()
                self._has_warned = False
            except StorageError as error:
                self._taken_over = error
                return
            except OSError as error:
                if not self._has_warned:
                    self._has_warned = True
                    print_line(
                        f"warning: {self._bucket.url} cannot be written ({first_line(error)}); "
                        f"training goes on in {self.folder}, and uploads are tried again"
                    )


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """The files of a run that others may see, with what changes when they do.

    Raises:
      FileNotFoundError: one was removed meanwhile.
    """
    found = {}
    for directory, folders, names in os.walk(folder):
        here = Path(directory)
        folders[:] = [
            name for name in folders if here.name != CHECKPOINTS or _is_finished(here / name)
        ]
        for name in names:
            if name == lock.LOCK_FILE or name.endswith(".part"):
                continue
            if (here / name).is_symlink():
                continue
            status = (here / name).stat()
            relative = (here / name).relative_to(folder).as_posix()
            found[relative] = (status.st_size, status.st_mtime_ns)
    return found


def _is_finished(checkpoint: Path) -> bool:
    temporary = checkpoint_files.TEMPORARY in checkpoint.name
    return not temporary and checkpoint_files.is_whole(checkpoint)


def _bring_up_to_date(bucket: Bucket, folder: Path) -> None:
    """Makes a folder the newest state of a run: what is here if it goes on from the store's."""
    manifest = _manifest(bucket)
    token = manifest.token if manifest else ""
    if token in _noted(folder):
        return
    if folder.exists():
        aside = _free_name(folder)
        os.replace(folder, aside)
        print_line(
            f"{bucket.url} was written elsewhere since it was worked on here; what was here is now "
            f"in {aside}"
        )
    if manifest is not None:
        _download(bucket, manifest, folder)
    _note(folder, token)


def _download(bucket: Bucket, manifest: Manifest, folder: Path) -> None:
    """Downloads what a manifest lists. Raises FileNotFoundError if some of it is gone."""
    versions = bucket.names()
    missing = manifest.names - versions.keys()
    if missing:
        raise FileNotFoundError(min(missing))
    buckets.download_changed(bucket, {name: versions[name] for name in manifest.names}, folder)


def _manifest(bucket: Bucket) -> Manifest | None:
    """What the store has of a run; None if there is nothing. Raises UserError if it is no run."""
    content = bucket.read(MANIFEST)
    if content is not None:
        try:
            record: dict[str, Any] = json.loads(content)
            return Manifest(str(record["token"]), frozenset(record["files"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{bucket.url}/{MANIFEST} is damaged: {first_line(error)}") from error
    names = bucket.names().keys() - {LEASE}  # copied there by other means
    if names and CONFIG not in names:
        raise UserError(f"{bucket.url} holds something else than a run: it has no {CONFIG}")
    return Manifest("", frozenset(names)) if names else None


def _note(folder: Path, *tokens: str) -> None:
    """Notes beside a folder which upload it goes on from, or that it is one of two."""
    files.make_directory(folder.parent)
    files.write_text(_notes(folder), "\n".join(tokens))


def _noted(folder: Path) -> list[str]:
    """The uploads that a folder may go on from; "" stands for none."""
    file = _notes(folder)
    return file.read_text(encoding="utf-8").split("\n") if file.exists() else []


def _notes(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.token")


def _free_name(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
        number += 1
    return aside
