"""The dataset whose factors of variation are known."""

import colorsys

import numpy as np
import pytest

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.experiment import registry

FINE = 8  # points per pixel and direction, of the independent rendering


@pytest.fixture(scope="module")
def shapes():
    return data.factor_shapes(xs=3, ys=3, colours=4, labels=True)


def coverage(kind, radius, angle, x, y, resolution):
    """The share of points of each pixel that are inside: corners and sides, no distances."""
    points = (np.arange(FINE * resolution) + 0.5) / (FINE * resolution)
    u, v = np.meshgrid(points - x, points - y)
    if kind == 1:
        turned = (u + 1j * v) * np.exp(-1j * angle)
        inside = (turned.real / radius) ** 2 + (turned.imag / (0.55 * radius)) ** 2 <= 1
    else:
        corners = 4 if kind == 0 else 3
        # The first side's normal has the angle; corners lie half a side further.
        at = angle + np.pi / corners + 2 * np.pi * np.arange(corners) / corners
        a = radius * np.stack([np.cos(at), np.sin(at)], 1)
        b = np.roll(a, -1, 0)
        inside = np.all(
            [
                (q[0] - p[0]) * (v - p[1]) - (q[1] - p[1]) * (u - p[0]) >= 0
                for p, q in zip(a, b, strict=True)
            ],
            axis=0,
        )
    return inside.reshape(resolution, FINE, resolution, FINE).mean((1, 3))


def test_images_are_those_of_their_factors(shapes):
    """Against points counted inside of shapes that are written down by their corners."""
    factors = shapes.factors
    assert factors.names == ("kind", "size", "angle", "x", "y", "colour")
    assert factors.sizes == (3, 4, 4, 3, 3, 4)
    for index in np.random.default_rng(0).permutation(factors.count)[:30]:
        kind, size, angle, x, y, colour = factors.at(index[None])[0]
        covered = coverage(
            kind,
            0.12 + 0.1 * size / 3,
            np.pi / 3 * angle / 3,
            0.25 + 0.5 * x / 2,
            0.25 + 0.5 * y / 2,
            32,
        )
        hue = np.array(colorsys.hsv_to_rgb(2 / 3 * colour / 3, 0.8, 0.85))
        expected = 255 * (1 - covered[..., None] * (1 - hue))
        image = shapes.arrays["real"][index].astype(float)
        # Pixels at corners, of which a distance says less than an area, differ the most.
        assert np.abs(image - expected).max() < 0.3 * 255
        assert np.abs(image - expected).mean() < 0.003 * 255


def test_no_two_samples_are_alike_and_all_combinations_occur():
    dataset = data.factor_shapes(xs=2, ys=2, resolution=16)
    images = dataset.arrays["real"]
    assert images.dtype == np.uint8 and images.shape == (3 * 4 * 4 * 2 * 2 * 6, 16, 16, 3)
    assert len({image.tobytes() for image in images}) == len(images) == dataset.factors.count


def test_factors_and_their_numbers(shapes):
    factors, index = shapes.factors, np.array([0, 5, 1727])
    combinations = factors.at(index)
    np.testing.assert_array_equal(combinations[0], 0)
    np.testing.assert_array_equal(combinations[1], [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(combinations[2], np.array(factors.sizes) - 1)
    np.testing.assert_array_equal(factors.index(combinations), index)
    np.testing.assert_array_equal(factors.samples(combinations), shapes.arrays["real"][index])
    np.testing.assert_array_equal(shapes.arrays["label"][index], [0, 0, 2])
    assert shapes.classes == 3 and shapes.class_names == ("square", "ellipse", "triangle")
    batch = shapes.draw(0, np.arange(8))
    where = {image.tobytes(): i for i, image in enumerate(shapes.arrays["real"])}
    for image, label in zip(batch["real"], batch["label"], strict=True):
        assert factors.at(np.array([where[image.tobytes()]]))[0, 0] == label
    with pytest.raises(UserError, match=r"colour takes values from 0 to 3, not 4"):
        factors.samples(np.array([[0, 0, 0, 0, 0, 4]]))
    with pytest.raises(UserError, match=r"integers \[n, 6\].*float64 of shape \(1, 6\)"):
        factors.index(np.zeros((1, 6)))


def test_a_factor_of_one_value_is_left_out_and_has_its_middle_value():
    few = data.factor_shapes(kinds=1, sizes=1, angles=1, xs=3, ys=1, colours=2, resolution=16)
    assert few.factors.names == ("x", "colour") and few.factors.sizes == (3, 2)
    assert "label" not in few.arrays
    many = data.factor_shapes(kinds=1, sizes=3, angles=3, xs=3, ys=3, colours=2, resolution=16)
    middle = np.array([[1, 1, x, 1, colour] for x in range(3) for colour in range(2)])
    np.testing.assert_array_equal(few.arrays["real"], many.factors.samples(middle))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": 4}, "the factor kind of shapes has from 1 to 3 values, not 4"),
        ({"xs": 0}, "the factor x of shapes has from 1 to 64 values, not 0"),
        (
            {"xs": 64, "ys": 64, "sizes": 8},
            "2,359,296 combinations of the .* of 32 take more than 4 GiB",
        ),
        (dict.fromkeys(("kinds", "sizes", "angles", "xs", "ys", "colours"), 1), "have one value"),
        ({"resolution": 4}, "from 8 to 256, not 4"),
        ({"kinds": 1, "labels": True}, "there is only one: set kinds=3"),
    ],
)
def test_bad_settings_get_one_line(settings, message):
    with pytest.raises(UserError, match=message):
        data.factor_shapes(**settings)


def test_it_can_be_named_in_a_config():
    assert "factor_shapes" in registry.names("dataset")
