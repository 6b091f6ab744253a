"""The picture of losses."""

import numpy as np

from gan_jax.loggers.loss_plots import loss_plot


def test_lines_are_those_of_the_rows_with_gaps():
    rows = [
        {"step": 10, "discriminator/loss": 1.0, "generator/loss": 2.0, "scores/real": 0.5},
        {"step": 20, "modes/covered": 8},
        {"step": 30, "discriminator/loss": None, "generator/loss": 3.0, "scores/real": 0.25},
    ]
    losses, scores = loss_plot(rows).axes
    lines = {line.get_label(): line.get_xydata() for line in [*losses.lines, *scores.lines]}
    assert lines.keys() == {"discriminator", "generator", "real"}
    np.testing.assert_array_equal(lines["generator"], [(10, 2), (30, 3)])
    np.testing.assert_array_equal(lines["discriminator"], [(10, 1), (30, np.nan)])
    np.testing.assert_array_equal(lines["real"], [(10, 0.5), (30, 0.25)])


def test_rows_without_losses_give_empty_axes():
    losses, scores = loss_plot([{"step": 10, "modes/covered": 8}]).axes
    assert not losses.lines and not scores.lines
