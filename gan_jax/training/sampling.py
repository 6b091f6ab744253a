"""Samples of a trained generator."""

import functools
from typing import Any, Protocol

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
from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, call, draw_latents

__all__ = ["Sampler", "sampler"]

HostBatch = dict[str, np.ndarray]


class ConditionsFn(Protocol):
    """What a generator is given beside latents and labels, such as an image to start from."""

    def __call__(self, sample_index: np.ndarray, /) -> HostBatch:
        """Returns arrays ``[n, ...]`` by name, for the samples of these indices ``[n]``."""
        ...


class Sampler:
    """Draws samples of one generator, in batches of a fixed size that are split over all devices.

    It is made by `sampler`. All arrays that it takes and returns are on the host. If there are
    several processes, all of them call it with the same arguments, and each gets all samples.
    """

    def __init__(
        self,
        networks: Networks,
        params: Params,
        classes: int,
        fade: float | None,
        batch_size: int,
        conditions: ConditionsFn | None = None,
    ) -> None:
        self._networks = networks
        self._params = params
        self._classes = classes
        self._fade = fade
        self._given_conditions = conditions
        self._batch_size = divisible_batch_size(batch_size)

    @property
    def networks(self) -> Networks:
        """The networks."""
        return self._networks

    @property
    def params(self) -> Params:
        """The generator's parameters, standing statistics included."""
        return self._params

    @property
    def takes_labels(self) -> bool:
        """Whether the generator is given labels."""
        return self._classes > 0

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        conditions = self.conditions(np.arange(1))

        def generate(params: Params, key: PRNGKey) -> Array:
            sample_index = jnp.arange(1)
            latents = draw_latents(self._networks, key, sample_index)
            samples: Array = call(
                self._networks, "generate", params, latents, conditions, sample_index, key, use=0
            )
            return samples

        return tuple(jax.eval_shape(generate, self._params, jax.random.key(0)).shape[1:])

    @property
    def takes_latents(self) -> bool:
        """Whether the generator is given latents."""
        return self._networks.latent is not None

    @property
    def takes_conditions(self) -> bool:
        """Whether the generator is given anything beside latents and labels, such as an image."""
        return self._given_conditions is not None

    def __call__(
        self,
        rng: PRNGKey,
        n: int,
        label: np.ndarray | None = None,
        first: int = 0,
        conditions: HostBatch | None = None,
    ) -> np.ndarray:
        """Draws samples ``first`` to ``first + n``.

        Args:
          rng: the key of all samples; sample i depends on it, on i and on its label alone.
          n: how many samples.
          label: ``[n]`` int, their labels; None: i modulo the number of classes.
          first: the index of the first sample.
          conditions: ``[n, ...]`` by name, such as images to start from, in place of the sampler's
            own.

        Returns:
          Samples ``[n, ...]`` float32.
        """
        sample_index = np.arange(first, first + n)
        batch = {"sample_index": sample_index.astype(np.int32)}
        batch |= self.conditions(sample_index, label) | (conditions or {})
        samples: np.ndarray = self._in_batches(
            _sample_program(self._networks), (self._params, rng), batch
        )
        return samples

    def latents(self, rng: PRNGKey, n: int, first: int = 0) -> np.ndarray:
        """Draws the latents ``[n, ...]`` float32 of samples ``first`` to ``first + n``.

        Raises:
          UserError: the generator takes no latents.
        """
        if not self.takes_latents:
            raise UserError("this generator takes no latents")
        batch = {"sample_index": np.arange(first, first + n, dtype=np.int32)}
        latents: np.ndarray = self._in_batches(_latents_program(self._networks), rng, batch)
        return latents

    def generate(
        self,
        latents: np.ndarray,
        label: np.ndarray | None = None,
        sample_index: np.ndarray | None = None,
    ) -> np.ndarray:
        """Returns samples ``[n, ...]`` float32 from latents ``[n, ...]``; labels as in a call.

        Args:
          latents: ``[n, ...]``.
          label: as in a call.
          sample_index: ``[n]`` int, what the draws of a generator that draws depend on, such as its
            noise; None: 0, 1, ... The frames of a walk have one index, or noise flickers in it.
        """
        if sample_index is None:
            sample_index = np.arange(len(latents))
        batch = {"latents": latents, "sample_index": sample_index.astype(np.int32)}
        batch |= self.conditions(sample_index, label)
        samples: np.ndarray = self._in_batches(
            _generate_program(self._networks), self._params, batch
        )
        return samples

    @property
    def reconstructs(self) -> bool:
        """Whether the generator is an autoencoder."""
        return self._networks.autoencoder

    def reconstruct(self, rng: PRNGKey, n: int, first: int = 0) -> dict[str, np.ndarray]:
        """Draws samples of an autoencoder, with what they were made from.

        Args:
          rng: as in a call.
          n: how many samples.
          first: the index of the first sample.

        Returns:
          ``"real"``, what was reconstructed, and ``"fake"``, ``[n, ...]`` float32 each; and the
          generator's other outputs, such as ``"codes"``, by name.

        Raises:
          UserError: the generator is no autoencoder, or has no ``outputs``.
        """
        if not self.reconstructs or self._networks.outputs is None:
            raise UserError("this generator reconstructs no samples: it is no autoencoder")
        sample_index = np.arange(first, first + n)
        batch = {"sample_index": sample_index.astype(np.int32)}
        batch |= self.conditions(sample_index, None)
        program = _outputs_program(self._networks)
        made: HostBatch = self._in_batches(program, (self._params, rng), batch)
        return {"real": batch["real"]} | made

    def conditions(self, sample_index: np.ndarray, label: np.ndarray | None = None) -> HostBatch:
        """Returns what the generator is given for samples of these indices ``[n]``, by name."""
        n = len(sample_index)
        conditions: HostBatch = {}
        if label is not None:
            conditions["label"] = np.resize(label, n).astype(np.int32)
        elif self._classes:
            conditions["label"] = (sample_index % self._classes).astype(np.int32)
        if self._fade is not None:
            conditions["fade"] = np.full(n, self._fade, np.float32)
        if self._given_conditions is not None:
            conditions |= self._given_conditions(sample_index)
        return conditions

    def _in_batches(self, program: BatchFunction, shared: Params, batch: HostBatch) -> Any:
        """The results of a program for all samples, in batches of one size; the last is filled
        up."""
        size, n = self._batch_size, len(next(iter(batch.values())))
        if n < 1:
            raise UserError("a sampler draws at least 1 sample, not 0")
        results = []
        for start in range(0, n, size):
            part = {
                name: pad_batch(leaf[start : start + size], size) for name, leaf in batch.items()
            }
            results.append(jax.tree.map(_on_host, program(shared, part)))
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n], *results)


