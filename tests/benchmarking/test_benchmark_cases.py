"""The benchmark cases: both sides take the same step, and each case runs in its small form."""

import dataclasses
import importlib
import importlib.util
import json
import runpy
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.experiment.builder import build
from gan_jax.experiment.part_text import Part
from gan_jax.game import per_sample

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="pip install -e '.[oracles]'"
)


@pytest.fixture
def case(root, monkeypatch):
    """Imports a module of experiments/benchmarks by name."""
    monkeypatch.syspath_prepend(str(root / "experiments" / "benchmarks"))
    return importlib.import_module


def draws_of(run, networks, batch):
    """Returns what our step 0 draws.

    These are the latents and interpolation shares of each discriminator update, and the latents of
    the generator's update.
    """
    discriminator_steps, size = batch["real"].shape[1:3]
    sample_indices = jnp.arange(size)
    discriminator_key, generator_key = jax.random.split(jax.random.fold_in(run.executor.key(0), 0))

    def latents(key):
        return per_sample(
            jax.random.fold_in(key, 0), sample_indices, lambda key: networks.latent(key, 1)[0]
        )

    def shares(key):  # a term's key is that of its place; 0 draws the latents
        names = sorted(term.name for term in run.settings.objective)
        place = 1 + [*names, "gradient_penalty"].index("gradient_penalty")
        return per_sample(
            jax.random.fold_in(key, place),
            sample_indices,
            lambda key: jax.random.uniform(key, dtype=batch["real"].dtype),
        )

    keys = jax.random.split(discriminator_key, discriminator_steps)
    return [(latents(key), shares(key)) for key in keys], latents(generator_key)


def as_tensor(array, images=False):
    import torch

    tensor = torch.from_numpy(np.array(array))
    return tensor.movedim(-1, 1) if images else tensor


EPS = 1e-3  # of Adam on both sides: with 1e-8 the first update is the gradient's sign alone


def adam(**settings):
    parts = (Part("adam", {"learning_rate": 1e-4, "eps": EPS, "eps_root": 1e-14} | settings),)
    return {"generator_optimizer": parts, "discriminator_optimizer": parts}


def assert_same_step(ours, theirs, pytorch):
    """Takes a step on both sides from the same weights with the same draws, in double precision."""
    chunk = next(iter(ours.executor.experiment.chunks(0, 1)))
    batch = {name: np.asarray(leaf) for name, leaf in ours.executor.batch(chunk).items()}
    batch["real"] = batch["real"].astype(np.float64)
    settings = dataclasses.replace(ours.settings, precision="float64")
    stage = build(settings, ours.executor.experiment.dataset).stages[0]
    state = jax.tree.map(
        lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, ours.state
    )
    step_batch = stage.prepare({name: leaf[0] for name, leaf in batch.items()})
    new_state, _ = jax.jit(stage.make_step({}))(state, step_batch, ours.executor.key(0))

    real = np.asarray(stage.prepare({"real": batch["real"][0]})["real"])
    networks = (theirs.generator.double(), theirs.discriminator.double())
    for network, player in zip(networks, (state.generator, state.discriminator), strict=True):
        pytorch.load(network, player.params)
    initial = [flat_parameters(network) for network in networks]
    discriminator_draws, latents = draws_of(ours, stage.networks, batch)
    draws = [
        (as_tensor(x, images=real.ndim > 3), *map(as_tensor, latents_and_shares))
        for x, latents_and_shares in zip(real, discriminator_draws, strict=True)
    ]
    theirs.step(draws, as_tensor(latents))

    players = (new_state.generator, new_state.discriminator)
    for network, before, player in zip(networks, initial, players, strict=True):
        after = flat_parameters(network)
        pytorch.load(network, player.params)
        difference = np.linalg.norm(flat_parameters(network) - after)
        assert difference <= 1e-5 * np.linalg.norm(after - before)


def flat_parameters(network):
    """Returns all parameters as one vector."""
    return np.concatenate(
        [parameter.detach().numpy().ravel() for parameter in network.parameters()]
    )


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize("unroll", [0, 2])
def test_a_step_on_the_ring_is_the_same_on_both_sides(case, unroll, float64):
    toy, pytorch = case("toy"), case("_pytorch")
    fields = {"batch_size": 64, "unroll": unroll} | adam(b1=0.5, b2=0.999)
    ours = toy.training_run("unrolled" if unroll else "non_saturating", 1, **fields)
    assert_same_step(ours, toy.metz(pytorch, unroll, False, EPS), pytorch)


@needs_torch
@pytest.mark.slow
def test_a_step_of_the_toy_wgan_gp_is_the_same_on_both_sides(case, float64):
    toy, pytorch = case("toy"), case("_pytorch")
    ours = toy.training_run("wgan_gp", 1, batch_size=32, **adam(b1=0.5, b2=0.9))
    assert_same_step(ours, toy.gulrajani(pytorch, False, EPS), pytorch)


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "size", "discriminator_steps"), [("wgan_gp", 16, 2), ("dcgan", 28, 1)]
)
def test_a_step_on_images_is_the_same_on_both_sides(
    case, variant, size, discriminator_steps, float64
):
    images, pytorch = case("images"), case("_pytorch")
    rates = (
        adam(b1=0.5, b2=0.9) if variant == "wgan_gp" else adam(b1=0.5, b2=0.999, learning_rate=2e-4)
    )
    ours = images.training_run(
        variant,
        size,
        8,
        4,
        1,
        discriminator_steps=discriminator_steps,
        **rates,
    )
    assert_same_step(ours, images.pytorch_game(pytorch, variant, size, 4, eps=EPS), pytorch)


@pytest.mark.slow
@needs_torch
def test_progans_block_is_the_same_on_both_sides(case):
    images, pytorch = case("images"), case("_pytorch")
    ours = images.BlockTraining(2, 4, 3, 4)
    theirs = pytorch.block(ours.initial_params, ours.inputs, compiled=False, channels_last=True)
    np.testing.assert_allclose(ours(), theirs(), rtol=1e-4)  # after an update


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "only"),
    [
        ("toy", "K = 10"),
        ("images", "ProGAN"),
        ("population", "4 "),
        ("input", "28x28"),
        ("streaming", "batches"),
        ("convolutions", "64x64x3 to 32x32x8, forward"),
        ("devices", "2 virtual devices"),
        ("startup", "cache"),
        ("health", "ring"),
        ("evaluation", "ring"),
    ],
)
def test_a_case_runs_in_its_small_form(root, tmp_path, name, only):
    benchmark = runpy.run_path(str(root / "experiments" / "benchmark.py"))["benchmark"]
    benchmark([name, "--small", "--rounds=1", f"--only={only}", f"--out={tmp_path / name}.json"])
    results = json.loads((tmp_path / f"{name}.json").read_text())["results"]
    assert results[0]["peer"]
    for result in results:
        assert result["seconds"] > 0
        counts_operations = name in ("toy", "images", "convolutions")
        assert (result["peak_share"] is not None) == counts_operations


def test_without_pytorch_a_case_says_how_to_install_it(case, monkeypatch, capsys):
    sides = case("_sides")
    monkeypatch.delitem(sys.modules, "_pytorch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    assert sides.pytorch_peers(lambda pytorch: {"peer": None}) == {}
    assert "pip install -e '.[oracles]'" in capsys.readouterr().err
