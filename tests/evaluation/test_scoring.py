"""`evaluate`: a generator of any kind, real data of any form, and protocols in; scores out."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_cases import (
    CLASSES,
    FEW,
    as_float,
    class_images,
    images_by_class,
    projection,
    renamed,
    small_sampler,
    template_classifier,
)

from gan_jax import data, metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import (
    GeneratedSamples,
    Protocol,
    RealSamples,
    compute_scores,
    evaluate,
    protocols,
    scoring,
    sort_protocols,
)

pytestmark = pytest.mark.usefixtures("cache")


def frechet(samples=FEW, split="train"):
    return protocols.frechet(projection(), samples, split)


def noise(rng, n):
    return jnp.clip(0.3 * jax.random.normal(rng, (n, 28, 28, 1)), -1, 1)


def test_an_array_scores_as_its_features_do():
    real, _ = class_images()
    fake = np.asarray(noise(jax.random.key(0), FEW))
    scores = evaluate(fake, real, frechet())
    extractor = projection()
    expected = metrics.frechet_distance(extractor(as_float(real)), extractor(fake))
    assert scores == {f"fd_projection_{FEW}_train": pytest.approx(expected, rel=1e-9)}
    pixels = np.rint((fake + 1) * 127.5).astype(np.uint8)
    assert evaluate(pixels, real, frechet()) == evaluate(as_float(pixels), real, frechet())


def test_a_function_is_called_for_whole_batches_with_different_keys():
    calls = []

    def generate(rng, n):
        calls.append((n, tuple(np.asarray(jax.random.key_data(rng)).tolist())))
        return noise(rng, n)

    real, _ = class_images()
    scores = evaluate(generate, real, frechet(FEW), batch_size=25)
    assert [n for n, _ in calls] == [25, 25, 25] and len(set(calls)) == 3
    assert evaluate(generate, real, frechet(FEW), batch_size=25) == scores
    assert evaluate(generate, real, frechet(FEW), batch_size=25, seed=1) != scores
    jitted = jax.jit(noise, static_argnums=1)
    assert evaluate(jitted, real, frechet(FEW), batch_size=25) == pytest.approx(scores, rel=1e-4)


def test_samples_of_a_function_do_not_depend_on_how_many_there_are(monkeypatch):
    def draw(n, first=0):
        real = RealSamples.of(class_images()[0])
        source = scoring.sample_source(noise, real.train.shape, 25)
        chunks = GeneratedSamples(source, real).samples(n, first)
        return np.concatenate([samples for samples, _ in chunks])

    many = draw(90)
    np.testing.assert_array_equal(draw(30), many[:30])
    np.testing.assert_array_equal(draw(30, first=40), many[40:70])
    monkeypatch.setattr("gan_jax.evaluation.real_samples.CHUNK", 7)
    np.testing.assert_array_equal(draw(90), many)


def test_a_function_with_a_label_is_given_the_classes():
    real, label = class_images()
    source = images_by_class(real, label)

    def generate(rng, n, label):
        assert label.shape == (n,) and label.dtype == np.int32
        return source(rng, n, label)

    protocol = protocols.label_accuracy(template_classifier(), 500, "train")
    scores = evaluate(generate, {"real": real, "label": label}, protocol)
    assert list(scores.values()) == [1.0, 1.0]
    shifted = evaluate(
        lambda rng, n, label: generate(rng, n, (label + 1) % CLASSES),
        {"real": real, "label": label},
        protocol,
    )
    assert list(shifted.values()) == [0.0, 1.0]


def test_a_sampler_scores_as_within_a_run():
    real, label = class_images()
    generated = GeneratedSamples(small_sampler(), RealSamples.of({"real": real, "label": label}), 3)
    chosen = [frechet(), protocols.perceptual_path_length(projection(), FEW)]
    scores = evaluate(small_sampler(), {"real": real, "label": label}, chosen, seed=3)
    for protocol in chosen:
        assert compute_scores(protocol, generated).items() <= scores.items()


def test_a_sampler_of_other_samples_is_refused(cache):
    real = class_images()[0][:, :14]
    says = r"the sampler draws samples \(28, 28, 1\), and the real ones are \(14, 28, 1\)"
    with pytest.raises(UserError, match=says):
        evaluate(small_sampler(), real, frechet())
    assert not cache.exists()


def test_fid50k_is_a_library_call(monkeypatch):
    inception = renamed(projection(), "inception")
    monkeypatch.setattr(metrics, "inception_extractor", lambda path: inception)
    protocols.extractors._load.cache_clear()
    real, _ = class_images()
    chosen = [
        protocols.fid50k("inception.npz", samples=3000),
        protocols.fid10k("inception.npz", FEW),
    ]
    scores = evaluate(noise, {"train": real, "test": real[:100]}, chosen)
    protocols.extractors._load.cache_clear()
    assert list(scores) == ["fid3k", f"fid{FEW}_test"] and scores["fid3k"] > 0


def test_scores_come_in_the_order_of_the_protocols():
    real, _ = class_images()
    chosen = [frechet(), protocols.precision_recall(projection(), FEW, "train"), frechet(50)]
    assert [protocol.holds for protocol in sort_protocols(chosen)] == ["features", "", ""]
    names = [name for protocol in chosen for name in protocol.score_names()]
    assert list(evaluate(noise, real, chosen)) == names
    assert evaluate(noise, real, []) == {}


def test_points_are_scored_too():
    ring = data.ring()
    centres = np.tile(ring.centres, (100, 1))[:200]
    scores = evaluate(centres, ring, protocols.modes(samples=200))
    assert scores["modes/covered"] == 8 and scores["modes/high_quality"] == 1


def test_images_of_another_scale_are_warned_of():
    real, _ = class_images()
    with pytest.warns(UserWarning, match=r"lie in \[127.5, 127.5\], and are clipped"):
        evaluate(lambda rng, n: np.full((n, 28, 28, 1), 127.5), real, frechet())


@pytest.mark.parametrize(
    ("generate", "error", "says"),
    [
        ("model", TypeError, r"generate is str: pass a function \(rng, n\)"),
        (np.zeros((FEW, 28, 28)), UserError, r"samples are \(28, 28, 1\) like the real ones"),
        (np.zeros((FEW, 28, 28, 1), int), UserError, "dtype int64"),
        (np.zeros((9, 28, 28, 1)), UserError, "64 generated samples, and there are 9"),
        (
            lambda rng: rng,
            TypeError,
            r"generate takes \(rng\), but is called as generate\(rng, n\)",
        ),
        (lambda rng, n, label: rng, UserError, "takes labels, and the real samples have none"),
        (np.float32(1), UserError, r"has shape \(\)"),
        (lambda rng, n, y: rng, TypeError, "missing a required argument: 'y'"),
        (lambda rng, n: np.zeros((n, 3)), UserError, r"generate\(rng, 250\) has shape \(250, 3\)"),
        (lambda rng, n: np.zeros((3, 28, 28, 1)), UserError, r"should be \(250, 28, 28, 1\)"),
    ],
)
def test_what_is_no_generator_is_refused_before_real_statistics(generate, error, says, cache):
    with pytest.raises(error, match=says) as raised:
        evaluate(generate, class_images()[0], frechet())
    assert "\n" not in str(raised.value) and not cache.exists()


def test_what_is_not_there_is_said_in_one_line(cache):
    real, label = class_images()
    labelled = {"real": real, "label": label}
    for protocol, data_, says in (
        (frechet(split="test"), real, "no split 'test'"),
        (protocols.perceptual_path_length(projection(), FEW), real, "needs latents"),
        (protocols.label_accuracy(samples=FEW, split="train"), labelled, "of known classes"),
        (protocols.label_accuracy(samples=FEW, split="train"), real, "no labels"),
    ):
        with pytest.raises(UserError, match=says) as raised:
            evaluate(noise, data_, protocol)
        assert "\n" not in str(raised.value)
    for no_protocol in (["fid50k"], "fid50k", protocols.fid50k):
        with pytest.raises(TypeError, match="is not a protocol: pass one such as"):
            evaluate(noise, real, no_protocol)
    for settings in ({"seed": -1}, {"seed": 2**31}, {"batch_size": 0}):
        with pytest.raises(UserError, match=next(iter(settings))):
            evaluate(noise, real, frechet(), **settings)
    assert not cache.exists()


def test_a_protocol_whose_score_lacks_a_value_is_refused():
    own = Protocol("mean", "mean", ("", "spread"), FEW, lambda generated: {"": 1.0})
    with pytest.raises(UserError, match="mean: its score function returns no value 'spread'"):
        evaluate(noise, class_images()[0], own)


def test_the_example_in_the_docstring_runs():
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(scoring, optionflags=flags)
    assert result.attempted and not result.failed
