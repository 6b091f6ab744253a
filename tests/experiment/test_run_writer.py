"""What the writer of a run passes to its loggers."""

from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.wandb_logging import readable


def test_settings_are_shown_flat_with_parts_as_text_too(root, monkeypatch):
    monkeypatch.chdir(root)
    shown = readable(load_settings("configs/ring.py:wgan_gp"))
    assert shown["objective"] == "wasserstein + gradient_penalty(weight=0.1)"
    assert shown["objective.gradient_penalty.weight"] == 0.1
    assert shown["discriminator_optimizer.adam.learning_rate"] == 1e-4
    assert shown["seed"] == 0
    assert not [value for value in shown.values() if isinstance(value, dict)]
    assert not [name for name in shown if name.startswith("wandb.")]
