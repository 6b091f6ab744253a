"""How figures lie on a printed page: widths, sizes of text, colours, and letters of panels.

Every figure is drawn in `style`, at the size that it is printed at: `PAGE` inches wide, as the text
of a NeurIPS paper, or `COLUMN`, as a column of an ICML paper. The colours are those of Okabe and
Ito, which colour-blind readers can tell apart.

References:
  Okabe and Ito, "Color Universal Design" (2008); Wong, "Points of view: Color blindness" (2011).
"""

import contextlib
import string
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE, COLUMN = 5.5, 3.25
"""The widths of figures, in inches."""

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, YELLOW = "#CC79A7", "#56B4E9", "#000000", "#F0E442"
CYCLE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK, YELLOW)
"""The colours ``"C0"``, ``"C1"``, ... of a figure."""

LARGE, SMALL = 7.5, 7.0
"""Sizes of text, in points: titles and labels; ticks and legends."""

DPI = 200
"""Pixels of a PNG per inch."""

_CHARACTER = 0.52 * LARGE / 72  # mean width of a character of a title, in inches


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Returns a context in which matplotlib draws for a printed page."""
    import matplotlib
    from cycler import cycler

    settings: Any = {
        "axes.labelsize": LARGE,
        "axes.linewidth": 0.6,
        "axes.prop_cycle": cycler(color=CYCLE),
        "axes.titlelocation": "left",
        "axes.titlesize": LARGE,
        "figure.constrained_layout.h_pad": 0.03,
        "figure.constrained_layout.w_pad": 0.03,
        "figure.titlesize": LARGE,
        "font.size": SMALL,
        "legend.borderpad": 0.2,
        "legend.fontsize": SMALL,
        "legend.framealpha": 0.7,
        "legend.handlelength": 1.3,
        "legend.handletextpad": 0.5,
        "legend.labelspacing": 0.25,
        "lines.linewidth": 1.0,
        "lines.markersize": 3,
        "pdf.fonttype": 42,  # text that a reader can search
        "xtick.labelsize": SMALL,
        "xtick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.labelsize": SMALL,
        "ytick.major.size": 2.5,
        "ytick.minor.size": 1.5,
    }
    with matplotlib.rc_context(settings):
        yield


def canvas(height: float, width: float = PAGE) -> "Figure":
    """Returns an empty figure with a constrained layout and no display, sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    rows: int, columns: int, height: float, width: float = PAGE, **options: Any
) -> tuple["Figure", Any]:
    """Returns a figure of these sizes in inches, and its Axes as an object array.

    Args:
      rows: of Axes.
      columns: of Axes.
      height: of the figure.
      width: of the figure.
      **options: further options of matplotlib's ``Figure.subplots``.

    Returns:
      The figure, and its Axes, ``[rows, columns]``.
    """
    figure = canvas(height, width)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def letter(axes: Sequence["Axes"]) -> None:
    """Puts (a), (b), ... before the titles of Axes, and breaks the titles to the Axes' widths.

    Args:
      axes: the panels in the order of their letters, all in one figure that is complete otherwise.
    """
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    for name, ax in zip(string.ascii_lowercase, axes, strict=False):
        inches = ax.get_window_extent().width / figure.dpi
        title = f"({name}) {ax.get_title(loc='left')}".strip()
        width = max(12, int(inches / _CHARACTER))
        ax.set_title("\n".join(textwrap.fill(line, width) for line in title.split("\n")))


def plain_ticks(ax: "Axes") -> None:
    """Labels a logarithmic y-axis of a decade or two by 0.1, 0.2, 0.5, 1, ..., in plain numbers.

    An axis of less than a decade has more of them. Call it when the axis has its limits.
    """
    from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = ax.get_ylim()
    is_short = low > 0 and high < 8 * low
    ax.yaxis.set_major_locator(MaxNLocator(5) if is_short else LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.yaxis.set_minor_formatter(NullFormatter())
