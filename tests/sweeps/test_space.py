"""The search space: W&B's schema, its trials, and the flags that W&B's agent makes of them."""

import math

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment.command_line import split_overrides
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.overrides import flat
from gan_jax.sweeps import distributions, space

RATE = "config.discriminator_optimizer.adam.learning_rate"


@pytest.fixture(autouse=True)
def in_checkout(root, monkeypatch):
    """Runs each test in the root of the checkout, from which it names config files."""
    monkeypatch.chdir(root)


def grid(**parameters) -> dict:
    """The definition of a grid search."""
    named = {f"config.{name}": settings for name, settings in parameters.items()}
    return {
        "method": "grid",
        "metric": {"name": "modes/covered", "goal": "maximize"},
        "parameters": named,
    }


def draws(settings: dict, runs: int = 4000) -> np.ndarray:
    """The values of one parameter in a random search."""
    definition = {"method": "random", "run_cap": runs, "parameters": {"config.x": settings}}
    return np.array(
        [trial["config.x"] for trial in space.trial_parameters(space.parse(definition))]
    )


def test_a_grid_is_all_combinations_the_last_parameter_changing_fastest():
    sweep = space.parse(
        grid(unroll={"values": [0, 5]}, seed={"min": 3, "max": 5}, discriminator_steps={"value": 2})
    )
    assert [tuple(trial.values()) for trial in space.trial_parameters(sweep)] == [
        (0, 3, 2), (0, 4, 2), (0, 5, 2), (5, 3, 2), (5, 4, 2), (5, 5, 2),
    ]  # fmt: skip
    assert list(space.trial_parameters(sweep)[0]) == [
        "config.unroll",
        "config.seed",
        "config.discriminator_steps",
    ]
    assert (sweep.metric, sweep.maximize) == ("modes/covered", True)


def test_a_grid_with_steps_ends_before_max_as_that_of_wandb_does():
    sweep = space.parse(
        grid(ema_decay={"distribution": "q_uniform", "min": 0.0, "max": 0.75, "q": 0.25})
    )
    assert [trial["config.ema_decay"] for trial in space.trial_parameters(sweep)] == [
        0.0,
        0.25,
        0.5,
    ]


def test_run_cap_keeps_the_first_trials_of_a_grid():
    assert (
        len(space.trial_parameters(space.parse(grid(seed={"min": 0, "max": 9}) | {"run_cap": 4})))
        == 4
    )


@pytest.mark.parametrize(
    ("settings", "low", "high", "mean"),
    [  # the mean in closed form
        ({"min": 1.0, "max": 3.0}, 1, 3, 2),
        ({"min": 1, "max": 3}, 1, 3, 2),
        ({"distribution": "log_uniform_values", "min": 1.0, "max": math.e}, 1, math.e, math.e - 1),
        ({"distribution": "log_uniform", "min": 0, "max": 1}, 1, math.e, math.e - 1),
        ({"distribution": "inv_log_uniform", "min": -1, "max": 0}, 1, math.e, math.e - 1),
        (
            {"distribution": "inv_log_uniform_values", "min": 1, "max": math.e},
            1,
            math.e,
            math.e - 1,
        ),
        ({"distribution": "q_uniform", "min": 0.0, "max": 4.0, "q": 2}, 0, 4, 2),
        (
            {"distribution": "q_log_uniform_values", "min": 10.0, "max": 100.0, "q": 10},
            10,
            100,
            90 / math.log(10),
        ),
        ({"distribution": "normal", "mu": 3.0, "sigma": 0.5}, -5, 10, 3),
        ({"distribution": "normal"}, -5, 5, 0),
        ({"distribution": "q_normal", "mu": 30.0, "sigma": 5.0, "q": 5}, 0, 60, 30),
        ({"distribution": "log_normal", "mu": 0.0, "sigma": 0.5}, 0, 20, math.exp(0.125)),
        ({"distribution": "beta", "a": 2, "b": 6}, 0, 1, 0.25),
        ({"values": [1, 5]}, 1, 5, 3),
        ({"values": [1, 5], "probabilities": [0.75, 0.25]}, 1, 5, 2),
        ({"distribution": "constant", "value": 7}, 7, 7, 7),
    ],
)
def test_distributions_have_their_range_and_mean(settings, low, high, mean):
    values = draws(settings)
    assert low <= values.min() and values.max() <= high
    assert values.mean() == pytest.approx(
        mean, abs=4 * max(values.std(), 1e-9) / math.sqrt(len(values))
    )
    if "q" in settings:
        np.testing.assert_array_equal(values % settings["q"], 0)
        assert np.issubdtype(values.dtype, np.integer)  # a whole q gives whole numbers
    if settings.get("min") == 1 and settings.get("max") == 3 and isinstance(settings["min"], int):
        assert set(values.tolist()) == {1, 2, 3}


