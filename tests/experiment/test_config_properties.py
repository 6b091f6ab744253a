"""Malformed configs in every form: settings that can be written and read back, or one line."""

import copy
import json
import sys

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import example, given
from hypothesis import strategies as st
from properties import damaged_bytes, damaged_text, damaged_tree, inputs, malformed_input

from gan_jax.errors import UserError
from gan_jax.experiment import command_line, population, run_name
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.overrides import apply_overrides, flat
from gan_jax.experiment.part_text import parse_parts, parse_value, parts_text
from gan_jax.experiment.run_directory import CONFIG, read_settings
from gan_jax.experiment.settings import dumps, loads, parse
from gan_jax.experiment.validation import check_settings

SETTINGS = load_settings(f"{ROOT}/configs/ring.py:unrolled")
TEXT = dumps(SETTINGS)
PARTS = "wasserstein + gradient_penalty(weight=10, at='real', widths=(1, 2.5)) + own.module:term"
PIECES = (
    *"()[]{}+,=:'\"\\.\n\0 -*_%@#",
    *("1e999", "nan", "0x" + "f" * 4000, "9" * 5000, "1j", "b'x'", "f'{x}'", "...", "None"),
    *("lambda: 0", "is", "true", "False", "a + ", "not " * 100, "-" * 500, "(" * 300, "[" * 90),
    *("a(b=c)", "a(b=c(d=e:f))", "**a", "*a", "a.b", "a:b", "_reference_0_", "__import__('os')"),
    *("range(9)", "range(99999999999)", "range(-1)", "cosine(x)", "{1, 2}", "{'a': 1}", "\ud800"),
    *("a + " * 3000, "((1, 2), [3])", "adam(learning_rate=0.1)", "é", "ª", "١", "2147483648"),
)
texts = damaged_text(PARTS, PIECES) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@pytest.fixture(autouse=True)
def python_path(monkeypatch):
    """Folders that a config adds to Python's path are taken off again."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@inputs(2)
@example("a + " * 5000 + "a")
@example("a(b=" * 2000 + ")" * 2000)
@given(texts)
def test_any_text_is_parts_that_are_written_back_or_refused(text):
    with malformed_input(ValueError):
        parts = parse_parts(text)
        assert parse_parts(parts_text(parts)) == parts


@inputs(1.5)
@given(texts)
def test_any_text_is_a_value(text):
    with malformed_input():
        json.dumps(str(parse_value(text)))


FIELDS = [*flat(SETTINGS), "population.seed", "population.ema_decay", "objective", "dataset"]
PATHS = st.sampled_from(FIELDS) | st.sampled_from(FIELDS).flatmap(
    lambda path: damaged_text(path, (".", "", "wandb", "population", "seed", "adam", "\0"))
)
overrides = st.lists(st.builds("{}={}".format, PATHS, texts) | PATHS, min_size=1, max_size=3)


@inputs(3)
@example(["population.seed=range(1000000000000)"])
@example([f"ema_decay={10**400}"])
@example(["unroll=a(b=c)"])
@example(["population.seed=a(b=c)"])
@example(["generator_optimizer.adam.learning_rate=cosine(x)"])
@example(["wandb.tags=b'x'"])
@example(["python_path='a\\0b'"])
@given(overrides)
def test_any_flags_are_settings_that_are_written_back_or_refused(flags):
    with malformed_input(UserError):
        settings = apply_overrides(SETTINGS, flags)
        check_settings(settings)
        for member in population.member_settings(settings):
            check_settings(member)
            assert loads(dumps(member)) == member
        assert loads(dumps(settings)) == settings
        run_name.run_name(f"{ROOT}/configs/ring.py:unrolled", settings)


@inputs(2)
@example(["--slurm."], "x=" + "9" * 5000)
@given(st.lists(st.sampled_from(("--config.", "--noconfig.", "--slurm.", "--")), max_size=4), texts)
def test_any_command_line_is_separated_or_refused(prefixes, text):
    arguments = [f"{prefix}{text}" for prefix in prefixes] + [text]
    with malformed_input(UserError):
        command_line.split_overrides(arguments)
        command_line.split_settings(arguments, "slurm")
        parser = command_line.Parser("")
        parser.add_argument("--num", type=int)
        parser.parse_args([f"--num={text}", *arguments])


config_texts = damaged_bytes(TEXT.encode()) | damaged_tree(json.loads(TEXT)).map(
    lambda tree: json.dumps(tree).encode()
)


@inputs(3)
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@given(config_texts)
def test_any_config_json_is_settings_that_are_written_back_or_refused(tmp_path, content):
    (tmp_path / CONFIG).write_bytes(content)
    with malformed_input(UserError):
        settings = read_settings(tmp_path)
        check_settings(settings)
        population.member_settings(settings)
        assert loads(dumps(settings)) == settings


python_values = st.sampled_from(
    (b"x", 1j, {1, 2}, object, np.float32(1), np.array([1.0, 2.0]), 10**5000, range(3), "\ud800")
)


@inputs(3)
@given(damaged_tree(json.loads(TEXT), python_values))
def test_any_config_of_a_file_is_settings_or_refused(tree):
    with malformed_input(UserError):
        settings = parse(copy.copy(tree))
        check_settings(settings)
        population.member_settings(settings)
        assert loads(dumps(settings)) == settings
