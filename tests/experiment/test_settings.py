"""Settings: parsed from configs, changed by flags, compared, kept as JSON."""

import json
import sys

import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment.config_files import extend_python_path, load_settings
from gan_jax.experiment.differences import differences, identity_differences
from gan_jax.experiment.overrides import flat, with_value
from gan_jax.experiment.part_text import Part
from gan_jax.experiment.settings import as_config, dumps, loads, parse

RING = "configs/ring.py"


@pytest.fixture(autouse=True)
def in_checkout(root, monkeypatch):
    monkeypatch.chdir(root)


def test_the_second_part_of_a_name_is_changed_by_its_number():
    settings = load_settings(
        RING, ["objective=hinge + every(n=16, term=r1) + every(n=4, term=path_length)"]
    )
    changed = with_value(settings, "objective.every_2.n", 8)
    assert str(changed.objective[1]) == "every(n=16, term='r1')"
    assert str(changed.objective[2]) == "every(n=8, term='path_length')"
    assert differences(settings, changed) == {"objective.every_2.n": (4, 8)}
    assert loads(dumps(changed)) == changed


@pytest.mark.parametrize(
    ("flag", "path", "value"),
    [
        ("discriminator_steps=5", "discriminator_steps", 5),
        ("steps=1e4", "steps", 10_000),
        ("steps=10_000", "steps", 10_000),
        ("ema_decay=1", "ema_decay", 1.0),
        ("unroll_resample=true", "unroll_resample", True),
        ("unroll_resample=0", "unroll_resample", False),
        ("wandb.tags=a,b", "wandb.tags", ("a", "b")),
        ("wandb.tags=('a', 'b')", "wandb.tags", ("a", "b")),
        ("wandb.tags=[32, 32]", "wandb.tags", ("32", "32")),
        ("wandb.tags=", "wandb.tags", ()),
        ("wandb.name=a=b", "wandb.name", "a=b"),
        ("wandb.name=3", "wandb.name", "3"),
        ("extra_discriminator_steps.burst=7", "extra_discriminator_steps.burst", 7),
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
            "objective=hinge + every(n=16, term=r1) + every(n=4, term=path_length(weight=3))",
            "objective.every_2.term.path_length.weight",
            3,
        ),
        ("objective=my_losses:tv(weight=3)", "objective.my_losses:tv.weight", 3),
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
        (
            "generator_optimizer.adam.learning_rate=my_rates:decay",
            "generator_optimizer.adam.learning_rate.my_rates:decay",
            {},
        ),
        ("population.seed=range(3)", "population.seed", (0, 1, 2)),
        ("population={'seed': (0, 1)}", "population.seed", (0, 1)),
        ("population.objective.r1.gamma=1,2", "population.objective.r1.gamma", (1, 2)),
        ("metrics=", "metrics", ()),
    ],
)
def test_a_flag_sets_one_leaf(flag, path, value):
    plain, changed = flat(load_settings(RING)), flat(load_settings(RING, [flag]))
    assert changed[path] == value
    field = path.split(".")[0]
    assert {key: leaf for key, leaf in plain.items() if key.split(".")[0] != field} == {
        key: leaf for key, leaf in changed.items() if key.split(".")[0] != field
    }


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("discriminator_stps=5", "did you mean discriminator_steps"),
        ("discriminator_steps=abc", "takes a whole number, not 'abc'"),
        ("discriminator_steps=1.5", "takes a whole number"),
        ("discriminator_steps=[1, 2]", "takes a whole number"),
        ("seed=true", "takes a whole number"),
        ("ema_decay=x", "takes a number"),
        ("ema_decay=(1, 2)", "takes a number"),
        ("ema_decay=1e999", "takes a number"),
        (f"ema_decay={10**400}", "takes a number"),
        ("unroll=f(1)", "takes a whole number"),
        ("unroll=a(b=c)", "takes a whole number, not a"),
        ("steps=0x" + "f" * 4000, "takes a whole number"),
        ("python_path=('a\\0b',)", "takes texts"),
        ("population.seed=range(1000000000000)", "at most 65536 members"),
        ("objective=" + "hinge + " * 5000 + "hinge", "takes parts like"),
        ("unroll_resample=3", "true or false"),
        ("discriminator_steps", "needs a value"),
        ("objective=wasserstein +", "takes parts like"),
        ("objective=hinge + hinge", "names hinge twice"),
        ("objective=every(n=2, term=r1) + every(n=4, term=r1)", "names every twice for r1"),
        ("objective=hinge(1)", "takes parts like"),
        ("objective=__import__('os').system('x')", "takes parts like"),
        ("dataset=ring + grid", "names one part"),
        ("dataset=", "names one part"),
        ("objective.r1.weight=3", "config.objective.r1"),
        ("wandb=3", "set them one by one"),
        ("population=3", "takes fields with a tuple of values each"),
        ("wandb.nme=x", "did you mean name"),
        ("log_every.x=3", "has no parts"),
        ("discriminator_optimizer.adam=3", "cannot be set alone"),
        ("discriminator_optimizer.rmsprop.decay=1", "config.discriminator_optimizer.rmsprop"),
        ("networks.mlp.latent_size.x=1", "config.networks.mlp.latent_size.x"),
        # Text like a call, in a field that takes no parts.
        ("unroll=a(b=c)", "takes a whole number"),
        ("unroll=f(1)", "takes a whole number"),
    ],
)
def test_a_bad_flag_gets_one_line_that_says_what_is_wrong(flag, says):
    with pytest.raises(UserError) as caught:
        load_settings(RING, [flag])
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_the_last_flag_wins_and_later_flags_reach_into_earlier_ones():
    flags = ["discriminator_steps=2", "objective=wasserstein + r1", "discriminator_steps=3"]
    settings = load_settings(RING, [*flags, "objective.r1.gamma=7"])
    assert settings.discriminator_steps == 3
    assert settings.objective == (Part("wasserstein"), Part("r1", {"gamma": 7}))


