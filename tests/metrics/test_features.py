"""Extractors, whatever their network: batches, refused images, hashes."""

import dataclasses
import hashlib

import numpy as np
import pytest

from gan_jax.metrics import Extractor
from gan_jax.metrics.features import file_hash, weights_hash


def channel_means(variables, images):
    """A "network" whose features show which images it was given."""
    return images.mean(axis=(1, 2)) * variables


def toy_extractor(batch_size, channels=3):
    return Extractor(
        name="toy_extractor",
        dimension=channels,
        hash="0",
        apply=channel_means,
        variables=2.0,
        channels=channels,
        head=(np.eye(channels), np.ones(channels)),
        batch_size=batch_size,
    )


def test_features_do_not_depend_on_the_batch_size():
    images = np.random.default_rng(0).uniform(-1, 1, (7, 4, 5, 3)).astype(np.float32)
    expected = 2 * images.mean(axis=(1, 2))
    for batch_size in (1, 3, 7, 100):
        features = toy_extractor(batch_size)(images)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=1e-5)
    np.testing.assert_allclose(toy_extractor(2).logits(features), expected + 1, rtol=1e-5)


def test_grey_images_are_repeated_for_networks_of_three_channels():
    images = np.random.default_rng(0).uniform(-1, 1, (7, 4, 5, 1)).astype(np.float32)
    expected = np.tile(2 * images.mean(axis=(1, 2)), 3)
    np.testing.assert_allclose(toy_extractor(2)(images), expected, rtol=1e-5)


def test_a_replaced_compile_decides_how_features_are_computed():
    """It is called once, at the first images, and gets batches of one size."""
    calls, shapes = [], []

    def compile_on_host(apply, variables):
        calls.append(variables)

        def compute(images):
            shapes.append(images.shape)
            return apply(variables, images)

        return compute

    extractor = dataclasses.replace(toy_extractor(4), compile=compile_on_host)
    images = np.random.default_rng(0).uniform(-1, 1, (7, 4, 5, 3)).astype(np.float32)
    assert not calls
    features = np.concatenate([extractor(images), extractor(images)])
    assert calls == [2.0] and shapes == 4 * [(4, 4, 5, 3)]
    expected = 2 * images.mean(axis=(1, 2))
    np.testing.assert_allclose(features, np.tile(expected, (2, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    "images, reported",
    [
        (np.zeros((2, 8, 8, 3), np.uint8), "uint8"),
        (np.zeros((8, 8, 3)), "(8, 8, 3)"),
        (np.full((2, 8, 8, 3), 255.0), "[255, 255]"),
        (np.full((2, 8, 8, 3), np.nan), "nan"),
        (np.zeros((2, 8, 8, 2)), "2 channels"),
    ],
)
def test_bad_images_are_refused(images, reported):
    with pytest.raises(ValueError) as error:
        toy_extractor(2)(images)
    assert reported in str(error.value) and "expected" in str(error.value)


def test_the_hash_depends_on_names_shapes_and_values_and_not_on_their_order():
    weights = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(2)}
    assert weights_hash(weights) == weights_hash(dict(reversed(weights.items())))
    for other in (
        {**weights, "b": np.ones(2)},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"]},
    ):
        assert weights_hash(other) != weights_hash(weights)


def test_the_hash_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"no")
    assert file_hash(str(tmp_path / "file")) == hashlib.sha256(b"no").hexdigest()
