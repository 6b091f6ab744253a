"""Imports the independent implementations that the tests of metrics compare with."""

import importlib
import importlib.util
from typing import Any
from unittest import mock

import pytest

REASON = "pip install -e '.[oracles]'"


def oracle(name: str) -> Any:
    """Returns the module of this name; skips the test if it is not installed.

    Builds of torchvision that were compiled for another torch register operators that do not
    exist, which stops their import. No test uses these operators, so they are not registered.
    """
    if importlib.util.find_spec(name.split(".")[0]) is None:
        pytest.skip(REASON)
    if importlib.util.find_spec("torch") is None:
        return importlib.import_module(name)
    import torch

    with mock.patch.object(torch.library, "register_fake", _do_not_register):
        return importlib.import_module(name)


def _do_not_register(*args: Any, **kwargs: Any) -> Any:
    return lambda function: function
