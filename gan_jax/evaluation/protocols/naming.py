"""Names of protocols, under which their scores are recorded: ``fid50k``, ``kd_lenet_10k_train``.

A name is made of the metric, the extractor (left out if it is Inception), the number of generated
samples, and the split (left out if it is the one that the metric is usually computed on).
"""

from gan_jax.metrics.features import Extractor

EXTRACTOR_NAMES = {"efficientnet_lite0": "effnetlite0"}
"""Short names of extractors; a LeNet is ``lenet``, whatever it was trained on."""

USUAL_SPLITS = {("fid", 10_000): "test"}
"""The split that is left out of a name under Inception; for others it is ``"train"``."""


def protocol_name(
    inception_prefix: str,
    prefix: str,
    extractor: Extractor,
    samples: int,
    split: str | None = None,
) -> str:
    """Returns the name of a protocol that uses an extractor.

    Args:
      inception_prefix: how the name starts under Inception, by which scores are widely known.
      prefix: how it starts under other extractors, followed by the extractor's name.
      extractor: whose features are used.
      samples: how many are generated.
      split: of the real data, if it is used.
    """
    if extractor.name == "inception":
        name = counted_name(inception_prefix, samples)
        usual_split = USUAL_SPLITS.get((inception_prefix, samples), "train")
    else:
        name = counted_name(f"{prefix}_{_extractor_name(extractor)}_", samples)
        usual_split = "test"
    return name if split is None else name + split_suffix(split, usual_split)


def split_suffix(split: str, usual: str = "train") -> str:
    """Returns ``"_test"`` for the split ``"test"``, and nothing for the usual split."""
    return "" if split == usual else f"_{split}"


def counted_name(prefix: str, samples: int) -> str:
    """Returns a prefix followed by a number of samples: ``("fid", 50_000) -> "fid50k"``."""
    if samples and samples % 1000 == 0:
        return f"{prefix}{samples // 1000}k"
    return f"{prefix}{samples}"


def _extractor_name(extractor: Extractor) -> str:
    if extractor.name.startswith("lenet"):
        return "lenet"
    return EXTRACTOR_NAMES.get(extractor.name, extractor.name)