def sampler(
    networks: Networks,
    params: Params,
    *,
    classes: int = 0,
    fade: float | None = None,
    batch_size: int = 256,
    standing_latents: int = 2048,
    conditions: ConditionsFn | None = None,
) -> Sampler:
    """Returns a sampler of a generator.

    Sample i depends on ``(rng, i)`` and its label alone, neither on how many are drawn nor on its
    neighbours. If the generator has BatchNorm, its statistics are gathered here once and then held.

    Args:
      networks: the networks, of which the generator is sampled.
      params: the generator's parameters.
      classes: number of labels, 0 for none. Sample i has label i modulo ``classes`` unless labels
        are given.
      fade: the fade of a generator that grows, see `networks.progan`.
      batch_size: samples per batch, rounded up to divide over the devices.
      standing_latents: how many latents BatchNorm statistics are gathered over.
      conditions: what else the generator is given; it must be the same arrays each time.
    """
    params = replicate(params)
    if networks.standing is not None:
        sample_index = np.arange(standing_latents, dtype=np.int32)
        given = {"label": sample_index % classes} if classes else {}
        if conditions is not None:
            given |= conditions(sample_index)
        # Statistics are those of whole batches, so each device computes all of them.
        params = _with_standing_statistics(networks, params, sample_index, given)
    return Sampler(networks, params, classes, fade, batch_size, conditions)


def _on_host(leaf: Array) -> np.ndarray:
    """An array on the host, in float32 unless it holds integers."""
    kind = np.int32 if jnp.issubdtype(leaf.dtype, jnp.integer) else np.float32
    return np.asarray(leaf, kind)


# Programs are cached by networks: evaluations during training make many samplers of the same ones.


@functools.lru_cache(maxsize=16)
def _sample_program(networks: Networks) -> BatchFunction:
    def sample(shared: tuple[Params, PRNGKey], batch: dict[str, Array]) -> Array:
        params, rng = shared
        conditions = dict(batch)
        sample_index = conditions.pop("sample_index")
        latents = draw_latents(networks, rng, sample_index)
        samples: Array = call(
            networks, "generate", params, latents, conditions, sample_index, rng, use=0
        )
        return samples

    return batch_parallel(sample)


@functools.lru_cache(maxsize=16)
def _outputs_program(networks: Networks) -> BatchFunction:
    def sample(shared: tuple[Params, PRNGKey], batch: dict[str, Array]) -> dict[str, Array]:
        params, rng = shared
        conditions = dict(batch)
        sample_index = conditions.pop("sample_index")
        latents = draw_latents(networks, rng, sample_index)
        fake, outputs = call(
            networks, "outputs", params, latents, conditions, sample_index, rng, use=0
        )
        made: dict[str, Array] = outputs | {"fake": fake}
        return made

    return batch_parallel(sample)


@functools.lru_cache(maxsize=16)
def _latents_program(networks: Networks) -> BatchFunction:
    def draw(rng: PRNGKey, batch: dict[str, Array]) -> Array:
        latents = draw_latents(networks, rng, batch["sample_index"])
        assert latents is not None
        return latents

    return batch_parallel(draw)


@functools.lru_cache(maxsize=16)
def _generate_program(networks: Networks) -> BatchFunction:
    def generate(params: Params, batch: dict[str, Array]) -> Array:
        conditions = dict(batch)
        latents, sample_index = conditions.pop("latents"), conditions.pop("sample_index")
        key = jax.random.key(0)  # of a generator that draws
        samples: Array = call(
            networks, "generate", params, latents, conditions, sample_index, key, use=0
        )
        return samples

    return batch_parallel(generate)


@functools.partial(jax.jit, static_argnums=0)
def _with_standing_statistics(
    networks: Networks, params: Params, sample_index: Array, conditions: dict[str, Array]
) -> Params:
    assert networks.standing is not None
    latents = draw_latents(networks, jax.random.key(0), jnp.asarray(sample_index))
    return networks.standing(params, latents, **conditions)
