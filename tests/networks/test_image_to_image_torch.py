"""Forward passes on shared weights against PyTorch modules, written from the papers' tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import compiled, jittered

from gan_jax import networks

torch = pytest.importorskip("torch")
functional = torch.nn.functional

IMAGE = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)


class Layers:
    """Layers of PyTorch with the weights of a Linen module, ``[batch, channels, h, w]``."""

    def __init__(self, params):
        self.params = params

    def weights(self, name):
        entry = self.params[name]
        kernel = torch.from_numpy(np.array(entry["kernel"]))
        return kernel, torch.from_numpy(np.array(entry["bias"])) if "bias" in entry else None

    def conv(self, name, x, stride=1, padding=0):
        kernel, bias = self.weights(name)
        return functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride, padding)

    def up(self, name, x, padding, output_padding=0):
        kernel, bias = self.weights(name)
        return functional.conv_transpose2d(
            x, kernel.permute(2, 3, 0, 1), bias, 2, padding, output_padding
        )

    def norm(self, name, x):
        affine = self.params.get(name, {}).get("instance_norm", {}).get("Affine_0")
        both = (None, None)
        if affine:
            both = tuple(torch.from_numpy(np.array(affine[k])) for k in ("gain", "offset"))
        return functional.instance_norm(x, weight=both[0], bias=both[1])


def check(module, expected):
    """Runs both sides on the same image and weights."""
    params = jittered(compiled(module.init)(jax.random.key(0), jnp.asarray(IMAGE)))
    ours = compiled(module.apply)(params, IMAGE)
    theirs = expected(Layers(params["params"]), torch.from_numpy(IMAGE).permute(0, 3, 1, 2))
    return ours, theirs


def compare(ours, theirs):
    """Scores ``[batch, h, w]``, or images, whose channels PyTorch has first."""
    theirs = np.moveaxis(theirs.numpy(), 1, -1) if theirs.ndim == 4 else theirs.numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def patches(layers, x, downs=2):
    for index in range(downs + 1):
        x = layers.conv(f"conv_{index}", x, 2 if index < downs else 1, 1)
        x = functional.leaky_relu(layers.norm(f"norm_{index}", x) if index else x, 0.2)
    return layers.conv("score", x, 1, 1)[:, 0]


@pytest.mark.slow
@pytest.mark.parametrize("affine", [True, False])
def test_patch_discriminator(affine):
    module = networks.PatchDiscriminator(width=4, layers=2, norm="instance", affine=affine)
    compare(*check(module, patches))


@pytest.mark.slow
def test_scales():
    def expected(layers, x):
        scores = {}
        for name in ("scale_0", "scale_1"):
            scores[name] = patches(Layers(layers.params[name]), x, downs=1)
            x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return scores

    module = networks.MultiScaleDiscriminator(2, width=4, layers=1, norm="instance")
    ours, theirs = check(module, expected)
    for name, scores in theirs.items():
        compare(ours[name], scores)


@pytest.mark.slow
def test_unet():
    depth = 4

    def block(layers, x, index):
        """From the encoder's layer ``index`` to the decoder's, with all that lies between."""
        inner = layers.conv(f"down_{index}", functional.leaky_relu(x, 0.2) if index else x, 2, 1)
        if 0 < index < depth - 1:
            inner = layers.norm(f"norm_down_{index}", inner)
        if index < depth - 1:
            inner = torch.cat([inner, block(layers, inner, index + 1)], 1)
        x = layers.up(f"up_{index}", functional.relu(inner), 1)
        return layers.norm(f"norm_up_{index}", x) if index else torch.tanh(x)

    module = networks.UNet(3, width=4)
    compare(*check(module, lambda layers, x: block(layers, x, 0)))


@pytest.mark.slow
def test_resnet_translator():
    def mirrored(layers, name, x, border):
        return layers.conv(name, functional.pad(x, (border,) * 4, "reflect"))

    def expected(layers, x):
        x = functional.relu(layers.norm("", mirrored(layers, "first", x, 3)))
        for index in range(2):
            x = functional.relu(layers.norm("", layers.conv(f"down_{index}", x, 2, 1)))
        for index in range(2):
            y = functional.relu(layers.norm("", mirrored(layers, f"block_{index}_0", x, 1)))
            x = x + layers.norm("", mirrored(layers, f"block_{index}_1", y, 1))
        for index in (1, 0):
            x = functional.relu(layers.norm("", layers.up(f"up_{index}", x, 1, 1)))
        return torch.tanh(mirrored(layers, "output", x, 3))

    compare(*check(networks.ResnetTranslator(3, width=4, blocks=2), expected))