def test_all_distributions_of_wandb_are_supported():
    base = {"uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta"}
    more = {"int_uniform", "inv_log_uniform", "inv_log_uniform_values"}
    assert set(distributions.DISTRIBUTIONS) == base | more | {f"q_{name}" for name in base}


def test_random_trials_depend_only_on_seed_number_and_names():
    parameters = {"config.ema_decay": {"min": 0.0, "max": 1.0}, RATE: {"min": 0.0, "max": 1.0}}

    def trials(runs, seed=0, chosen=parameters):
        definition = {"method": "random", "run_cap": runs, "parameters": chosen}
        return space.trial_parameters(space.parse(definition), seed)

    assert trials(5)[:3] == trials(3)
    assert trials(3) != trials(3, seed=1)
    alone = trials(3, chosen={RATE: parameters[RATE]})
    assert [trial[RATE] for trial in alone] == [trial[RATE] for trial in trials(3)]
    assert len({value for trial in trials(5) for value in trial.values()}) == 10  # all differ


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (grid() | {"method": "bayes"}, "needs W&B's server"),
        (grid() | {"method": "grd"}, "'grid' or 'random', not 'grd'"),
        (grid(), "needs parameters"),
        (grid(discriminator_steps={"values": [1]}) | {"metrics": {}}, "did you mean metric"),
        (
            grid(discriminator_steps={"values": [1]}) | {"early_terminate": {"type": "hyperband"}},
            "early_terminate needs",
        ),
        (
            grid(discriminator_steps={"values": [1]}) | {"metric": {"name": "a", "goal": "max"}},
            "'minimize' or 'maximize'",
        ),
        (grid(discriminator_steps={"values": [1]}) | {"metric": "a"}, "metric is {name"),
        (grid(discriminator_steps={"values": [1]}) | {"run_cap": 0}, "run_cap is a whole number"),
        (
            grid(discriminator_steps={"values": [1]}) | {"method": "random"},
            "random search has no end",
        ),
        (
            {"method": "grid", "parameters": {"discriminator_steps": {"values": [1]}}},
            "did you mean config.discriminator_steps?",
        ),
        (grid(discriminator_steps=3), "takes {values"),
        (grid(discriminator_steps={"values": []}), "takes a list of values"),
        (grid(discriminator_steps={"values": [1, 1]}), "a value twice"),
        (grid(discriminator_steps={}), "needs values, or min and max"),
        (
            grid(wandb={"parameters": {"name": {"value": 1}}}),
            "is nested: name its parts in full, config.wandb.part",
        ),
        (
            grid(ema_decay={"min": 0.0, "max": 1.0}),
            "config.ema_decay is continuous (uniform), so grid search cannot",
        ),
        (
            grid(ema_decay={"distribution": "log_uniform_values", "min": 0.1, "max": 1.0}),
            "is continuous (log_uniform_values), so grid search cannot",
        ),
        (
            grid(ema_decay={"distribution": "unifrm", "min": 0.0, "max": 1.0}),
            "did you mean uniform",
        ),
        (grid(ema_decay={"distribution": "normal", "min": 0.0}), "normal has no 'min'"),
        (grid(ema_decay={"distribution": "uniform", "min": 0.0}), "uniform needs max"),
        (grid(ema_decay={"distribution": "uniform", "min": "1e-4", "max": 1.0}), "write 1.0e-4"),
        (grid(ema_decay={"distribution": "uniform", "min": 1.0, "max": 1.0}), "is not below max"),
        (
            grid(ema_decay={"distribution": "log_uniform_values", "min": 0.0, "max": 1.0}),
            "must be above 0",
        ),
        (
            grid(discriminator_steps={"distribution": "int_uniform", "min": 0.5, "max": 2}),
            "is a whole number, not 0.5",
        ),
        (
            grid(discriminator_steps={"values": [1, 2], "probabilities": [0.5, 0.5]}),
            "which are for method random, not grid",
        ),
        (grid(discriminator_steps={"values": [1], "min": 3}), "has values, and 'min' too"),
        (
            grid(discriminator_steps={"values": [1], "distribution": "uniform"}),
            "has values, and the distribution 'uniform' too",
        ),
        (
            grid(discriminator_steps={"values": [1, 2], "probabilities": [0.5, 0.6]})
            | {"method": "random", "run_cap": 2},
            "2 probabilities with the sum 1",
        ),
    ],
)
def test_wrong_definitions_are_refused_in_one_line(definition, message):
    with pytest.raises(UserError) as caught:
        space.parse(definition)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_hold_no_sweep_are_refused(tmp_path):
    with pytest.raises(UserError, match="no sweep file"):
        space.read_yaml(tmp_path / "none.yaml")
    file = tmp_path / "a.yaml"
    for text, message in (("a: [", "is not YAML"), ("- a", "holds no mapping")):
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            space.read_yaml(file)


