"""Writes docs/variants.md: each variant of each config with its parts and papers, each figure.

python docs/write_variants.py
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gan_jax import experiment
from gan_jax.experiment.config_files import load_module
from gan_jax.experiment.part_text import parts_text

ROOT = Path(__file__).resolve().parents[1]

HEAD = """# Variants and results

Made by `python docs/write_variants.py` from `configs/` and `results/`. A variant is trained by
`python experiments/train.py --config=configs/FILE.py:VARIANT --workdir=runs/NAME`; what to expect
of it, with seed, steps and speed, is written at the top of its file.

## Configs

| variant | dataset | networks | objective | papers |
| --- | --- | --- | --- | --- |
"""

FIGURES = """
## Figures

Measured numbers of all seeds, each next to the published one, are in `results/README.md`.

| figure | claims inside their bands | run | command |
| --- | --- | --- | --- |
"""


def variants() -> Iterator[str]:
    """A row of the table for each variant of each config."""
    for path in sorted((ROOT / "configs").glob("*.py")):
        for variant in getattr(load_module(str(path)), "VARIANTS", ()):
            settings = experiment.load_settings(f"{path}:{variant}")
            objective = parts_text(settings.objective)
            if settings.unroll:
                objective += f", unrolled {settings.unroll} steps"
            cells = [
                code(f"{path.name}:{variant}"),
                code(settings.dataset.name),
                code(settings.networks.name),
                code(objective),
                "; ".join(papers(experiment.citations(settings))),
            ]
            yield f"| {' | '.join(cells)} |"


def papers(bibtex: str) -> Iterator[str]:
    """First author and year of each entry."""
    for entry in bibtex.split("\n@"):
        if author := re.search(r"author = \{(.+)\}", entry):
            names = author[1].split(" and ")
            first = re.sub(r"[{}\\'\"~^]", "", names[0].split(",")[0])
            (year,) = re.findall(r"year = \{(\d+)\}", entry)
            yield f"{first} {'et al. ' if len(names) > 2 else ''}{year}"


def figures() -> Iterator[str]:
    """A row of the table for each figure in results/."""
    for path in sorted((ROOT / "results").glob("*/results.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        verdicts = [claim["verdict"] for claim in result.get("claims", ())]
        judged = len(verdicts) - verdicts.count("not judged")
        if verdicts:
            cells = [
                result["title"].rstrip("."),
                f"{verdicts.count('pass')} of {judged}" if judged else "not judged",
                result["scale"],
                code(result["command"]),
            ]
            yield f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    return f"`{text}`"


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(variants()) + "\n" + FIGURES + "\n".join(figures()) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "variants.md").write_text(page(), encoding="utf-8")
