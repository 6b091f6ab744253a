"""The command `experiments/benchmark.py`."""

import importlib.util
import json
import runpy

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError


@pytest.fixture
def benchmark(root):
    """The command as a function of its arguments."""
    return runpy.run_path(str(root / "experiments" / "benchmark.py"))["benchmark"]


def test_the_command_times_metrics_and_writes_a_table(benchmark, tmp_path, capsys):
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("pip install -e '.[oracles]'")
    target = tmp_path / "made" / "metrics"
    benchmark(["metrics", "--small", "--rounds=2", "--only=kernel", f"--out={target}"])
    assert capsys.readouterr().out.count("torch-fidelity") == 2
    record = json.loads((tmp_path / "made" / "metrics.json").read_text())
    assert len(record["results"]) == 2 and record["packages"]["torch-fidelity"]
    assert record["command"] == (
        f"python experiments/benchmark.py metrics --small --rounds=2 --only=kernel --out={target}"
    )
    for result in record["results"]:
        assert np.isfinite(result["seconds"]) and result["difference"] < 1e-3
    table = (tmp_path / "made" / "metrics.md").read_text().splitlines()
    assert len([line for line in table if line.startswith("| kernel distance")]) == 2
    with Image.open(tmp_path / "made" / "metrics.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a case: .*metrics"),
        (["none"], "not 'none'"),
        (["metrics", "--rounds=0"], "at least 1"),
    ],
)
def test_bad_input_is_reported_in_one_line(benchmark, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        benchmark(arguments)
    assert "\n" not in str(error.value)
