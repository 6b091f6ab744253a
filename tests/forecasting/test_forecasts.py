"""What is said of a run before it starts agrees with what it is."""

import dataclasses
import math
import runpy
from pathlib import Path

import jax
import pytest

from gan_jax import experiment, forecasting
from gan_jax.errors import UserError
from gan_jax.forecasting.machines import CHIPS

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps_per_call=5",
    "log_every=5",
    "sample_every=5",
    "evaluate_every=5",
    "checkpoint_every=5",
]


def settings(*overrides):
    return experiment.load_settings(f"{ROOT}/configs/ring.py:vanilla", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def found():
    return forecasting.forecast(settings())


def test_parameters_and_memory_are_those_of_the_state(found):
    state = experiment.build(settings()).init(jax.random.key(0))
    players = state.generator, state.discriminator

    def size(tree):
        return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))

    assert found.memory.parameters == size([player.params for player in players])
    assert found.memory.optimizers == size([player.opt_state for player in players])
    assert sum(math.prod(shape) for shape, _ in found.generator.values()) == 4 * 8 + 8 + 8 * 2 + 2
    # Five steps of 16 points and their indices, over four devices.
    assert found.memory.batch == 5 * 16 * (2 * 4 + 4) / jax.device_count()
    assert found.memory.activations > 0


def test_flops_are_those_of_two_updates(found):
    generator, discriminator = 4 * 8 + 8 * 2, 2 * 8 + 8
    real = 16 * discriminator
    fake = 16 * (generator + discriminator)
    # The discriminator's update: both passes, then the gradients of its weights, of each layer's
    # and, but for the first, of its inputs. The generator's: its own and those through D.
    update_d = 2 * (real + fake) + 2 * 2 * 16 * discriminator + 2 * 2 * 16 * 8
    least, most = update_d / 4, 4 * update_d / 4
    assert least <= found.flops <= most
    assert found.costs.kernels > 10


def test_a_larger_batch_needs_more_memory_and_the_largest_fits(found):
    twice = forecasting.forecast(settings("batch_size=32"))
    assert twice.flops == pytest.approx(2 * found.flops)
    assert twice.memory.total > found.memory.total
    assert found.largest_batch > 10_000 and found.largest_batch % jax.device_count() == 0


def test_the_command_says_it_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = runpy.run_path(str(ROOT / "experiments" / "train.py"))["train"]
    overrides = [f"--config.{override}" for override in SMALL]
    train([f"--config={ROOT}/configs/ring.py:vanilla", "--dry-run", *overrides])
    output = capsys.readouterr().out
    assert "generator: 58 parameters" in output
    assert "the largest batch that fits is about" in output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ("v5", "v5e"),
        ("v5e", "v5e:2x2"),
        ("h100:2x2", "h100:8"),
        ("a100:8", "names no machine"),
    ],
)
def test_machines_that_do_not_exist_are_refused(topology, said):
    with pytest.raises(UserError, match=said):
        forecasting.forecast(settings(), topology)


def test_a_population_takes_what_its_members_take(found):
    """Six members on four devices: two on each of three."""
    rates = "generator_optimizer.adam.learning_rate=1e-4,2e-4,3e-4,1e-4,2e-4,3e-4"
    population = forecasting.forecast(
        settings("population.seed=0,0,0,1,1,1", f"population.{rates}"), largest_batch=False
    )
    devices = jax.device_count()
    assert devices == 4 and population.members == 6 and population.largest_batch is None
    assert population.memory.parameters == 2 * found.memory.parameters
    assert population.memory.optimizers == 2 * found.memory.optimizers
    assert population.memory.batch == 2 * devices * found.memory.batch
    assert population.flops == pytest.approx(2 * devices * found.flops)
    assert population.costs.collectives == 0 < found.costs.collectives


def test_a_divided_state_takes_less_memory_on_each_device(found):
    """Of 58 and 33 parameters those in leaves of at least 16 entries, on four devices."""
    divided = forecasting.forecast(
        settings("parallelism=fully_sharded(smallest=16)"), largest_batch=False
    )
    large = [4 * 8, 8 * 2, 2 * 8]  # kernels of both layers of the generator, one of the other
    saved = sum(large) * 4 * 3 // 4
    assert found.memory.parameters - divided.memory.parameters == saved
    assert found.memory.optimizers - divided.memory.optimizers == 2 * saved  # Adam's moments
    assert found.memory.averages - divided.memory.averages == (4 * 8 + 8 * 2) * 4 * 3 // 4
    assert divided.costs.collectives > found.costs.collectives


def test_the_program_of_a_run_measures_health(found):
    whole = forecasting.forecast(settings(), health=True, largest_batch=False)
    assert whole.costs.kernels > found.costs.kernels
    assert whole.memory.parameters == found.memory.parameters


def test_a_roofline_is_bound_by_its_slowest_part(found):
    chip = CHIPS["h100"]
    machine = dataclasses.replace(found.machine, chip=chip)
    costs = forecasting.Costs(kernels=100, bytes=chip.bandwidth * 1e-3, sent=0)
    seconds = dataclasses.replace(found, machine=machine, costs=costs).seconds
    assert seconds["memory"] == pytest.approx(1e-3)
    assert seconds["launches"] == pytest.approx(100 * 2.5e-6)
    assert seconds["communication"] == 0
