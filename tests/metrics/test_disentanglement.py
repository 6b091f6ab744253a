"""MIG, DCI and the FactorVAE score: closed cases, and other implementations of their definitions.

The references follow disentanglement_lib as it was read: histograms of 20 bins and scikit-learn's
mutual information; boosted trees and SciPy's entropies; one group after another.
"""

import numpy as np
import pytest

from gan_jax import metrics

SIZES = (3, 4, 6)
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]


def draw(n, seed=0):
    """Factors ``[n, 3]`` and codes that are each a function of one of them."""
    factors = np.random.default_rng(seed).integers(0, SIZES, (n, len(SIZES)))
    return factors, (factors - np.mean(factors, 0)) / np.array(SIZES) + [0.3, -2.0, 0.0]


def noise(n, d=3, seed=9):
    return np.random.default_rng(seed).normal(size=(n, d))


# -------------------------------------------------------------------------------------------- MIG


def test_mig_of_a_perfect_code_a_turned_one_and_noise():
    factors, codes = draw(4000)
    perfect = metrics.mutual_information_gap(codes, factors)
    assert perfect.score > 0.99 and np.argmax(perfect.information, 0).tolist() == [0, 1, 2]
    turned = metrics.mutual_information_gap(codes @ TURN, factors)
    assert turned.score < 0.5
    assert metrics.mutual_information_gap(noise(4000), factors).score < 0.01
    # Two copies of each code: no factor is in one code alone.
    twice = metrics.mutual_information_gap(np.concatenate([codes, codes], 1), factors)
    np.testing.assert_allclose(twice.score, 0, atol=1e-12)


def test_information_of_a_deterministic_code_is_the_entropy():
    factors = np.stack([np.tile([0, 1], 50), np.repeat([0, 1], 50)], 1)
    result = metrics.mutual_information_gap(factors.astype(float), factors)
    np.testing.assert_allclose(result.information, np.log(2) * np.eye(2), atol=1e-12)
    np.testing.assert_allclose(result.gaps, 1)


@pytest.mark.parametrize("seed", range(3))
def test_mig_against_scikit_learn(seed):
    cluster = pytest.importorskip("sklearn.metrics")
    factors, codes = draw(1500, seed)
    codes = codes @ TURN + 0.2 * noise(1500, seed=seed)
    codes = np.concatenate([codes, np.full((1500, 1), 4.0)], 1)  # and a dead one
    information = np.empty((4, 3))
    for i in range(4):
        edges = np.histogram(codes[:, i], bins=20)[1]
        column = np.digitize(codes[:, i], edges[:-1])
        for k in range(3):
            information[i, k] = cluster.mutual_info_score(factors[:, k], column)
    shares = [np.bincount(factors[:, k]) / 1500 for k in range(3)]
    entropies = [-np.sum(p * np.log(p)) for p in shares]
    top = -np.sort(-information, axis=0)
    result = metrics.mutual_information_gap(codes, factors)
    np.testing.assert_allclose(result.information, information, atol=1e-10)
    np.testing.assert_allclose(result.score, np.mean((top[0] - top[1]) / entropies), rtol=1e-9)


# -------------------------------------------------------------------------------------------- DCI


