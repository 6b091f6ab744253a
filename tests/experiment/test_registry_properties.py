"""Parts with any settings: what they name is built, or refused in one line."""

import sys
import types
import warnings

import jax
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import example, given
from hypothesis import strategies as st
from properties import malformed_input

from gan_jax.errors import UserError
from gan_jax.experiment import builder, part_building, registry
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.part_text import Part
from gan_jax.experiment.signatures import parameters_of

CONTEXT = {"networks": {"shape": (8, 8, 3), "classes": 0, "dtype": "float32"}}
FIELDS = ("dataset", "networks", "objective", "augmentation", "generator_optimizer", "metrics")
PREPARED = ("tfds", "mnist", "fashion_mnist", "stacked_mnist", "stacked_fashion_mnist")
"""Datasets that are read from where they were prepared."""

NAMES = [(field, name) for field in FIELDS for name in registry.names(field)]
numbers = st.sampled_from(
    (0, -1, 1, 2, 3, 7, 16, 2**31, 10**12, -(2**40), 0.0, -1.0, 0.5, 1e-320, 1e308, -1e308)
)
texts = st.sampled_from(("", "x", "relu", "bfloat16", "train[:1]", "\0", "../x", "\ud800"))
values = (
    numbers
    | texts
    | st.booleans()
    | st.lists(numbers | st.lists(numbers, max_size=3).map(tuple), max_size=4).map(tuple)
)


@st.composite
def parts(draw):
    """A part of any field, with settings that its function has."""
    field, name = draw(st.sampled_from([entry for entry in NAMES if entry[1] not in PREPARED]))
    known = sorted(parameters_of(registry.resolve(field, name)))
    known = [setting for setting in known if setting not in CONTEXT.get(field, {})]
    settings = st.dictionaries(st.sampled_from(known), values, max_size=3)
    return field, Part(name, draw(settings if known else st.just({})))


@example(("dataset", Part("npz", {"path": 0})))
@example(("dataset", Part("stacked", {"dataset": 0})))
@example(("networks", Part("progan", {"fmap_base": 0})))
@given(parts())
def test_any_part_is_built_or_refused(tmp_path, monkeypatch, named):
    field, part = named
    monkeypatch.chdir(tmp_path)
    with malformed_input(UserError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = part_building.build_part(field, part, **CONTEXT.get(field, {}))
        if field == "networks":
            with part_building.naming_bad_settings(field, part):
                jax.eval_shape(made.init, jax.random.key(0))
        if field == "dataset":
            made.draw(0, np.arange(4))


def test_networks_that_cannot_be_initialised_are_named():
    settings = load_settings(
        f"{ROOT}/configs/ring.py:vanilla", ["networks=mlp(generator_widths=((),))"]
    )
    with pytest.raises(UserError, match="networks cannot be built with these settings, mlp"):
        builder.build(settings)


def test_what_a_function_of_ones_own_raises_is_left_as_it_is(monkeypatch):
    def broken():
        raise ValueError("two\nlines")

    module = types.SimpleNamespace(broken=broken)
    monkeypatch.setitem(sys.modules, "own_parts_of_a_test", module)
    with pytest.raises(ValueError, match="two\nlines"):
        part_building.build_part("objective", Part("own_parts_of_a_test:broken"))
