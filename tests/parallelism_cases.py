"""Games whose step must not depend on how it is mapped, for tests of devices and of processes."""

import functools

import jax
import numpy as np
import optax
from jax.experimental import multihost_utils

from gan_jax import data, networks
from gan_jax.distributed import multihost
from gan_jax.distributed.mesh import compute_replicated
from gan_jax.game import adversarial
from gan_jax.objectives import (
    adaptive_weight,
    autoencoding,
    every,
    history,
    losses,
    penalties,
    reconstruction,
    regularisers,
    slicing,
    unrolled,
)
from gan_jax.training import alternating, fused, init_state
from gan_jax.training.data_parallel import fully_sharded, pmapped, sharded

MAPPINGS = {
    "sharded": sharded,
    "pmapped": pmapped,
    # Small networks: most leaves have at least 32 entries.
    "fully_sharded": functools.partial(fully_sharded, smallest=32),
}
# SGD: Adam would hide a factor in the gradients.
SGD = optax.sgd(0.1)
BATCH, CLASSES = 16, 3
CASES = {
    "non_saturating with BatchNorm": (losses.non_saturating(), {}, 0),
    "WGAN-GP with BatchNorm": (losses.wasserstein() + penalties.gradient_penalty(), {}, 0),
    "unrolled 3 steps": (losses.minimax(), {}, 3),
    "AC-GAN": (
        losses.non_saturating() + losses.auxiliary_classifier(),
        {"labels": "auxiliary"},
        0,
    ),
    "pix2pix with dropout": (
        losses.least_squares() + reconstruction.reconstruction(10.0),
        {"conditions": {"input": (8, 8, 1)}},
        0,
    ),
    "SAN": (slicing.san(losses.hinge()), {}, 0),
    "IB-GAN": (
        losses.non_saturating() + losses.mutual_information(0, 3) + autoencoding.kl(0.2),
        {},
        0,
    ),
    "StyleGAN2": (
        losses.non_saturating()
        + every(2, penalties.r1())
        + every(2, regularisers.path_length(share=1)),
        {},
        0,
    ),
    "VQGAN": (
        losses.hinge()
        + reconstruction.reconstruction()
        + autoencoding.codebook()
        + autoencoding.commitment(),
        {},
        0,
    ),
    "history with BatchNorm": (losses.non_saturating(), {}, 0),
}

OF_TWO_PROCESSES = (
    "WGAN-GP with BatchNorm",
    "unrolled 3 steps",
    "AC-GAN",
    "pix2pix with dropout",
    "history with BatchNorm",
)
"""Each compiles nine times; `test_data_parallel` has all cases on four devices of one process."""
TRANSFORMATIONS = {
    "VQGAN": lambda objective: adaptive_weight(
        objective, "hinge", "reconstruction", "params/decoder/output/kernel"
    ),
    "history with BatchNorm": lambda objective: history(objective, (8, 8, 1), 20),
}
"""What the objectives of some cases are turned into."""


def gradients(case: str, mapping) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """How two mapped steps of SGD move each player's parameters, and their metrics."""
    terms, settings, unroll = CASES[case]
    classes = CLASSES if "labels" in settings else 0
    nets = make_networks(case, classes, settings)
    objective = TRANSFORMATIONS.get(case, lambda same: same)(adversarial(nets, terms))
    objective = unrolled(objective, unroll, SGD)
    run = mapping(fused(alternating(objective, SGD, SGD), data.decode))
    draws = np.random.default_rng(0)
    batch = {
        "real": draws.integers(0, 256, (2, 2, BATCH, 8, 8, 1), np.uint8),
        "sample_index": np.tile(np.arange(BATCH, dtype=np.int32), (2, 2, 1)),
    }
    if "conditions" in settings:
        batch["input"] = draws.integers(0, 256, (2, 2, BATCH, 8, 8, 1), np.uint8)
    if classes:
        batch["label"] = draws.integers(0, classes, (2, 2, BATCH)).astype(np.int32)
    batch = {name: leaf[:, :, multihost.process_slice(BATCH)] for name, leaf in batch.items()}
    key = compute_replicated(lambda: jax.random.key(0))
    start = compute_replicated(lambda: init_state(nets, SGD, SGD, jax.random.key(0), objective))
    before = {
        player: flat(getattr(start, player).params) for player in ("generator", "discriminator")
    }
    state, metrics = run(start, batch, key)
    moved = {player: flat(getattr(state, player).params) - before[player] for player in before}
    return moved, {name: np.asarray(values) for name, values in metrics.items()}


def make_networks(case, classes, settings):
    if "conditions" in settings:
        return networks.pix2pix((8, 8, 1), width=2, layers=1, **settings)
    if case == "StyleGAN2":
        small = {"latent_size": 3, "style_size": 3, "mapping_layers": 1, "channel_max": 2}
        return networks.stylegan2((8, 8, 1), **small)
    if case == "VQGAN":
        small = {"widths": (2, 2), "codes": 5, "code_size": 2}
        return networks.vqgan((8, 8, 1), **small, discriminator_width=2, discriminator_layers=1)
    dcgan = functools.partial(
        networks.dcgan, width=4, latent_size=3, discriminator_norm="batch", **settings
    )
    if case == "IB-GAN":
        recognising = functools.partial(dcgan, labels="auxiliary")
        return networks.ib_gan((8, 8, 1), latent_size=3, networks=recognising)
    make = functools.partial(networks.san, networks=dcgan) if "SAN" in case else dcgan
    return make((8, 8, 1), classes)


def flat(tree) -> np.ndarray:
    """All leaves as one vector, gathered where other processes hold parts of them."""
    return np.concatenate([np.ravel(_whole(leaf)) for leaf in jax.tree.leaves(tree)])


def _whole(leaf) -> np.ndarray:
    if not isinstance(leaf, jax.Array) or leaf.is_fully_replicated or leaf.is_fully_addressable:
        return np.asarray(leaf)
    return multihost_utils.process_allgather(leaf, tiled=True)


def assert_alike(one, other) -> None:
    """Gradients within 1e-5 of their size, metrics within rounding."""
    for player, moved in one[0].items():
        assert np.linalg.norm(moved) > 0
        assert np.linalg.norm(moved - other[0][player]) < 1e-5 * np.linalg.norm(moved), player
    for name, values in one[1].items():
        np.testing.assert_allclose(values, other[1][name], rtol=1e-4, atol=1e-6, err_msg=name)
