"""Data of one's own: folders of any images, tables and signals, and a part that is held out."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import folders
from gan_jax.errors import UserError


@pytest.fixture
def odd_images(tmp_path):
    """Images of every kind in folders of two classes, and files that are none."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (7, 9, 4), np.uint8)
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    Image.fromarray(colours).save(tmp_path / "a" / "alpha.png")
    Image.fromarray(colours[..., :3]).save(tmp_path / "a" / "deep" / "colour.jpg")
    Image.fromarray(colours[..., 0]).save(tmp_path / "b" / "grey.png")
    Image.fromarray(colours).quantize(8).save(tmp_path / "b" / "palette.png")
    wide = (colours[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    Image.fromarray(wide).save(tmp_path / "b" / "sixteen.PNG")
    (tmp_path / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    (tmp_path / "b" / "._sixteen.png").write_bytes(b"Mac OS X")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_of_odd_images_is_read_and_described(odd_images):
    dataset = data.folder(odd_images, 8, labels=True)
    contents = dataset.contents
    assert dataset.arrays["label"].tolist() == [0, 0, 1, 1, 1]
    assert contents.classes == {"a": 2, "b": 3} and contents.sizes == {"9x7": 5}
    assert sum(contents.kinds.values()) == 5 and contents.kinds["RGBA"] == 1
    assert list(contents.refused) == [os.path.join("b", "broken.png")]
    table = str(contents)
    assert "5 samples of 8x8x3" in table and "b 3, a 2" in table and "broken.png" in table


def test_alpha_is_kept_by_four_channels(odd_images):
    dataset = data.folder(odd_images, 7, channels=4)
    stored = np.asarray(Image.open(odd_images / "a" / "alpha.png"))
    np.testing.assert_array_equal(dataset.arrays["real"][0], stored[:, 1:8])
    assert (dataset.arrays["real"][1, ..., 3] == 255).all()


def test_16_bits_are_rounded_to_8(odd_images):
    grey = data.folder(odd_images, 7, channels=1).arrays["real"]
    np.testing.assert_array_equal(grey[4], grey[2])


def test_a_folder_without_one_readable_image_is_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.png cannot be read as an image"):
        data.folder(tmp_path, 4)


def test_a_file_that_the_disk_does_not_give_is_not_left_out(odd_images, monkeypatch):
    def failing(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folders, "decode_image", failing)
    with pytest.raises(UserError, match=r"alpha\.png cannot be read: .*Permission denied"):
        data.folder(odd_images, 4)


def saved(tmp_path, kind, real, label):
    path = tmp_path / f"data.{kind}"
    if kind == "npz":
        np.savez(path, real=real, label=label, input=real)
        return lambda **settings: data.npz(path, labels=True, conditions=("input",), **settings)
    np.save(path, real)
    return lambda **settings: data.npy(path, **settings)


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("shape", [(2,), (16,), (16, 2)])
def test_a_fraction_of_arrays_is_held_out(tmp_path, kind, shape):
    real = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    load = saved(tmp_path, kind, real, np.arange(20) % 4)
    whole = load()
    np.testing.assert_array_equal(whole.arrays["real"], real)
    train, test = load(held_out=0.25), load(held_out=0.25, split="test")
    assert train.shape == test.shape == shape
    parts = [part.arrays["real"] for part in (train, test)]
    assert [len(part) for part in parts] == [15, 5]
    both = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(real, axis=0))
    np.testing.assert_array_equal(load(held_out=0.25, split="test").arrays["real"], parts[1])
    if kind == "npz":
        rows = {row.tobytes(): index % 4 for index, row in enumerate(real)}
        expected = [rows[row.tobytes()] for row in parts[1]]
        assert test.arrays["label"].tolist() == expected and test.classes == 4
        np.testing.assert_array_equal(test.arrays["input"], parts[1])


def test_another_file_or_folder_may_be_held_out(tmp_path, odd_images):
    for name, n in (("train", 5), ("test", 3)):
        np.save(tmp_path / f"{name}.npy", np.full((n, 2), n, np.float32))
        np.savez(tmp_path / f"{name}.npz", real=np.full((n, 2), n, np.float32))
    for function, suffix in ((data.npy, "npy"), (data.npz, "npz")):
        paths = [str(tmp_path / f"{name}.{suffix}") for name in ("train", "test")]
        assert len(function(paths[0], held_out=paths[1]).arrays["real"]) == 5
        assert (function(paths[0], split="test", held_out=paths[1]).arrays["real"] == 3).all()
    other = tmp_path / "other" / "b"
    other.mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(other / "x.png")
    held_out = str(other.parent)
    test = data.folder(odd_images / ".", 4, labels=True, split="test", held_out=held_out)
    assert test.arrays["label"].tolist() == [1]  # the class b, as in training
    other.rename(tmp_path / "other" / "c")
    with pytest.raises(UserError, match="class 'c', of which"):
        data.folder(odd_images, 4, labels=True, split="test", held_out=held_out)


def test_a_fraction_of_a_folder_is_held_out(odd_images):
    (odd_images / "b" / "broken.png").unlink()
    train = data.folder(odd_images, 4, labels=True, held_out=0.4)
    test = data.folder(odd_images, 4, labels=True, held_out=0.4, split="test")
    assert len(train.arrays["real"]) == 3 and len(test.arrays["real"]) == 2
    assert train.classes == test.classes == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "test"}, "nothing of .* is held out: set held_out=0.1"),
        ({"split": "val"}, "train and test, not 'val'"),
        ({"held_out": 1.0}, r"fraction in \[0, 1\)"),
        ({"held_out": -0.1}, r"fraction in \[0, 1\)"),
        ({"split": "test", "held_out": "none.npy"}, "none.npy cannot be read"),
    ],
)
def test_a_split_that_there_is_not_is_refused(tmp_path, settings, message):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    with pytest.raises(UserError, match=message):
        data.npy(tmp_path / "x.npy", **settings)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), r"samples \[n, ...\], of uint8 or floats"),
        (np.ones((3, 2), np.int64), "not int64"),
        (np.array([[1.0], [np.nan]]), "NaN .* first in sample 1"),
        (np.array([[{}]]), "pickle"),
    ],
)
def test_npy_files_of_anything_else_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(UserError, match=message):
        data.npy(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UserError, match=r"x\.npy cannot be read as an \.npy file"):
        data.npy(tmp_path / "x.npy")
