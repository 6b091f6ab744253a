"""What named parts can name, and how they are built."""

import functools

import optax
import pytest
import tiny

from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.experiment import part_building, registry
from gan_jax.experiment.part_building import build_part, build_protocols
from gan_jax.experiment.part_text import parse_parts
from gan_jax.experiment.registry import names
from gan_jax.game import Networks, Term, adversarial
from gan_jax.networks import NetworksFactory
from gan_jax.objectives import losses


def part(text):
    (only,) = parse_parts(text)
    return only


def test_each_field_knows_its_own_kind():
    assert {"ring", "fashion_mnist", "npz"} <= set(names("dataset"))
    assert {"mlp", "dcgan", "packed"} <= set(names("networks"))
    assert {"minimax", "wasserstein", "gradient_penalty", "r1"} <= set(names("objective"))
    assert names("update_rule") == [
        "alternating",
        "consensus",
        "extragradient",
        "simultaneous",
        "symplectic",
    ]
    assert names("parallelism") == ["fully_sharded", "pmapped", "sharded"]
    assert {"clip_weights"} <= set(names("discriminator_optimizer"))
    assert {"fid50k", "modes", "kid"} <= set(names("metrics"))
    assert not {"slopes", "batches", "fused", "composed"} & {
        name for field in registry.NAMESPACES for name in names(field)
    }
    assert "objective: " in registry.describe() and "any function of optax" in registry.describe()


def test_parts_are_built():
    assert isinstance(build_part("dataset", part("ring(modes=3)")), Dataset)
    assert isinstance(build_part("objective", part("r1(gamma=2)")), Term)
    schedule = "adam(learning_rate=cosine_decay_schedule(init_value=1e-3, decay_steps=10))"
    assert isinstance(
        build_part("generator_optimizer", part(schedule)), optax.GradientTransformation
    )
    objective = adversarial(tiny.networks(), losses.hinge())
    ramp = "linear_schedule(init_value=0.0, end_value=0.8, transition_steps=10)"
    weighted = f"adaptive_weight(terms='hinge', against='l1', layer='params', scale={ramp})"
    assert callable(build_part("transformations", part(weighted), objective=objective).generator)
    nested = build_part("dataset", part("fixed(dataset=ring(modes=3), n=5)"))
    assert len(nested.arrays["real"]) == 5


def test_a_setting_cannot_name_what_a_module_imports_for_itself():
    for name in ("did_you_mean", "check_objective"):
        text = f"adaptive_weight(terms='a', against='b', layer='c', scale={name}())"
        with pytest.raises(UserError, match=f"names '{name}'") as caught:
            build_part("transformations", part(text), objective=None)
        assert "without_fakes" not in str(caught.value)


@pytest.mark.parametrize("networks", ["''", "3", "'mlp('", "'mlp, dcgan'"])
def test_networks_of_networks_are_one_part(networks):
    with pytest.raises(UserError, match=r"config\.networks\.packed\.networks names one part"):
        build_part("networks", part(f"packed(m=2, networks={networks})"), shape=(2,), classes=0)


