"""The benchmark cases: both sides take the same step, and each case runs in its small form."""

import importlib
import importlib.util
import json
import runpy
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.game import per_sample

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="pip install -e '.[oracles]'"
)


@pytest.fixture
def case(root, monkeypatch):
    """A case's module by name."""
    monkeypatch.syspath_prepend(str(root / "experiments" / "benchmarks"))
    return importlib.import_module


def draws_of(contestant, batch):
    """What our step at step 0 draws: latents and interpolation shares of each turn, and the generator's latents."""
    discriminator_steps, size = batch["real"].shape[1:3]
    rows = jnp.arange(size)
    latent = contestant.experiment.stages[0].networks.latent
    first, second = jax.random.split(jax.random.fold_in(contestant.program.key, 0))

    def latents(key):
        return per_sample(jax.random.fold_in(key, 0), rows, lambda key: latent(key, 1)[0])

    def shares(key):  # a term's key is that of its place; 0 draws the latents
        place = 1 + [*contestant.config["objective"], "gradient_penalty"].index("gradient_penalty")
        return per_sample(
            jax.random.fold_in(key, place),
            rows,
            lambda key: jax.random.uniform(key, dtype=batch["real"].dtype),
        )

    return [
        (latents(key), shares(key)) for key in jax.random.split(first, discriminator_steps)
    ], latents(second)


def as_tensor(array, images=False):
    import torch

    tensor = torch.from_numpy(np.array(array))
    return tensor.movedim(-1, 1) if images else tensor


EPS = 1e-3  # of Adam on both sides: with 1e-8 the first move is the gradient's sign alone


def adam(**settings):
    stages = ({"adam": {"learning_rate": 1e-4, "eps": EPS, "eps_root": 1e-14} | settings},)
    return {"generator_optimizer": stages, "discriminator_optimizer": stages}


def assert_same_step(ours, theirs, side):
    """One step of ours and one of PyTorch's, from the same weights and with the same draws, move them alike."""
    chunk = next(iter(ours.experiment.chunks(0, 1, 1)))
    batch = ours.program.batch(chunk)
    batch = {
        name: np.asarray(leaf, np.float64) if name == "real" else np.asarray(leaf)
        for name, leaf in batch.items()
    }
    stage = ours.experiment.stages[0]
    state = jax.tree.map(
        lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, ours.state
    )
    real = np.asarray(stage.prepare({"real": batch["real"][0]})["real"])
    images = real.ndim > 3
    each, z = draws_of(ours, batch)
    theirs.g.double(), theirs.d.double()
    side.load(theirs.g, state.generator.params)
    side.load(theirs.d, state.discriminator.params)
    before = [flat(network) for network in (theirs.g, theirs.d)]
    first = stage.prepare({name: leaf[0] for name, leaf in batch.items()})
    after, _ = jax.jit(stage.train_step)(state, first, ours.program.key)
    draws = [
        (as_tensor(x, images), *map(as_tensor, drawn)) for x, drawn in zip(real, each, strict=True)
    ]
    theirs.step(draws, as_tensor(z))
    for network, start, player in zip(
        (theirs.g, theirs.d), before, (after.generator, after.discriminator), strict=True
    ):
        moved = flat(network)
        side.load(network, player.params)
        assert np.linalg.norm(flat(network) - moved) <= 1e-5 * np.linalg.norm(moved - start)


def flat(network):
    """All parameters, as one vector."""
    return np.concatenate(
        [parameter.detach().numpy().ravel() for parameter in network.parameters()]
    )


@needs_torch
@pytest.mark.parametrize("unroll", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_step_on_the_ring_is_the_same_on_both_sides(case, unroll, float64):
    toy, side = case("toy"), case("_opponents")
    fields = {"batch_size": 64, "precision": "float64", "unroll": unroll} | adam(b1=0.5, b2=0.999)
    ours = toy.ours("unrolled" if unroll else "non_saturating", 1, **fields)
    assert_same_step(ours, toy.metz(side, unroll, False, EPS), side)


@needs_torch
def test_a_step_of_the_toy_wgan_gp_is_the_same_on_both_sides(case, float64):
    toy, side = case("toy"), case("_opponents")
    ours = toy.ours("wgan_gp", 1, batch_size=32, precision="float64", **adam(b1=0.5, b2=0.9))
    assert_same_step(ours, toy.gulrajani(side, False, EPS), side)


@needs_torch
@pytest.mark.parametrize(
    ("variant", "size", "discriminator_steps"),
    [pytest.param("wgan_gp", 16, 2, marks=pytest.mark.slow), ("dcgan", 28, 1)],
)
def test_a_step_on_images_is_the_same_on_both_sides(
    case, variant, size, discriminator_steps, float64
):
    images, side = case("images"), case("_opponents")
    rates = (
        adam(b1=0.5, b2=0.9) if variant == "wgan_gp" else adam(b1=0.5, b2=0.999, learning_rate=2e-4)
    )
    ours = images.ours(
        variant,
        size,
        6,
        4,
        1,
        precision="float64",
        discriminator_steps=discriminator_steps,
        **rates,
    )
    assert_same_step(ours, images.game(side, variant, size, 4, eps=EPS), side)


@needs_torch
def test_progans_block_is_the_same_on_both_sides(case):
    images, side = case("images"), case("_opponents")
    ours = images.OurBlock(2, 4, 3, 4)
    theirs = side.block(ours.first, ours.xs, compiled=False, channels_last=True)
    np.testing.assert_allclose(ours(), theirs(), rtol=1e-4)  # after two updates


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize(("name", "only"), [("toy", "K = 10"), ("images", "ProGAN"), ("population", "4 "), ("input", "28x28"),
    ("convolutions", "64x64x3 to 32x32x8, forward")])  # fmt: skip
def test_a_case_runs(root, tmp_path, name, only):
    run = runpy.run_path(str(root / "experiments" / "benchmark.py"))["benchmark"]
    run([name, "--small", "--rounds=1", f"--only={only}", f"--out={tmp_path / name}.json"])
    results = json.loads((tmp_path / f"{name}.json").read_text())["results"]
    assert len(results) == 1 and results[0]["peer"] and results[0]["seconds"] > 0
    assert (results[0]["of_peak"] is not None) == (name in ("toy", "images", "convolutions"))


def test_without_pytorch_a_case_says_how_to_get_it(case, monkeypatch, capsys):
    contestant = case("_contestant")
    monkeypatch.delitem(sys.modules, "_opponents", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    assert contestant.opponents(lambda side: {"peer": None}) == {}
    assert "pip install -e '.[oracles]'" in capsys.readouterr().err
