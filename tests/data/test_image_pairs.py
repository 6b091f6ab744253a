"""Datasets of pairs and of two domains: shapes, folders, npz files, conditions of any name."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.errors import UserError


def test_shapes_are_functions_of_their_index():
    test, train = data.paired_shapes("test", 16), data.paired_shapes("train", 16)
    assert test.shape == (16, 16, 3) and test.conditions == {"input": (16, 16, 1)}
    assert len(test.arrays["real"]) == 500 and len(train.arrays["real"]) == 4000
    again = data.paired_shapes("test", 16)
    for name, array in test.arrays.items():
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, again.arrays[name])
    outlines = {image.tobytes() for image in train.arrays["input"]}
    assert not outlines & {image.tobytes() for image in test.arrays["input"]}


def test_the_outline_lies_on_the_border_of_the_filled_shape():
    arrays = data.paired_shapes("test", 32).arrays
    dark = arrays["input"][..., 0] < 128
    filled = (arrays["real"] < 250).any(-1)
    for line, inside in zip(dark[:50], filled[:50], strict=True):
        padded = np.pad(inside, 2, mode="edge")
        windows = [padded[i : i + 32, j : j + 32] for i in range(5) for j in range(5)]
        is_near_border = np.any(windows, 0) & ~np.all(windows, 0)
        assert line.any() and not (line & ~is_near_border).any()


def test_batches_of_pairs_stay_together_and_those_of_two_domains_do_not():
    pairs = data.paired_shapes("test", 16)
    batch = data.batches(pairs, 3, 0, 2, 1, 4)
    arrays = pairs.arrays
    index = {image.tobytes(): i for i, image in enumerate(arrays["real"])}
    for real, given in zip(
        batch["real"].reshape(-1, 16, 16, 3), batch["input"].reshape(-1, 16, 16, 1), strict=True
    ):
        np.testing.assert_array_equal(given, arrays["input"][index[real.tobytes()]])
    domains = data.unpaired_shapes(resolution=16)
    batch = data.batches(domains, 3, 0, 2, 1, 4)
    assert batch["real"].shape == (2, 1, 4, 2, 16, 16, 3)
    np.testing.assert_array_equal(batch["real"], batch["input"])
    train = data.paired_shapes("train", 16).arrays
    filled = {image.tobytes(): i for i, image in enumerate(train["real"])}
    outlines = {np.repeat(image, 3, -1).tobytes(): i for i, image in enumerate(train["input"])}
    for a, b in batch["real"].reshape(-1, 2, 16, 16, 3):
        assert filled[a.tobytes()] % 2 == 0 and outlines[b.tobytes()] % 2 == 1
    held_out = data.samples_at(data.unpaired_shapes("test", 16), np.arange(3))
    truth = data.samples_at(pairs, np.arange(3))
    np.testing.assert_array_equal(held_out["real"][:, 0], truth["real"])
    np.testing.assert_array_equal(held_out["input"][:, 1], np.repeat(truth["input"], 3, -1))


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_folders_of_pairs_in_both_layouts(tmp_path):
    draws = np.random.default_rng(0)
    a, b = draws.integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    for i in range(3):
        write(tmp_path / "sides" / "train" / f"{i}.png", np.concatenate([a[i], b[i]], 1))
        write(tmp_path / "two" / "trainA" / f"{i}.png", a[i])
        write(tmp_path / "two" / "trainB" / f"{i}.png", b[i])
    for layout in ("sides", "two"):
        arrays = data.paired_folder(tmp_path / layout, 8).arrays
        np.testing.assert_array_equal(arrays["input"], a)
        np.testing.assert_array_equal(arrays["real"], b)
        back = data.paired_folder(tmp_path / layout, 8, direction="BtoA", input_channels=1)
        np.testing.assert_array_equal(back.arrays["real"], a)
        assert back.conditions == {"input": (8, 8, 1)}
    unpaired = data.unpaired_folder(tmp_path / "two", 8)
    batch = unpaired.draw(0, np.arange(3))
    assert sorted(x.tobytes() for x in batch["real"][:, 0]) == sorted(x.tobytes() for x in a)
    assert sorted(x.tobytes() for x in batch["real"][:, 1]) == sorted(x.tobytes() for x in b)
    write(tmp_path / "two" / "trainB" / "9.png", b[0])
    for make, line in (
        (lambda: data.paired_folder(tmp_path / "two", 8), "9 has no partner"),
        (lambda: data.paired_folder(tmp_path / "two", 8, split="val"), "no folder valA of images"),
        (lambda: data.unpaired_folder(tmp_path, 8), "no folder trainA"),
        (lambda: data.paired_folder(tmp_path / "two", 8, direction="AB"), "AtoB or BtoA"),
        (lambda: data.paired_shapes("val"), "no split 'val'"),
        (lambda: data.unpaired_shapes(resolution=8), "from 16 to 1024, not 8"),
    ):
        with pytest.raises(UserError, match=line):
            make()


def test_npz_files_with_conditions(tmp_path):
    path = tmp_path / "own.npz"
    real, embedding = np.zeros((5, 4, 4, 1), np.uint8), np.arange(10.0).reshape(5, 2)
    np.savez(path, real=real, embedding=embedding)
    dataset = data.npz(path, conditions=("embedding",))
    assert dataset.conditions == {"embedding": (2,)}
    batch = dataset.draw(0, np.arange(5))
    assert sorted(batch["embedding"][:, 0].tolist()) == [0, 2, 4, 6, 8]
    np.testing.assert_array_equal(data.decode(batch)["embedding"], batch["embedding"])
    with pytest.raises(UserError, match="no array 'text' to be a condition"):
        data.npz(path, conditions=("text",))
    np.savez(path, real=real, embedding=embedding[:3])
    with pytest.raises(UserError, match="5 samples, and 3 of 'embedding'"):
        data.npz(path, conditions=("embedding",))
