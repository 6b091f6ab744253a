"""The package of metrics: what it imports, exports and does with its arguments."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from test_bad_inputs import METRICS_OF_FEATURES

from gan_jax import metrics

FEATURES = np.random.default_rng(0).normal(size=(40, 4))


def modules_after(code):
    """Names of all modules that a fresh interpreter has imported after running ``code``."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    loaded = modules_after("import gan_jax.metrics")
    assert "gan_jax.metrics.frechet" in loaded
    heavy = {"flax", "torch", "sklearn", "optax", "scipy.optimize", "scipy.stats", "matplotlib"}
    assert not loaded & heavy


def test_the_package_imports_nothing_else_of_gan_jax():
    names = [module.name for module in pkgutil.walk_packages(metrics.__path__, "gan_jax.metrics.")]
    assert "gan_jax.metrics.lenet" in names
    loaded = modules_after(f"import importlib\nfor name in {names}: importlib.import_module(name)")
    of_gan_jax = {name for name in loaded if name.startswith("gan_jax.")}
    assert of_gan_jax == {"gan_jax.metrics", *names}
    for name in names:  # imports within functions
        source = inspect.getsource(importlib.import_module(name))
        for line in source.splitlines():
            if line.lstrip().startswith(("from gan_jax", "import gan_jax")):
                assert line.split()[1].startswith("gan_jax.metrics"), (name, line)


def test_every_exported_name_exists_and_is_documented():
    for name in metrics.__all__:
        assert getattr(metrics, name).__doc__
    with pytest.raises(AttributeError):
        metrics.no_such_metric  # noqa: B018


@pytest.mark.parametrize(
    "convert",
    [
        jnp.asarray,
        lambda x: jnp.asarray(x, jnp.bfloat16),
        lambda x: x.astype(np.float16),
        np.ndarray.tolist,
    ],
    ids=["jax", "bfloat16", "float16", "list"],
)
def test_features_may_have_any_real_dtype(convert):
    converted = convert(FEATURES)
    as_float64 = np.asarray(converted).astype(np.float64)
    distance = metrics.frechet_distance(converted, FEATURES)
    assert distance == metrics.frechet_distance(as_float64, FEATURES)


def test_arguments_are_not_changed():
    for name, function in METRICS_OF_FEATURES.items():
        x, y = FEATURES.copy(), FEATURES[::-1] + 1
        y_before = y.copy()
        function(x, y)
        assert np.array_equal(x, FEATURES) and np.array_equal(y, y_before), name
    logits = FEATURES.copy()
    metrics.inception_score(logits)
    assert np.array_equal(logits, FEATURES)
