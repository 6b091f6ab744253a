"""Configs as values: files, flags, comparisons."""

import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import config as configs

RING = "configs/ring.py"


@pytest.fixture(autouse=True)
def in_checkout(root, monkeypatch):
    monkeypatch.chdir(root)


@pytest.mark.parametrize(
    ("flag", "path", "value"),
    [
        ("discriminator_steps=5", "discriminator_steps", 5),
        ("steps=1e4", "steps", 10_000),
        ("steps=10_000", "steps", 10_000),
        ("ema_decay=1", "ema_decay", 1.0),
        ("unroll_resample=true", "unroll_resample", True),
        ("wandb.tags=a,b", "wandb.tags", ("a", "b")),
        ("wandb.tags=('a', 'b')", "wandb.tags", ("a", "b")),
        ("wandb.tags=[32, 32]", "wandb.tags", (32, 32)),
        ("wandb.name=a=b", "wandb.name", "a=b"),
        ("networks.mlp.latent_size=3", "networks.mlp.latent_size", 3),
        ("networks.mlp.generator_widths=32,16", "networks.mlp.generator_widths", (32, 16)),
        (
            "discriminator_optimizer.adam.learning_rate=3e-4",
            "discriminator_optimizer.adam.learning_rate",
            3e-4,
        ),
        ("objective=hinge", "objective.hinge", {}),
        ("update_rule=alternating(reuse=true)", "update_rule.alternating.reuse", True),
        (
            "objective=wasserstein + gradient_penalty(weight=3)",
            "objective.gradient_penalty.weight",
            3,
        ),
        (
            "objective={'wasserstein': {}, 'gradient_penalty': {'weight': 3}}",
            "objective.gradient_penalty.weight",
            3,
        ),
        (
            "generator_optimizer=rmsprop(decay=-1e-3) + clip_weights(bound=.1)",
            "generator_optimizer.clip_weights.bound",
            0.1,
        ),
        (
            "generator_optimizer=adam(learning_rate=linear_schedule(init_value=1, end_value=0))",
            "generator_optimizer.adam.learning_rate.linear_schedule.end_value",
            0,
        ),
    ],
)
def test_flags_set_one_leaf(flag, path, value):
    plain = configs.flat(configs.load(RING))
    changed = configs.flat(configs.load(RING, [flag]))
    assert changed[path] == value
    part = path.split(".")[0]
    assert {key: v for key, v in plain.items() if key.split(".")[0] != part} == {
        key: v for key, v in changed.items() if key.split(".")[0] != part
    }


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("discriminator_stps=5", "did you mean discriminator_steps?"),
        ("discriminator_steps=abc", "takes a whole number, such as 1, not 'abc'"),
        ("discriminator_steps=1.5", "takes a whole number"),
        ("discriminator_steps=[1, 2]", "takes a whole number"),
        ("seed=true", "takes a whole number"),
        ("ema_decay=x", "takes a number"),
        ("ema_decay=(1, 2)", "takes a number"),
        ("unroll_resample=3", "true or false"),
        ("discriminator_steps", "needs a value"),
        ("objective=wasserstein +", "takes parts like"),
        ("objective=hinge + hinge", "takes parts like"),
        ("objective=hinge(1)", "takes parts like"),
        ("objective=__import__('os').system('x')", "takes parts like"),
        ("objective.r1.weight=3", "config.objective.r1"),
        ("wandb=3", "set them one by one"),
        ("wandb.nme=x", "did you mean name"),
        ("log_every.x=3", "has no parts"),
        ("discriminator_optimizer.adam=3", "cannot be set alone"),
        ("discriminator_optimizer.rmsprop.decay=1", "has no stage 'rmsprop'"),
    ],
)
def test_bad_flags_say_what_is_wrong_in_one_line(flag, says):
    with pytest.raises(UserError) as caught:
        configs.load(RING, [flag])
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_the_last_flag_wins_and_later_flags_reach_into_earlier_ones():
    config = configs.load(
        RING,
        [
            "discriminator_steps=2",
            "objective=wasserstein + r1",
            "discriminator_steps=3",
            "objective.r1.weight=7",
        ],
    )
    assert config.discriminator_steps == 3 and configs.to_dict(config)["objective"]["r1"] == {
        "weight": 7
    }


def test_chains_do_not_share_their_settings():
    config = configs.load(RING, ["discriminator_optimizer.adam.b1=0.25"])
    assert (
        config.discriminator_optimizer[0]["adam"]["b1"],
        config.generator_optimizer[0]["adam"]["b1"],
    ) == (0.25, 0.5)


def test_bad_files_and_variants(tmp_path):
    with pytest.raises(UserError, match="no config file"):
        configs.load("configs/rng.py")
    with pytest.raises(UserError, match="did you mean unrolled"):
        configs.load("configs/ring.py:unroled")
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_that_name")
    with pytest.raises(
        UserError, match="ModuleNotFoundError: No module named 'nothing_of_that_name'"
    ):
        configs.load(str(broken))
    mistyped = tmp_path / "mistyped.py"
    mistyped.write_text(
        "from configs import default\ndef get_config():\n    c = default.get_config()\n    c.turnss = 1\n"
    )
    with pytest.raises(UserError, match="turnss"):
        configs.load(str(mistyped))


def test_text_and_json_keep_a_config():
    config = configs.to_dict(configs.load("configs/fashion_mnist.py:wgan"))
    assert configs.loads(configs.dumps(config)) == config
    for field in ("objective", "networks", "discriminator_optimizer"):
        stages = [config[field]] if isinstance(config[field], dict) else config[field]
        parts = {name: settings for stage in stages for name, settings in stage.items()}
        assert configs.parse_parts(field, configs.to_text(config[field])) == parts


def test_differences_name_the_leaves():
    a = configs.to_dict(configs.load(RING))
    b = configs.to_dict(configs.load(RING, ["discriminator_steps=2", "objective=hinge"]))
    assert configs.differences(a, b) == {
        "discriminator_steps": (1, 2),
        "objective.hinge": (None, {}),
        "objective.minimax": ({}, None),
    }
