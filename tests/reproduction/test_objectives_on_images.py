"""The figure objectives_on_images: its settings, its order beside the study's, its verdicts."""

import image_rows
import numpy as np
import pytest
from conftest import ROOT
from figure_modules import load, verdicts

from gan_jax.experiment.config_files import load_settings


@pytest.fixture
def figure():
    return load("objectives_on_images")


FDS = {"MM GAN": 60, "NS GAN": 50, "LSGAN": 65, "WGAN": 90, "WGAN-GP": 40, "DRAGAN": 55}


def numbers(figure, **changes):
    fds = FDS | {"R3GAN": 70, "UGAN": 80} | {k.replace("_", " "): v for k, v in changes.items()}
    rows = image_rows.rows(figure.RUNS, figure.METRIC, fds)
    for row in rows:
        fd = fds[row["run"]] + row["seed"]
        row["scores"] = dict(zip(figure.SCORES[:-1], (fd, 1.5, 0.7, 0.4, 0.8, 0.5), strict=True))
    return {"rows": rows}


def test_all_objectives_have_the_same_networks_but_for_the_norm(figure):
    settings = {
        name: load_settings(str(ROOT / run.config), run.overrides)
        for name, run in figure.RUNS.items()
    }
    assert {found.steps for found in settings.values()} == {figure.STEPS}
    for name, found in settings.items():
        values = dict(found.networks.settings)
        norm = values.pop("discriminator_norm")
        assert values == {"width": 32, "hidden": 128} and found.networks.name == "infogan"
        with_penalty = name in ("WGAN-GP", "DRAGAN", "R3GAN")
        assert (norm != "batch") == with_penalty == (len(found.objective) > 1)
        assert found.discriminator_steps == (5 if name.startswith("WGAN") else 1)
        assert found.unroll == (5 if name == "UGAN" else 0)


def test_the_differences_of_the_study_are_judged(figure):
    def judged(**changes):
        claims = verdicts(figure.claims(numbers(figure, **changes)))
        return [verdict for verdict in claims.values() if verdict != "not judged"]

    assert judged() == ["pass", "pass"]
    assert judged(MM_GAN=45) == ["miss", "pass"]
    assert judged(WGAN=30) == ["pass", "miss"]


def test_each_run_is_shown_with_the_published_fid(figure):
    claims = {claim.name: claim for claim in figure.claims(numbers(figure))}
    assert claims["LSGAN: FD"].measured == (65, 66, 67)
    assert claims["LSGAN: FD"].published == "FID 30.7 ± 2.2"
    assert "KD 1.5, precision 0.7" in claims["LSGAN: FD"].note
    assert claims["R3GAN: FD"].published == "reported only"


def test_the_order_is_compared_with_the_study(figure):
    ours = [FDS[name] for name in figure.PUBLISHED]
    published = [fid for fid, _ in figure.PUBLISHED.values()]
    ranks = [np.argsort(np.argsort(values)) for values in (ours, published)]
    expected = np.corrcoef(*ranks)[0, 1]
    assert figure.rank_correlation(numbers(figure)) == pytest.approx(expected)
    few = {"rows": [row for row in numbers(figure)["rows"] if row["run"] in ("WGAN", "UGAN")]}
    assert np.isnan(figure.rank_correlation(few))


def test_scores_are_read_without_the_spread_of_kd(figure):
    names = [protocol.name for protocol in figure.protocols(100, with_efficientnet=False)]
    assert len(names) == 4
    values = figure.without_spread([30.0, 0.002, 0.5, 0.7, 0.4, 0.8, 0.5])
    assert dict(zip(figure.SCORES, values, strict=False)) == {
        "FD": 30.0,
        "KD": 2.0,
        "precision": 0.7,
        "recall": 0.4,
        "density": 0.8,
        "coverage": 0.5,
    }


def test_fd_is_drawn_over_training_and_beside_the_study(figure):
    over_training, beside, strips = figure.draw(numbers(figure)).axes
    assert len(over_training.lines) == len(figure.RUNS) * 4
    places = {float(np.ravel(line.get_xdata())[0]) for line in beside.lines}
    assert {fid for fid, _ in figure.PUBLISHED.values()} <= places
    assert len(strips.get_yticklabels()) == len(figure.RUNS)
