"""How figures lie on a printed page."""

import itertools

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES

from gan_jax import reproduction
from gan_jax.reproduction import page

RESULTS = ROOT / "results"
NAMES = [
    name
    for name in reproduction.figure_names(FIGURES)
    if (RESULTS / name / reproduction.RESULTS_FILE).exists()
]


@pytest.mark.parametrize("name", NAMES)
def test_committed_pictures_are_as_wide_as_a_page_or_a_column(name):
    from PIL import Image

    with Image.open(RESULTS / name / "figure.png") as picture:
        widths = {round(width * page.DPI) for width in (page.PAGE, page.COLUMN)}
        assert picture.width in widths and picture.height <= 9 * page.DPI
    assert (RESULTS / name / "figure.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    "name",
    [
        name if name == "generator_losses" else pytest.param(name, marks=pytest.mark.slow)
        for name in NAMES
    ],
)
def test_the_text_of_each_figure_is_of_7_to_9_points(name):
    from matplotlib.text import Text

    record = reproduction.load_record(RESULTS / name)
    drawing = reproduction.load_figure(FIGURES, name).draw(record["numbers"])
    sizes = [text.get_fontsize() for text in drawing.findobj(Text) if text.get_text().strip()]
    assert sizes and min(sizes) >= 7 and max(sizes) <= 9


def test_the_first_colours_differ_for_readers_who_see_no_red_or_no_green():
    """Simulates dichromacy by the matrices of Viénot, Brettel and Mollon (1999) in linear RGB."""
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])

    def linear(colour):
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)

    for matrix in (protan, deutan):
        seen = [np.clip(matrix @ linear(colour), 0, 1) for colour in page.CYCLE]
        gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
        assert min(gaps) > 0.05


def test_panels_are_lettered_and_long_titles_broken():
    with page.style():
        figure, axes = page.panels(1, 2, 2.0, page.COLUMN)
        axes[0, 0].set_title("a long title that does not fit above a panel this narrow")
        page.letter(list(axes.flat))
        first, second = (ax.get_title(loc="left") for ax in axes.flat)
        assert first.startswith("(a) a long title") and "\n" in first and second == "(b)"
        figure.draw_without_rendering()
        extent = axes[0, 0]._left_title.get_window_extent()
        assert extent.x1 <= axes[0, 1].get_window_extent().x0
