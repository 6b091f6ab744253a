"""A sampler whose evaluation can be ended between two batches."""

from collections.abc import Callable

import numpy as np

from gan_jax.game import PRNGKey
from gan_jax.training.sampling import Sampler


class InterruptibleSampler:
    """Draws what a sampler draws, and calls a function before each time.

    Args:
      sampler: what draws.
      before_batch: may raise to end what the samples are drawn for. In a job of several processes
        all call it at the same places.
    """

    def __init__(self, sampler: Sampler, before_batch: Callable[[], None]) -> None:
        self._sampler, self._before_batch = sampler, before_batch

    @property
    def takes_labels(self) -> bool:
        """Whether the generator is given labels."""
        return self._sampler.takes_labels

    @property
    def takes_latents(self) -> bool:
        """Whether the generator is given latents."""
        return self._sampler.takes_latents

    @property
    def takes_conditions(self) -> bool:
        """Whether the generator is given images or other conditions."""
        return self._sampler.takes_conditions

    @property
    def reconstructs(self) -> bool:
        """Whether the generator is an autoencoder."""
        return self._sampler.reconstructs

    def reconstruct(self, rng: PRNGKey, n: int, first: int = 0) -> dict[str, np.ndarray]:
        """Draws reconstructions: see `Sampler`."""
        self._before_batch()
        return self._sampler.reconstruct(rng, n, first)

    def __call__(
        self,
        rng: PRNGKey,
        n: int,
        label: np.ndarray | None = None,
        first: int = 0,
        conditions: dict[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Draws samples: see `Sampler`."""
        self._before_batch()
        return self._sampler(rng, n, label, first, conditions)

    def latents(self, rng: PRNGKey, n: int, first: int = 0) -> np.ndarray:
        """Draws latents: see `Sampler`."""
        return self._sampler.latents(rng, n, first)

    def generate(self, latents: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
        """Returns samples of latents: see `Sampler`."""
        self._before_batch()
        return self._sampler.generate(latents, label)
