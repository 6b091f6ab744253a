"""Protocols that cannot score the data are refused before anything is computed."""

import numpy as np
import pytest
from evaluation_cases import generated_samples, real_samples

from gan_jax import data
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import (
    GeneratedSamples,
    RealSamples,
    check_metric_name,
    check_protocols,
    protocols,
)
from gan_jax.evaluation.sample_sources import ArraySamples

pytestmark = pytest.mark.usefixtures("cache")


def real_of_shape(*shape):
    return RealSamples(Dataset(shape, lambda seed, positions: {}))


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((28, 28, 3), "for images of 1 channel"),
        ((64, 64, 1), "found shape"),
        ((2,), "needs images"),
    ],
)
def test_images_that_an_extractor_does_not_take_are_refused(shape, says):
    with pytest.raises(UserError, match=says):
        check_protocols([protocols.frechet(split="train")], real_of_shape(*shape))


def test_two_protocols_of_one_name_are_refused():
    chosen = [protocols.fd_lenet(split="train"), protocols.frechet(split="train")]
    with pytest.raises(UserError, match="two metrics are both called"):
        check_protocols(chosen, real_of_shape(28, 28, 1))


def test_data_that_a_protocol_does_not_take_is_refused():
    images = real_samples()
    for protocol, real, says in (
        (protocols.modes(), images, "known centres"),
        (protocols.stacked_modes(), images, "three stacked images"),
        (protocols.swd(), images, "needs 16384 real samples, the split 'train' has 300"),
        (protocols.frechet(split="train"), RealSamples(data.ring()), "needs images"),
        (protocols.ms_ssim(), RealSamples(data.ring()), "needs images of 4 pixels"),
        (protocols.nearest_neighbours(split="train"), images, "held-out data"),
        (
            protocols.classification_accuracy(split="train"),
            real_samples(images.train.arrays["real"]),
            "needs samples with labels",
        ),
    ):
        with pytest.raises(UserError, match=says):
            check_protocols([protocol], real)


def test_generated_samples_without_what_a_protocol_needs_are_refused():
    real = real_samples()
    array = GeneratedSamples(ArraySamples(np.zeros((100, 28, 28, 1)), (28, 28, 1)), real)
    for protocol, says in (
        (protocols.perceptual_path_length(samples=50), "needs latents"),
        (protocols.label_accuracy(samples=50, split="train"), "of known classes"),
        (protocols.frechet(samples=101, split="train"), "101 generated samples, and there are 100"),
    ):
        with pytest.raises(UserError, match=says):
            check_protocols([protocol], real, array)
        check_protocols([protocol], real, generated_samples())
    check_protocols([protocols.frechet(samples=100, split="train")], real, array)


def test_more_samples_than_fit_in_memory_are_refused(monkeypatch):
    monkeypatch.setattr("gan_jax.evaluation.memory.available_memory", lambda: 10**9)
    many = protocols.precision_recall(samples=10_000_000, split="train")
    with pytest.raises(UserError, match=r"holds features of 10000000 samples.* 5.4 GB .* 1.0 GB"):
        check_protocols([many], real_samples())
    check_protocols([protocols.frechet(samples=10_000_000, split="train")], real_samples())
    for samples in (1, 2**30 + 1):
        with pytest.raises(UserError, match=f"from 2 to 1073741824 samples, not {samples}"):
            protocols.frechet(samples=samples)


def test_a_metric_that_nothing_gives_is_refused():
    chosen = [protocols.fd_lenet()]
    for name in ("fd_lenet_10k", "generator/loss", "scores/real"):
        check_metric_name(name, chosen, "config.best_metric")
    with pytest.raises(UserError, match=r"best_metric is 'fid', which no metric.*fd_lenet_10k"):
        check_metric_name("fid", chosen, "config.best_metric")
    with pytest.raises(UserError, match=r"config\.metrics is empty"):
        check_metric_name("fid", [], "config.best_metric")
