"""The examples of docs/examples: short enough to be read, and they run."""

import math
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "docs" / "examples").glob("*.py"))
MOST_LINES = 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert text.startswith('"""') and "gan_jax._" not in text and "import _" not in text


LONG_TO_COMPILE = (
    "cyclegan",
    "patch_discriminator",
    "pix2pix",
    "signals",
    "two_scales",
    "vqgan_adaptive_weight",
)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem in LONG_TO_COMPILE else ())
        for path in EXAMPLES
    ],
    ids=lambda path: path.stem,
)
def test_an_example_runs(path):
    numbers = runpy.run_path(str(path))["main"](steps=12)
    assert numbers and all(math.isfinite(value) for value in numbers.values())
