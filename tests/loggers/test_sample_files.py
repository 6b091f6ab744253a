"""Samples on disk, read back by NumPy, Pillow and the dataset of folders."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.loggers import sample_files

NAMES = ("T-shirt/top", "Bag", "Coat")


@pytest.fixture
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)
    return pixels, np.asarray(data.decode({"real": pixels})["real"])


def test_npz_holds_uint8_images_and_labels_or_other_samples_as_they_are(tmp_path, images):
    pixels, floats = images
    sample_files.write_npz(tmp_path / "a.npz", floats, np.arange(6, dtype=np.int32) % 3)
    with np.load(tmp_path / "a.npz") as file:
        assert set(file.files) == {"images", "labels"}
        assert file["images"].dtype == np.uint8 and file["labels"].dtype == np.int64
        np.testing.assert_array_equal(file["images"], pixels)
    sample_files.write_npz(tmp_path / "b.npz", np.float32([[0.5, 2.0]]))
    with np.load(tmp_path / "b.npz") as file:
        assert file.files == ["samples"] and file["samples"].tolist() == [[0.5, 2.0]]


def test_a_folder_holds_a_picture_per_sample(tmp_path, images):
    pixels, floats = images
    sample_files.write_folder(tmp_path / "a", floats, numbers=[3, 5, 7, 20, 21, 22])
    names = ["000003.png", "000005.png", "000007.png", "000020.png", "000021.png", "000022.png"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    with Image.open(tmp_path / "a" / "000020.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[3, ..., 0])


@pytest.mark.parametrize("class_names", [NAMES, ("a/b", "a_b", "c"), (), ("cat", "dog", "fish")])
def test_folders_by_class_are_read_back_with_the_same_labels(tmp_path, images, class_names):
    pixels, floats = images
    labels = np.array([2, 0, 1, 1, 0, 2])
    sample_files.write_folder(tmp_path / "a", floats, labels, class_names)
    read = data.folder(tmp_path / "a", resolution=8, channels=1, labels=True)
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(read.arrays["label"], labels[order])
    np.testing.assert_array_equal(read.arrays["real"], pixels[order])


def test_folders_have_the_names_of_classes_if_these_keep_their_order():
    assert sample_files.folder_names(3, ("cat", "dog", "fish")) == ["cat", "dog", "fish"]
    assert sample_files.folder_names(3, NAMES) == ["000_T-shirt_top", "001_Bag", "002_Coat"]
    assert sample_files.folder_names(2, ()) == ["000", "001"]
    assert sample_files.folder_names(2, ("..", "b")) == ["000_", "001_b"]
