"""The numbers of a step do not depend on the devices that it runs on, nor on how it is mapped."""

import functools

import jax
import numpy as np
import optax
import parallelism_cases
import pytest

from gan_jax import networks
from gan_jax.distributed.mesh import device_mesh
from gan_jax.game import adversarial
from gan_jax.objectives import losses
from gan_jax.training import alternating, fused, init_state
from gan_jax.training.data_parallel import pmapped, sharded
from gan_jax.training.optimizers import average_over


@functools.cache
def on_one_device(case):
    return parallelism_cases.gradients(
        case, lambda step: sharded(step, device_mesh(jax.devices()[:1]))
    )


SLOW = ("AC-GAN", "unrolled 3 steps")
"""Cases that take 12 seconds or more to compile; `sharded`, the default, stays in `make test`."""

VERY_SLOW = (
    "IB-GAN",
    "pix2pix with dropout",
    "StyleGAN2",
    "VQGAN",
    "history with BatchNorm",
)
"""Slow in both."""


FAST = ("non_saturating with BatchNorm", "WGAN-GP with BatchNorm")
"""Those of `fully_sharded`; `test_fully_sharded` has smaller ones."""


@pytest.mark.parametrize(
    ("case", "parallelism"),
    [
        pytest.param(case, sharded, marks=pytest.mark.slow if case in VERY_SLOW else ())
        for case in parallelism_cases.CASES
    ]
    + [
        pytest.param(case, pmapped, marks=pytest.mark.slow if case in SLOW + VERY_SLOW else ())
        for case in parallelism_cases.CASES
    ]
    + [
        pytest.param(
            case,
            parallelism_cases.MAPPINGS["fully_sharded"],
            marks=() if case in FAST else pytest.mark.slow,
            id=f"{case}-fully_sharded",
        )
        for case in parallelism_cases.CASES
    ],
)
def test_four_devices_give_the_numbers_of_one(case, parallelism):
    assert jax.device_count() == 4
    parallelism_cases.assert_alike(
        on_one_device(case), parallelism_cases.gradients(case, parallelism)
    )


def test_a_plain_pmap_with_averaged_gradients_does_too():
    """For users who map the step themselves: `average_over` as both optimizers' first stage."""
    nets = networks.mlp((2,), latent_size=2, generator_widths=(4,), discriminator_widths=(4,))
    objective = adversarial(nets, {"wasserstein": losses.wasserstein()})
    real = np.random.default_rng(0).normal(size=(1, 8, 2)).astype(np.float32)
    batch = {"real": real, "sample_index": np.arange(8, dtype=np.int32)[None]}
    ends = []
    for stages, mapped in (
        ((), lambda step: jax.jit(step)),
        (
            (average_over("axis"),),
            lambda step: jax.pmap(step, "axis", in_axes=(None, 0, None), out_axes=None),
        ),
    ):
        optimizer = optax.chain(*stages, optax.sgd(0.1))
        state = init_state(nets, optimizer, optimizer, jax.random.key(0))
        split = {
            name: leaf.reshape(1, 4, 2, *leaf.shape[2:]).swapaxes(0, 1)
            for name, leaf in batch.items()
        }
        mapped_batch = split if stages else batch
        ends.append(
            mapped(alternating(objective, optimizer, optimizer))(
                state, mapped_batch, jax.random.key(0)
            )[0]
        )
    for one, other in zip(jax.tree.leaves(ends[0]), jax.tree.leaves(ends[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_pmapped_needs_sample_indices():
    with pytest.raises(ValueError, match='"sample_index"'):
        pmapped(fused(lambda *arguments: arguments))(
            {}, {"real": np.zeros((1, 1, 4, 2))}, jax.random.key(0)
        )
