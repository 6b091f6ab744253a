"""The cache of statistics on disk."""

import warnings

import numpy as np
import pytest

from gan_jax.evaluation import statistics_cache

pytestmark = pytest.mark.usefixtures("cache")


def cached(value=1.0):
    """A cached array of one value, which is computed as ``value``."""
    arrays = statistics_cache.cached("name", {"a": 1}, "x", lambda: {"x": np.full(100, value)})
    return arrays["x"][0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:300] + bytes(64) + data[364:],
        lambda data: b"x" * 9,
    ],
)
def test_a_damaged_file_is_computed_again(damage, cache):
    assert cached() == cached(2.0) == 1.0
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match="damaged"):
        assert cached(2.0) == 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cached(3.0) == 2.0
    assert [path.name for path in cache.iterdir()] == [file.name]


def test_a_file_that_has_lost_an_array_is_computed_again(cache):
    cached()
    (file,) = cache.iterdir()
    with np.load(file) as arrays:
        np.savez(file, key=arrays["key"])
    with pytest.warns(UserWarning, match="it holds nothing and not x"):
        assert cached(2.0) == 2.0


def test_a_cache_that_cannot_be_written_costs_a_warning(cache):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file in the place of the directory")
    with pytest.warns(UserWarning, match="could not be written"):
        assert cached(2.0) == 2.0
