"""Samples of truncated styles."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings


def experiment(root, nets):
    """One whose networks are these, and a state for its sampler."""
    built = build(load_settings(str(root / "configs/ring.py")))
    stage = dataclasses.replace(built.stages[0], networks=nets)
    state = SimpleNamespace(generator_ema=nets.init(jax.random.key(0))[0])
    return dataclasses.replace(built, stages=(stage,)), state


def test_samples_of_styles_that_are_truncated_to_their_mean_are_all_alike(root):
    nets = networks.stylegan2(
        (4, 4, 1), latent_size=2, style_size=4, mapping_layers=1, channel_max=4, noise=False
    )
    run, state = experiment(root, nets)
    alike, near, plain = (
        run.sampler(state, 0, truncation)(jax.random.key(1), 3) for truncation in (0.0, 0.5, None)
    )
    np.testing.assert_allclose(alike, alike[:1].repeat(3, 0), rtol=1e-5, atol=1e-6)
    assert np.ptp(alike, 0).max() < np.ptp(near, 0).max() < np.ptp(plain, 0).max()


def test_truncation_needs_styles(root):
    run, state = experiment(root, networks.mlp((2,)))
    with pytest.raises(UserError, match="such as stylegan2: that of mlp has none"):
        run.sampler(state, 0, 0.7)
