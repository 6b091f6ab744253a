"""Keeps keys, tokens and passwords out of configs, which are written to disk and to W&B."""

import re
from typing import Any

from gan_jax.errors import UserError, masked

HINT = (
    "configs are written to disk and hold no credentials; W&B reads its key from WANDB_API_KEY, or "
    "after 'wandb login'"
)


def refuse_credentials(path: str, value: Any) -> None:
    """Refuses texts that look like a credential, before anything can write or print them.

    Args:
      path: of the field, ``"wandb.name"``.
      value: of the field, from a config file, a config.json, or the text of a flag.

    Raises:
      UserError: the value, or an entry of it, looks like a credential. It is not repeated.
    """
    texts = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(text, str) and masked(text) != text for text in texts):
        raise UserError(f"config.{path} seems to hold a key or a password: {HINT}")


def names_credential(name: str) -> bool:
    """Returns whether a name is that of a credential, such as ``"api_key"``."""
    return bool(re.search("key|token|password|secret", name, re.IGNORECASE))
