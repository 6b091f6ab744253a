"""TODO"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Claim(NamedTuple):
    """A number of ours beside one that was published, or that was to be shown."""

    name: str
    measured: tuple[
        float, ...
    ]  # all of them have to be in the band: one a seed, or the ends of a range
    published: str  # as it is written in the source; "asked ..." where nothing is published
    low: float | None  # the band; None is no limit
    high: float | None
    note: str = ""  # what has to be known beside it
    smoke: bool = False  # whether the shortened forms, smoke and short, are long enough to judge it
    why: str = ""  # what a miss comes from, as far as is known

    def verdict(self, shortened: bool) -> str:
        """ "pass" or "miss", as NaN is; "not judged" without a band, or measurements, or where a short form says nothing."""
        if (
            (shortened and not self.smoke)
            or not self.measured
            or (self.low is None and self.high is None)
        ):
            return "not judged"
        low, high = (
            (-math.inf if self.low is None else self.low),
            (math.inf if self.high is None else self.high),
        )
        return "pass" if all(low <= value <= high for value in self.measured) else "miss"


def within(name: str, measured: float | Sequence[float], expected: float, tolerance: float, published: str = "",
           note: str = "", smoke: bool = False) -> Claim:  # fmt: skip
    """The claim that everything measured is ``expected``, give or take ``tolerance``."""
    values = tuple(float(value) for value in np.ravel(measured))
    text = published or f"{expected:g} ± {tolerance:g}"
    return Claim(name, values, text, expected - tolerance, expected + tolerance, note, smoke)


COLUMNS = ("claim", "measured", "published", "verdict", "note")


def rows(claims: Sequence[Claim], shortened: bool) -> list[tuple[str, ...]]:
    """A row of text a claim: its name, what was measured, what was published, the verdict; the note, and of a miss why."""
    found: list[tuple[str, ...]] = []
    for claim in claims:
        verdict = claim.verdict(shortened)
        note = "; ".join(text for text in (claim.note, claim.why * (verdict == "miss")) if text)
        found.append((claim.name, measured_text(claim.measured), claim.published, verdict, note))
    return found


def measured_text(values: Sequence[float], most: int = 3) -> str:
    """A few numbers one by one, more of them by their ends."""
    shown = [f"{value:.4g}" for value in values]
    if len(shown) <= most:
        return ", ".join(shown) or "nothing"
    return f"{min(values):.4g} .. {max(values):.4g} ({len(shown)})"


def table(claims: Sequence[Claim], shortened: bool) -> str:
    """The rows as lines with their columns below one another; notes stand on a line of their own."""
    cells = rows(claims, shortened)
    widths = [max(len(row[i]) for row in [COLUMNS, *cells]) for i in range(4)]
    lines = []
    for row in [COLUMNS[:4] + ("",), *cells]:
        lines.append(
            "  ".join(
                cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)
            ).rstrip()
        )
        if row[4]:
            lines.append(f"    {row[4]}")
    verdicts = [row[3] for row in cells]
    counts = [
        f"{verdicts.count(verdict)} {verdict}"
        for verdict in ("pass", "miss", "not judged")
        if verdict in verdicts
    ]
    return "\n".join([*lines, ", ".join(counts) or "nothing to judge"])


def verdict(name: str, claims: Sequence[Claim], shortened: bool) -> tuple[str, str]:
    """Two lines: how many of the claims are inside their bands; and which are not, and why."""
    judged = [(claim, claim.verdict(shortened)) for claim in claims]
    inside, missed = (sum(one == kind for _, one in judged) for kind in ("pass", "miss"))
    rest = len(judged) - inside - missed
    first = f"{name}: {inside} of {inside + missed} claims are inside their bands" + (
        f", {rest} not judged" if rest else ""
    )
    outside: dict[str, list[str]] = {}  # those with one cause are told together
    for claim, one in judged:
        if one == "miss":
            beside = (
                claim.published
                if claim.published.startswith("asked")
                else f"published {claim.published}"
            )
            told = f"{claim.name} is {measured_text(claim.measured)}, {beside}"
            outside.setdefault(claim.why or claim.note, []).append(told)
    second = "; ".join(
        ", and ".join(texts) + f" ({why})" * bool(why) for why, texts in outside.items()
    )
    return first, "outside: " + (second or "none")
