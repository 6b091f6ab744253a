"""Networks that are others with other defaults."""

import inspect
from collections.abc import Callable
from typing import Any

from gan_jax.game import Networks


def variant_of(
    function: Callable[..., Networks],
) -> Callable[[Callable[..., Networks]], Callable[..., Networks]]:
    """Marks a function that hands its ``**settings`` on to ``function``: its signature then names what they may be."""

    def mark(own: Callable[..., Networks]) -> Callable[..., Networks]:
        signature, forwarded = inspect.signature(own), inspect.signature(function)
        given = {
            name: entry
            for name, entry in signature.parameters.items()
            if entry.kind != entry.VAR_KEYWORD
        }
        more = {name: entry for name, entry in forwarded.parameters.items() if name not in given}
        marked: Any = own
        marked.__signature__ = signature.replace(parameters=[*given.values(), *more.values()])
        own.__annotations__ |= {
            name: function.__annotations__[name]
            for name in more
            if name in function.__annotations__
        }
        return own

    return mark
