"""Plans: which runs a sweep has, which of them train together, and how a sweep is extended."""

import json

import pytest
from sweep_cases import RATE, RING, SEEDS, TINY, UNROLLS, group_names, make_plan

from gan_jax.errors import UserError
from gan_jax.experiment import population
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import differences
from gan_jax.sweeps import plan


def test_runs_that_differ_only_in_numbers_train_together(tmp_path):
    sweep_plan = make_plan(tmp_path, UNROLLS | {RATE: {"values": [1e-4, 1e-3]}} | SEEDS)
    name = "unroll={}_discriminator.learning_rate={}_seed={}"
    assert group_names(sweep_plan) == [
        [name.format(unroll, rate, seed) for rate in ("0.0001", "0.001") for seed in (0, 1)]
        for unroll in (0, 1)
    ]
    for group in sweep_plan.groups:
        joined = population.joined([trial.settings for trial in group])
        assert population.member_settings(joined) == [trial.settings for trial in group]


def test_runs_keep_their_settings_in_a_group_if_wandb_is_used(tmp_path):
    """Their names in W&B are then those of their folders."""
    (group,) = make_plan(tmp_path, SEEDS, "wandb.use=true").groups
    joined = population.joined([trial.settings for trial in group])
    assert population.member_settings(joined) == [trial.settings for trial in group]
    assert [trial.settings.wandb.name for trial in group] == ["", ""]


def test_groups_have_a_largest_size(tmp_path):
    one_by_one = make_plan(tmp_path / "a", UNROLLS | SEEDS, group_size=1)
    assert [len(group) for group in one_by_one.groups] == [1, 1, 1, 1]
    pairs = make_plan(tmp_path / "b", {"config.seed": {"min": 0, "max": 4}}, group_size=2)
    assert [len(group) for group in pairs.groups] == [2, 2, 1]


def test_a_trial_has_the_settings_of_its_flags_and_is_marked_in_wandb(tmp_path):
    trial = make_plan(tmp_path, {RATE: {"values": [1e-3]}} | SEEDS).trials[1]
    original = load_settings(f"{RING}:unrolled", [*TINY, "seed=1"])
    assert differences(original, trial.settings) == {
        "discriminator_optimizer.adam.learning_rate": (1e-4, 1e-3),
        "best_mode": ("min", "max"),
        "best_metric": ("", "modes/high_quality"),
        "wandb.group": ("", "a group"),
        "wandb.tags": ((), ("sweep",)),
    }


def test_a_group_in_wandb_that_the_config_names_is_kept(tmp_path):
    trial = make_plan(tmp_path, SEEDS, "wandb.group=mine").trials[0]
    assert trial.settings.wandb.group == "mine"


def test_random_trials_are_numbered(tmp_path):
    parameters = UNROLLS | {"config.ema_decay": {"min": 0.0, "max": 0.9}}
    sweep_plan = make_plan(tmp_path, parameters, method="random", run_cap=3)
    prefixes = [trial.name[:11] for trial in sweep_plan.trials]
    assert prefixes == ["000_unroll=", "001_unroll=", "002_unroll="]


def test_random_trials_with_the_same_parameters_are_one_run(tmp_path):
    sweep_plan = make_plan(tmp_path, UNROLLS, method="random", run_cap=20)
    assert sorted(trial.parameters["config.unroll"] for trial in sweep_plan.trials) == [0, 1]


def test_trials_with_the_same_short_name_get_different_names(tmp_path):
    sweep_plan = make_plan(tmp_path, {RATE: {"values": [1e-4, 1.00001e-4]}})
    first, second = [trial.name for trial in sweep_plan.trials]
    assert first == "discriminator.learning_rate=0.0001"
    assert second.startswith(f"{first}_")


