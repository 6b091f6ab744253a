"""The figure worth_of_a_score: lines, standard errors, and verdicts on made-up scores."""

import numpy as np
import pytest
from figure_modules import load, verdicts

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)


def numbers_of(bias=800.0, kd_bias=0.0, rounded=40.1, nearest=9.0, between=1.0):
    """Scores of generators whose FD is 40 + bias / n, up to noise of 0.2."""
    rng = np.random.default_rng(0)

    def fds(floor):
        return {
            str(n): list(floor + bias / n + rng.normal(scale=0.2 if n < 1000 else 0.01, size=5))
            for n in SIZES
        }

    def kds(mean):
        return {str(n): list(mean + kd_bias / n + rng.normal(scale=1 / n, size=30)) for n in SIZES}

    networks = {name: {"fd": {"DCGAN": fds(40)}} for name in load("worth_of_a_score").NAMES}
    networks["lenet"]["fd"]["training images"] = fds(bias / 10_000)
    networks["lenet"]["kd"] = {"DCGAN": kds(1.0), "training images": kds(0.0)}
    changed = {
        "n": 10_000,
        "FD": 40.1,
        "rounded": rounded,
        "nearest": nearest,
        "cubic": 2.0,
        "Lanczos": 3.0,
    }
    return {
        "rows": [
            {"seed": seed, "fd": list(60 + between * seed + rng.normal(scale=0.1, size=4))}
            for seed in range(3)
        ],
        "reference": 10_000,
        **networks,
        "changes": {"lenet": {**changed, "test images": 1.0}, "efficientnet": changed},
    }


def missed(**numbers):
    claims = load("worth_of_a_score").claims(numbers_of(**numbers))
    return {name for name, verdict in verdicts(claims).items() if verdict == "miss"}


def test_scores_that_follow_the_theory_meet_every_claim():
    assert missed() == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": 0.001}, ("R^2", "FD: means", "intercept")),
        ({"kd_bias": 1000.0}, ("KD: means", "mean KD")),
        ({"rounded": 45.0}, ("LeNet: FD moved", "EfficientNet-Lite0: FD moved")),
        ({"nearest": 2.5}, ("nearest pixel",)),
        ({"between": 0.0}, ("training seeds",)),
    ],
)
def test_scores_that_do_not_miss_the_claim_about_it(change, words):
    names = missed(**change)
    assert len(names) == len(words)
    assert all(any(word in name for name in names) for word in words)


def test_a_line_in_the_inverse_of_n_is_found_from_a_size_on():
    module = load("worth_of_a_score")
    fds = {str(n): [40 + 800 / n - 0.5, 40 + 800 / n + 0.5] for n in SIZES}
    fds["500"] = [1000.0]
    assert module.fit_from(SIZES) == 1000 and module.fit_from((32, 64)) == 32
    assert module.line(fds, 1000, 10_000) == pytest.approx((40, 800, 1))
    sizes, bias = module.bias_by_size({"lenet": {"fd": {"DCGAN": fds}}}, "lenet")
    assert sizes == list(SIZES) and bias[-1] == pytest.approx(0.08 / 40)


def test_standard_errors_are_those_of_welchs_test():
    from scipy.stats import ttest_1samp, ttest_ind

    first, second = [1.0, 2.0, 4.0], [0.5, 0.0, 0.2, 1.0]
    found = load("worth_of_a_score").standard_errors_apart
    assert found(first, second) == pytest.approx(ttest_ind(first, second, equal_var=False)[0])
    assert found(first) == pytest.approx(ttest_1samp(first, 0)[0])


def test_blocks_are_disjoint_and_whole():
    pool = np.arange(25)[:, None]
    blocks = load("worth_of_a_score").of_draws.blocks(pool, 10, 5)
    np.testing.assert_array_equal(np.concatenate(blocks), pool[:20])


def test_images_come_back_from_half_their_size():
    module = load("worth_of_a_score")
    grey = np.full((2, 28, 28, 1), 0.25, np.float32)
    for method, antialias in module.FILTERS.values():
        for name, side in (("lenet", 28), ("efficientnet", 224)):
            found = module.of_draws.resized(grey, method, antialias, name)
            assert found.shape == (2, side, side, 1)
            np.testing.assert_allclose(found, 0.25, atol=1e-6)


def test_without_training_everything_but_seeds_is_judged_and_drawn():
    module = load("worth_of_a_score")
    numbers = {**numbers_of(), "rows": []}
    shown = {f"{title}: bias of FD" for title in module.NAMES.values()}
    verdicts_of_short = {claim.name: claim.verdict(True) for claim in module.claims(numbers)}
    not_judged = {name for name, verdict in verdicts_of_short.items() if verdict == "not judged"}
    assert {name.split(",")[0] for name in not_judged} == shown
    assert not any("seeds" in name for name in verdicts_of_short)
    assert len(module.draw(numbers).axes) == 4 and len(module.draw(numbers_of()).axes) == 5
    few = {**numbers, "reference": 500}
    assert {claim.verdict(True) for claim in module.claims(few)} == {"not judged"}