def test_a_path_reaches_into_a_part_whose_module_has_dots():
    flags = ["objective=a.b.c:tv(weight=1) + r1", "objective.a.b.c:tv.weight=3"]
    settings = load_settings(RING, flags)
    assert settings.objective[0] == Part("a.b.c:tv", {"weight": 3})
    assert flat(settings)["objective.a.b.c:tv.weight"] == 3


def test_numbers_of_numpy_are_written_as_pythons():
    path = "generator_optimizer.adam.learning_rate"
    settings = with_value(load_settings(RING), path, np.float64(1e-3))
    assert loads(dumps(settings)) == settings


def test_optimizers_of_one_text_are_set_one_by_one():
    settings = load_settings(RING, ["discriminator_optimizer.adam.b1=0.25"])
    assert settings.discriminator_optimizer[0].settings["b1"] == 0.25
    assert settings.generator_optimizer[0].settings["b1"] == 0.5


def test_bad_files_and_variants(tmp_path):
    with pytest.raises(UserError, match="no config file"):
        load_settings("configs/rng.py")
    with pytest.raises(UserError, match="did you mean unrolled"):
        load_settings("configs/ring.py:unroled")
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_that_name")
    with pytest.raises(
        UserError, match="ModuleNotFoundError: No module named 'nothing_of_that_name'"
    ):
        load_settings(str(broken))
    mistyped = tmp_path / "mistyped.py"
    start = "from configs import default\ndef get_config():\n    c = default.get_config()\n"
    mistyped.write_text(start + "    c.turnss = 1\n")
    with pytest.raises(UserError, match="turnss"):
        load_settings(str(mistyped))
    empty = tmp_path / "empty.py"
    empty.write_text("")
    with pytest.raises(UserError, match=r"defines no get_config\(\)"):
        load_settings(str(empty))


def test_a_config_file_may_lie_anywhere(tmp_path):
    file = tmp_path / "mine.py"
    start = "from configs import default\ndef get_config():\n    c = default.get_config()\n"
    file.write_text(start + "    c.steps = 7\n    return c\n")
    settings = load_settings(str(file))
    assert settings.steps == 7 and settings.python_path == (str(tmp_path),)
    assert load_settings(RING).python_path == ()


def test_a_flag_adds_to_the_python_path_of_a_config_file(root, tmp_path):
    (tmp_path / "mine.py").write_text((root / RING).read_text())
    settings = load_settings(str(tmp_path / "mine.py"), ["python_path=/elsewhere"])
    assert settings.python_path == ("/elsewhere", str(tmp_path))


def test_modules_next_to_the_configs_of_the_repository_are_found_again(root, monkeypatch):
    settings = load_settings(RING)
    assert settings.python_path == ()
    configs = str(root / "configs")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != configs])
    extend_python_path(settings)  # as reading the run does
    assert configs in sys.path


def test_a_copy_of_the_configs_keeps_its_folder(root, tmp_path):
    for name in ("ring.py", "default.py"):
        (tmp_path / name).write_text((root / "configs" / name).read_text())
    assert load_settings(str(tmp_path / "ring.py")).python_path == (str(tmp_path),)


def test_json_keeps_settings():
    flags = ["population.seed=0,1", "population.objective.wasserstein.x=1.0,2.0"]
    for overrides in ([], flags):
        settings = load_settings("configs/fashion_mnist.py:wgan", overrides)
        assert loads(dumps(settings)) == settings
        assert parse(as_config(settings)) == settings
    assert json.loads(dumps(settings))["objective"] == "wasserstein"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wandb": 3}, "set them one by one"),
        ({"objective": {"hinge": {}}}, "takes text like"),
        ({"sed": 1}, "did you mean seed"),
        ({"steps": "many"}, "takes a whole number"),
        ({"steps": None}, "takes a whole number"),
        ({"population": 3}, "a tuple of values each"),
    ],
)
def test_a_damaged_config_json_is_refused_in_one_line(change, says):
    config = json.loads(dumps(load_settings(RING))) | change
    with pytest.raises(UserError, match=says):
        loads(json.dumps(config))


def test_a_config_json_that_lacks_fields_or_is_no_mapping_is_refused():
    config = json.loads(dumps(load_settings(RING)))
    del config["seed"], config["wandb"]["mode"]
    with pytest.raises(UserError, match=r"lacks config\.seed"):
        loads(json.dumps(config))
    for text in ("[1]", "3", "null"):
        with pytest.raises(UserError, match="not a config"):
            loads(text)


def test_differences_name_the_leaves():
    a = load_settings(RING)
    b = load_settings(RING, ["discriminator_steps=2", "objective=hinge", "steps=3"])
    different = {
        "discriminator_steps": (1, 2),
        "objective.hinge": (None, {}),
        "objective.minimax": ({}, None),
    }
    assert identity_differences(a, b) == different
    assert differences(a, b) == different | {"steps": (25_000, 3)}


def test_the_order_of_optimizers_is_a_difference_and_that_of_terms_is_none():
    chain = ["clip_weights(bound=0.1)", "sgd(learning_rate=0.1)"]
    a, b = (
        load_settings(RING, [f"generator_optimizer={' + '.join(parts)}"])
        for parts in (chain, chain[::-1])
    )
    assert identity_differences(a, b) == {
        "generator_optimizer": (" + ".join(chain), " + ".join(chain[::-1]))
    }
    a, b = (load_settings(RING, [f"objective={text}"]) for text in ("hinge + r1", "r1 + hinge"))
    assert identity_differences(a, b) == {}
