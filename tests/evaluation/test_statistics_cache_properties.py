"""Damaged cache files: their statistics are computed again, and never others returned."""

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from properties import damaged_bytes, malformed_input

from gan_jax.evaluation import statistics_cache

ARRAYS = {"mean": np.arange(4.0), "scatter": np.eye(4), "n": np.array(9)}
KEY = {"data": "x", "n": 9}


@given(data=st.data())
def test_damage_never_changes_statistics(cache, data):
    def cached(compute):
        return statistics_cache.cached("name", KEY, ARRAYS, compute)

    for file in cache.glob("*"):
        file.unlink()
    cached(lambda: ARRAYS)
    (file,) = cache.glob("*")
    file.write_bytes(data.draw(damaged_bytes(file.read_bytes())))
    with malformed_input(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = statistics_cache._load(file, '{"data": "x", "n": 9}', ARRAYS)
    if loaded is not None:
        assert loaded.keys() == ARRAYS.keys()
        for name, array in loaded.items():
            np.testing.assert_array_equal(array, ARRAYS[name])
