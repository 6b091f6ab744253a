"""Progressive growing: the schedule, fades, resized images, networks at a phase's start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.training.progressive_growing import (
    Phase,
    check,
    fade,
    images_shown,
    phase_at,
    resize,
    schedule,
    starts,
    total_steps,
)

PHASES = (Phase(4, 8, 10), Phase(8, 8, 20, 10), Phase(16, 4, 5, 5))
SETTINGS = {"fmap_base": 32, "fmap_max": 6, "latent_size": 4}


def test_phases_by_step():
    assert starts(PHASES) == (0, 10, 30, 35) and total_steps(PHASES) == 35
    assert [phase_at(PHASES, step).resolution for step in (0, 9, 10, 29, 30, 34, 99)] == [
        4,
        4,
        8,
        8,
        16,
        16,
        16,
    ]
    steps = jnp.array([0, 9, 10, 11, 15, 19, 20, 29, 30, 34, 35, 99])
    expected = [1, 1, 0, 0.1, 0.5, 0.9, 1, 1, 0, 0.8, 1, 1]
    np.testing.assert_allclose(jax.jit(lambda step: fade(PHASES, step))(steps), expected, atol=1e-6)
    on_host = fade(PHASES, np.asarray(steps))
    assert isinstance(on_host, np.ndarray) and on_host.dtype == np.float32
    np.testing.assert_array_equal(on_host, jax.jit(lambda step: fade(PHASES, step))(steps))
    assert fade(PHASES, 12).shape == () and fade(PHASES, 12).dtype == jnp.float32
    assert [images_shown(PHASES, step) for step in (0, 10, 31, 99)] == [0, 80, 244, 260]


def test_the_papers_schedule():
    phases = schedule(1024, batch_sizes={256: 14, 512: 6, 1024: 3})
    assert [phase.resolution for phase in phases] == [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert phases[0] == Phase(4, 16, 37_500, 0) and phases[1] == Phase(8, 16, 75_000, 37_500)
    assert phases[-1] == Phase(1024, 3, 400_000, 200_000)


@pytest.mark.parametrize(
    "phases", [(), (Phase(4, 8, 0),), (Phase(4, 8, 2, 3),), (Phase(4, 8, 2), Phase(16, 8, 2))]
)
def test_schedules_that_cannot_be_are_refused(phases):
    with pytest.raises(UserError):
        check(phases)
    with pytest.raises(UserError):
        schedule(48)


def test_real_images_are_reduced_by_block_means_and_blended():
    real = jnp.arange(2 * 8 * 8 * 1.0).reshape(2, 8, 8, 1)
    small = resize(real, 4)
    np.testing.assert_allclose(small[0, 0, 0, 0], jnp.mean(real[0, :2, :2]))
    np.testing.assert_allclose(resize(real, 4, 1.0), small)
    half = resize(real, 4, jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(half[0], jnp.repeat(jnp.repeat(resize(real, 2)[0], 2, 0), 2, 1))
    np.testing.assert_allclose(
        half[1], (jnp.repeat(jnp.repeat(resize(real, 2)[1], 2, 0), 2, 1) + small[1]) / 2
    )
    with pytest.raises(UserError):
        resize(real, 16)


@pytest.mark.slow
def test_a_phase_begins_as_the_last_one_ended():
    phases = {
        side: networks.progan((16, 16, 2), resolution=side, **SETTINGS) for side in (4, 8, 16)
    }
    inits = [net.init(jax.random.key(0)) for net in phases.values()]
    for other in inits[1:]:
        jax.tree.map(np.testing.assert_array_equal, inits[0], other)
    generator, discriminator = inits[0]
    latents = phases[4].latent(jax.random.key(1), 4)
    for side in (8, 16):
        before, now = phases[side // 2], phases[side]

        def play(fades, before=before, now=now):
            old = before.generate(generator, latents)
            new = now.generate(generator, latents, fade=fades)
            small = resize(new, new.shape[1] // 2)
            return (
                old,
                new,
                before.score(discriminator, small),
                now.score(discriminator, new, fade=fades),
            )

        play = jax.jit(play)
        old, new, old_scores, new_scores = play(jnp.zeros(4))
        np.testing.assert_array_equal(new, jnp.repeat(jnp.repeat(old, 2, 1), 2, 2))
        np.testing.assert_allclose(new_scores, old_scores, rtol=1e-5, atol=1e-6)
        full = now.generate(generator, latents)
        np.testing.assert_allclose(play(jnp.ones(4))[1], full, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            play(jnp.ones(4))[3], now.score(discriminator, full), rtol=1e-4, atol=1e-4
        )
        # One fade per sample.
        mixed = play(jnp.array([0.0, 1.0, 0.5, 0.0]))[1]
        np.testing.assert_array_equal(mixed[0], new[0])
        np.testing.assert_allclose(mixed[2], (new[2] + full[2]) / 2, rtol=1e-4, atol=1e-4)
