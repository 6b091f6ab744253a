"""What a run does when it is in trouble, for ``config.on_trouble``."""

import math
from typing import Literal, NamedTuple

from gan_jax.errors import UserError

__all__ = ["Response", "roll_back", "stop", "warn"]


class Response(NamedTuple):
    """What a run does at the first row of metrics that shows a trouble.

    Attributes:
      action: what is done; a line is printed in any case.
      learning_rate_factor: of a roll-back, what the learning rates of both optimizers are
        multiplied by.
      overrides: of a roll-back, changes to the config, ``"path=value"`` each.
    """

    action: Literal["warn", "stop", "roll_back"]
    learning_rate_factor: float = 1.0
    overrides: tuple[str, ...] = ()


def warn() -> Response:
    """Returns the response that prints a line, and goes on."""
    return Response("warn")


def stop() -> Response:
    """Returns the response that saves the run and ends it."""
    return Response("stop")


def roll_back(learning_rate_factor: float = 1.0, change: str = "") -> Response:
    """Returns the response that goes back to the last checkpoint before the trouble began.

    The run goes on from there with other draws and with the changes, which add up if it is rolled
    back again: a factor of 0.5 leaves a quarter after two roll-backs.

    Args:
      learning_rate_factor: what the learning rates of both optimizers are multiplied by.
      change: of the config, ``"unroll=5; objective=non_saturating + r1(gamma=1)"``, separated by
        semicolons.

    Raises:
      UserError: a factor that is not positive, or a change that is not written ``path=value``.
    """
    if not (math.isfinite(learning_rate_factor) and learning_rate_factor > 0):
        raise UserError(
            "roll_back takes a learning_rate_factor above 0, such as 0.5, "
            f"not {learning_rate_factor}"
        )
    overrides = tuple(text.strip() for text in change.split(";") if text.strip())
    for override in overrides:
        if "=" not in override:
            raise UserError(
                f"roll_back takes change='path=value; other.path=value', not {override!r}"
            )
    return Response("roll_back", learning_rate_factor, overrides)
