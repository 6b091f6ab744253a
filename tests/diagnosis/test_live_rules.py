"""Rules over rows, and rules that end a run."""

import numpy as np
import pytest

from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.stopping import patience, reached
from gan_jax.errors import UserError


def rows(**columns):
    names = [name.replace("__", "/") for name in columns]
    return [dict(zip(names, values)) for values in zip(*columns.values())]


def test_nothing_is_judged_before_three_values():
    two = rows(health__diversity=[0.1, 0.1])
    assert live_rules.judge(two) == {}
    found = live_rules.judge([*two, {"health/diversity": None}, {"health/diversity": 0.1}])
    assert found["mode collapse"].detected


def test_one_odd_batch_is_no_trouble():
    assert not live_rules.mode_collapse(rows(health__diversity=[0.9, 0.1, 0.8])).detected


def test_missing_modes_are_a_collapse_though_samples_are_far_apart():
    found = live_rules.mode_collapse(
        rows(health__diversity=[1.0] * 3, health__mode_share=[0.25] * 3)
    )
    assert found.detected and found.value == 0.25


@pytest.mark.parametrize(
    ("rule", "name", "threshold"),
    [
        (live_rules.dead_latents, "dead_latents", 0.5),
        (live_rules.vanishing_gradient, "flat_samples", 0.07),
        (live_rules.clipped_weights, "weights_at_bound", 0.08),
        (live_rules.overfitting, "overfitting", 0.5),
    ],
)
def test_the_median_of_the_newest_shares_is_compared_with_the_threshold(rule, name, threshold):
    column, above, below = f"health__{name}", threshold + 0.01, threshold - 0.01
    assert rule(rows(**{column: [above] * 3})).detected
    assert not rule(rows(**{column: [below, below, 0.9]})).detected


def test_smooth_paths_that_come_back_are_circles_and_noise_is_none():
    def judged(cosine, ratio):
        return live_rules.circling(
            rows(
                health__generator_path_ratio=[ratio] * 3,
                health__generator_update_cosine=[cosine] * 3,
            )
        )

    assert judged(0.99, 4.0).detected
    assert not judged(0.99, 0.1).detected  # a straight line
    assert not judged(0.1, 4.0).detected  # about a solution, with noise


def test_a_period_of_the_scores_and_an_explosion_are_seen():
    t = np.arange(64)
    found = live_rules.judge(rows(scores__fake=np.sin(t / 2)))
    assert found["oscillating scores"].detected
    noise = np.random.default_rng(0).normal(size=64)
    assert not live_rules.judge(rows(scores__fake=noise))["oscillating scores"].detected
    assert live_rules.judge(rows(generator__gradient_norm=10.0 ** (t / 8)))["explosion"].detected
    assert not live_rules.judge(rows(generator__gradient_norm=1 + t))["explosion"].detected


def test_a_loss_that_begins_to_act_is_no_explosion():
    from_32_on = [0.0] * 32 + [5.0] * 32
    assert not live_rules.judge(rows(discriminator__gradient_norm=from_32_on))["explosion"].detected
    exploding = [0.0] * 32 + list(10.0 ** np.arange(32))
    assert live_rules.judge(rows(discriminator__gradient_norm=exploding))["explosion"].detected
    assert "explosion" not in live_rules.judge(rows(discriminator__gradient_norm=[0.0] * 64))


def test_advice_names_a_field_of_the_config(root):
    text = (root / "configs" / "default.py").read_text()
    columns = {
        f"health__{name}": [1.0] * 32
        for name in ("dead_latents", "flat_samples", "weights_at_bound", "overfitting")
    } | {
        "health__diversity": [0.0] * 32,
        "health__generator_path_ratio": [9.0] * 32,
        "health__generator_update_cosine": [1.0] * 32,
        "scores__fake": np.sin(np.arange(32)),
        "generator__gradient_norm": 10.0 ** np.arange(32),
    }
    found = live_rules.judge(rows(**columns))
    assert set(found) == set(live_rules.RULES)
    for name, diagnosis in found.items():
        assert diagnosis.detected, name
        fields = [word.strip(",:.") for word in diagnosis.advice.split() if "config." in word]
        names = [field for field in fields if f"{field} =" in text or f"{field}_" in text]
        assert names or "clip_weights" in diagnosis.advice, diagnosis.advice
        assert "threshold" in live_rules.describe(name, diagnosis)


def test_patience_counts_values_that_are_no_better():
    rule = patience("fid", evaluations=2)
    judged = lambda *values: rule([{"fid": value} for value in values])
    assert not judged(3.0, 2.0, 2.5)
    assert not judged(3.0, 2.0, None, 2.5, 1.9, 2.0)
    assert judged(3.0, 2.0, 2.5, 2.0) == "fid has not been better than 2 for 2 values"
    assert not judged() and not judged(float("nan"), 1.0)
    highest = patience("modes", evaluations=1, mode="max", least_change=1)
    assert highest([{"modes": 3}, {"modes": 4}]) and not highest([{"modes": 3}, {"modes": 5}])


def test_reached_ends_a_run_at_a_value():
    assert reached("fid", 5.0)([{"fid": 7.0}, {"fid": 4.0}])
    assert not reached("fid", 5.0)([{"fid": 4.0}, {"fid": 7.0}, {"other": 1.0}])
    assert reached("modes", 8, mode="max")([{"modes": 8}])


def test_bad_rules_are_refused():
    for make in (
        lambda: patience("fid", 0),
        lambda: patience("fid", 1, mode="lowest"),
        lambda: reached("fid", 1.0, mode=""),
    ):
        with pytest.raises(UserError):
            make()
