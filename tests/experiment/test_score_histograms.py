"""The scores that histograms are drawn from."""

import dataclasses

import jax
import numpy as np
import pytest

from gan_jax import random
from gan_jax.experiment import score_histograms
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings


def test_scores_are_the_discriminators_own_of_that_steps_batch(root):
    tiny = [
        "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
        "batch_size=64",
        "discriminator_steps=2",
    ]
    experiment = build(load_settings(str(root / "configs" / "ring.py"), tiny))
    key = random.key(0)
    state = jax.jit(experiment.init)(key)
    found = score_histograms.score_histograms(experiment, state, 3, key)
    assert {name: value.shape for name, value in found.items()} == {
        "histograms/real_scores": (64,),
        "histograms/fake_scores": (64,),
    }
    (chunk,) = experiment.chunks(2, 3)
    real = experiment.batch(chunk)["real"][0, -1]  # the third step's last discriminator step
    expected = experiment.stages[0].networks.score(state.discriminator.params, real)
    np.testing.assert_allclose(found["histograms/real_scores"], expected, rtol=1e-5)
    assert np.ptp(found["histograms/fake_scores"]) > 0
    other = score_histograms.score_histograms(experiment, state, 4, key)
    assert not np.allclose(found["histograms/fake_scores"], other["histograms/fake_scores"])


@pytest.mark.slow
def test_scores_of_labelled_and_of_growing_networks(root, fashion_mnist):
    for variant in ("acgan", "progan"):
        config = str(root / "configs" / f"fashion_mnist.py:{variant}")
        settings = load_settings(config, ["batch_size=8"])
        phases = settings.progressive_growing[:2]
        short = tuple((phase[0], 8, 2, min(phase[3], 1)) for phase in phases)
        experiment = build(dataclasses.replace(settings, progressive_growing=short))
        state = jax.jit(experiment.init)(random.key(0))
        for step in (
            (1, 3) if variant == "progan" else (1,)
        ):  # step 3 fades in the second resolution
            found = score_histograms.score_histograms(experiment, state, step, random.key(0))
            assert all(value.shape == (8,) and np.isfinite(value).all() for value in found.values())