def test_dci_of_importances_in_closed_form():
    scores = metrics.dci_from_importance(np.diag([3.0, 1.0, 2.0]))
    np.testing.assert_allclose(scores, 1)
    np.testing.assert_allclose(metrics.dci_from_importance(np.ones((4, 3))), 0, atol=1e-12)
    # A code per factor, and a second one for the first: disentangled, not complete.
    scores = metrics.dci_from_importance([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    completeness = 0.5 * (1 - np.log(2) / np.log(3)) + 0.5
    np.testing.assert_allclose(scores, [1, completeness])
    assert metrics.dci_from_importance(np.zeros((2, 2))) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_dci_of_importances_against_scipy(seed):
    from scipy.stats import entropy

    matrix = np.random.default_rng(seed).exponential(size=(5, 3)) ** 3
    matrix[2] = 0  # a dead code
    with np.errstate(invalid="ignore"):
        rows, columns = 1 - entropy(matrix.T, base=3), 1 - entropy(matrix, base=5)
    disentanglement = np.nansum(rows * matrix.sum(1)) / matrix.sum()
    completeness = np.sum(columns * matrix.sum(0)) / matrix.sum()
    scores = metrics.dci_from_importance(matrix)
    np.testing.assert_allclose(scores, (disentanglement, completeness), rtol=1e-10)


def test_dci_of_a_perfect_code_a_turned_one_and_noise():
    ensemble = pytest.importorskip("sklearn.ensemble")
    (factors, codes), (test_factors, test_codes) = draw(400), draw(300, 1)
    perfect = metrics.dci(codes, factors, test_codes, test_factors, trees=10)
    np.testing.assert_allclose(perfect[:3], 1, atol=1e-6)
    turned = metrics.dci(codes @ TURN, factors, test_codes @ TURN, test_factors, trees=10)
    assert turned.disentanglement < 0.5 and turned.completeness < 0.5
    nothing = metrics.dci(noise(400), factors, noise(300, seed=4), test_factors, trees=10)
    assert nothing.disentanglement < 0.1 and nothing.completeness < 0.1
    assert abs(nothing.informativeness - np.mean(1 / np.array(SIZES))) < 0.06
    model = ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0)
    model.fit(codes @ TURN, factors[:, 1])
    np.testing.assert_array_equal(turned.importance[:, 1], np.abs(model.feature_importances_))


# ------------------------------------------------------------------------------------- FactorVAE


def groups_of(seed, groups, encode, n=16):
    """Groups of codes in each of which one factor is fixed, and which one."""
    rng = np.random.default_rng(seed)
    fixed = rng.integers(0, len(SIZES), groups)
    factors = rng.integers(0, SIZES, (groups, n, len(SIZES)))
    for group, factor in zip(factors, fixed, strict=True):
        group[:, factor] = group[0, factor]
    return encode(factors), fixed


def score_of(encode):
    variances = encode(draw(4000)[0]).var(0, ddof=1)
    return metrics.factor_vae_score(
        *groups_of(0, 400, encode), *groups_of(1, 300, encode), variances
    )


def test_factor_vae_score_of_a_perfect_code_and_of_noise():
    perfect = score_of(lambda factors: factors / np.array(SIZES))
    assert perfect.score == 1 and np.all(np.argmax(perfect.votes, 1) == np.arange(3))
    draws = np.random.default_rng(3)
    nothing = score_of(lambda factors: draws.normal(size=factors.shape))
    assert abs(nothing.score - 1 / 3) < 0.1
    # One code for all: it votes for one factor.
    one = score_of(lambda factors: factors.sum(-1, keepdims=True) * 1.0)
    assert abs(one.score - 1 / 3) < 0.1


def test_factor_vae_score_leaves_out_codes_that_hardly_vary():
    def encode(factors):
        return np.concatenate([factors / np.array(SIZES), 1e-3 * factors[..., :1]], -1)

    result = score_of(encode)
    assert result.score == 1 and result.votes[3].sum() == 0
    dead = score_of(lambda factors: 1e-3 * factors)
    assert dead.score == 0 and dead.votes.sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_factor_vae_score_against_one_group_after_another(seed):
    weights = np.random.default_rng(seed).normal(size=(3, 4))
    weights[:, 2] *= 1e-3

    def encode(factors):
        return (factors / np.array(SIZES)) @ weights

    variances = encode(draw(2000, seed)[0]).var(0, ddof=1)
    train, test = groups_of(seed, 200, encode), groups_of(seed + 50, 100, encode)
    active = [i for i in range(4) if variances[i] ** 0.5 >= 0.05]
    votes = {i: [0, 0, 0] for i in active}

    def least(group):
        return min(active, key=lambda i: np.var(group[:, i], ddof=1) / variances[i])

    for group, factor in zip(*train, strict=True):
        votes[least(group)][factor] += 1
    hits = [votes[least(g)].index(max(votes[least(g)])) == f for g, f in zip(*test, strict=True)]
    result = metrics.factor_vae_score(*train, *test, variances)
    np.testing.assert_allclose(result.score, np.mean(hits), rtol=1e-12)


# ---------------------------------------------------------------------------------------- refusals

FACTORS, CODES = draw(20)
GROUPS, FIXED = groups_of(0, 20, lambda factors: factors * 1.0)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: metrics.mutual_information_gap(CODES[:, :1], FACTORS), "found 1 code, expected 2"),
        (lambda: metrics.mutual_information_gap(CODES, FACTORS * 0), "one value of factor 0"),
        (lambda: metrics.mutual_information_gap(CODES, FACTORS * 1.0), "expected integers"),
        (lambda: metrics.mutual_information_gap(CODES, FACTORS[1:]), "found 19 rows"),
        (lambda: metrics.dci(CODES, FACTORS, CODES[:, :2], FACTORS), "found 2 codes and 3 factors"),
        (lambda: metrics.dci_from_importance([[1.0, -1], [0, 1]]), "found -1.0"),
        (lambda: metrics.dci_from_importance([1.0]), r"found shape \(1,\)"),
        (
            lambda: metrics.factor_vae_score(CODES, FIXED, GROUPS, FIXED, np.ones(3)),
            r"codes: found shape \(20, 3\)",
        ),
        (
            lambda: metrics.factor_vae_score(GROUPS, FIXED, GROUPS, FIXED[1:], np.ones(3)),
            "test_fixed: found int64",
        ),
        (
            lambda: metrics.factor_vae_score(GROUPS, FIXED, GROUPS, FIXED, np.ones(2)),
            "expected 3 codes",
        ),
    ],
)
def test_bad_codes_and_factors_are_refused(run, message):
    with pytest.raises(ValueError, match=message):
        run()
