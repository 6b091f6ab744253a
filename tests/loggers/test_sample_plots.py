"""Pictures of samples: labels by row, grids, points, histograms, densities over training."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.loggers import images, plots, sample_plots


def test_a_grid_has_one_class_per_row():
    labels, columns = sample_plots.labels_by_row(12, 3)
    assert columns == 4 and labels.reshape(3, 4).tolist() == [[0] * 4, [1] * 4, [2] * 4]


def test_samples_that_are_left_over_get_the_last_class():
    labels, columns = sample_plots.labels_by_row(8, 3)
    assert columns == 2 and labels.tolist() == [0, 0, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("n", "classes"), [(10, 0), (2, 3)])
def test_there_are_no_labels_without_classes_or_room_for_all(n, classes):
    assert sample_plots.labels_by_row(n, classes) == (None, None)


def test_images_are_saved_as_a_grid(tmp_path):
    samples = np.ones((4, 2, 2, 1), np.float32)
    real = np.zeros((4, 2, 2, 1), np.uint8)
    assert sample_plots.real_to_compare(data.Dataset.from_arrays(real), 4) is None
    sample_plots.save_samples(tmp_path / "a.png", samples, columns=4)
    assert images.read_image(tmp_path / "a.png").shape == (2 * 6, 2 * 18, 3)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 9])
def test_points_are_saved_as_a_picture(tmp_path, dimensions):
    dataset = data.gaussian(dimensions=dimensions)
    samples = np.random.default_rng(0).normal(size=(20, dimensions)).astype(np.float32)
    sample_plots.save_samples(
        tmp_path / "a.png", samples, sample_plots.real_to_compare(dataset, len(samples))
    )
    picture = images.read_image(tmp_path / "a.png")
    assert min(picture.shape[:2]) >= 200 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("shape", [(16,), (40, 1), (40, 2)])
def test_signals_are_drawn_as_waveforms(tmp_path, shape):
    rng = np.random.default_rng(0)
    samples, real = rng.normal(size=(5, *shape)), rng.normal(size=(6, *shape))
    drawing = sample_plots.waveforms(samples, real)
    lines = [ax.get_lines() for ax in drawing.axes]
    channels = 1 if len(shape) == 1 else shape[1]
    assert [len(of_panel) for of_panel in lines] == [channels] * 9 + [0] * 7
    drawn = [np.stack([line.get_ydata() for line in of_panel], -1) for of_panel in lines[:9]]
    expected = np.concatenate([real[:4], samples])
    np.testing.assert_array_equal(np.stack(drawn).reshape(expected.shape), expected)
    sample_plots.save_samples(tmp_path / "a.png", samples, real)
    assert images.read_image(tmp_path / "a.png").std() > 0
    assert not sample_plots.is_signal((15,)) and not sample_plots.is_signal((4, 4, 1))


def test_alpha_is_drawn_over_white_and_other_channels_as_their_mean():
    clear, solid = np.array([-1, -1, -1, -1.0]), np.array([-1, 1, -1, 1.0])
    grid = images.image_grid(np.stack([clear, solid]).reshape(2, 1, 1, 4), 2, pad=0)
    assert grid.tolist() == [[[255, 255, 255], [0, 255, 0]]]
    grid = images.image_grid(np.array([-1.0, 1.0]).reshape(1, 1, 1, 2), pad=0)
    assert grid.tolist() == [[[128, 128, 128]]]


def test_points_are_drawn_over_real_ones():
    _, axes = plots.figure()
    real, samples = np.zeros((3, 2)), np.ones((4, 2))
    sample_plots.scatter(axes[0, 0], samples, real, extent=2.0)
    drawn = [collection.get_offsets().tolist() for collection in axes[0, 0].collections]
    assert drawn == [real.tolist(), samples.tolist()]
    labels = [text.get_text() for text in axes[0, 0].get_legend().get_texts()]
    assert labels == ["real", "generated"] and axes[0, 0].get_xlim() == (-2.0, 2.0)


def test_a_density_is_highest_where_the_points_are():
    _, axes = plots.figure()
    sample_plots.density(axes[0, 0], np.full((50, 2), [0.5, -0.25]), extent=1.0, pixels=64)
    shown = axes[0, 0].images[0]
    row, column = np.unravel_index(np.argmax(shown.get_array()), (64, 64))
    x, y = -1 + (column + 0.5) / 32, -1 + (row + 0.5) / 32
    assert x == pytest.approx(0.5, abs=0.05) and y == pytest.approx(-0.25, abs=0.05)
    assert shown.origin == "lower" and list(shown.get_extent()) == [-1.0, 1.0, -1.0, 1.0]


def test_densities_over_training_have_one_row_per_run_and_end_with_the_real_data():
    points = np.random.default_rng(0).normal(size=(30, 2))
    runs = {"short": [(0, points)], "long": [(0, points), (1000, points)]}
    drawing = sample_plots.density_over_training(runs, points, 2.0, {"long": "8 modes"})
    rows = drawing.subfigs
    assert [row.get_suptitle() for row in rows] == ["short", "long: 8 modes"]
    titles = [[panel.get_title() for panel in row.axes if panel.axison] for row in rows]
    assert titles == [["step 0", "real"], ["step 0", "step 1,000", "real"]]
