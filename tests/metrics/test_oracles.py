"""The packages that other tests of metrics compare with can be imported."""

import pytest
from oracles import oracle


@pytest.mark.parametrize("name", ["torch_fidelity", "prdc", "ot", "pytorch_msssim"])
def test_an_independent_implementation_imports(name):
    assert oracle(name).__name__ == name
