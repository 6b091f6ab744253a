"""Run directories as files, without training, and the numbers of a page read back."""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.settings import dumps


def write_run(
    directory: Path,
    rows: Iterable[Mapping[str, Any]] = (),
    overrides: Sequence[str] = (),
    grids: Iterable[int] = (),
    config: str = "configs/ring.py:vanilla",
) -> Path:
    """Writes config.json, metrics.jsonl and sample grids of a run, and returns its directory."""
    (directory / "samples").mkdir(parents=True)
    (directory / "config.json").write_text(dumps(load_settings(config, overrides)))
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for step in grids:
        picture = Image.fromarray(np.full((8, 8, 3), step % 256, np.uint8))
        picture.save(directory / "samples" / f"step_{step:08d}.png")
    return directory


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


def data_of(page: Path) -> dict[str, Any]:
    """Returns what the scripts of a page read."""
    text = page.read_text(encoding="utf-8")
    (match,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    data: dict[str, Any] = json.loads(match)
    return data


def numbers(text: str, dtype: str) -> np.ndarray:
    """Decodes a column of a page."""
    return np.frombuffer(base64.b64decode(text), dtype)
