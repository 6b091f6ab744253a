"""Where a run's metrics and pictures go: JSON lines, progress lines, W&B, plots."""
