"""The Inception Score against torch-fidelity, its definition and its extremes."""

import numpy as np
import pytest
from oracles import oracle
from scipy.special import softmax
from scipy.stats import entropy

from gan_jax.metrics import inception_score

rng = np.random.default_rng(0)


LOGITS = 3 * rng.normal(size=(103, 12))


@pytest.mark.parametrize("splits", [1, 10, 103])
def test_the_score_equals_that_of_torch_fidelity(splits):
    torch, peer = oracle("torch"), oracle("torch_fidelity.metric_isc")
    expected = peer.isc_features_to_metric(torch.tensor(LOGITS), splits=splits, shuffle=False)
    score = inception_score(LOGITS, splits)
    np.testing.assert_allclose(score.mean, expected["inception_score_mean"], rtol=1e-6)
    np.testing.assert_allclose(score.std, expected["inception_score_std"], rtol=1e-6, atol=1e-12)


def test_the_score_equals_its_definition_on_uneven_splits():
    p = softmax(LOGITS, axis=1)
    expected = [
        np.exp(np.mean([entropy(probabilities, part.mean(axis=0)) for probabilities in part]))
        for part in (p[0:34], p[34:68], p[68:103])
    ]
    np.testing.assert_allclose(inception_score(LOGITS, 3).values, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "logits, expected",
    [
        (np.zeros((20, 5)), 1.0),
        (1000.0 * np.eye(5)[np.arange(20) % 5], 5.0),  # certain and even
        (-1000.0 * np.eye(5)[np.arange(20) % 5], np.exp(np.log(5) - np.log(4))),
        (1000.0 * np.eye(5)[np.zeros(20, int)], 1.0),  # certain, but of one class
    ],
)
def test_the_score_lies_between_one_and_the_number_of_classes(logits, expected):
    np.testing.assert_allclose(inception_score(logits, 2).mean, expected, rtol=1e-12)
