"""Files appear whole or not at all; JSON lines are read past whatever is damaged."""

import os
import stat
from pathlib import Path

import pytest

from gan_jax import data, files
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    files.write_text(tmp_path / "a.txt", "é\r\n\n")
    files.write_bytes(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "a"
    path.write_text("a much longer text")
    files.write_text(path, "new")
    assert path.read_text() == "new"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="midway"), files.replacing(path) as file:
        file.write(b"half of the n")
        raise RuntimeError("midway")
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_is_not_seen_before_it_is_whole(tmp_path):
    path = tmp_path / "a"
    with files.replacing(path) as file:
        file.write(b"first half, ")
        file.flush()
        assert not path.exists()
        file.write(b"second half")
    assert path.read_text() == "first half, second half"


def test_nothing_is_left_if_the_file_cannot_take_its_place(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "inside").touch()
    with pytest.raises(OSError):
        files.write_text(tmp_path / "a", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.write_text(tmp_path / "missing" / "a", "text")


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "text")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_json_lines_are_read_in_order(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": 1}\n{"x": null, "text": "a\u2028b"}\n', encoding="utf-8")
    assert files.read_json_lines(path) == [{"x": 1}, {"x": None, "text": "a\u2028b"}]


def test_lines_that_are_no_json_objects_are_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    deep = b"[" * 100_000
    path.write_bytes(
        b'{"x": 1}\n\n3\n[1]\nnull\n' + deep + b'\n{"y": "\xff"}\n{"z": 1\n{"x": 2}\n{"x"'
    )
    assert files.read_json_lines(path) == [{"x": 1}, {"y": "\ufffd"}, {"x": 2}]


def test_reading_a_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_json_lines(tmp_path / "a.jsonl")


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://bucket/x.npz", "file:///x", "https://a/b"])
def test_a_url_is_not_taken_for_a_local_path(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = Parser("")
    parser.add_argument("--workdir")
    parser.add_argument("others", nargs="*")
    for read in (
        lambda: files.check_local(Path(url)),
        lambda: parser.parse_args(["--workdir", url]),
        lambda: parser.parse_args(["here", url]),
        lambda: data.mnist(data_dir=url),
    ):
        with pytest.raises(UserError, match=r"is a URL, and only paths of a file system .* mount"):
            read()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", "runs/x", "/a:b/c", "C:/runs", "a:b", "~/x", "./gs:b"])
def test_paths_of_a_file_system_are_let_through(path):
    files.check_local(path)
