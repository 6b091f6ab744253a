"""Malformed sweep files and plans: a search space of trials, or one line."""

import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from properties import damaged_text, damaged_tree, inputs, malformed_input

from gan_jax.errors import UserError
from gan_jax.sweeps import naming, plan_file, space
from gan_jax.sweeps.distributions import DISTRIBUTIONS

SWEEP = """
method: random
metric: {name: modes/covered, goal: maximize}
parameters:
  config.unroll: {values: [0, 5, 10]}
  config.seed: {min: 0, max: 9}
  config.objective: {values: [minimax, wasserstein], probabilities: [0.5, 0.5]}
  config.generator_optimizer.adam.learning_rate:
    {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-3}
command: [python, --config=configs/ring.py, --config.steps=1000]
run_cap: 5
"""
PIECES = (
    *"{}[]:,#&*!%@|>'\"-\n\t\0?=",
    *("&a ", "*a", "!!python/object/apply:os.system ['touch /tmp/gan_jax_executed']", "!!int ''"),
    *("!!binary x", "!!timestamp 9999-99-99", "2001-99-99", "!!set {a}", "<<: *a", "---", "..."),
    *("0x" + "f" * 4000, "9" * 5000, "1e400", ".nan", "1:60", "1_0", "[" * 2000, "{a: " * 500),
    *("grid", "bayes", "min: ", "max: 1000000000000", "sigma: 0", "q: 1e-320", "\ud800", "é"),
)
LAUGHS = "a0: &a0 [x]\n" + "\n".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)
)


def read_trials(file) -> None:
    """What `sweep.py` does with a file before it reads the config."""
    sweep = space.parse(space.read_yaml(file))
    for number, parameters in enumerate(space.trial_parameters(sweep)[:50]):
        space.to_overrides(parameters)
        name = naming.trial_name(parameters, number)
        assert 0 < len(name.encode()) < 200 and "/" not in name


@inputs(0.3)
@example(SWEEP + LAUGHS)
@example(SWEEP.replace("[0, 5, 10]", "&a [*a, 5]"))
@given(damaged_text(SWEEP, PIECES))
def test_any_sweep_file_is_read_or_refused(tmp_path, text):
    (tmp_path / "sweep.yaml").write_bytes(text.encode(errors="surrogatepass"))
    with malformed_input(UserError):
        read_trials(tmp_path / "sweep.yaml")


numbers = st.sampled_from((0, -1, 1, 0.5, 700, -800, 10**12, 2**63 - 1, 1e308, -1e308, 1e-320))
settings = st.dictionaries(
    st.sampled_from(("min", "max", "mu", "sigma", "q", "a", "b", "values", "value")), numbers
)
definitions = st.builds(
    lambda name, values: {"distribution": name, **values} if name else values,
    st.sampled_from(("", "constant", "unknown", *DISTRIBUTIONS)),
    settings,
)
sweeps = damaged_tree(yaml.safe_load(SWEEP)) | st.builds(
    lambda method, first, second: {
        "method": method,
        "parameters": {"config.unroll": first, "config.seed": second},
        "run_cap": 20,
    },
    st.sampled_from(("grid", "random")),
    definitions,
    definitions,
)


@given(sweeps)
def test_any_definition_is_a_search_space_or_refused(tmp_path, definition):
    file = tmp_path / "sweep.yaml"
    try:
        file.write_text(yaml.safe_dump(definition))
    except (yaml.YAMLError, UnicodeEncodeError, ValueError):  # it cannot be in a file
        return
    with malformed_input(UserError):
        read_trials(file)


PLAN = {
    "sweep": {"method": "grid", "parameters": {}, "run_cap": None},
    "runs": {"a": "1", "b": "2"},
    "groups": [["a", "b"]],
}


@given(damaged_tree(PLAN))
def test_any_plan_is_read_or_refused(tmp_path, plan):
    (tmp_path / plan_file.PLAN_FILE).write_text(json.dumps(plan))
    with malformed_input(UserError):
        recorded = plan_file.read_plan_file(tmp_path)
        names = [name for group in recorded["groups"] for name in group]
        assert set(names) <= set(recorded["runs"])


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"config.unroll": {"min": 0, "max": 10**12}}, "more than 100000 values"),
        ({f"config.{i}": {"min": 0, "max": 99} for i in range(9)}, "at most 100000 runs"),
    ],
)
def test_a_grid_that_never_ends_is_refused(definition, says):
    with pytest.raises(UserError, match=says):
        space.parse({"method": "grid", "parameters": definition})


def test_numbers_beyond_all_floats_are_refused_before_they_are_drawn():
    rate = {"distribution": "log_uniform", "min": 0, "max": 1000}
    with pytest.raises(UserError, match="beyond all floats"):
        space.parse({"method": "random", "run_cap": 1, "parameters": {"config.x": rate}})
