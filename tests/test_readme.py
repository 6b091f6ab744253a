"""The README's code runs as it stands, and the tests that the documents name exist."""

import re

import jax
import numpy as np

import gan_jax


def test_the_examples_run(root):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    names: dict = {}
    terms = []
    with jax.numpy_rank_promotion("allow"):  # as a user's session is
        for number, block in enumerate(blocks):
            exec(block, names)
            if number == 0:
                trained = names["state"]
                shift = np.asarray(trained.generator.params["shift"])
                assert np.abs(shift - [3, -1]).max() < 0.5
            context = gan_jax.Context(names["key"], 0, names["state"].memory)
            loss, (metrics, _) = names["objective"].discriminator(
                trained.discriminator.params,
                trained.generator,
                {"real": names["real"][0, 0]},
                context,
            )
            assert np.isfinite(loss)
            terms.append({name.partition("/")[2] for name in metrics})
    assert {"total_variation", "r1"} <= terms[1] and {"hinge", "r1", "lecam"} <= terms[2]


def test_the_tests_that_documents_name_exist(root):
    text = (root / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    for file, name in named:
        assert f"\ndef {name}(" in (root / file).read_text(), f"{file}::{name}"
