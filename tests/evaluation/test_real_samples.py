"""Real data: its forms, its splits, and statistics that are computed once."""

import hashlib

import numpy as np
import pytest
from evaluation_cases import CLASSES, N, as_float, class_images, projection, real_samples

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples
from gan_jax.metrics.features import Extractor

pytestmark = pytest.mark.usefixtures("cache")


def test_statistics_are_computed_once(cache):
    real, label = class_images()
    extractor, traces = projection(), []

    def counted(variables, images):
        traces.append(1)
        return extractor.apply(variables, images)

    def failing(variables, images):
        raise AssertionError("computed again")

    def statistics(apply, real=real, extractor=extractor):
        network = Extractor(
            "projection", 6, extractor.hash, apply, extractor.variables, 1, batch_size=50
        )
        return real_samples(real, label).statistics("train", network)

    first = statistics(counted)
    assert len(traces) == 1 and len(list(cache.iterdir())) == 1
    again = statistics(failing)
    assert again.n == first.n == N and np.array_equal(again.scatter, first.scatter)
    statistics(counted, real=real[:, ::-1])  # other images
    other = projection(seed=1)
    statistics(other.apply, extractor=other)
    assert len(list(cache.iterdir())) == 3


def test_the_fingerprint_is_of_the_samples_or_of_what_endless_samples_are_called():
    real, label = class_images()
    header = f"{real.dtype.str} {real.shape}".encode()
    expected = hashlib.sha256(header + real.tobytes()).hexdigest()
    assert real_samples(real, label).fingerprint("train") == expected
    assert real_samples(real[::-1], label).fingerprint("train") != expected
    ring = RealSamples(data.ring(), name="ring", settings={"modes": 8, "labels": True})
    text = "ring [('modes', 8), ('split', 'train')] 50000"
    assert ring.fingerprint("train") == hashlib.sha256(text.encode()).hexdigest()


def test_all_forms_of_real_data_give_the_same_samples():
    real, label = class_images()
    finite = data.Dataset.from_arrays(real)
    for form in (
        real,
        as_float(real),
        finite,
        RealSamples(finite),
        {"real": real},
        {"real": real, "label": label},
        {"train": real, "test": real[:5]},
        {"train": {"real": real, "label": label}, "test": finite},
    ):
        samples = RealSamples.of(form)
        assert samples.size("train") == N and samples.train.shape == (28, 28, 1)
        images = np.concatenate([images for images, _ in samples.samples("train", N)])
        np.testing.assert_allclose(images, as_float(real), atol=1e-6)
    labelled = RealSamples.of({"train": {"real": real, "label": label}, "test": real[:5]})
    assert labelled.train.classes == CLASSES and labelled.size("test") == 5
    np.testing.assert_array_equal(labelled.labels("train", N), label)
    with pytest.raises(UserError, match="no labels in the split 'test'"):
        labelled.labels("test", 5)


@pytest.mark.parametrize(
    ("real", "error", "says"),
    [
        ([1, 2], TypeError, "real is list: pass an array"),
        ({"test": np.zeros((9, 2))}, TypeError, "no split 'train'"),
        ({"real": np.zeros((9, 2)), "y": 0}, TypeError, "a labelled set is"),
        ({"train": {"images": 0}}, TypeError, r"real\['train'\] is a mapping of \['images'\]"),
        ({"train": np.eye(2), "test": np.zeros((9, 3))}, UserError, "splits have one shape"),
        ({"real": np.eye(2), "label": np.array([0.0, 1.0])}, UserError, "classes from 0 on"),
        ({"real": np.eye(2), "label": np.array([0])}, UserError, "classes from 0 on"),
        (np.zeros(9), UserError, "2 samples or more"),
        (np.zeros((1, 2)), UserError, "2 samples or more"),
        (np.zeros((9, 8, 8, 3), np.int64), UserError, "dtype int64"),
        (np.full((9, 2), np.nan), UserError, "not finite"),
        (np.full((9, 8, 8, 3), 255.0), UserError, r"pixels in \[255, 255\]"),
        (np.random.default_rng(0).random((9, 8, 8, 3)), UserError, r"floats in \[-1, 1\]"),
    ],
)
def test_what_is_no_real_data_is_refused_in_one_line(real, error, says):
    with pytest.raises(error, match=says) as raised:
        RealSamples.of(real)
    assert "\n" not in str(raised.value)


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="no split 'test': choose split='train', or pass"):
        RealSamples.of(np.eye(4)).size("test")
    with pytest.raises(UserError, match="no split 'test': there are train, validation"):
        RealSamples.of({"train": np.eye(4), "validation": np.eye(4)}).size("test")
