"""Networks inside of others, such as those that are packed: given as a function, or named as in a config."""

from collections.abc import Callable, Mapping
from typing import Any

from gan_jax.errors import UserError
from gan_jax.game import Networks

Inner = Callable[..., Networks] | Mapping[str, Mapping[str, Any]]
"""``shape=, classes= -> Networks``, or the name of a network of this package with its settings, ``{"mlp": {...}}``."""

OUTER = ("packed", "latent_code")
"""Those that are made of others."""


def maker(outer: str, networks: Inner, **given: Any) -> Callable[..., Networks]:
    """The function ``shape=, classes= -> Networks``; named networks get ``given`` too, beneath their own settings.

    Raises UserError where what is named is not one network that the ``outer`` one can be made of.
    """
    if callable(networks):
        return networks
    import gan_jax.networks
    from gan_jax.experiment import registry

    known = [name for name in gan_jax.networks.__all__ if name not in OUTER]
    if len(networks) != 1 or (name := next(iter(networks))) not in known:
        raise UserError(
            f"{outer} needs one network inside, not {sorted(networks)}: choose one of {', '.join(known)}"
        )
    settings = {**given, **networks[name]}
    dtype = {"dtype": settings.pop("dtype")} if "dtype" in settings else {}

    def make(**own: Any) -> Networks:
        return registry.build_part(
            f"networks.{outer}.networks",
            (gan_jax.networks,),
            Networks,
            name,
            settings,
            **own,
            **dtype,
        )

    return make
