"""What shows only once networks are called and data is read, looked at before a run starts."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import samples_at
from gan_jax.errors import UserError
from gan_jax.experiment.builder import Experiment
from gan_jax.game import Array, Networks, Params, call, draw_latents

PROBED_SAMPLES = 1000
"""Real samples whose range is looked at."""

TOLERANCE = 2e-3
"""How far, as a share of the interval, real samples may lie outside of it: rounding."""

PROBED_BATCH = 8
"""Generated samples, of which all but the first are exchanged."""

RUNNING_STATISTICS = (
    "batch_stats",
    "running_mean",
    "running_var",
    "moving_mean",
    "moving_variance",
    "num_batches_tracked",
)
"""What libraries call the statistics that a BatchNorm layer would update as it is called."""


def probe(experiment: Experiment) -> list[str]:
    """Checks that the generator can reach the data, and that its samples are independent.

    Samples are only probed if the networks are a function of one's own.

    Args:
      experiment: what a run is about to train.

    Returns:
      Lines to print: parameters that look like statistics, which training would not update.

    Raises:
      UserError: real samples lie outside of the interval of the generator's, or a sample depends on
        its neighbours and the networks have no ``standing``.
    """
    networks, name = experiment.stages[-1].networks, experiment.settings.networks.name
    _check_range(experiment, networks)
    if ":" not in name:
        return []
    generator, discriminator = networks.init(jax.random.key(0))
    if networks.standing is None and not networks.autoencoder:
        _check_independence(experiment, networks, generator)
    return [
        f"warning: the {player}'s parameters hold running statistics, {', '.join(paths)}, which no "
        "step updates: use gan_jax.networks.layers.BatchNorm, or a norm without statistics"
        for player, params in (("generator", generator), ("discriminator", discriminator))
        if (paths := running_statistics(params))
    ]


def running_statistics(params: Params) -> list[str]:
    """Returns the paths of parameters that are called like the statistics of a BatchNorm layer."""
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    return [path for path in paths if any(name in path for name in RUNNING_STATISTICS)]


def depends_on_neighbours(
    networks: Networks, params: Params, conditions: Mapping[str, np.ndarray]
) -> bool:
    """Returns whether a generated sample changes if the others of its batch do.

    Args:
      networks: the networks.
      params: the generator's parameters.
      conditions: what it is given beside latents, ``[n, ...]`` by name, n of `PROBED_BATCH`.
    """
    index, key = jnp.arange(PROBED_BATCH), jax.random.key(0)
    latents = draw_latents(networks, key, index)

    @jax.jit
    def generate(sources: Array) -> Array:
        inputs, given = jax.tree.map(
            lambda leaf: jnp.asarray(leaf)[sources], (latents, dict(conditions))
        )
        made: Array = call(networks, "generate", params, inputs, given, index, key, use=0)
        return made

    # One of the others twice and one not at all: their mean must not stay what it was.
    exchanged = jnp.concatenate([index[:1], index[1:-1], index[1:2]])
    first, second = np.asarray(generate(index))[0], np.asarray(generate(exchanged))[0]
    return bool(np.abs(first - second).max() > 1e-4 * np.abs(first).max())


def _check_independence(experiment: Experiment, networks: Networks, generator: Params) -> None:
    dataset, index = experiment.dataset, np.arange(PROBED_BATCH)
    conditions = experiment.held_out_conditions(index) if dataset.conditions else {}
    if dataset.classes:
        conditions["label"] = (index % dataset.classes).astype(np.int32)
    if depends_on_neighbours(networks, generator, conditions):
        raise UserError(
            f"config.networks names {experiment.settings.networks.name}, whose samples depend on "
            "the others of their batch: give Networks a function standing, which fixes the "
            "statistics to sample with, or use a norm of each sample alone"
        )


def _check_range(experiment: Experiment, networks: Networks) -> None:
    dataset, bounds = experiment.dataset, networks.bounds
    if bounds is None:
        return
    real = samples_at(dataset, np.arange(_probed(experiment)))["real"]
    low, high = float(real.min()), float(real.max())
    slack = TOLERANCE * (bounds[1] - bounds[0])
    if low < bounds[0] - slack or high > bounds[1] + slack:
        raise UserError(
            f"the samples of config.dataset reach from {low:g} to {high:g}, and those of the "
            f"networks {experiment.settings.networks.name} from {bounds[0]:g} to {bounds[1]:g}: "
            "scale the data, or choose another last activation (output='linear')"
        )


def _probed(experiment: Experiment) -> int:
    arrays = experiment.dataset.arrays
    return PROBED_SAMPLES if arrays is None else min(PROBED_SAMPLES, len(arrays["real"]))
