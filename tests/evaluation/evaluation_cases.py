"""What the tests of evaluation share: images in classes, a small extractor, small generators."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import networks
from gan_jax.data import Dataset
from gan_jax.evaluation import GeneratedSamples, RealSamples
from gan_jax.metrics.features import Extractor
from gan_jax.training.sampling import sampler

N = 300
"""Real images."""

FEW = 64
"""Generated samples."""

CLASSES = 10


def class_images():
    """Images ``[N, 28, 28, 1]`` uint8 in classes of different sizes, and their labels ``[N]``."""
    rng = np.random.default_rng(0)
    label = np.sort(rng.choice(CLASSES, N, p=np.arange(1, 11) / 55)).astype(np.int32)
    pattern = rng.integers(0, 200, (CLASSES, 28, 28, 1))
    real = (pattern[label] + rng.integers(0, 55, (N, 28, 28, 1))).astype(np.uint8)
    return real, label


def as_float(images):
    """uint8 images as floats in [-1, 1]."""
    return ((2 * images.astype(float) - 255) / 255).astype(np.float32)


def real_samples(real=None, label=None, test=None):
    """Real samples of arrays: all class images with their labels if none are given."""
    if real is None:
        real, label = class_images()
    splits = {"test": test} if test else {}
    return RealSamples(
        Dataset.from_arrays(real, label, 0 if label is None else CLASSES), splits.get, name="images"
    )


def real_halves():
    """Every second class image to train on, the others held out."""
    real, label = class_images()
    test = Dataset.from_arrays(real[1::2], label[1::2], CLASSES)
    return real_samples(real[::2], label[::2], test=test)


def projection(dimension=6, seed=0):
    """A random projection of grey images: the smallest extractor."""
    kernel = np.random.default_rng(seed).normal(size=(28 * 28, dimension)) / 28
    kernel = np.float32(kernel)
    return Extractor(
        "projection",
        dimension,
        hashlib.sha256(kernel.tobytes()).hexdigest(),
        lambda variables, images: jnp.reshape(images, (len(images), -1)) @ variables,
        kernel,
        1,
        (np.eye(dimension, CLASSES), np.zeros(CLASSES)),
        50,
    )


def template_classifier():
    """A classifier of the class images that is always right: the nearest class mean."""
    real, label = class_images()
    images = as_float(real).reshape(N, -1)
    means = np.stack([images[label == index].mean(axis=0) for index in range(CLASSES)])
    head = (means.T, -np.sum(means**2, axis=1) / 2)
    return Extractor(
        "templates",
        28 * 28,
        "0" * 64,
        lambda variables, images: jnp.reshape(images, (len(images), -1)),
        {},
        1,
        head,
    )


def renamed(extractor, name):
    """An extractor under another name."""
    return Extractor(
        name,
        extractor.dimension,
        extractor.hash,
        extractor.apply,
        extractor.variables,
        extractor.channels,
        extractor.head,
    )


def small_sampler():
    """Samples of a conditional generator of grey images that was not trained."""
    nets = networks.mlp(
        (28, 28, 1),
        classes=CLASSES,
        latent_size=4,
        generator_widths=(16,),
        discriminator_widths=(8,),
        output="tanh",
    )
    return sampler(nets, nets.init(jax.random.key(0))[0], classes=CLASSES)


def generated_samples(seed=0):
    """Samples of `small_sampler` next to the class images."""
    return GeneratedSamples(small_sampler(), real_samples(), seed)


def images_by_class(real, label):
    """A source that gives back the real images of each class, in turn."""
    by_class = [as_float(real[label == index]) for index in range(CLASSES)]

    def draw(rng, n, label=None, first=0):
        images = [by_class[c][(first + i) % len(by_class[c])] for i, c in enumerate(label)]
        return np.stack(images)

    return draw
