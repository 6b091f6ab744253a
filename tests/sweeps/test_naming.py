"""Names of parameters, trials and runs."""

import pytest
from sweep_cases import RATE, RING, make_plan

from gan_jax.experiment import config as configs
from gan_jax.sweeps import naming


def test_short_names_say_which_optimizer_or_part_is_meant():
    assert naming.short_names(
        ["config.generator_optimizer.adam.learning_rate", RATE, "config.objective.r1.weight"]
    ) == {
        "config.generator_optimizer.adam.learning_rate": "generator.learning_rate",
        RATE: "discriminator.learning_rate",
        "config.objective.r1.weight": "r1.weight",
    }


def test_short_names_that_would_be_alike_stay_long():
    paths = ["config.generator_optimizer.adam.b1", "config.generator_optimizer.nadam.b1"]
    assert list(naming.short_names(paths).values()) == [
        "generator_optimizer.adam.b1",
        "generator_optimizer.nadam.b1",
    ]


def test_the_names_of_trials_are_safe_as_names_of_folders(tmp_path):
    values = ["minimax", "wasserstein + gradient_penalty(weight=10)"]
    made = make_plan(tmp_path, {"config.objective": {"values": values}})
    assert [trial.name for trial in made.trials] == [
        "objective=minimax",
        "objective=wasserstein-+-gradient_penalty-weight=10",
    ]


def test_long_names_are_cut_and_stay_different():
    many = {f"config.x.{i}": "y" * 20 for i in range(9)}
    first, second = (naming.trial_name(many | {"config.z": z}, None) for z in (1, 2))
    assert len(first) == len(second) == naming.LONGEST_NAME
    assert first != second


@pytest.mark.parametrize(
    ("spec", "flags", "name"),
    [
        (
            f"{RING}:unrolled",
            ["unroll=5", "seed=3", "steps=9"],
            "ring unrolled, unroll 5, seed 3",
        ),
        (RING, [], "ring, seed 0"),
        (
            f"{RING}:wgan_gp",
            ["objective.gradient_penalty.weight=1"],
            "ring wgan_gp, gradient_penalty.weight 1, seed 0",
        ),
        (RING, ["objective=hinge + r1"], "ring, objective hinge + r1, seed 0"),
    ],
)
def test_a_run_is_named_by_its_config_file_and_its_changes(spec, flags, name):
    config = configs.to_dict(configs.load(spec, flags))
    assert naming.run_name(spec, config) == name
    assert naming.with_wandb_name(spec, config) == config  # W&B is not used
    used = {**config, "wandb": {**config["wandb"], "use": True}}
    assert naming.with_wandb_name(spec, used)["wandb"]["name"] == name
    named = {**used, "wandb": {**used["wandb"], "name": "mine"}}
    assert naming.with_wandb_name(spec, named) == named


def test_the_members_of_a_population_share_a_group_in_wandb():
    overrides = ["population.seed=0,1", "wandb.use=true"]
    config = configs.to_dict(configs.load(RING, overrides))
    wandb = naming.with_wandb_name(RING, config)["wandb"]
    assert wandb["name"] == ""
    assert wandb["group"] == "ring, population of seed"
    assert wandb["tags"] == ("population",)