@pytest.mark.parametrize(
    ("parameters", "flags", "message"),
    [
        ({"config.discriminator_stps": {"values": [1]}}, [], "did you mean discriminator_steps"),
        ({"config.discriminator_steps": {"values": [1.5]}}, [], "takes a whole number"),
        ({"config.objective": {"values": ["hing +"]}}, [], "takes parts like"),
        (SEEDS, ["seed=3"], "--config.seed is swept"),
        (SEEDS, ["population.seed=1,2"], "config.population cannot be swept"),
    ],
)
def test_parameters_that_do_not_fit_the_config_are_refused(parameters, flags, message, tmp_path):
    with pytest.raises(UserError) as caught:
        make_plan(tmp_path / "s", parameters, *flags)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


# --- the same workdir again


def test_an_extended_sweep_keeps_its_runs_and_groups(tmp_path):
    first = make_plan(tmp_path, UNROLLS)
    more_unrolls = {"config.unroll": {"values": [0, 1, 5]}}
    wider = make_plan(tmp_path, more_unrolls | SEEDS)
    names = {trial.key: trial.name for trial in wider.trials}
    assert len(names) == 6
    assert all(names[trial.key] == trial.name for trial in first.trials)
    assert group_names(wider)[:2] == group_names(first) == [["unroll=0"], ["unroll=1"]]


def test_more_steps_leave_the_runs_the_same(tmp_path):
    first = make_plan(tmp_path, UNROLLS)
    longer = make_plan(tmp_path, UNROLLS, "steps=40")
    assert [trial.key for trial in longer.trials] == [trial.key for trial in first.trials]


@pytest.mark.parametrize(
    "parameters",
    [{"config.unroll": {"values": [0]}}, {"config.unroll": {"values": [0, 2]}}, SEEDS],
)
def test_a_sweep_without_the_recorded_runs_is_refused(parameters, tmp_path):
    make_plan(tmp_path, UNROLLS)
    recorded = (tmp_path / "sweep.json").read_bytes()
    message = r"holds another sweep: [12] of its 2 runs, such as unroll=[01], are not in this one"
    with pytest.raises(UserError, match=message):
        make_plan(tmp_path, parameters)
    assert (tmp_path / "sweep.json").read_bytes() == recorded


def test_a_sweep_of_another_config_is_refused(tmp_path):
    make_plan(tmp_path, UNROLLS)
    with pytest.raises(UserError, match="holds another sweep: 2 of its 2 runs"):
        make_plan(tmp_path, UNROLLS, "discriminator_steps=2")


def test_a_higher_run_cap_extends_a_random_search_and_another_seed_is_refused(tmp_path):
    parameters = {"config.ema_decay": {"min": 0.0, "max": 0.9}}
    few = make_plan(tmp_path, parameters, method="random", run_cap=2)
    more = make_plan(tmp_path, parameters, method="random", run_cap=4)
    assert more.trials[:2] == few.trials and len(more.trials) == 4
    with pytest.raises(UserError, match="holds another sweep"):
        make_plan(tmp_path, parameters, method="random", run_cap=4, seed=1)


def test_a_folder_that_is_not_of_a_sweep_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not the workdir of a sweep"):
        make_plan(tmp_path, SEEDS)


def test_a_plan_that_cannot_be_read_is_refused(tmp_path):
    make_plan(tmp_path, SEEDS)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(UserError, match=r"sweep.json cannot be read"):
        make_plan(tmp_path, SEEDS)


def test_the_plan_records_the_search_space_in_the_schema_of_wandb(tmp_path):
    parameters = UNROLLS | {"config.ema_decay": {"min": 0.0, "max": 0.5}}
    make_plan(tmp_path, parameters, method="random", run_cap=1)
    recorded = json.loads((tmp_path / "sweep.json").read_text())["sweep"]
    assert recorded == {
        "method": "random",
        "parameters": {
            "config.unroll": {"values": [0, 1]},
            "config.ema_decay": {"distribution": "uniform", "min": 0.0, "max": 0.5},
        },
        "run_cap": 1,
    }


def test_only_one_sweep_at_a_time_runs_in_a_folder(tmp_path):
    with (
        plan.lock(tmp_path),
        pytest.raises(UserError, match=r"the sweep in .* is being written by another process"),
        plan.lock(tmp_path),
    ):
        pass
    with plan.lock(tmp_path):  # the first has ended
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"), plan.lock(tmp_path / "file"):
        pass
