"""From a config to a trained run: settings, what they build, the training loop, the run directory."""
