"""Where the tests of metrics get the independent implementations that they compare with."""

import importlib
import importlib.util
from unittest import mock

import pytest

REASON = "pip install -e '.[oracles]'"


def oracle(name: str):
    """The module of this name, or a skip where it is not installed.

    Builds of torchvision that were compiled for another torch register operators that do not exist, which stops their
    import. None of these is used here, so registration is left out.
    """
    if importlib.util.find_spec(name.split(".")[0]) is None:
        pytest.skip(REASON)
    if importlib.util.find_spec("torch") is None:
        return importlib.import_module(name)
    import torch

    with mock.patch.object(
        torch.library, "register_fake", lambda *args, **kwargs: lambda function: function
    ):
        return importlib.import_module(name)


@pytest.mark.parametrize("name", ["torch_fidelity", "prdc", "ot", "pytorch_msssim"])
def test_oracle_imports(name):
    assert oracle(name).__name__ == name
