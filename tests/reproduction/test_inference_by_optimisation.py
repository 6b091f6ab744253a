"""The figure inference_by_optimisation: what is found, shares of images, verdicts and panels."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure
from gan_jax.training.sampling import sampler

ERROR = "mean squared error: K = 0 minus K = 10"
RATIO = "|log| of the median distance over the data's: K = 0 minus K = 10"
BEST = "share of images reconstructed best: K = 10 minus K = 0"

ERRORS = {"K = 0": (0.4, 0.6), "K = 1": (0.3, 0.5), "K = 5": (0.35, 0.45), "K = 10": (0.2, 0.4)}
"""Of two images."""
MEDIANS = {"K = 0": 10.0, "K = 1": 20.0, "K = 5": 30.0, "K = 10": 36.0}


def histogram(median):
    return [float(i == int(median)) for i in range(97)]


def row_of(run, seed, errors, median, **others):
    row = {"run": run, "seed": seed, "steps": 4000, "diverged": False, "curves": {}}
    return row | {"errors": list(errors), "median": median, "histogram": histogram(median)} | others


def strip():
    return load("inference_by_optimisation").images.to_png(np.full((28, 12 * 28, 3), 90, np.uint8))


def numbers_of(errors=ERRORS, medians=MEDIANS):
    """Numbers of runs whose three seeds have these errors and medians, up to a little."""
    picture = strip()
    rows = [
        row_of(
            run,
            seed,
            np.add(of_run, seed / 1000),
            medians[run] + seed / 10,
            **({"strip": picture} if seed == 0 else {}),
        )
        for run, of_run in errors.items()
        for seed in range(3)
    ]
    data = {"median": 40.0, "histogram": histogram(40.0), "mean image": 0.3, "strip": picture}
    return {"rows": rows, "data": data}


# --------------------------------------------------------------------------------------- measuring


def test_distances_are_those_of_all_pairs():
    module = load("inference_by_optimisation")
    samples = np.random.default_rng(0).uniform(-1, 1, (12, 28, 28, 3)).astype(np.float32)
    direct = [
        np.sqrt(np.sum((samples[i].astype(float) - samples[j]) ** 2))
        for i in range(12)
        for j in range(i)
    ]
    found = module.distances_of_pairs(samples)
    assert len(direct) == 66 and found["median"] == pytest.approx(np.median(direct))
    expected = np.bincount(np.floor(direct).astype(int), minlength=97) / 66
    np.testing.assert_allclose(found["histogram"], expected)
    farthest = module.distances_of_pairs(np.stack([np.ones((28, 28, 3)), -np.ones((28, 28, 3))]))
    assert np.sum(found["histogram"]) == pytest.approx(1) and farthest["histogram"][-1] == 1


def test_a_generator_reconstructs_the_images_that_it_can_make_and_no_others():
    module = load("inference_by_optimisation")
    import _reconstructions

    made, other = np.zeros((2, 28, 28, 3), np.float32)
    made[:14], other[14:] = 1, 1
    pair = tiny.networks()._replace(
        latent=lambda rng, n: jax.random.normal(rng, (n, 1)),
        generate=lambda params, latents: latents[:, :, None, None] * params["image"][None],
        init=None,
    )
    run = SimpleNamespace(
        sampler=sampler(pair, {"image": jnp.asarray(made)}, batch_size=8),
        sample=lambda n: np.linspace(0, 1, n)[:, None, None, None] * made,
    )
    targets = np.stack([0.5 * made, -0.3 * made, 0.5 * made + 0.4 * other])
    sizes = module.Sizes(images=3, search=10, samples=3)
    found = _reconstructions.measured(run, targets, sizes)
    np.testing.assert_allclose(found["errors"], [0, 0, 0.4**2 / 2], atol=1e-5)
    norm = math.sqrt(14 * 28 * 3)
    assert found["median"] == pytest.approx(norm / 2)
    pixels = module.images.from_png(found["strip"])
    assert pixels.shape == (28, 3 * 28, 3)
    middle = 127.5
    assert pixels[0, 0, 0] == pytest.approx(1.5 * middle, abs=2)
    assert pixels[0, 28, 0] == pytest.approx(0.7 * middle, abs=2)
    assert pixels[20, 60, 0] == pytest.approx(middle, abs=2)


def test_a_seed_that_diverged_counts_as_black_images(fashion_mnist, monkeypatch):
    module = load("inference_by_optimisation")
    sizes = []

    def searched(directory, targets, size):
        sizes.append(size)
        return {"errors": [0.1] * len(targets), "median": 20.0, "histogram": [], "strip": "..."}

    def row(name, seed, directory, metrics):
        lost = (name, seed) == ("K = 10", 1)
        return {"run": name, "seed": seed, "steps": 600, "diverged": lost, "curves": {}}

    monkeypatch.setattr(module, "searched", searched)
    monkeypatch.setattr(module.images, "row_of", row)
    runs = {name: {seed: FIGURES for seed in (0, 1)} for name in ("K = 0", "K = 10")}
    numbers = module.measure(runs, smoke=True)
    assert sizes == [module.SMOKE_SIZES] * 3
    assert [row["run"] for row in numbers["rows"] if "strip" in row] == ["K = 0", "K = 10"]
    lost = numbers["rows"][3]
    targets = module.images.from_png(numbers["data"]["strip"]).reshape(28, 8, 28, 3) / 255
    brightness = np.mean((2 * targets) ** 2, axis=(0, 2, 3))
    np.testing.assert_allclose(lost["errors"], brightness, rtol=0.02)
    assert lost["median"] == 0 and lost["histogram"][0] == 1
    assert module.median_ratios(numbers, "K = 10") == [
        pytest.approx(20 / numbers["data"]["median"]),
        0.01,
    ]
    note = next(claim.note for claim in module.claims(numbers) if claim.name == ERROR)
    assert note == "K = 10: 1 of its seeds diverged"


def test_the_form_decides_how_many_images_are_searched():
    module = load("inference_by_optimisation")
    figure = load_figure(FIGURES, "inference_by_optimisation")
    images = {}
    for form in ("smoke", "short", "paper"):
        for run in figure.runs(form).values():
            settings = load_settings(str(ROOT / run.config), run.overrides)
            images.setdefault(form, set()).add(
                module.sizes_of(settings.steps, form == "smoke").images
            )
            assert not settings.metrics and settings.steps % settings.checkpoint_every == 0
    assert images == {"smoke": {8}, "short": {256}, "paper": {1280}}


def test_the_runs_look_so_many_steps_ahead_as_their_names_say():
    module = load("inference_by_optimisation")
    for k, name in module.NAMES.items():
        run = module.RUNS[name]
        assert load_settings(str(ROOT / run.config), run.overrides).unroll == k
        networks = load_settings(str(ROOT / run.config), run.overrides).networks.settings
        assert networks["width"] == 4 * networks["discriminator_width"]


# ---------------------------------------------------------------------------- verdicts and drawing


def test_the_share_is_of_images_whose_error_is_smallest_by_the_mean_over_seeds():
    module = load("inference_by_optimisation")
    rows = [
        row_of("K = 0", 0, [0.1, 0.5, 0.3, 0.2], 10.0),
        row_of("K = 0", 1, [0.5, 0.5, 0.3, 0.2], 10.0),  # means .3, .5, .3, .2
        row_of("K = 10", 0, [0.2, 0.2, 0.2, 0.4], 30.0),
        row_of("K = 10", 1, [0.2, 0.6, 0.2, 0.4], 30.0),  # means .2, .4, .2, .4
    ]
    assert module.best_shares({"rows": rows}) == {"K = 0": 0.25, "K = 10": 0.75}


def test_published_shares_are_whole_numbers_of_images():
    shares = [
        float(text[1].rstrip("%")) for text in load("inference_by_optimisation")._PUBLISHED.values()
    ]
    counts = [round(share * 12.8) for share in shares]
    assert counts == [8, 294, 196, 782] and sum(counts) == 1280
    np.testing.assert_allclose(np.divide(counts, 12.8), shares, atol=0.00501)


def test_the_published_order_passes_in_the_full_form_alone():
    claims = load("inference_by_optimisation").claims(numbers_of())
    judged = {name: v for name, v in verdicts(claims).items() if v != "not judged"}
    assert judged == {ERROR: "pass", RATIO: "pass", BEST: "pass"}
    assert claims[0].measured == (pytest.approx(0.2),)
    ratios = [np.mean([abs(math.log((m + s / 10) / 40)) for s in range(3)]) for m in (10, 36)]
    assert claims[1].measured == (pytest.approx(ratios[0] - ratios[1]),)
    assert claims[2].measured == (1.0,)
    assert {claim.verdict(shortened=True) for claim in claims} == {"not judged"}


@pytest.mark.parametrize(
    ("errors", "medians", "missed"),
    [
        ({"K = 10": (0.5, 0.6)}, {}, {ERROR, BEST}),
        ({"K = 0": (0.1, 0.6)}, {"K = 0": 38.0}, {RATIO, BEST}),
        ({"K = 0": (0.1, 0.4), "K = 10": (0.3, 0.3)}, {}, {ERROR, BEST}),
        ({}, {"K = 10": 200.0}, {RATIO}),
    ],
)
def test_each_claim_can_be_missed(errors, medians, missed):
    claims = load("inference_by_optimisation").claims(
        numbers_of(ERRORS | errors, MEDIANS | medians)
    )
    found = verdicts(claims)
    assert {name for name, verdict in found.items() if verdict == "miss"} == missed


def test_a_seed_that_diverged_weighs_in_the_means_and_is_named():
    module = load("inference_by_optimisation")
    numbers = numbers_of()
    lost = next(row for row in numbers["rows"] if row["run"] == "K = 10" and row["seed"] == 1)
    lost.update(diverged=True, errors=[0.8, 2.0], median=0.0, histogram=histogram(0.0))
    claims = {claim.name: claim for claim in module.claims(numbers)}
    assert claims[ERROR].measured == (pytest.approx(0.501 - (0.3 + 1.4 + 0.302) / 3),)
    assert [claims[name].verdict(False) for name in (ERROR, RATIO, BEST)] == ["miss"] * 3
    assert "K = 10: 1 of its seeds diverged" in claims[ERROR].note
    assert "1 of its seeds diverged" in claims["K = 10: mean squared error"].note
    assert claims["K = 0: mean squared error"].note == module._NOT_COMPARABLE


def test_published_numbers_stand_beside_each_run():
    claims = load("inference_by_optimisation").claims(numbers_of())
    shown = {claim.name: claim for claim in claims}
    assert shown["K = 10: mean squared error"].published == "0.0181 ± 0.0018"
    assert shown["K = 1: share of images reconstructed best"].published == "22.97%"
    assert shown["K = 5: median distance over the data's"].measured[0] == 0.75


def test_the_drawing_has_its_panels_and_shows_each_run():
    draw = load_figure(FIGURES, "inference_by_optimisation").draw
    figure = draw(numbers_of())
    errors, distances, strips = figure.axes
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)"]
    means = next(line for line in errors.lines if line.get_label() == "mean over seeds")
    np.testing.assert_allclose(means.get_xdata(), [0, 1, 5, 10])
    np.testing.assert_allclose(means.get_ydata(), [0.501, 0.401, 0.401, 0.301])
    legend = [text.get_text() for text in distances.get_legend().get_texts()]
    assert legend == ["data", *ERRORS]
    np.testing.assert_allclose(
        [line.get_xdata()[0] for line in distances.lines], [40, 10.1, 20.1, 30.1, 36.1]
    )
    names = [text.get_text() for text in strips.get_yticklabels()]
    assert names[0] == "training images" and names[-1] == "K = 10: best for 100.0%"
    assert len(names) == 5


def test_two_runs_with_a_seed_that_diverged_can_be_drawn():
    numbers = numbers_of({run: ERRORS[run] for run in ("K = 0", "K = 10")})
    numbers["rows"][0].update(diverged=True, median=0.0, histogram=histogram(0.0))
    del numbers["rows"][0]["strip"]
    figure = load_figure(FIGURES, "inference_by_optimisation").draw(numbers)
    names = [text.get_text() for text in figure.axes[2].get_yticklabels()]
    assert names == ["training images", "K = 10: best for 100.0%"]
