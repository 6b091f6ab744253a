"""Datasets are prepared without TensorFlow and read back: IDX files, damage, downloads, cache."""

import gzip
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import gan_jax.data as data
from gan_jax import files
from gan_jax.data import prepare as preparing
from gan_jax.data import tensorflow_datasets
from gan_jax.errors import UserError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
SIZES = {"train": 40, "test": 20}


def write_idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    whole = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(whole) if path.suffix == ".gz" else whole)


def write_small(directory: Path, suffix: str = ".gz") -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Writes the four files of a small dataset in the shape of MNIST, and returns its arrays."""
    directory.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    splits = {}
    for split, n in SIZES.items():
        splits[split] = (
            rng.integers(0, 256, (n, 28, 28), np.uint8),
            (np.arange(n) % 10).astype(np.uint8),
        )
        for kind, array in zip(("images-idx3", "labels-idx1"), splits[split], strict=True):
            write_idx(directory / f"{preparing.PREFIXES[split]}-{kind}-ubyte{suffix}", array)
    return splits


@pytest.fixture
def small(tmp_path, monkeypatch):
    """MNIST of 60 images: source directory, data directory, arrays."""
    monkeypatch.setattr(preparing, "EXAMPLES", SIZES)
    monkeypatch.setattr(
        preparing, "INSTALLED", {"fashion_mnist": tmp_path / "none", "mnist": tmp_path / "none"}
    )
    return tmp_path / "idx", tmp_path / "prepared", write_small(tmp_path / "idx")


def in_order(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    return sorted(
        (image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)
    )


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_what_is_prepared_is_read_back(small, name, capsys):
    source, data_dir, splits = small
    where = preparing.prepare(name, source, data_dir)
    assert where == data_dir / name / "3.0.1"
    for split, (images, labels) in splits.items():
        dataset = getattr(data, name)(split, labels=True, data_dir=data_dir)
        assert (dataset.shape, dataset.classes) == ((28, 28, 1), 10)
        assert dataset.arrays["real"].dtype == np.uint8
        assert in_order(
            **dict(zip(("images", "labels"), dataset.arrays.values(), strict=True))
        ) == in_order(images, labels)
        batch = data.batches(dataset, 0, 0, 1, 1, len(images))
        assert in_order(batch["real"][0, 0], batch["label"][0, 0]) == in_order(images, labels)
    unlabelled = getattr(data, name)("test", data_dir=data_dir)
    assert unlabelled.classes == 0
    assert "label" in unlabelled.arrays
    assert "label" not in unlabelled.draw(0, np.arange(3))
    before = {path: path.stat().st_mtime_ns for path in where.iterdir()}
    assert preparing.main([name, "--data_dir", str(data_dir)]) == 0
    assert "already prepared" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in where.iterdir()}


def test_resolutions_splits_and_stacks_are_made_of_the_same_images(small):
    source, data_dir, splits = small
    preparing.prepare("mnist", source, data_dir)
    held = data.mnist(labels=True, data_dir=data_dir)
    streamed = data.streamed_tfds("mnist", "train", True, 28, data_dir)
    assert (streamed.shape, streamed.classes) == (held.shape, held.classes)
    assert tuple(streamed.class_names) == tuple(held.class_names)
    for name, array in held.arrays.items():
        np.testing.assert_array_equal(streamed.arrays[name][:], array)
    with pytest.raises(UserError, match="no split 'val'"):
        data.streamed_tfds("mnist", "val", data_dir=data_dir)
    padded = data.mnist(resolution=32, data_dir=data_dir).arrays["real"]
    assert padded.shape == (40, 32, 32, 1)
    assert padded.sum(dtype=np.int64) == splits["train"][0].sum(dtype=np.int64)
    assert data.mnist(resolution=7, data_dir=data_dir).shape == (7, 7, 1)
    assert len(data.tfds("mnist", "train[:25%]+test", data_dir=data_dir).arrays["real"]) == 30
    stacked = data.stacked_mnist(labels=True, resolution=32, data_dir=data_dir)
    assert (stacked.shape, stacked.classes, stacked.arrays) == ((32, 32, 3), 1000, None)
    with pytest.raises(UserError, match="no split 'valid', only test, train"):
        data.mnist("valid", data_dir=data_dir)


def test_damaged_and_foreign_prepared_datasets_are_one_line(small):
    source, data_dir, _ = small
    where = preparing.prepare("mnist", source, data_dir)
    records, info = where / "mnist-train.array_record-00000-of-00001", where / "dataset_info.json"
    whole = records.read_bytes(), info.read_text()
    for data_of_records in (whole[0][: len(whole[0]) // 2], b"nothing", b""):
        records.write_bytes(data_of_records)
        with pytest.raises(UserError, match=r"3\.0\.1 is damaged"):
            data.mnist(data_dir=data_dir)
    records.unlink()
    with pytest.raises(UserError, match=r"3\.0\.1 is damaged"):
        data.mnist(data_dir=data_dir)
    records.write_bytes(whole[0])
    info.write_text(whole[1].replace('"fileFormat": "array_record"', '"fileFormat": "tfrecord"'))
    with pytest.raises(UserError, match=r"3\.0\.1 is not in array_record format"):
        data.mnist(data_dir=data_dir)
    info.write_text(whole[1][:100])
    with pytest.raises(UserError, match="cannot build 'mnist'") as caught:
        data.mnist(data_dir=data_dir)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_gzipped_are_read_too(small, tmp_path):
    write_small(tmp_path / "plain", suffix="")
    assert preparing.prepare("mnist", tmp_path / "plain", small[1]).is_dir()


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def cut_inside(path):
    with gzip.open(path) as file:
        whole = file.read()
    path.write_bytes(gzip.compress(whole[:-1]))


def wrong_magic(path):
    write_idx(path, np.zeros(5))


def other_count(path):
    write_idx(path, np.zeros((39, 28, 28)))


def no_header(path):
    path.write_bytes(gzip.compress(b"\0\0\x08\x03\0\0"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, "cannot be read"),
        (cut_inside, "is cut"),
        (no_header, "is cut"),
        (wrong_magic, "magic 00000801, not 00000803"),
        (other_count, r"shape \(39, 28, 28\), not \(40, 28, 28\)"),
        (lambda path: path.write_bytes(b"<html>"), "cannot be read"),
        (lambda path: path.unlink(), "has no file train-images-idx3-ubyte.gz"),
    ],
)
def test_a_damaged_file_is_named_in_one_line_and_nothing_is_prepared(small, damage, says, capsys):
    source, data_dir, _ = small
    damage(source / "train-images-idx3-ubyte.gz")
    with pytest.raises(UserError, match=says) as caught:
        preparing.prepare("mnist", source, data_dir)
    assert "train-images-idx3-ubyte" in str(caught.value)
    capsys.readouterr()
    assert preparing.main(["mnist", "--source", str(source), "--data_dir", str(data_dir)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == [f"error: {caught.value}"]
    assert not (data_dir / "mnist").exists()


def test_labels_beyond_nine_are_refused(small):
    source, data_dir, _ = small
    write_idx(source / "t10k-labels-idx1-ubyte.gz", np.full(20, 10))
    with pytest.raises(UserError, match="holds the label 10"):
        preparing.prepare("mnist", source, data_dir)


def test_an_interrupted_preparation_leaves_nothing(small, monkeypatch):
    from PIL import Image

    source, data_dir, _ = small
    images, from_array = [], Image.fromarray

    def interrupted(array):
        images.append(array)
        if len(images) == 50:
            raise KeyboardInterrupt
        return from_array(array)

    monkeypatch.setattr(Image, "fromarray", interrupted)
    with pytest.raises(KeyboardInterrupt):
        preparing.prepare("mnist", source, data_dir)
    assert list((data_dir / "mnist").iterdir()) == []
    with pytest.raises(UserError, match="not prepared"):
        data.mnist(data_dir=data_dir)
    monkeypatch.undo()


def test_a_directory_that_holds_no_dataset_is_refused(small):
    source, data_dir, _ = small
    (data_dir / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(UserError, match="remove it"):
        preparing.prepare("mnist", source, data_dir)


class Info:
    checksum = "0" * 64


def test_a_failed_download_says_what_to_do_instead(tmp_path, monkeypatch):
    monkeypatch.setitem(preparing.INSTALLED, "fashion_mnist", tmp_path / "none")
    nowhere = {(tmp_path / "nowhere" / "train-images-idx3-ubyte.gz").as_uri(): Info}
    with (
        pytest.raises(UserError, match=r"cannot download .*dataset-fashion-mnist.*--source DIR"),
        preparing._idx_directory("fashion_mnist", None, nowhere),
    ):
        pass


def test_downloads_are_checked(small, tmp_path, monkeypatch):
    import hashlib

    source, _, _ = small

    class Right:
        def __init__(self, path):
            self.checksum = hashlib.sha256(path.read_bytes()).hexdigest()

    good = {path.as_uri(): Right(path) for path in source.iterdir()}
    with preparing._idx_directory("mnist", None, good) as directory:
        assert preparing.read_pair(directory, "train")[0].shape == (40, 28, 28)
    bad = {uri: Info for uri in good}
    with (
        pytest.raises(UserError, match="not the published file"),
        preparing._idx_directory("mnist", None, bad),
    ):
        pass


def test_missing_and_unknown_datasets_are_one_line(tmp_path, capsys):
    with pytest.raises(UserError) as caught:
        data.fashion_mnist(data_dir=tmp_path / "my data")
    command = f"python -m gan_jax.data.prepare fashion_mnist --data_dir '{tmp_path / 'my data'}'"
    assert (
        str(caught.value)
        == f"fashion_mnist is not prepared in {tmp_path}/my data/fashion_mnist/3.0.1: run {command}"
    )
    for name in ("no_such_dataset", "mnist/none", "mnist:9.9.9", "", "../x"):
        with pytest.raises(UserError) as caught:
            data.tfds(name, data_dir=tmp_path)
        assert "\n" not in str(caught.value)
        assert preparing.main([name, "--data_dir", str(tmp_path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_other_datasets_need_tensorflow_to_be_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[prepare\]'"):
        preparing.prepare("cifar10", data_dir=tmp_path)


def test_the_cache_is_used_and_is_made_again_if_it_is_damaged(small, monkeypatch):
    source, data_dir, _ = small
    where = preparing.prepare("mnist", source, data_dir)
    fresh = data.mnist(data_dir=data_dir).arrays
    cache = where / "gan_jax-train-28.npz"
    whole = cache.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(tensorflow_datasets, "_decode_split", None)  # not called
        for name, array in data.mnist(data_dir=data_dir).arrays.items():
            np.testing.assert_array_equal(array, fresh[name])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[:-50], whole[: len(whole) // 2], b"", b"nothing", bytes(flipped)):
        cache.write_bytes(damaged)
        with pytest.warns(UserWarning, match="made again"):
            again = data.mnist(data_dir=data_dir).arrays
        for name, array in again.items():
            np.testing.assert_array_equal(array, fresh[name])
        assert len(cache.read_bytes()) == len(whole)
    assert not [path for path in where.iterdir() if path.name.startswith(".")]


def test_a_cache_that_cannot_be_written_costs_only_time(small, monkeypatch):
    source, data_dir, _ = small
    preparing.prepare("mnist", source, data_dir)

    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(files, "replacing", refuse)
    with pytest.warns(UserWarning, match="could not be written"):
        assert data.mnist(data_dir=data_dir).shape == (28, 28, 1)


def test_several_simultaneous_starts_make_one_complete_cache(small):
    source, data_dir, _ = small
    preparing.prepare("mnist", source, data_dir)
    datasets = []
    threads = [
        threading.Thread(target=lambda: datasets.append(data.mnist(data_dir=data_dir)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for dataset in datasets[1:]:
        np.testing.assert_array_equal(dataset.arrays["real"], datasets[0].arrays["real"])
    assert len(datasets) == 4


def test_any_dataset_of_tfds_that_has_images(tmp_path):
    """Colour images of different sizes, without labels, prepared by a builder of this test."""
    import tensorflow_datasets as tfds
    from PIL import Image

    class Pictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(None, None, 3)), "name": tfds.features.Text()}
            )
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for index in range(6):
                pixels = np.full((8, 8 + index, 3), 10 * index, np.uint8)
                yield index, {"image": Image.fromarray(pixels), "name": str(index)}

    Pictures(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    dataset = data.tfds("pictures", resolution=4, data_dir=tmp_path)
    assert dataset.shape == (4, 4, 3)
    assert sorted(dataset.arrays["real"][:, 0, 0, 0].tolist()) == [0, 10, 20, 30, 40, 50]
    with pytest.raises(UserError, match="pass a resolution"):
        data.tfds("pictures", data_dir=tmp_path)
    with pytest.raises(UserError, match="no class labels"):
        data.tfds("pictures", labels=True, data_dir=tmp_path)


def test_nothing_needs_tensorflow_and_importing_is_light(tmp_path):
    write_small(tmp_path / "idx")
    code = f"""
