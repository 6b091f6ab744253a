"""Extractors that run on all devices."""

import dataclasses

import jax
import numpy as np
from evaluation_cases import as_float, class_images, projection

from gan_jax.evaluation.feature_extraction import on_all_devices


def test_features_are_the_same_on_all_devices():
    assert jax.device_count() == 4
    images = as_float(class_images()[0])
    for batch_size in (1, 6, 50, 1000):  # most do not divide over the devices, nor the images
        extractor = dataclasses.replace(projection(), batch_size=batch_size)
        features = on_all_devices(extractor)(images[:97])
        assert features.shape == (97, 6) and features.dtype == np.float32
        np.testing.assert_allclose(features, extractor(images[:97]), rtol=1e-5, atol=1e-5)


def test_an_extractor_is_mapped_over_devices_once():
    extractor = projection()
    mapped = on_all_devices(extractor)
    assert on_all_devices(extractor) is mapped and on_all_devices(mapped) is mapped
    assert mapped.hash == extractor.hash and mapped.name == extractor.name