def test_a_config_file_may_define_its_sweep(tmp_path):
    sweep = space.parse(space.read_config_sweep("configs/ring.py:unrolled"))
    for trial in space.trial_parameters(sweep):
        load_settings("configs/ring.py:unrolled", space.to_overrides(trial))
    with pytest.raises(UserError, match=r"has no sweep\(\)"):
        space.read_config_sweep("configs/default.py")
    file = tmp_path / "x.py"
    file.write_text("def sweep(variant='a'):\n    return {'variant': variant}")
    assert space.read_config_sweep(f"{file}:b") == {"variant": "b"}
    assert space.read_config_sweep(str(file)) == {"variant": "a"}
    for body, message in (
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("return 3", "returns 3, not a mapping"),
    ):
        file.write_text(f"def sweep():\n    {body}")
        with pytest.raises(UserError, match=message):
            space.read_config_sweep(str(file))


def agents_command(sweep: dict, trial: dict) -> list[str]:
    """The command that W&B's agent makes, by W&B's own functions: see its `Agent._command_run`."""
    from wandb.sdk.launch.sweeps import utils

    template = utils.create_sweep_command(list(sweep["command"]))
    parameters = {name: {"value": value} for name, value in trial.items()}
    macros = utils.create_sweep_command_args({"args": parameters})
    macros |= {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [sweep["program"]]}
    words: list[str] = []
    for word in template:
        if word.startswith("${") and word.endswith("}"):
            words += macros[word[2:-1]]
        else:
            words.append(word)
    return words


VALUES = {
    "config.unroll": 5,
    RATE: 1e-05,
    "config.unroll_resample": False,
    "config.wandb.tags": ["a", "b"],
    "config.objective": "wasserstein + gradient_penalty(weight=10)",
    "config.steps": 1000.0,
    "config.networks.mlp.generator_widths": [32, 16],
}


@pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}"])
def test_the_command_of_a_wandb_agent_means_what_the_sweep_means_here(macro):
    sweep = {
        "program": "experiments/train.py",
        "command": ["${env}", "python", "${program}", "--workdir=runs/x", macro],
    }
    overrides, rest = split_overrides(agents_command(sweep, VALUES))
    assert rest == ["/usr/bin/env", "python", "experiments/train.py", "--workdir=runs/x"]
    agents = load_settings("configs/ring.py:unrolled", overrides)
    assert agents == load_settings("configs/ring.py:unrolled", space.to_overrides(VALUES))
    leaves = flat(agents)
    assert (leaves["unroll"], leaves["unroll_resample"], leaves["steps"]) == (5, False, 1000)
    assert leaves["wandb.tags"] == ("a", "b") and leaves["networks.mlp.generator_widths"] == (
        32,
        16,
    )
    assert (
        leaves[RATE.removeprefix("config.")] == 1e-5
        and leaves["objective.gradient_penalty.weight"] == 10
    )


def test_the_yaml_file_of_the_ring_means_the_same_here_and_in_wandb(root):
    definition = space.read_yaml("configs/ring_sweep.yaml")
    sweep = space.parse(definition)
    trials = space.trial_parameters(sweep)
    assert len(trials) == 27
    command = agents_command(definition, trials[-1])
    assert command[:3] == ["/usr/bin/env", "python", "experiments/train.py"]
    overrides, rest = split_overrides(command[3:])
    assert rest == [f"--config={sweep.config}", "--workdir=runs/ring_sweep/$WANDB_RUN_ID"]
    here = load_settings(sweep.config, [*sweep.overrides, *space.to_overrides(trials[-1])])
    assert load_settings("configs/ring.py:unrolled", overrides) == here
    assert (here.unroll, here.seed, here.steps, here.wandb.use) == (5, 2, 8000, True)