import sys

class WithoutTensorFlow:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "tensorflow":
            return None
        return self.finder.find_spec(name, *rest)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(WithoutTensorFlow, sys.meta_path)
import gan_jax.data as data
heavy = {{"tensorflow_datasets", "PIL", "array_record"}} & set(sys.modules)
assert not heavy, heavy
from gan_jax.data import prepare
prepare.EXAMPLES = {SIZES}
prepare.prepare("mnist", {str(tmp_path / "idx")!r}, {str(tmp_path / "prepared")!r})
assert len(data.mnist(data_dir={str(tmp_path / "prepared")!r}).arrays["real"]) == 40
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="needs the real files: apt-get install dataset-fashion-mnist"
)
def test_the_real_fashion_mnist(tmp_path):
    preparing.prepare("fashion_mnist", data_dir=tmp_path)
    for split, n in preparing.EXAMPLES.items():
        images, labels = preparing.read_pair(DEBIAN, split)
        dataset = data.fashion_mnist(split, labels=True, data_dir=tmp_path)
        real, label = dataset.arrays["real"], dataset.arrays["label"]
        assert real.shape == (n, 28, 28, 1)
        np.testing.assert_array_equal(np.bincount(label), np.full(10, n // 10))
        np.testing.assert_array_equal(np.bincount(label), np.bincount(labels))
        for k in range(10):  # pixel by pixel, class by class
            np.testing.assert_array_equal(
                real[label == k].sum(axis=0)[..., 0], images[labels == k].sum(axis=0)
            )
