"""Config files: Python files with ``get_config(variant) -> ConfigDict``, anywhere on the disk."""

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import gan_jax
from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.experiment.settings import Settings, parse

CHECKOUT = Path(gan_jax.__file__).resolve().parents[1]
CONFIGS = CHECKOUT / "configs"
"""The configs of the repository: always importable, so no config.json holds this path."""


def load_settings(spec: str, overrides: Iterable[str] = ()) -> Settings:
    """Loads the settings of a config file and changes them by flags.

    A config file defines ``get_config(variant)`` and, if it has several variants, ``VARIANTS``, of
    which the first is the default. The file's own folder is added to ``config.python_path``, so
    that functions of modules next to it can be named, ``my_losses:total_variation``.

    Args:
      spec: ``path.py`` or ``path.py:variant``.
      overrides: ``"key.path=value"`` each: see `gan_jax.experiment.overrides`.

    Raises:
      UserError: a missing or broken file, an unknown variant or key, a value of the wrong type.
    """
    path, _, variant = spec.partition(":")
    module = load_module(path)
    variants = getattr(module, "VARIANTS", ())
    if variant and variant not in variants:
        known = did_you_mean(variant, variants) if variants else "it has none"
        raise UserError(f"{path} has no variant {variant!r}: {known}")
    if not callable(getattr(module, "get_config", None)):
        raise UserError(f"config file {path} defines no get_config()")
    try:
        settings = parse(module.get_config(variant) if variant else module.get_config())
    except UserError:
        raise
    except Exception as error:
        raise UserError(_broken(path, error)) from error
    settings = apply_overrides(settings, overrides)
    absolute = tuple(str(Path(folder).resolve()) for folder in settings.python_path)
    settings = replace(settings, python_path=absolute)  # found again from any other folder
    folder = str(Path(path).resolve().parent)
    if folder != str(CONFIGS):
        settings = replace(settings, python_path=(*settings.python_path, folder))
    extend_python_path(settings)
    return settings


def extend_python_path(settings: Settings) -> None:
    """Makes the modules that a run's own parts are in importable."""
    for folder in (*settings.python_path, str(CONFIGS)):
        if folder not in sys.path:
            sys.path.append(folder)


def load_module(path: str) -> ModuleType:
    """Imports a config file. Raises UserError: a file that is missing or broken."""
    file = Path(path)
    if not file.is_file():
        raise UserError(
            f"no config file {path} in {Path.cwd()}: those of gan_jax lie in configs/ of the "
            "repository, such as configs/ring.py"
        )
    # Config files import `configs.default`, and modules that lie next to them.
    for root in (file.resolve().parent.parent, file.resolve().parent, CHECKOUT):
        if str(root) not in sys.path:
            sys.path.append(str(root))
    spec = importlib.util.spec_from_file_location(f"configs.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UserError(f"config file {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(_broken(path, error)) from error
    return module


def _broken(path: str, error: Exception) -> str:
    return f"config file {path} cannot be loaded: {type(error).__name__}: {first_line(error)}"
