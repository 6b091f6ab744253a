"""Labels in the networks: codes and the discriminator's head."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.networks.label_conditioning import (
    Head,
    LabelCode,
    append_code,
    label_conditioning,
)


@pytest.mark.parametrize(
    ("labels", "classes", "used"),
    [
        (None, 0, "none"),
        (None, 3, "projection"),
        ("none", 3, "none"),
        ("auxiliary", 3, "auxiliary"),
    ],
)
def test_the_default_conditioning_is_used_if_there_are_classes(labels, classes, used):
    assert label_conditioning(labels, classes, default="projection") == used


def test_labels_without_classes_are_refused():
    with pytest.raises(UserError, match="classes=0"):
        label_conditioning("concatenation", 0, default="projection")


def test_codes_are_appended_to_each_pixel():
    images, code = jnp.zeros((2, 3, 3, 1)), jnp.array([[1.0, 2.0], [3.0, 4.0]])
    appended = append_code(images, code)
    assert appended.shape == (2, 3, 3, 3)
    expected = np.broadcast_to(code[:, None, None], (2, 3, 3, 2))
    np.testing.assert_array_equal(appended[..., 1:], expected)


def test_label_codes_are_one_hot_or_embeddings():
    label = jnp.array([2, 0])
    np.testing.assert_array_equal(LabelCode(3).apply({}, label), np.eye(3)[[2, 0]])
    embedding = np.arange(6, dtype=np.float32).reshape(3, 2)
    params = {"params": {"embedding": embedding}}
    np.testing.assert_array_equal(LabelCode(3, 2).apply(params, label), embedding[[2, 0]])


def test_the_projection_score_is_the_papers_equation_3():
    """``psi(h) + <embedding[label], h>``."""
    features = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    label = jnp.array([0, 2, 1, 2])
    head = Head("projection", 3)
    params = head.init(jax.random.key(0), features, label)
    psi, embedding = params["params"]["score"], params["params"]["embedding"]["kernel"]
    expected = (
        features @ psi["kernel"][:, 0] + psi["bias"][0] + (embedding[label] * features).sum(1)
    )
    scores, logits = head.apply(params, features, label)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert logits is None
