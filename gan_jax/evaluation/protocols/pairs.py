"""Translated images against the truth."""

import numpy as np

from gan_jax import metrics
from gan_jax.data import samples_at
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.naming import counted_name
from gan_jax.evaluation.real_samples import RealSamples, chunks


def paired_similarity(samples: int = 500, split: str = "test") -> Protocol:
    """Scores how close translations come to the targets that belong to their inputs.

    Gives means over images: ``l1``, the mean absolute error, from 0 to 1; ``psnr`` in decibels; and
    ``ssim``: ``paired500/l1``. Of two domains also those of each, ``paired500/a_l1``,
    ``paired500/b_l1``: the translations to A, and those to B.

    Args:
      samples: translated, the first of the split, and at most all of it.
      split: of the real data, whose conditions are the inputs; "train" for data without a held-out
        part.

    References:
      Wang et al., "Image quality assessment" (2004), for SSIM.
    """

    def score(generated: GeneratedSamples) -> dict[str, float]:
        dataset = generated.real.dataset(split)
        assert dataset.arrays is not None
        values: dict[str, list[np.ndarray]] = {}
        for chunk in chunks(min(samples, len(dataset.arrays["real"]))):
            pairs = samples_at(dataset, np.arange(chunk.start, chunk.stop))
            target = pairs.pop("real")
            made = generated.from_conditions(pairs)
            for name, (x, y) in _by_domain(made, target).items():
                values.setdefault(f"{name}l1", []).append(metrics.mean_absolute_error(x, y))
                values.setdefault(f"{name}psnr", []).append(metrics.psnr(x, y))
                similarity = metrics.ssim(np.clip(x, -1, 1), y, average=False)
                values.setdefault(f"{name}ssim", []).append(similarity)
        return {name: float(np.concatenate(parts).mean()) for name, parts in values.items()}

    def check_data(real: RealSamples) -> None:
        dataset = real.dataset(split)
        if not dataset.conditions or dataset.arrays is None:
            raise UserError(
                "the metric paired_similarity needs a finite dataset of pairs, such as "
                f"paired_shapes, and the split {split!r} of this one has none"
            )
        shape = dataset.shape
        if len(shape) < 3 or min(shape[-3:-1]) < 11:
            raise UserError(
                "the metric paired_similarity needs images of 11 pixels or more; the samples are "
                f"{shape}"
            )

    return Protocol(
        counted_name("paired", samples) + ("" if split == "test" else f"_{split}"),
        "paired_similarity",
        ("l1", "psnr", "ssim"),
        samples,
        score,
        split=split,
        check_data=check_data,
    )


def _by_domain(made: np.ndarray, target: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All images, and those of each domain."""
    if made.ndim == 4:
        return {"": (made, target)}
    flat = (made.reshape(-1, *made.shape[2:]), target.reshape(-1, *target.shape[2:]))
    return {"": flat, "a_": (made[:, 0], target[:, 0]), "b_": (made[:, 1], target[:, 1])}
