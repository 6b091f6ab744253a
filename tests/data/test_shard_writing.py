"""Shards of folders and archives: the images of a folder read into memory, and all that differs."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import prepare, shard_writing
from gan_jax.data.shard_writing import write_shards
from gan_jax.errors import UserError


@pytest.fixture
def images(tmp_path):
    """Images of two classes in several forms, one that is broken, and a hidden one."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    for i in range(12):
        kind = folder / "ab"[i % 2]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (10, 14 + i % 3, 4), np.uint8)
        pixels = (pixels, pixels[..., :3], pixels[..., 0])[i % 3]
        Image.fromarray(pixels).save(kind / f"{i:02d}.png")
    (folder / "a" / "broken.png").write_bytes(b"no image")
    (folder / "a" / "._00.png").write_bytes(b"Mac OS X")
    return folder


def packed(images, form):
    """The folder itself, or an archive of it, in alphabetical order."""
    out = images.with_name(f"images.{form}")
    paths = sorted(path for path in images.rglob("*") if path.is_file())
    if form == "folder":
        return images
    if form == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for path in reversed(paths):
                archive.write(path, path.relative_to(images))
    else:
        with tarfile.open(out, {"tar": "w", "tar.gz": "w:gz"}[form]) as archive:
            for path in paths:
                archive.add(path, f"./{path.relative_to(images)}")
    return out


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shards_hold_what_a_folder_holds(images, form, channels, monkeypatch):
    monkeypatch.setattr(shard_writing, "SHARD_BYTES", 5 * 64 * channels)  # 5 images each
    expected = data.folder(images, 8, channels, labels=True)
    source, out = packed(images, form), images.parent / "out" / "shards"
    contents = write_shards(source, out, (8, 8), channels, labels=True)
    assert sorted(path.name for path in out.iterdir()) == [
        "classes.json",
        "shard-000000.npz",
        "shard-000001.npz",
        "shard-000002.npz",
    ]
    shards = data.streamed(out, labels=True)
    for name in ("real", "label"):
        np.testing.assert_array_equal(shards.arrays[name][:], expected.arrays[name])
    assert shards.class_names == expected.class_names == ("a", "b")
    for name in ("sizes", "kinds", "classes"):
        assert getattr(contents, name) == getattr(expected.contents, name)
    assert [name.removeprefix("./") for name in contents.refused] == ["a/broken.png"]


def test_images_need_not_be_square(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "x").mkdir()
    stored = rng.integers(0, 256, (3, 12, 20, 3), np.uint8)
    for i, image in enumerate(stored):
        Image.fromarray(image).save(tmp_path / "x" / f"{i}.png")
    write_shards(tmp_path / "x", tmp_path / "whole")
    np.testing.assert_array_equal(data.streamed(tmp_path / "whole").arrays["real"][:], stored)
    # Half of the size: means of 2 x 2 pixels. A wider shape: the central rows of a half.
    write_shards(tmp_path / "x", tmp_path / "half", (6, 10))
    halves = stored.reshape(3, 6, 2, 10, 2, 3).mean((2, 4))
    half = data.streamed(tmp_path / "half").arrays["real"][:]
    assert np.abs(half - halves).max() <= 1  # rounded after each of two passes
    write_shards(tmp_path / "x", tmp_path / "wide", (4, 10))
    wide = data.streamed(tmp_path / "wide").arrays["real"][:]
    np.testing.assert_array_equal(wide, half[:, 1:5])
    write_shards(tmp_path / "x", tmp_path / "tall", (6, 4))
    np.testing.assert_array_equal(
        data.streamed(tmp_path / "tall").arrays["real"][:], half[:, :, 3:7]
    )


def test_16_bits_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "x").mkdir()
    deep = rng.integers(0, 65536, (8, 8), np.uint16)
    shallow = rng.integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(deep).save(tmp_path / "x" / "deep.png")
    Image.fromarray(shallow).save(tmp_path / "x" / "shallow.png")
    Image.fromarray(np.stack([shallow] * 3, -1)).save(tmp_path / "x" / "colour.png")
    contents = write_shards(tmp_path / "x", tmp_path / "shards", channels=1, bits=16)
    assert "16 bits are read of grey images alone" in contents.refused["colour.png"]
    streamed = data.streamed(tmp_path / "shards")
    real = streamed.arrays["real"][:]
    assert real.dtype == np.uint16
    np.testing.assert_array_equal(real[0, ..., 0], deep)
    np.testing.assert_array_equal(real[1, ..., 0], shallow.astype(int) * 257)
    decoded = np.asarray(data.decode({"real": real})["real"])
    np.testing.assert_allclose(decoded, real.astype(float) / 32767.5 - 1, atol=1e-6)
    assert decoded.min() >= -1 and decoded.max() <= 1
    write_shards(tmp_path / "x", tmp_path / "half", (4, 4), channels=1, bits=16)
    half = data.streamed(tmp_path / "half").arrays["real"][0][..., 0]
    np.testing.assert_allclose(half, deep.reshape(4, 2, 4, 2).mean((1, 3)), atol=0.51)


def test_what_cannot_be_written_leaves_nothing(images, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise OSError(28, "No space left on device")

    out = tmp_path / "shards"
    with pytest.raises(UserError, match=r"images of \(10, 1. 3\)|images of .* pass --resolution"):
        write_shards(images, out)
    with monkeypatch.context() as patch:
        patch.setattr(shard_writing.np, "savez", failing)
        with pytest.raises(OSError, match="No space"):
            write_shards(images, out, (4, 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]
    out.mkdir()
    with pytest.raises(UserError, match="exists: choose another --out"):
        write_shards(images, out)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 5}, "1, 2, 3, 4 channels, not 5"),
        ({"resolution": (0, 4)}, "from 1 to"),
        ({"resolution": (4, 10**5)}, "from 1 to"),
        ({"bits": 16}, "16 if they are grey, not 16 in 3 channels"),
        ({"bits": 12, "channels": 1}, "8 bits, or 16"),
    ],
)
def test_bad_settings_are_refused(images, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        write_shards(images, tmp_path / "shards", **settings)


def test_bad_sources_are_refused(tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("notes.txt", "no image")
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        picture = io.BytesIO()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(picture, "png")
        archive.writestr("x.png", picture.getvalue())
    cut = (tmp_path / "flat.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(cut[:30] + b"\xff" * 20 + cut[50:])
    for source, settings, message in (
        ("none", {}, "does not exist"),
        ("text.zip", {}, r"cannot be read as a \.zip or \.tar file"),
        ("empty.zip", {}, "has no images"),
        ("flat.zip", {"labels": True}, "x.png in .* has no class"),
        ("cut.zip", {}, "x.png in .* cannot be read as an image"),
    ):
        with pytest.raises(UserError, match=message):
            write_shards(tmp_path / source, tmp_path / "shards", **settings)
    assert not (tmp_path / "shards").exists()


def test_the_command_makes_shards(images, tmp_path, capsys):
    arguments = [str(images), f"--out={tmp_path / 'shards'}", "--resolution=6x8", "--labels"]
    assert prepare.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "12 samples of 6x8x3" in printed and "broken.png" in printed
    assert data.streamed(tmp_path / "shards", labels=True).shape == (6, 8, 3)
    assert prepare.main(arguments) == 2
    assert "exists: choose another --out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        prepare.main([*arguments[:2], "--resolution=big"])
