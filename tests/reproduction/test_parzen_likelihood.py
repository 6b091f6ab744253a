"""The figure parzen_likelihood: its likelihoods, its models, its networks, verdicts and panels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts
from image_rows import photos

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure

JUDGED = [
    "nats: k-means centres minus GAN",
    "nats: k-means centres minus conditional GAN",
    "nats: k-means centres minus training images",
]


def numbers_of(centres=240.0, gan=150.0, conditional=160.0, data=180.0):
    module = load("parzen_likelihood")
    strip = module.images.to_png(np.zeros((28, 28 * module.SHOWN), np.uint8))
    rows = []
    for run, nats in (("GAN", gan), ("conditional GAN", conditional)):
        for seed in range(3):
            steps = [5_000, 10_000]
            likelihoods = {"step": steps, "value": [50.0, nats + seed], "error": [2.0, 2.5]}
            curves = {
                module.METRIC: {"step": steps, "value": [150.0, 90.0]},
                "likelihood": likelihoods | {"sigma": [0.2, 0.2]},
            }
            row = {"run": run, "seed": seed, "steps": 10_000, "diverged": False, "curves": curves}
            rows.append(row | {"strip": strip if seed == 0 else None})
    others = {
        name: {"likelihood": nats, "error": 2.0, "sigma": 0.17, "fd": fd, "strip": strip}
        for name, nats, fd in (
            ("k-means centres", centres, 80.0),
            ("40 components", 190.0, 60.0),
            ("training images", data, 0.5),
        )
    }
    return {"rows": rows, "others": others}


# --------------------------------------------------------------------------------------- measuring


def test_the_likelihood_is_that_of_a_kernel_density_of_the_best_width():
    from sklearn.neighbors import KernelDensity

    module = load("parzen_likelihood")
    sizes = module.Sizes(train=0, samples=30, validation=10, test=20, rounds=0)
    samples, test = photos(30, 0) // 4, photos(40, 1) // 4
    found = module.likelihood(samples, test, sizes)
    tested, validation = (
        images.reshape(-1, 784).astype(np.float32) / 255 for images in (test[:20], test[20:30])
    )

    def peer(width):
        return KernelDensity(bandwidth=width).fit(samples.reshape(30, -1).astype(np.float32) / 255)

    widths = np.logspace(-1, 0, 10)
    best = max(widths, key=lambda width: peer(width).score(validation))
    values = peer(best).score_samples(tested)
    assert found["sigma"] == pytest.approx(best)
    assert found["likelihood"] == pytest.approx(values.mean(), rel=1e-5)
    assert found["error"] == pytest.approx(values.std(ddof=1) / np.sqrt(20), rel=1e-4)


def test_centres_move_as_in_lloyds_algorithm():
    from sklearn.cluster import KMeans

    module = load("parzen_likelihood")
    points = np.random.default_rng(0).normal(size=(200, 5))
    start = points[:7]
    peer = KMeans(7, init=start, n_init=1, max_iter=300, tol=0, algorithm="lloyd").fit(points)
    np.testing.assert_allclose(module.k_means(points, start, 300), peer.cluster_centers_, rtol=1e-6)
    np.testing.assert_array_equal(module.k_means(points, start, 0), start)


def test_a_centre_without_points_stays():
    module = load("parzen_likelihood")
    points, start = np.array([[0.0], [1.0]]), np.array([[0.2], [9.0]])
    np.testing.assert_allclose(module.k_means(points, start, 3), [[0.5], [9.0]])


def test_points_are_projected_on_the_first_principal_components():
    from sklearn.decomposition import PCA

    module = load("parzen_likelihood")
    points = np.random.default_rng(0).normal(size=(300, 6)) * [5, 4, 3, 1, 0.5, 0.1]
    peer = PCA(2).fit(points)
    expected = peer.inverse_transform(peer.transform(points[:9]))
    np.testing.assert_allclose(module.projected(points, points[:9], 2), expected, atol=1e-9)


def test_other_models_are_images_of_as_many_samples():
    module = load("parzen_likelihood")
    sizes = module.Sizes(train=60, samples=25, validation=0, test=0, rounds=1)
    train = photos(60, 0)
    made = module.other_models(train, sizes)
    assert list(made) == ["k-means centres", "40 components", "training images"]
    assert {of.shape for of in made.values()} == {(25, 28, 28, 1)}
    assert {of.dtype for of in made.values()} == {np.dtype(np.uint8)}
    assert (made["training images"] == train[:, None]).all((2, 3, 4)).any(0).sum() == 25
    clipped = module.as_images(np.array([[-0.3, 0.5, 1.7, 1.0] * 196]))
    assert clipped.ravel()[:4].tolist() == [0, 128, 255, 255]


# ---------------------------------------------------------------------------------------- networks


def small(**settings):
    load("parzen_likelihood")
    import _dropout_mlp

    sizes = {"generator_widths": (8,), "discriminator_widths": (6, 5), "pieces": 3}
    return _dropout_mlp.dropout_mlp((28, 28, 1), **sizes, **settings)


def test_nothing_is_dropped_without_keys_and_others_are_scaled_up_with_them():
    networks = small()
    assert networks.random == ("score",)
    _, discriminator = networks.init(jax.random.key(0))
    samples = jax.random.uniform(jax.random.key(1), (4, 28, 28, 1), minval=-1)
    sure = networks.score(discriminator, samples)
    np.testing.assert_array_equal(sure, networks.score(discriminator, samples))

    def scores(first):
        keys = jax.vmap(jax.random.key)(first + jnp.arange(4))
        return networks.score(discriminator, samples, rng=keys)

    np.testing.assert_array_equal(scores(0), scores(0))
    assert not np.allclose(scores(0), scores(9))
    assert not np.allclose(scores(0), sure)
    none = small(drop_input=0.0, drop_hidden=0.0)
    keys = jax.vmap(jax.random.key)(jnp.arange(4))
    np.testing.assert_allclose(none.score(discriminator, samples, rng=keys), sure, rtol=1e-6)


def test_the_discriminator_is_maxout_over_images_in_0_to_1():
    networks = small()
    _, params = networks.init(jax.random.key(0))
    samples = jax.random.uniform(jax.random.key(1), (4, 28, 28, 1), minval=-1)
    weights = jax.tree.map(np.asarray, params["params"])
    x = (np.asarray(samples, np.float64).reshape(4, -1) + 1) / 2
    for layer in ("maxout_0", "maxout_1"):
        pieces = weights[layer]["pieces"]
        x = (x @ pieces["kernel"] + pieces["bias"]).reshape(4, 3, -1).max(1)
    head = weights["head"]["score"]
    expected = (x @ head["kernel"] + head["bias"])[:, 0]
    np.testing.assert_allclose(networks.score(params, samples), expected, rtol=1e-4, atol=1e-6)


def test_labels_reach_both_networks():
    networks = small(classes=10)
    generator, discriminator = networks.init(jax.random.key(0))
    latents = networks.latent(jax.random.key(1), 2)[:1].repeat(2, 0)
    labels = jnp.array([3, 4])
    samples = networks.generate(generator, latents, label=labels)
    assert not np.allclose(samples[0], samples[1])
    scores = networks.score(discriminator, samples[:1].repeat(2, 0), label=labels)
    assert scores[0] != scores[1]


# ---------------------------------------------------------------------------- verdicts and drawing


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"gan": 239.5}, [JUDGED[0]]),
        ({"conditional": 245.0}, [JUDGED[1]]),
        ({"data": 250.0}, [JUDGED[2]]),
        ({"centres": 100.0}, JUDGED),
    ],
)
def test_centres_are_compared_in_the_full_form_alone(changed, missed):
    made = load("parzen_likelihood").claims(numbers_of(**changed))
    found = verdicts(made)
    assert [name for name, verdict in found.items() if verdict != "not judged"] == JUDGED
    assert [name for name, verdict in found.items() if verdict == "miss"] == missed
    assert {claim.verdict(shortened=True) for claim in made} == {"not judged"}


def test_published_numbers_stand_beside_ours_as_not_comparable():
    made = load("parzen_likelihood").claims(numbers_of())
    notes = {claim.name: claim.note for claim in made}
    assert "225 ± 2, not comparable" in notes["GAN: log-likelihood in nats"]
    assert "132 ± 1.8, not comparable" in notes["conditional GAN: log-likelihood in nats"]
    assert "errors over test images 2.5, 2.5, 2.5" in notes["GAN: log-likelihood in nats"]


def test_every_evaluation_has_a_checkpoint():
    figure = load_figure(FIGURES, "parzen_likelihood")
    for scale in ("short", "paper"):
        for run in figure.runs(scale).values():
            settings = load_settings(str(ROOT / run.config), run.overrides)
            assert settings.checkpoint_every == settings.evaluate_every
            assert settings.steps / settings.checkpoint_every <= settings.keep_checkpoints
            assert settings.batch_size == 100 and settings.ema_decay == 0


def test_the_drawing_has_its_panels():
    figure = load_figure(FIGURES, "parzen_likelihood")
    drawing = figure.draw(numbers_of())
    titles = [ax.get_title(loc="left") for ax in drawing.axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)"]
    assert len(drawing.axes[0].lines) == 2 * 4 + 3  # seeds and a mean of each GAN, other models
    labels = [text.get_text() for text in drawing.axes[3].get_yticklabels()]
    assert labels == list(figure.module._COLOURS)
