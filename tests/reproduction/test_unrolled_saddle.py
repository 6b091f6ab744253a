"""The figure unrolled_saddle: its cells, its standard errors and its verdicts."""

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdict_list

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure


@pytest.fixture
def figure():
    return load("unrolled_saddle")


def numbers(figure, modes):
    """Three seeds of each cell, of which the last covers a mode less: variance 1/3 in each cell."""
    rows = []
    for cell in figure.RUNS:
        choices = dict(
            zip(("data", "objective", "penalty", "unroll", "rule"), cell.split("; "), strict=True)
        )
        for seed in (10, 11, 12):
            row = {"seed": seed, "covered": modes(**choices) - (seed == 12)}
            rows.append(choices | row | {"diverged": False, "high_quality": 0.5})
    return {"rows": rows}


def test_the_error_of_a_gain_is_as_large_as_gains_scatter(figure):
    rng, gains, errors = np.random.default_rng(0), [], []
    for _ in range(400):
        first = rng.normal(3.0, 1.0, (6, 10))
        second = rng.normal(5.0, 1.0, (4, 10))
        difference, error = figure.gain(first, second)
        gains.append(difference)
        errors.append(error)
    assert np.mean(gains) == pytest.approx(2, abs=4 * np.std(gains) / 20)
    assert np.std(gains) == pytest.approx((1 / 60 + 1 / 40) ** 0.5, rel=0.15)
    assert np.mean(errors) == pytest.approx((1 / 60 + 1 / 40) ** 0.5, rel=0.05)


@pytest.mark.parametrize("objective", ["minimax", "non-saturating", "Wasserstein"])
def test_only_the_third_game_lets_the_generator_minimise_the_whole_loss(figure, objective):
    for penalty in ("no penalty", "R1, 1"):
        cells = {
            game: figure.RUNS.get(f"grid; {objective}; {penalty}; {game}; alternating")
            for game in figure.GAMES
        }
        own_is_whole = (objective, penalty) == ("minimax", "no penalty")
        assert (cells[figure.WHOLE] is None) == own_is_whole
        for game, run in cells.items():
            if run is None:
                continue
            settings = load_settings(str(ROOT / run.config), run.overrides)
            names = [part.name for part in settings.transformations]
            assert names == (["saddle"] if game == figure.WHOLE else [])
            assert settings.unroll == (0 if game == figure.WITHOUT else 5)
            assert (len(settings.objective) == 1) == (penalty == "no penalty")


def test_the_verdict_is_of_minimax_alone_on_new_seeds(figure):
    loaded = load_figure(FIGURES, "unrolled_saddle")
    assert loaded.seeds_to_train(loaded.seeds("paper"), 0) == range(10, 20)

    def minimax_gains(data, objective, penalty, unroll, rule):
        if (objective, penalty) == ("minimax", "no penalty"):
            return 7 if unroll == figure.OWN else 5
        return 3 if unroll == figure.OWN else 6

    claims = figure.claims(numbers(figure, minimax_gains))
    assert verdict_list(claims) == ["pass", *["not judged"] * 3] * 2
    # 2 modes more; 9 runs of either game, with a variance of 1/3 within cells.
    assert claims[0].measured == pytest.approx((2 / np.sqrt(1 / 3 * 2 / 9),))
    assert [claim.note.split(", ")[1] for claim in claims[1:4]] == [
        "4 cells of 3 seeds",
        "5 cells of 3 seeds",
        "5 cells of 3 seeds",
    ]
    assert claims[1].measured == pytest.approx((3 / np.sqrt(1 / 3 * 2 / 12),))
    # Other objectives cannot help a minimax that unrolling does not.
    assert (
        verdict_list(figure.claims(numbers(figure, lambda unroll, **_: 4 + len(unroll))))
        == [
            "miss",
            *["not judged"] * 3,
        ]
        * 2
    )
    assert figure.draw(numbers(figure, minimax_gains))
