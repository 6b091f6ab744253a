"""Generated samples depend on the seed and their index alone, and have real class proportions."""

import numpy as np
import pytest
from evaluation_cases import (
    CLASSES,
    FEW,
    N,
    class_images,
    generated_samples,
    projection,
    real_samples,
)

from gan_jax.evaluation import GeneratedSamples

pytestmark = pytest.mark.usefixtures("cache")


def test_samples_do_not_depend_on_how_many_there_are_nor_on_the_chunks(monkeypatch):
    def draw(n):
        chunks = list(generated_samples().samples(n))
        return [np.concatenate(arrays) for arrays in zip(*chunks, strict=True)]

    many, many_labels = draw(40)
    monkeypatch.setattr("gan_jax.evaluation.real_samples.CHUNK", 7)
    few, few_labels = draw(20)
    np.testing.assert_allclose(few, many[:20], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(few_labels, many_labels[:20])
    assert not np.array_equal(generated_samples(seed=1).labels(40), many_labels)


def test_classes_are_drawn_in_their_real_proportions():
    real = np.bincount(class_images()[1], minlength=CLASSES) / N
    drawn = np.bincount(generated_samples().labels(20_000), minlength=CLASSES) / 20_000
    np.testing.assert_allclose(drawn, real, atol=0.015)


def test_features_are_held_and_give_the_same_statistics():
    extractor, generated = projection(), generated_samples()
    streamed = generated.statistics(extractor, FEW)
    features = generated.features(extractor, FEW + 5)
    assert generated.features(extractor, FEW).base is not None  # a view of what is held
    held = generated.statistics(extractor, FEW)
    np.testing.assert_array_equal(held.scatter, streamed.scatter)
    np.testing.assert_allclose(held.mean, features[:FEW].mean(axis=0), rtol=1e-6)


def test_samples_of_a_growing_generator_are_enlarged_and_clipped():
    def draw(rng, n, label=None, first=0):
        return np.full((n, 7, 7, 1), 1.5, np.float32)

    ((samples, _),) = GeneratedSamples(draw, real_samples()).samples(3)
    assert samples.shape == (3, 28, 28, 1) and samples.max() == 1
