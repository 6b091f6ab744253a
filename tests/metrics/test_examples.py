"""The examples in the docstrings of the metrics run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

from gan_jax import metrics

MODULES = [
    module.name for module in pkgutil.walk_packages(metrics.__path__, f"{metrics.__name__}.")
]
WITH_EXAMPLES = {"codebook_usage", "density_coverage", "frechet", "kernel", "precision_recall"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    if name.removeprefix(f"{metrics.__name__}.") in WITH_EXAMPLES:
        assert results.attempted > 0
