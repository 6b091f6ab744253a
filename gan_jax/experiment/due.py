"""What is to be done after a call, by the intervals of settings."""

from dataclasses import dataclass
from typing import Any

from gan_jax.experiment.settings import Settings


@dataclass(frozen=True)
class Due:
    """What is to be done after a call.

    Attributes:
      log: a row of metrics is written.
      evaluate: the metrics of protocols are computed.
      draw: samples are drawn.
      save: a checkpoint is saved; a row is logged, too.
      postponed: something would be evaluated or drawn, but the run stops.
    """

    log: bool
    evaluate: bool
    draw: bool
    save: bool
    postponed: bool


def is_interval(settings: Settings, every: int, step: Any) -> Any:
    """Returns whether an interval ends after a step, an integer or a traced one."""
    return (step % every == 0) | (step == settings.steps)


def due_after(settings: Settings, step: int, stopping: bool = False) -> Due:
    """Returns what is due after a step.

    Args:
      settings: with the intervals. All is due after the last step.
      step: how many steps there were.
      stopping: whether the run stops here. It then saves, and leaves all else to the next start.
    """

    def interval(every: int) -> bool:
        return bool(is_interval(settings, every, step))

    save = interval(settings.checkpoint_every) or stopping
    evaluate = interval(settings.evaluate_every) and bool(settings.metrics)
    draw = interval(settings.sample_every)
    return Due(
        log=interval(settings.log_every) or save,
        evaluate=evaluate and not stopping,
        draw=draw and not stopping,
        save=save,
        postponed=stopping and (evaluate or draw),
    )
