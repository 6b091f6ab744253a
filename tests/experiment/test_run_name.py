"""Names of runs in W&B, and short names of config paths."""

import pytest
from conftest import ROOT

from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.run_name import run_name, short_names, with_wandb_name

RING = f"{ROOT}/configs/ring.py"
RATE = "config.discriminator_optimizer.adam.learning_rate"


def test_short_names_say_which_optimizer_or_part_is_meant():
    assert short_names(
        ["config.generator_optimizer.adam.learning_rate", RATE, "config.objective.r1.weight"]
    ) == {
        "config.generator_optimizer.adam.learning_rate": "generator.learning_rate",
        RATE: "discriminator.learning_rate",
        "config.objective.r1.weight": "r1.weight",
    }


def test_short_names_that_would_be_alike_stay_long():
    paths = ["config.generator_optimizer.adam.b1", "config.generator_optimizer.nadam.b1"]
    assert list(short_names(paths).values()) == [
        "generator_optimizer.adam.b1",
        "generator_optimizer.nadam.b1",
    ]


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
            f"{RING}:wgan",
            [
                "discriminator_optimizer="
                "clip_weights(bound=0.01) + rmsprop(learning_rate=5e-5, decay=0.99)"
            ],
            "ring wgan, discriminator_optimizer clip_weights(bound=0.01) + "
            "rmsprop(learning_rate=5e-05, decay=0.99), seed 0",
        ),
        (
            f"{RING}:wgan_gp",
            ["objective.gradient_penalty.weight=1"],
            "ring wgan_gp, gradient_penalty.weight 1, seed 0",
        ),
        (RING, ["objective=hinge + r1"], "ring, objective hinge + r1, seed 0"),
    ],
)
def test_a_run_is_named_by_its_config_file_and_its_changes(spec, flags, name):
    settings = load_settings(spec, flags)
    assert run_name(spec, settings) == name
    assert with_wandb_name(spec, settings) == settings  # W&B is not used
    used = load_settings(spec, [*flags, "wandb.use=true"])
    assert with_wandb_name(spec, used).wandb.name == name
    named = load_settings(spec, [*flags, "wandb.use=true", "wandb.name=mine"])
    assert with_wandb_name(spec, named) == named


def test_the_members_of_a_population_share_a_group_in_wandb():
    settings = load_settings(RING, ["population.seed=0,1", "wandb.use=true"])
    wandb = with_wandb_name(RING, settings).wandb
    assert wandb.name == ""
    assert wandb.group == "ring, population of seed"
    assert wandb.tags == ("population",)
