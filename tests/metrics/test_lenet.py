"""The LeNet that comes with the package, on real images, and its files."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from gan_jax.metrics import lenet_extractor, stacked_coverage
from gan_jax.metrics.lenet import main

FASHION = Path("/usr/share/datasets/fashion-mnist")


def read_fashion_mnist(kind, offset):
    path = FASHION / f"t10k-{kind}-ubyte.gz"
    if not path.exists():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)


def test_the_shipped_weights_classify_fashion_mnist():
    labels = read_fashion_mnist("labels-idx1", offset=8)[:2000]
    pixels = read_fashion_mnist("images-idx3", offset=16).reshape(-1, 28, 28, 1)[:2000]
    images = pixels.astype(np.float32) / 127.5 - 1
    extractor = lenet_extractor()
    features = extractor(images)
    assert features.shape == (2000, 128) and extractor.name == "lenet_fashion_mnist"
    assert np.mean(extractor.logits(features).argmax(axis=1) == labels) > 0.895
    padded = np.pad(images[:10], [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=-1)
    np.testing.assert_allclose(extractor(padded), features[:10], atol=1e-5)
    triples = images[:1998].reshape(-1, 3, 28, 28).transpose(0, 2, 3, 1)
    coverage = stacked_coverage(triples, lambda x: extractor.logits(extractor(x)))
    true_modes = len(np.unique(labels[:1998].reshape(-1, 3), axis=0))
    assert abs(coverage.modes - true_modes) < 0.1 * true_modes


def test_files_without_weights_of_the_network_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("no")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(ValueError, match="expected"):
            lenet_extractor(str(tmp_path / name))


def write_idx(path, array):
    """Writes a uint8 array as an IDX file: zeros, type, rank, sizes, bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def digits(tmp_path):
    """A folder with an MNIST-like dataset: the label of an image is its brightness."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for split, n in (("train", 512), ("t10k", 64)):
        labels = np.arange(n) % 10
        images = np.broadcast_to(labels[:, None, None] * 25, (n, 28, 28))
        write_idx(folder / f"{split}-images-idx3-ubyte", images)
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels)
    return folder


def test_the_command_trains_on_the_four_files_of_a_dataset(digits, tmp_path, capsys):
    target = str(tmp_path / "lenet_digits.npz")
    main([str(digits), target, "--epochs=1"])
    assert "of 64 test images right" in capsys.readouterr().out
    assert lenet_extractor(target).name == "lenet_digits"


def test_the_command_refuses_bad_files_in_one_line(digits, tmp_path, capsys):
    target = str(tmp_path / "lenet.npz")

    def error_line(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        assert end.value.code == 2
        return capsys.readouterr().err

    for line in (
        error_line(tmp_path / "missing", target),
        error_line(digits, tmp_path / "missing" / "lenet.npz"),
    ):
        assert line.startswith("error: ") and line.count("\n") == 1
    labels = digits / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    assert "found 63 bytes of data, expected 64" in error_line(digits, target)
    write_idx(labels, np.full(64, 10))
    assert "labels 0 to 9" in error_line(digits, target)
    labels.write_bytes(b"no IDX file")
    assert "found no IDX file" in error_line(digits, target)
