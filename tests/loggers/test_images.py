"""Grids of images, and image files."""

import numpy as np

from gan_jax.loggers import images


def test_a_grid_is_filled_row_by_row_with_a_white_border():
    shades = np.array([-1.0, 0.0, 1.0], np.float32)
    grid = images.image_grid(np.broadcast_to(shades[:, None, None, None], (3, 2, 4, 1)), pad=1)
    assert grid.shape == (2 * (2 + 1) + 1, 2 * (4 + 1) + 1, 3) and grid.dtype == np.uint8
    assert (grid[1:3, 1:5] == 0).all() and (grid[1:3, 6:10] == 128).all()
    assert (grid[4:6] == 255).all()  # the third image is white, and so is the cell that is left
    assert (grid[[0, 3, 6]] == 255).all() and (grid[:, [0, 5, 10]] == 255).all()


def test_columns_may_be_chosen_and_values_outside_of_the_range_are_clipped():
    colours = np.stack([np.full((1, 1, 3), 2.0), np.full((1, 1, 3), -9.0)])
    grid = images.image_grid(colours, columns=1, pad=0)
    assert grid.tolist() == [[[255] * 3], [[0] * 3]]


def test_a_saved_image_is_read_back_with_its_pixels_enlarged(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    images.save_image(tmp_path / "a.png", picture, scale=2)
    enlarged = images.read_image(tmp_path / "a.png")
    assert enlarged.shape == (6, 10, 3)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.testing.assert_array_equal(enlarged[row::2, column::2], picture)
