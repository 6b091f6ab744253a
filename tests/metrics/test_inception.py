"""FID's Inception against torch-fidelity's network on shared random weights."""

import numpy as np
import pytest
from oracles import REASON, oracle

from gan_jax.metrics.inception import convert, inception_extractor

torch = pytest.importorskip("torch", reason=REASON)


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """The module of torch-fidelity, with random weights that keep features near one."""
    module = oracle("torch_fidelity.feature_extractor_inceptionv3")

    class Blank(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, *args, **kwargs):
            """Keep the random weights."""

    path = tmp_path_factory.mktemp("blank") / "empty.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    network = Blank("random", ["2048", "logits_unbiased"], feature_extractor_weights_path=path)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.0)
                module.bias.uniform_(-0.2, 0.2)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.8, 1.5)
    return network


@pytest.fixture(scope="module")
def ours(peer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.save(peer.state_dict(), folder / "random.pth")
    digest = convert(str(folder / "random.pth"), str(folder / "random.npz"))
    extractor = inception_extractor(str(folder / "random.npz"), sha256=digest, batch_size=2)
    assert extractor.hash == digest
    return extractor


@pytest.mark.parametrize("size", [(32, 32), (40, 351)])
def test_features_and_logits_equal_those_of_torch_fidelity(peer, ours, size):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    with torch.no_grad():
        features, logits = peer(torch.tensor(pixels).permute(0, 3, 1, 2))
    computed = ours(pixels.astype(np.float32) / 127.5 - 1)
    scale = float(features.abs().mean())
    assert 0.05 < scale < 20
    assert np.abs(computed - features.numpy()).max() < 2e-5 * scale
    np.testing.assert_allclose(ours.logits(computed), logits.numpy(), atol=2e-5 * scale)


def test_files_of_other_weights_are_refused(peer, tmp_path):
    state = peer.state_dict()
    path, target = str(tmp_path / "weights-00000000.pth"), str(tmp_path / "weights.npz")
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"found sha256 .* expected 00000000"):
        convert(path, target)
    state["fc.weight"] = state["fc.weight"][:1000]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(
        ValueError, match=r"fc.weight of shape \(1000, 2048\), expected \(1008, 2048\)"
    ):
        convert(str(tmp_path / "other.pth"), target)
    np.savez(target, a=np.zeros(3))
    with pytest.raises(ValueError, match="expected"):
        inception_extractor(target)
