"""Perceptual distances against PyTorch on shared weights, closed forms and finite differences."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import oracle

from gan_jax import metrics
from gan_jax.metrics import efficientnet, lenet, perceptual, perceptual_networks

DRAWS = np.random.default_rng(0)
LAYERS = {"vgg16": (3, 8, 15, 22, 29), "alexnet": (1, 4, 7, 9, 11)}
"""Where the ReLUs lie in torchvision's ``features``, whose outputs are compared."""


def torch_network(name):
    """Torchvision's layers of this network with random weights; and random linear weights."""
    torch, torchvision = oracle("torch"), oracle("torchvision")
    torch.manual_seed(0)
    if name == "vgg16":
        features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
        for module in features:
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
    else:
        features = torchvision.models.alexnet(weights=None, num_classes=1).features
    widths = {"vgg16": (64, 128, 256, 512, 512), "alexnet": (64, 192, 384, 256, 256)}[name]
    linear = {
        f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(widths)
    }
    return features, linear


def torch_distance(name, features, linear, first, second):
    """LPIPS as its paper and code define it, in PyTorch."""
    torch = oracle("torch")
    shift = torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1)
    total, pair = 0, [(x - shift) / scale for x in (first, second)]
    for index, module in enumerate(features[: LAYERS[name][-1] + 1]):
        pair = [module(x) for x in pair]
        if index in LAYERS[name]:
            weight = linear[f"lin{LAYERS[name].index(index)}.model.1.weight"]
            one, other = (x / (torch.sqrt(torch.sum(x**2, 1, keepdim=True)) + 1e-10) for x in pair)
            total = total + torch.nn.functional.conv2d((one - other) ** 2, weight).mean((1, 2, 3))
    return total


@pytest.mark.parametrize("name", [pytest.param("vgg16", marks=pytest.mark.slow), "alexnet"])
def test_lpips_is_that_of_pytorch_on_shared_weights(name, tmp_path):
    torch = oracle("torch")
    features, linear = torch_network(name)
    weights = {f"features.{key}": value for key, value in features.state_dict().items()}
    for file, state in (("network.pth", weights), ("linear.pth", linear)):
        torch.save(state, tmp_path / file, _use_new_zipfile_serialization=False)
    load = {"vgg16": metrics.layers_of_vgg16, "alexnet": metrics.layers_of_alexnet}[name]
    network = load(tmp_path / "network.pth", tmp_path / "linear.pth")
    assert network.metric_name == f"lpips_{name}"
    size = 64 if name == "alexnet" else 32
    images = DRAWS.uniform(-1, 1, (2, 2, size, size, 3)).astype(np.float32)
    first, second = (torch.tensor(x.transpose(0, 3, 1, 2)) for x in images)
    with torch.no_grad():
        expected = torch_distance(name, features, linear, first, second).numpy()
    found = jax.jit(lambda a, b: perceptual.perceptual_distances(network, a, b))(*images)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    mean = metrics.perceptual_distance(*images, network, batch_size=3)
    assert mean == pytest.approx(expected.mean(), rel=1e-5)
    # Without the linear weights, it is not LPIPS.
    plain = load(tmp_path / "network.pth")
    assert plain.metric_name == f"perceptual_{name}" and plain.hash != network.hash


def test_other_files_are_refused(tmp_path):
    torch = oracle("torch")
    path = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.ones(2, 3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"features.0.weight \(2, 3\), expected vgg16's \(64, 3"):
        metrics.layers_of_vgg16(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="found something else than named tensors"):
        metrics.layers_of_alexnet(path)


def identity_network(linear=None):
    """A network whose only layer is the image itself."""
    return perceptual.LayerNetwork(
        "identity", "", lambda _, images: [images], {}, channels=2, linear=linear
    )


def test_distances_of_unit_vectors_have_a_closed_form(float64):
    """Of vectors at an angle a: ``|u - v|^2 = 2 - 2 cos a``, whatever their lengths."""
    angles = DRAWS.uniform(0, np.pi, (3, 4, 4))
    lengths = DRAWS.uniform(0.1, 2, (2, 3, 4, 4, 1))
    first = lengths[0] * np.array([1.0, 0.0])
    second = lengths[1] * np.stack([np.cos(angles), np.sin(angles)], -1)
    found = perceptual.perceptual_distances(
        identity_network(), jnp.asarray(first), jnp.asarray(second)
    )
    np.testing.assert_allclose(found, (2 - 2 * np.cos(angles)).mean((1, 2)), rtol=1e-7)
    weighted = identity_network((np.array([0.0, 3.0]),))
    found = perceptual.perceptual_distances(weighted, jnp.asarray(first), jnp.asarray(second))
    np.testing.assert_allclose(found, 3 * (np.sin(angles) ** 2).mean((1, 2)), rtol=1e-7)


def test_gradients_are_those_of_finite_differences_and_finite_at_zero(float64):
    network = identity_network()
    images = jnp.asarray(DRAWS.uniform(-1, 1, (2, 2, 3, 3, 2)))

    def value(x):
        return jnp.sum(perceptual.perceptual_distances(network, x, images[1]))

    gradient, towards, h = jax.grad(value)(images[0]), DRAWS.normal(size=images[0].shape), 1e-5
    slope = (value(images[0] + h * towards) - value(images[0] - h * towards)) / (2 * h)
    np.testing.assert_allclose(jnp.sum(gradient * towards), slope, rtol=1e-7)
    assert np.all(np.isfinite(jax.grad(value)(jnp.zeros_like(images[0]))))


def test_layers_of_the_networks_at_hand():
    """LeNet's layers end in its features, and the distance is 0 for equal images alone."""
    network = metrics.layers_of_lenet()
    assert network.metric_name == "perceptual_lenet_fashion_mnist"
    images = DRAWS.uniform(-1, 1, (2, 3, 28, 28, 1)).astype(np.float32)
    layers = lenet.layers(network.variables, jnp.asarray(images[0]))
    assert [layer.shape for layer in layers] == [(3, 28, 28, 16), (3, 10, 10, 32), (3, 1, 1, 128)]
    features = metrics.lenet_extractor()(images[0])
    np.testing.assert_allclose(layers[-1][:, 0, 0], features, rtol=1e-5, atol=1e-6)
    assert metrics.perceptual_distance(images[0], images[0], network) == 0
    assert metrics.perceptual_distance(*images, network) > 0.1


def test_layers_of_efficientnet():
    pytest.importorskip(efficientnet.PACKAGE)
    network = metrics.layers_of_efficientnet()
    images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    shapes = jax.eval_shape(network.apply, network.variables, images)
    assert [layer.shape[1:] for layer in shapes] == [
        (112, 112, 16),
        (56, 56, 24),
        (28, 28, 40),
        (14, 14, 80),
        (14, 14, 112),
        (7, 7, 192),
        (7, 7, 320),
    ]


def test_bad_images_are_refused():
    network = dataclasses.replace(identity_network(), channels=1)
    images = np.zeros((2, 4, 4, 1))
    with pytest.raises(ValueError, match=r"second: found shape .* expected first's"):
        metrics.perceptual_distance(images, images[:1], network)
    with pytest.raises(ValueError, match="found 2 channels, expected 1 for identity"):
        metrics.perceptual_distance(np.zeros((2, 4, 4, 2)), np.zeros((2, 4, 4, 2)), network)
    with pytest.raises(ValueError, match="found pixels"):
        metrics.perceptual_distance(images + 5, images, network)
    assert perceptual_networks.VGG16[-1].name == "features.28"
