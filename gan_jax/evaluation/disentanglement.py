"""Scores of an encoder on real samples whose factors of variation are known."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan_jax import metrics
from gan_jax.data import Dataset, samples_at
from gan_jax.errors import UserError
from gan_jax.evaluation.real_samples import chunks


class Disentanglement(NamedTuple):
    """Scores of codes; see `gan_jax.metrics`.

    Attributes:
      mig: the mutual information gap.
      factor_vae: the FactorVAE score.
      dci_disentanglement: whether each code is important for one factor alone.
      dci_completeness: whether each factor is predicted from one code alone.
      dci_informativeness: the accuracy with which factors are predicted.
    """

    mig: float
    factor_vae: float
    dci_disentanglement: float
    dci_completeness: float
    dci_informativeness: float


def disentanglement(
    encode: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    *,
    seed: int = 0,
    samples: int = 10_000,
    groups: int = 10_000,
    group_size: int = 64,
    trees: int = 100,
) -> Disentanglement:
    """Scores an encoder by MIG, the FactorVAE score and DCI on all samples of a dataset.

    All combinations of factors are encoded once; groups with a fixed factor are drawn from them.
    The numbers are those of Locatello et al. (2019), except that no sample is drawn twice for MIG
    and DCI, and that the trees of DCI are fitted to two thirds of the samples at most, and tried on
    others.

    Args:
      encode: samples ``[n, ...]``, images in [-1, 1], -> codes ``[n, d]``, d >= 2. Such as that of
        `gan_jax.training.encoding.fit_encoder`, or `recogniser` for an InfoGAN.
      dataset: with ``factors``, such as `gan_jax.data.factor_shapes`.
      seed: of what is drawn.
      samples: for MIG and for the trees, if there are so many; half as many for their accuracy.
      groups: of the FactorVAE score, and half as many for its accuracy.
      group_size: samples in each of them.
      trees: of DCI, for each factor and value.

    Returns:
      `Disentanglement`.

    Raises:
      UserError: the dataset's factors are not known, or there are not two codes or more.
    """
    if dataset.factors is None:
        raise UserError(
            "disentanglement is scored on samples whose factors are known: factor_shapes, or a "
            "Dataset with factors"
        )
    factors = dataset.factors
    codes = np.concatenate(
        [
            np.asarray(encode(samples_at(dataset, np.arange(part.start, part.stop))["real"]))
            for part in chunks(factors.count)
        ]
    )
    if codes.ndim != 2 or codes.shape[1] < 2:
        raise UserError(f"an encoder returns codes [n, d] with d >= 2, not {list(codes.shape)}")
    rng = np.random.default_rng(seed)
    combinations, order = factors.at(np.arange(factors.count)), rng.permutation(factors.count)

    def fixed(count: int) -> tuple[np.ndarray, np.ndarray]:
        """The codes of groups in each of which one factor is fixed, and which one."""
        which = rng.integers(0, len(factors.sizes), count)
        values = rng.integers(0, factors.sizes, (count, group_size, len(factors.sizes)))
        group = np.arange(count)
        values[group, :, which] = values[group, :1, which]
        index = factors.index(values.reshape(-1, len(factors.sizes)))
        return codes[index].reshape(count, group_size, -1), which

    some = order[:samples]
    gap = metrics.mutual_information_gap(codes[some], combinations[some])
    score = metrics.factor_vae_score(*fixed(groups), *fixed(groups // 2), codes.var(0, ddof=1))
    fitted = min(samples, 2 * factors.count // 3)
    train, test = order[:fitted], order[fitted : fitted + samples // 2]
    dci = metrics.dci(
        codes[train], combinations[train], codes[test], combinations[test], trees, seed
    )
    return Disentanglement(
        gap.score, score.score, dci.disentanglement, dci.completeness, dci.informativeness
    )
