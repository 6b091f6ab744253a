"""The README's code runs as it stands."""

import re

import jax
import numpy as np


def test_the_examples_run(root):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    with jax.numpy_rank_promotion("allow"):  # as a user's session is
        for block in blocks:
            exec(block, names)
        assert np.abs(np.asarray(names["state"].generator.params["shift"]) - [3, -1]).max() < 0.5
        state, batch = names["state"], {"real": names["real"][0, 0]}
        loss, (metrics, _) = names["objective"].discriminator(
            state.discriminator.params, state.generator, batch, names["key"]
        )
        assert (
            np.isfinite(loss)
            and {"discriminator/total_variation", "discriminator/r1"} <= metrics.keys()
        )
