"""Folders in object stores, with the store of fsspec that is in memory."""

import fsspec
import numpy as np
import pytest

from gan_jax import buckets, data
from gan_jax.buckets import Bucket
from gan_jax.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, and an empty store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    store.rm("/", recursive=True)
    return tmp_path / "cache"


def put(url, content):
    fsspec.filesystem("memory").pipe_file(url, content)


def test_objects_are_written_read_and_removed(tmp_path):
    bucket = Bucket("memory://bucket/run/")
    assert bucket.url == "memory://bucket/run" and bucket.names() == {}
    bucket.write("a/b", b"1")
    (tmp_path / "file").write_bytes(b"22")
    bucket.upload("c", tmp_path / "file")
    assert bucket.read("a/b") == b"1" and bucket.read("c") == b"22" and bucket.read("d") is None
    first = bucket.names()
    assert first.keys() == {"a/b", "c"}
    bucket.write("c", b"333")
    assert bucket.names()["c"] != first["c"] and bucket.names()["a/b"] == first["a/b"]
    bucket.download("c", tmp_path / "new" / "folder" / "c")
    assert (tmp_path / "new" / "folder" / "c").read_bytes() == b"333"
    bucket.remove(["c", "never there"])
    assert bucket.names().keys() == {"a/b"}
    with pytest.raises(FileNotFoundError):
        bucket.download("c", tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
    with pytest.raises(FileNotFoundError):
        bucket.upload("c", tmp_path / "gone")


def test_of_two_that_create_an_object_one_does():
    bucket = Bucket("memory://bucket/run")
    assert bucket.create("lease.json", b"1")
    assert not bucket.create("lease.json", b"2")
    assert bucket.read("lease.json") == b"1"


def test_names_that_lead_out_of_the_folder_are_refused():
    put("memory://bucket/run/../../etc/passwd", b"")
    put("memory://bucket/run/x/../../y", b"")
    with pytest.raises(OSError, match="which is no name of a file"):
        Bucket("memory://bucket").names()


def test_data_is_downloaded_once_and_again_when_it_changes(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1), np.uint8)
    np.savez(tmp_path / "x.npz", real=images)
    put("memory://bucket/data/x.npz", (tmp_path / "x.npz").read_bytes())
    url = "memory://bucket/data/x.npz"
    for _ in range(2):
        np.testing.assert_array_equal(data.npz(url).arrays["real"], images)
    assert capsys.readouterr().out == "memory://bucket/data: downloading 1 of 1 files\n"
    np.savez(tmp_path / "x.npz", real=images[:3])
    put("memory://bucket/data/x.npz", (tmp_path / "x.npz").read_bytes())
    np.testing.assert_array_equal(data.npz(url).arrays["real"], images[:3])


def test_a_folder_follows_what_is_in_the_store(tmp_path):
    for name in ("a/1", "a/2", "b/3"):
        put(f"memory://bucket/images/{name}", name.encode())
    folder = buckets.local_copy("memory://bucket/images")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert found == {"a", "a/1", "a/2", "b", "b/3"}
    fsspec.filesystem("memory").rm("/bucket/images/b", recursive=True)
    put("memory://bucket/images/a/2", b"another")
    assert buckets.local_copy("memory:/bucket/images") == folder  # as pathlib writes it
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert found == {"a", "a/1", "a/2"}
    assert (folder / "a" / "2").read_bytes() == b"another"


def test_what_is_cut_off_is_downloaded_again(tmp_path, monkeypatch):
    for name in ("1", "2"):
        put(f"memory://bucket/images/{name}", name.encode())
    download = Bucket.download

    def fail(bucket, name, path):
        if name == "2":
            raise OSError("the network is down")
        download(bucket, name, path)

    monkeypatch.setattr(Bucket, "download", fail)
    with pytest.raises(UserError, match="memory://bucket/images cannot be read: the network is"):
        buckets.local_copy("memory://bucket/images")
    monkeypatch.setattr(Bucket, "download", download)
    folder = buckets.local_copy("memory://bucket/images")
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://bucket/nothing", "memory://bucket/nothing does not exist"),
        ("xyz://bucket/x", "xyz://bucket/x cannot be opened: Protocol not known"),
        ("file:///tmp/x", "leave file:// out"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(url, message):
    for read in (buckets.local_copy, data.npz, data.npy, data.streamed):
        with pytest.raises(UserError, match=message) as caught:
            read(url)
        assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    def missing(*arguments, **settings):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[gcs\]'"):
        Bucket("gs://bucket/x")


def test_paths_of_this_machine_are_left_alone(tmp_path):
    assert buckets.local_copy(tmp_path) == tmp_path
    assert not buckets.is_url("C:/runs") and buckets.is_url("s3:/bucket")
