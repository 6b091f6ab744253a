"""What is refused, or remarked on, before a run starts."""

import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import data, networks
from gan_jax.errors import UserError
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.probes import depends_on_neighbours, probe
from gan_jax.game import Networks
from gan_jax.networks import layers
from gan_jax.training import init_state


def pair(shape, classes: int = 0, *, norm: str = "none") -> Networks:
    """A generator that is normalised by its batch, or not; one parameter is a statistic."""

    def init(rng):
        weights = {"w": jax.random.normal(rng, (2, shape[0]))}
        return weights | {"batch_stats": {"mean": jnp.zeros(2)}}, weights

    def generate(params, latents, label=None):
        x = jnp.tanh(latents @ params["w"])
        if label is not None:
            x = x + label[:, None]
        return x - x.mean(0)[None] if norm == "batch" else x

    return Networks(
        init=init,
        latent=lambda rng, n: jax.random.normal(rng, (n, 2)),
        generate=generate,
        score=lambda params, samples, label=None: samples @ params["w"].mean(0),
    )


@pytest.fixture
def experiment(root, monkeypatch):
    module = types.ModuleType("probed_parts")
    module.pair = pair
    monkeypatch.setitem(sys.modules, "probed_parts", module)

    def make(text, dataset=None):
        config = str(root / "configs" / "ring.py")
        settings = load_settings(config, [f"networks={text}", "batch_size=8"])
        return build(settings, dataset)

    return make


def test_networks_whose_samples_depend_on_their_neighbours_are_refused(experiment):
    with pytest.raises(UserError, match="probed_parts:pair, whose samples depend on the others"):
        probe(experiment("probed_parts:pair(norm=batch)"))
    labelled = data.Dataset.from_arrays(
        np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int32), 4
    )
    with pytest.raises(UserError, match="depend on the others"):
        probe(experiment("probed_parts:pair(norm=batch)", labelled))


def test_statistics_among_the_parameters_are_remarked_on(experiment):
    (remark,) = probe(experiment("probed_parts:pair"))
    assert "the generator's" in remark and "['batch_stats']['mean']" in remark


@pytest.mark.parametrize(("norm", "coupled"), [("batch", True), ("layer", False)])
def test_the_networks_of_this_package_have_standing_statistics_if_they_need_them(norm, coupled):
    nets = networks.mlp((2,), latent_size=2, generator_widths=(4,), norm=norm, init="normal")
    generator, _ = nets.init(jax.random.key(0))
    assert depends_on_neighbours(nets, generator, {}) is coupled
    assert (nets.standing is not None) is coupled


def test_data_that_a_tanh_cannot_reach_are_refused(experiment):
    def with_images(scale):
        images = np.linspace(0, scale, 8 * 16, dtype=np.float32).reshape(8, 4, 4, 1)
        return data.Dataset.from_arrays(images)

    small = "mlp(latent_size=2, generator_widths=(4,), discriminator_widths=(4,)"
    with pytest.raises(UserError, match=r"reach from 0 to 255, .* mlp from -1 to 1: scale"):
        probe(experiment(f"{small})", with_images(255)))
    assert probe(experiment(f"{small})", with_images(1))) == []
    assert probe(experiment(f"{small}, output=linear)", with_images(255))) == []
    assert probe(experiment(f"{small}, output=sigmoid)", with_images(1))) == []


def test_bounds_are_those_of_the_last_activation():
    for name, (low, high) in layers.BOUNDS.items():
        nets = networks.mlp((2,), latent_size=2, generator_widths=(4,), output=name)
        assert nets.bounds == (low, high)
        samples = layers.nonlinearity(name)(jnp.array([-1e4, 1e4]))
        np.testing.assert_allclose(samples, [low, high], atol=1e-6)
    assert networks.mlp((2,)).bounds is None


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [
        (jnp.zeros((), jnp.uint32), "uint32"),
        (jax.random.key(0), "key"),
        (jnp.tanh, "function|PjitFunction"),
    ],
)
def test_a_parameter_that_is_no_array_of_floats_is_refused(leaf, kind):
    good = pair((2,))
    bad = good._replace(init=lambda rng: (good.init(rng)[0], {"dropout": {"count": leaf}}))
    message = rf"discriminator's parameters hold .*({kind}).* at \['dropout'\]\['count'\]"
    with pytest.raises(TypeError, match=message):
        init_state(bad, optax.sgd(0.1), optax.sgd(0.1), jax.random.key(0))
