"""What a dataset was read from: a table to look at before training."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

SHOWN = 6
"""Entries of each kind that a table lists."""


@dataclass(frozen=True)
class Contents:
    """What was read, and what was left out.

    Attributes:
      source: the folder or the file.
      samples: how many samples were read.
      shape: of one sample.
      split: which part of the source they are.
      sizes: how many images had each size, ``"64x48"``, before they were resized.
      kinds: how many samples were stored in each form, ``"RGB"`` or ``"uint8"``.
      classes: how many samples there are of each class, by its name.
      refused: why files were left out, by their paths.
      remarks: what else there is to know.
    """

    source: str
    samples: int
    shape: tuple[int, ...]
    split: str = "train"
    sizes: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns the table: a line for the source, and one for each thing that is known of it."""
        shape = "x".join(map(str, self.shape))
        lines = [f"{self.source}: {self.samples:,} samples of {shape}, split {self.split}"]
        counted = {"size": self.sizes, "stored as": self.kinds, "class": self.classes}
        for title, counts in counted.items():
            if counts:
                lines.append(f"  {title:10}{_counts(counts)}")
        lines += [f"  {'note':10}{remark}" for remark in self.remarks]
        for path, reason in list(self.refused.items())[:SHOWN]:
            lines.append(f"  {'left out':10}{path!r}: {reason}")
        if len(self.refused) > SHOWN:
            lines.append(f"  {'left out':10}{len(self.refused) - SHOWN:,} more files")
        return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    common = Counter(counts).most_common()
    text = ", ".join(f"{name} {count:,}" for name, count in common[:SHOWN])
    rest = common[SHOWN:]
    if rest:
        text += f", {len(rest):,} others {sum(count for _, count in rest):,}"
    return text
