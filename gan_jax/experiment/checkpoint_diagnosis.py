"""The health of a checkpoint, measured anew on a few batches of the run's own data."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.health import PREFIX
from gan_jax.experiment.builder import Chunk, build
from gan_jax.experiment.loading import LoadedRun
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.experiment.roll_backs import RollBacks
from gan_jax.training.steps import last_batch

BATCHES = live_rules.JUDGED
"""On how many batches a checkpoint is measured: as many as the rules judge."""


def measure_health(run: LoadedRun, seed: int = 0) -> list[dict[str, float]]:
    """Measures the health of a loaded run on whole batches of the data that it trains on.

    What is measured over several steps, such as the movement of the parameters, is not.

    Args:
      run: of `load`.
      seed: of the latents.

    Returns:
      Metrics by name for each of `BATCHES` batches.
    """
    experiment = run.experiment
    changes = RollBacks(run.run_dir).changes(run.step)
    if changes:
        settings = apply_overrides(run.settings, changes)
        experiment = build(settings, run.dataset)
    (stage, _), key = experiment.stage_after(run.step), jax.random.key(seed)
    measure = jax.jit(stage.make_health({}))
    # Of the last step's stage: the next one may have networks of another size.
    last = next(experiment.chunks(max(run.step - 1, 0), max(run.step, 1)))
    rows = []
    for step in range(run.step, run.step + BATCHES):
        chunk = Chunk(last.stage, step, 1, 1, step, last.fading)
        batch = jax.tree.map(lambda leaf: leaf[0], experiment.batch(chunk))
        state = run.state._replace(step=jnp.asarray(step, jnp.int32))
        values = measure(state, last_batch(stage.prepare(batch)), key)
        rows.append({name: float(value) for name, value in values.items()})
    return rows


def describe_health(rows: list[dict[str, float]]) -> list[str]:
    """Returns a line for each quantity, its median, and one for each rule that can be judged."""
    lines = [
        f"{name.removeprefix(PREFIX):20} {np.median([row[name] for row in rows]):.4g}"
        for name in rows[0]
    ]
    diagnoses = live_rules.judge(rows)
    return lines + [
        f"{'trouble' if diagnosis.detected else 'fine'}: {live_rules.describe(name, diagnosis)}"
        for name, diagnosis in diagnoses.items()
    ]
