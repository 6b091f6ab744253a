"""Samples of a trained generator."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.distributed.mesh import (
    BatchFunction,
    batch_parallel,
    divisible_batch_size,
    pad_batch,
    replicate,
)
from gan_jax.game import Array, Networks, Params, PRNGKey, per_sample


class Sampler:
    """Draws samples of one generator, in batches of one fixed size that are split over all devices: see `sampler`.

    All arrays that it takes and gives are on the host. Where there are several processes, all of them call it with the
    same arguments, and each gets all samples.
    """

    def __init__(
        self, networks: Networks, params: Params, classes: int, fade: float | None, batch_size: int
    ) -> None:
        self._networks, self._params, self._classes, self._fade = networks, params, classes, fade
        self._batch_size = divisible_batch_size(batch_size)

    @property
    def takes_labels(self) -> bool:
        """Whether the generator is given labels."""
        return self._classes > 0

    def __call__(
        self, rng: PRNGKey, n: int, label: np.ndarray | None = None, first: int = 0
    ) -> np.ndarray:
        """Samples ``first`` to ``first + n``: ``[n, ...]`` float32; ``label``: ``[n]`` int, one each."""
        return self._of_rows(_generated, rng, n, label, first)

    def latents(self, rng: PRNGKey, n: int, first: int = 0) -> np.ndarray:
        """The latents ``[n, ...]`` float32 of samples ``first`` to ``first + n``."""
        return self._of_rows(_latents, rng, n, None, first)

    def generate(self, latents: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
        """Samples ``[n, ...]`` float32 of latents ``[n, ...]``."""
        row = np.arange(len(latents))
        return self._batches(
            _decoded(self._networks),
            self._params,
            {"latents": latents} | self._conditions(row, label),
        )

    def _of_rows(
        self, program: Any, rng: PRNGKey, n: int, label: np.ndarray | None, first: int
    ) -> np.ndarray:
        row = np.arange(first, first + n)
        return self._batches(
            program(self._networks),
            (self._params, rng),
            {"sample_index": row.astype(np.int32)} | self._conditions(row, label),
        )

    def _conditions(self, row: np.ndarray, label: np.ndarray | None) -> dict[str, np.ndarray]:
        conditions: dict[str, np.ndarray] = {}
        if label is not None or self._classes:
            conditions["label"] = np.resize(
                row % self._classes if label is None else label, len(row)
            ).astype(np.int32)
        if self._fade is not None:
            conditions["fade"] = np.full(len(row), self._fade, np.float32)
        return conditions

    def _batches(
        self, program: BatchFunction, given: Any, rows: dict[str, np.ndarray]
    ) -> np.ndarray:
        size, n = self._batch_size, len(next(iter(rows.values())))
        batches = (
            {name: pad_batch(leaf[start : start + size], size) for name, leaf in rows.items()}
            for start in range(0, n, size)
        )
        return np.concatenate([np.asarray(program(given, batch), np.float32) for batch in batches])[
            :n
        ]


def sampler(
    networks: Networks,
    params: Params,
    *,
    classes: int = 0,
    fade: float | None = None,
    batch_size: int = 256,
    standing: int = 2048,
) -> Sampler:
    """What draws samples of the generator ``params``, ``batch_size`` at once (rounded up to divide over the devices).

    Sample i depends on ``(rng, i)`` and its label alone: not on how many are drawn nor on its neighbours. Where the
    generator has BatchNorm, its statistics are gathered once over ``standing`` latents and held. With ``classes`` the
    generator is given a label a sample, i mod ``classes`` where none is named; ``fade``: that of a growing generator.
    """
    params = replicate(params)
    if networks.standing:
        row = np.arange(standing, dtype=np.int32)
        # A program of one device would do, but statistics are of whole batches: each device gathers them alike.
        params = _settled(networks, params, row, {"label": row % classes} if classes else {})
    return Sampler(networks, params, classes, fade, batch_size)


# Programs are compiled once for the networks and shapes, not once for each sampler: evaluations during training make many.


@functools.lru_cache(maxsize=16)
def _generated(networks: Networks) -> BatchFunction:
    def generated(given: tuple[Params, PRNGKey], batch: dict[str, Array]) -> Array:
        (params, rng), (row, conditions) = given, _parted(batch, "sample_index")
        return networks.generate(params, _latents_of(networks, rng, row), **conditions)

    return batch_parallel(generated)


@functools.lru_cache(maxsize=16)
def _latents(networks: Networks) -> BatchFunction:
    return batch_parallel(
        lambda given, batch: _latents_of(networks, given[1], batch["sample_index"])
    )


@functools.lru_cache(maxsize=16)
def _decoded(networks: Networks) -> BatchFunction:
    def decoded(params: Params, batch: dict[str, Array]) -> Array:
        latents, conditions = _parted(batch, "latents")
        return networks.generate(params, latents, **conditions)

    return batch_parallel(decoded)


def _parted(batch: dict[str, Array], name: str) -> tuple[Array, dict[str, Array]]:
    return batch[name], {key: leaf for key, leaf in batch.items() if key != name}


def _latents_of(networks: Networks, rng: PRNGKey, row: Array) -> Array:
    return per_sample(rng, row, lambda key: networks.latent(key, 1)[0])


@functools.partial(jax.jit, static_argnums=0)
def _settled(
    networks: Networks, params: Params, row: Array, conditions: dict[str, Array]
) -> Params:
    assert networks.standing is not None
    return networks.standing(
        params, _latents_of(networks, jax.random.key(0), jnp.asarray(row)), **conditions
    )
