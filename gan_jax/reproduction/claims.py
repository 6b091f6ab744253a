"""Claims of a figure: measured numbers, the bands they should lie in, and the verdicts as text."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

import numpy as np

Verdict = Literal["pass", "miss", "not judged"]
"""Whether a claim holds: NaN is a miss, and what cannot be judged is neither a pass nor a miss."""

Kind = Literal["exact", "trained", "published"]
"""What a claim compares.

``"exact"``: a closed form with another computation of it; no network is trained. ``"trained"``:
what trained networks do with a statement, a theory, or a band set beforehand. ``"published"``: a
number with the one that its source prints for the same experiment.
"""

COLUMNS = ("claim", "measured", "published", "verdict", "kind", "note")
"""The columns of `table_rows` and of ``claims.csv``."""


class Claim(NamedTuple):
    """A measured number next to the published one, or next to the one that was to be shown.

    Attributes:
      name: what was measured.
      measured: the measurements, all of which have to lie in the band: one per seed, say, or the
        two ends of a range.
      published: the number as its source writes it; ``"asked ..."`` if nothing was published.
      low: the lower end of the band; None for no limit.
      high: the upper end of the band; None for no limit.
      note: what a reader has to know about the measurement.
      smoke: whether the shortened forms of the figure, smoke and short, are long enough to judge
        the claim.
      why: the cause of a miss, as far as it is known.
      kind: what is compared with what.
    """

    name: str
    measured: tuple[float, ...]
    published: str
    low: float | None
    high: float | None
    note: str = ""
    smoke: bool = False
    why: str = ""
    kind: Kind = "trained"

    @classmethod
    def close_to(
        cls,
        name: str,
        measured: float | Sequence[float] | np.ndarray,
        expected: float,
        tolerance: float,
        published: str = "",
        note: str = "",
        smoke: bool = False,
        kind: Kind = "trained",
    ) -> "Claim":
        """Returns the claim that every measurement is ``expected`` up to ``tolerance``.

        Args:
          name: what was measured.
          measured: one measurement, or several of any shape.
          expected: the centre of the band.
          tolerance: half the width of the band.
          published: the number as its source writes it; by default the band itself.
          note: what a reader has to know about the measurement.
          smoke: whether the shortened forms are long enough to judge the claim.
          kind: what is compared with what.

        Returns:
          The claim, with the band ``[expected - tolerance, expected + tolerance]``.
        """
        values = tuple(float(value) for value in np.ravel(measured))
        text = published or f"{expected:g} ± {tolerance:g}"
        low, high = expected - tolerance, expected + tolerance
        return cls(name, values, text, low, high, note, smoke, kind=kind)

    @classmethod
    def rounds_to(
        cls, name: str, measured: float | Sequence[float] | np.ndarray, printed: str
    ) -> "Claim":
        """Returns the claim that every measurement is a printed number, to its last digit.

        Args:
          name: what was measured.
          measured: one measurement, or several of any shape.
          printed: the number as its source prints it: ``"1.00"`` has three digits.

        Returns:
          The claim of kind ``"published"``, with a band of half a unit of the last digit to either
          side.

        Raises:
          ValueError: if ``printed`` is not a finite decimal number.
        """
        try:
            number = Decimal(printed)
        except InvalidOperation:
            number = Decimal("NaN")
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int):
            raise ValueError(f"printed must be a decimal number such as '1.00', not {printed!r}")
        tolerance = float(Decimal(5).scaleb(exponent - 1))
        return cls.close_to(name, measured, float(number), tolerance, printed, kind="published")

    def verdict(self, shortened: bool) -> Verdict:
        """Returns whether all measurements lie in the band; NaN never does.

        Args:
          shortened: whether the figure was measured in a shortened form.

        Returns:
          ``"not judged"`` if there is no band or no measurement, or if the form is too short for
          this claim; else ``"pass"`` or ``"miss"``.
        """
        too_short = shortened and not self.smoke
        has_band = self.low is not None or self.high is not None
        if too_short or not self.measured or not has_band:
            return "not judged"
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return "pass" if all(low <= value <= high for value in self.measured) else "miss"


def table_rows(claims: Sequence[Claim], shortened: bool) -> list[tuple[str, ...]]:
    """Returns one row of text per claim, with the columns `COLUMNS`.

    The note of a missed claim ends with the cause of the miss, if it is known.
    """
    rows: list[tuple[str, ...]] = []
    for claim in claims:
        verdict = claim.verdict(shortened)
        notes = [claim.note, claim.why] if verdict == "miss" else [claim.note]
        note = "; ".join(text for text in notes if text)
        values = format_values(claim.measured)
        rows.append((claim.name, values, claim.published, verdict, claim.kind, note))
    return rows


def format_values(values: Sequence[float], most: int = 3) -> str:
    """Returns up to ``most`` numbers one by one; of more numbers the lowest and the highest."""
    if not values:
        return "nothing"
    if len(values) <= most:
        return ", ".join(f"{value:.4g}" for value in values)
    return f"{min(values):.4g} .. {max(values):.4g} ({len(values)})"


def format_table(claims: Sequence[Claim], shortened: bool) -> str:
    """Returns the claims as aligned lines, with notes on lines of their own, and the counts."""
    rows = table_rows(claims, shortened)
    header = (*COLUMNS[:-1], "")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header) - 1)]
    lines = []
    for *cells, note in [header, *rows]:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
        if note:
            lines.append(f"    {note}")
    verdicts = [claim.verdict(shortened) for claim in claims]
    counts = [
        f"{verdicts.count(verdict)} {verdict}"
        for verdict in ("pass", "miss", "not judged")
        if verdict in verdicts
    ]
    return "\n".join([*lines, ", ".join(counts) or "nothing to judge"])


def summarize(name: str, claims: Sequence[Claim], shortened: bool) -> tuple[str, str]:
    """Returns two lines: how many claims of figure ``name`` hold; and which do not, and why."""
    verdicts = [claim.verdict(shortened) for claim in claims]
    passed, missed = verdicts.count("pass"), verdicts.count("miss")
    judged = f"{passed} of {passed + missed} claims are inside their bands"
    first = f"{name}: {judged if passed + missed else 'no claim is judged'}"
    if not_judged := verdicts.count("not judged"):
        first += f", {not_judged} not judged"

    misses_by_cause: dict[str, list[str]] = {}
    for claim, verdict in zip(claims, verdicts, strict=True):
        if verdict == "miss":
            asked = claim.published.startswith("asked")
            expected = claim.published if asked else f"published {claim.published}"
            miss = f"{claim.name} is {format_values(claim.measured)}, {expected}"
            misses_by_cause.setdefault(claim.why or claim.note, []).append(miss)
    texts = []
    for cause, misses in misses_by_cause.items():
        text = ", and ".join(misses)
        texts.append(f"{text} ({cause})" if cause else text)
    return first, "outside: " + ("; ".join(texts) or "none")
