"""What scores are called."""

from gan_jax.metrics.features import Extractor

SHORT = {"inception": "", "efficientnet_lite0": "effnetlite0"}
CUSTOMARY = {("fid", 10_000): "test"}
"""The split that goes unsaid in a name; elsewhere it is ``"train"``."""


def named(
    inception: str, other: str, extractor: Extractor, samples: int, split: str | None = None
) -> str:
    """The name of a score under an extractor: the well-known one under Inception alone."""
    known = extractor.name == "inception"
    short = SHORT.get(
        extractor.name, "lenet" if extractor.name.startswith("lenet") else extractor.name
    )
    name = amount(inception if known else f"{other}_{short}_", samples)
    return (
        name
        if split is None
        else name + of(split, CUSTOMARY.get((inception, samples), "train" if known else "test"))
    )


def of(split: str, customary: str = "train") -> str:
    """``"_test"``, and nothing for the customary split."""
    return "" if split == customary else f"_{split}"


def amount(name: str, samples: int) -> str:
    """``("fid", 50_000) -> "fid50k"``."""
    return f"{name}{samples // 1000}k" if samples and samples % 1000 == 0 else f"{name}{samples}"