def test_a_module_that_lacks_another_is_not_said_to_be_missing(tmp_path, monkeypatch):
    (tmp_path / "lacks_another.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="importing lacks_another fails: ModuleNotFoundError"):
        build_part("objective", part("lacks_another:term"))
    with pytest.raises(UserError, match="PYTHONPATH"):
        build_part("objective", part("no_such_package.module:term"))


def test_a_function_whose_arguments_are_unknown_is_refused():
    with pytest.raises(UserError, match="names builtins:dict, whose arguments cannot be read"):
        build_part("objective", part("builtins:dict"))


def test_networks_of_networks_get_a_factory_with_the_dtype_of_the_run():
    text = "packed(m=2, networks=mlp(latent_size=3, generator_widths=(4,)))"
    networks = build_part("networks", part(text), shape=(2,), classes=0, dtype="bfloat16")
    assert isinstance(networks, Networks)
    seen = []

    def spy(shape, classes=0, *, networks: NetworksFactory) -> Networks:
        seen.append(networks)
        return networks(shape, classes)

    part_building._call(
        "networks.spy",
        "networks",
        spy,
        part("spy(networks=mlp)"),
        {},
        {"shape": (2,), "dtype": "bfloat16"},
    )
    assert isinstance(seen[0], functools.partial) and seen[0].keywords == {"dtype": "bfloat16"}


def test_hyperparameters_replace_settings_and_defaults():
    calls = []

    def term(weight: float = 1.0, other: float = 2.0) -> Term:
        calls.append((weight, other))
        return Term(discriminator=lambda round: 0.0)

    numbers = {"objective.term.other": 7.0, "objective.other.weight": 9.0}
    part_building._call("objective.term", "objective", term, part("term(weight=3.0)"), numbers, {})
    assert calls == [(3.0, 7.0)]


OWN = """
from gan_jax import Term
def tv(weight: float = 1.0) -> Term:
    return Term(
        discriminator=lambda round: weight * round.fake_scores.mean(),
        generator=lambda round: 0.0,
    )
def nothing():
    return 3
value = 3
"""


def test_a_function_of_any_module_can_be_named(tmp_path, monkeypatch):
    (tmp_path / "own_losses_of_a_test.py").write_text(OWN)
    with pytest.raises(UserError, match=r"No module named 'own_losses_of_a_test'.*python_path"):
        build_part("objective", part("own_losses_of_a_test:tv"))
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(build_part("objective", part("own_losses_of_a_test:tv(weight=2.0)")), Term)
    for text, says in {
        "own_losses_of_a_test:vt": "known: Term, nothing, tv",
        "own_losses_of_a_test:value": "has no function 'value'",
        "own_losses_of_a_test:nothing": "returns int, not Term",
        "own_losses_of_a_test:tv(wight=2.0)": "did you mean weight",
        "own_losses_of_a_test:tv(weight='x')": "takes float, not 'x'",
    }.items():
        with pytest.raises(UserError, match=says):
            build_part("objective", part(text))


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("dataset", "rin", "did you mean ring"),
        ("dataset", "batches", "names 'batches'"),
        ("objective", "wasserstin", "did you mean wasserstein"),
        ("objective", "r1(gama=3)", "did you mean gamma"),
        ("objective", "r1(gamma=true)", "takes float, not True"),
        ("objective", "r1(gamma=inf)", "takes float, not 'inf'"),
        ("dataset", "tfds", "needs name"),
        ("generator_optimizer", "adm", "did you mean adam"),
        ("generator_optimizer", "apply_updates(params=1, updates=1)", "not GradientTransformation"),
        ("generator_optimizer", "adam(learning_rate=cosin(x=1))", "names 'cosin'"),
        ("generator_optimizer", "adam(learning_rate='cosine(0.1)')", "are written key=value"),
        ("metrics", "fid", "names 'fid'"),
        ("networks", "packed(networks=packed(m=2))", "packed needs networks"),
        ("update_rule", "alternating(objective=3)", "has no setting 'objective'"),
    ],
)
def test_a_bad_part_gets_one_line(field, text, says):
    context = {"objective": None, "generator_optimizer": None} if field == "update_rule" else {}
    with pytest.raises(UserError, match=says) as caught:
        build_part(field, part(text), **context)
    assert "\n" not in str(caught.value)


def test_protocols_take_the_number_of_samples_and_the_weights_that_are_named_for_all():
    few = build_protocols(parse_parts("modes, fd_lenet"), samples=100)
    assert [protocol.samples for protocol in few] == [100, 100]
    with pytest.raises(UserError, match="weights"):
        build_protocols(parse_parts("fid50k"))
    with pytest.raises(UserError, match="none of modes takes weights"):
        build_protocols(parse_parts("modes"), weights="x.npz")
