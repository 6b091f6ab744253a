"""Each protocol gives the values that it names, and these are right where they can be known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_cases import (
    FEW,
    as_float,
    class_images,
    generated_samples,
    images_by_class,
    projection,
    real_halves,
    real_samples,
    renamed,
    template_classifier,
)

from gan_jax import data, metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import (
    GeneratedSamples,
    RealSamples,
    check_protocols,
    compute_scores,
    protocols,
)
from gan_jax.game import Networks
from gan_jax.training.sampling import sampler

pytestmark = pytest.mark.usefixtures("cache")


def test_vectors_and_signals_are_scored_without_an_extractor():
    rng = np.random.default_rng(0)
    for shape in ((3,), (8, 2)):
        real, fake = rng.normal(size=(2, FEW, *shape)).astype(np.float32)
        real_samples_ = RealSamples.of({"train": real})
        generated = GeneratedSamples(lambda key, n, *_, fake=fake: fake[:n], real_samples_)
        chosen = [
            protocols.frechet("identity", FEW, "train"),
            protocols.kernel("identity", FEW, "train", subsets=3, subset_size=20),
            protocols.precision_recall("identity", FEW, "train"),
            protocols.density_coverage("identity", FEW, "train"),
            protocols.sliced_wasserstein_distance(samples=FEW, split="train", directions=16),
        ]
        check_protocols(chosen, generated.real)
        scores = {
            name: value
            for protocol in chosen
            for name, value in compute_scores(protocol, generated).items()
        }
        flat = real.reshape(FEW, -1), fake.reshape(FEW, -1)
        assert scores[f"fd_identity_{FEW}_train"] == pytest.approx(
            metrics.frechet_distance(*flat), rel=1e-4
        )
        assert (
            scores[f"pr_identity_{FEW}_train/recall"] == metrics.precision_recall(*flat, 3).recall
        )
        distance = metrics.sliced_wasserstein_distance(*flat, directions=16)
        assert scores[f"swd_identity_{FEW}_train"] == pytest.approx(distance)
        with pytest.raises(UserError, match="choose extractor=identity"):
            check_protocols([protocols.frechet("lenet", FEW, "train")], generated.real)


def test_every_protocol_gives_the_values_that_it_names():
    extractor, generated = projection(), generated_samples()
    chosen = [
        protocols.frechet(extractor, FEW, "train"),
        protocols.kernel(extractor, FEW, "train", subsets=3, subset_size=20),
        protocols.inception_score(extractor, FEW, splits=2),
        protocols.precision_recall(extractor, FEW, "train"),
        protocols.density_coverage(extractor, FEW, "train"),
        protocols.sliced_wasserstein(FEW, patches=8, directions=16),
        protocols.ms_ssim(FEW),
        protocols.label_accuracy("lenet", FEW, "train"),
        protocols.classification_accuracy(extractor, FEW, "train"),
        protocols.perceptual_path_length(extractor, FEW),
    ]
    check_protocols(chosen, generated.real, generated)
    for protocol in chosen:
        scores = compute_scores(protocol, generated)
        assert set(protocol.score_names()) <= scores.keys(), protocol.name
        assert np.isfinite(list(scores.values())).all(), protocol.name


def test_precision_and_recall_are_those_of_the_features():
    extractor, generated = projection(), generated_samples()
    scores = compute_scores(protocols.precision_recall(extractor, FEW, "train"), generated)
    real, fake = generated.real_and_generated_features(extractor, FEW, "train")
    expected = metrics.precision_recall(real, fake)._asdict()
    assert scores == {f"pr_projection_{FEW}_train/{name}": v for name, v in expected.items()}


def test_a_streamed_frechet_distance_is_that_of_the_features(monkeypatch):
    monkeypatch.setattr("gan_jax.evaluation.real_samples.CHUNK", 17)
    extractor, generated = projection(), generated_samples()
    protocol = protocols.frechet(extractor, FEW, "train")
    scores = compute_scores(protocol, generated)
    real = extractor(as_float(class_images()[0]))
    fake = np.concatenate([extractor(samples) for samples, _ in generated.samples(FEW)])
    expected = pytest.approx(metrics.frechet_distance(real, fake), rel=1e-9)
    assert scores == {f"fd_projection_{FEW}_train": expected}
    generated.features(extractor, FEW + 5)  # held features are used, and give the same
    assert compute_scores(protocol, generated) == scores


def test_samples_that_are_the_data_are_of_their_class_and_as_diverse():
    real, label = class_images()
    generated = GeneratedSamples(images_by_class(real, label), real_samples())
    protocol = protocols.label_accuracy(template_classifier(), 2000, "train")
    scores = compute_scores(protocol, generated)
    name = "label_accuracy_templates_2k_train"
    assert scores == {name: 1.0, f"{name}/real": 1.0}
    scores = compute_scores(protocols.ms_ssim(100), generated)
    assert scores["ms_ssim100"] == pytest.approx(scores["ms_ssim100/real"], abs=0.05)


def test_nearest_neighbours_tell_a_copy():
    real = real_halves()
    copies = as_float(real.train.arrays["real"])

    def draw(rng, n, label=None, first=0):
        return copies[first : first + n]

    protocol = protocols.nearest_neighbours(projection(), 100)
    scores = compute_scores(protocol, GeneratedSamples(draw, real))
    assert scores["nn_projection_100/z_score"] < -5
    assert scores["nn_projection_100/distance"] < 1e-3


@pytest.mark.parametrize("wrong", [False, True])
def test_a_classifier_that_learns_from_samples_is_scored_on_real_images(wrong):
    real = real_halves()
    source = images_by_class(real.train.arrays["real"], real.train.arrays["label"])

    def draw(rng, n, label=None, first=0):
        return source(rng, n, (label + wrong) % 10, first)

    protocol = protocols.classification_accuracy("lenet", 400)
    check_protocols([protocol], real)
    scores = compute_scores(protocol, GeneratedSamples(draw, real))
    assert list(scores) == protocol.score_names() == ["cas_lenet_400", "cas_lenet_400/real"]
    assert scores["cas_lenet_400/real"] > 0.9
    expected = 0.0 if wrong else scores["cas_lenet_400/real"]
    assert scores["cas_lenet_400"] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("labels", [False, True])
def test_path_length_of_a_linear_generator(labels):
    """If all is linear, the path length is ``E |A (z' - z)|^2`` on straight lines."""
    real, label = class_images()
    real = real_samples(real, label if labels else None)
    matrix = np.random.default_rng(0).normal(size=(3, 28 * 28)).astype(np.float32) / 100

    def generate(params, latents, label=None):
        flat = latents @ params + (0.0 if label is None else 0.01 * label[:, None])
        return flat.reshape(-1, 28, 28, 1)

    nets = Networks(
        init=lambda rng: (matrix, {}),
        latent=lambda rng, n: jax.random.normal(rng, (n, 3)),
        generate=generate,
        score=lambda params, samples: jnp.zeros(len(samples)),
    )
    generated = GeneratedSamples(sampler(nets, matrix, classes=real.train.classes), real)
    extractor = projection()
    protocol = protocols.perceptual_path_length(
        extractor, FEW, interpolation="lerp", epsilon=0.1, discard=0.0
    )
    scores = compute_scores(protocol, generated)
    latents = generated.latents(2 * FEW)
    moves = (latents[FEW:] - latents[:FEW]) @ (matrix @ extractor.variables)
    lengths = np.sum(moves.astype(np.float64) ** 2, axis=1)
    assert scores[f"ppl_projection_{FEW}"] == pytest.approx(lengths.mean(), rel=1e-4)
    assert scores[f"ppl_projection_{FEW}/std"] == pytest.approx(lengths.std(), rel=1e-4)


def test_stacked_modes_count_triples():
    grey = data.Dataset.from_arrays(*class_images(), 10)
    real = RealSamples(data.stacked(grey), name="stacked_fashion_mnist")
    image = as_float(real.train.draw(0, np.array([0]))["real"])

    def draw(rng, n, label=None, first=0):  # one image again and again
        return np.repeat(image, n, axis=0)

    protocol = protocols.stacked_modes(50)
    check_protocols([protocol], real)
    scores = compute_scores(protocol, GeneratedSamples(draw, real))
    assert scores["stacked_modes50/covered"] == 1 < scores["stacked_modes50/real_covered"]
    assert scores["stacked_modes50/reverse_kl"] == pytest.approx(np.log(1000))
    digits = RealSamples(data.stacked(grey), name="stacked_mnist")
    with pytest.raises(UserError, match=r"weights=lenet_mnist\.npz, a LeNet of digits"):
        check_protocols([protocol], digits)


def test_modes_of_the_true_distribution():
    ring = data.ring()

    def draw(rng, n, label=None, first=0):
        return np.asarray(ring.draw(1, np.arange(first, first + n))["real"])

    scores = compute_scores(protocols.modes(), GeneratedSamples(draw, RealSamples(ring)))
    assert scores["modes/covered"] == len(ring.centres)
    assert scores["modes/high_quality"] == pytest.approx(0.989, abs=0.01)


def test_a_sample_that_is_not_finite_has_no_score():
    def draw(rng, n, label=None, first=0):
        return np.full((n, 28, 28, 1), np.nan)

    protocol = protocols.frechet(projection(), FEW, "train")
    scores = compute_scores(protocol, GeneratedSamples(draw, real_samples()))
    assert list(scores) == [f"fd_projection_{FEW}_train"]
    assert np.isnan(list(scores.values())).all()


def test_names_say_which_network_was_used():
    extractor = projection()
    inception = renamed(extractor, "inception")
    light = renamed(extractor, "efficientnet_lite0")
    for protocol, name in (
        (protocols.frechet(inception, 50_000, "train"), "fid50k"),
        (protocols.frechet(inception, 10_000, "test"), "fid10k"),
        (protocols.frechet(inception, 10_000, "train"), "fid10k_train"),
        (protocols.frechet(inception, 500, "test"), "fid500_test"),
        (protocols.frechet(light, 10_000, "test"), "fd_effnetlite0_10k"),
        (protocols.fd_lenet(), "fd_lenet_10k"),
        (protocols.kernel(inception, 50_000, "train"), "kid50k"),
        (protocols.inception_score(inception), "is50k"),
        (protocols.inception_score("lenet"), "cs_lenet_50k"),
        (protocols.swd(), "swd16384"),
        (protocols.perceptual_path_length(inception, 50_000), "ppl_inception_50k"),
        (protocols.perceptual_path_length(), "ppl_lenet_10k"),
        (protocols.classification_accuracy(inception, 50_000), "cas_inception_50k_test"),
        (protocols.classification_accuracy(), "cas_lenet_10k"),
        (protocols.modes(), "modes"),
    ):
        assert protocol.name == name


def test_the_package_exports_its_protocols_and_nothing_else():
    for name in protocols.__all__:
        assert getattr(protocols, name).__annotations__["return"].__name__ == "Protocol", name
