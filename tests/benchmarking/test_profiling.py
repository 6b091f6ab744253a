"""Where the time of a call goes."""

import runpy
import sys

import jax
import jax.numpy as jnp
import pytest

from gan_jax.benchmarking import profiling
from gan_jax.benchmarking.profiling import Operation


def event(name, start, duration):
    return {"ph": "X", "ts": start, "dur": duration, "args": {"hlo_op": name}}


def test_time_is_counted_for_the_operation_that_started_last_and_adds_up():
    events = [
        event("dot.2", 40.0, 30.0),
        event("while.1", 0.0, 100.0),  # holds the others
        event("fusion.7", 0.0, 10.0),
        event("dot.1", 10.0, 1.0),  # runs on after its entry, until 40
        event("fusion.9", 70.0, 30.0),
        {"ph": "X", "ts": 3.0, "dur": 50.0, "args": {}},
        {"ph": "M", "name": "thread_name", "args": {"name": "x"}},
    ]
    operations = profiling.operations_in(events)
    assert {name: (runs, round(1e6 * seconds)) for name, runs, seconds in operations} == {
        "fusion.7": (1, 10),
        "dot.1": (1, 30),
        "dot.2": (1, 30),
        "fusion.9": (1, 30),
    }
    assert [name for name, *_ in profiling.by_kind(operations)] == ["dot", "fusion"]
    assert profiling.by_kind(operations)[0] == Operation("dot", 2, pytest.approx(60e-6))
    text = profiling.to_markdown(operations, steps=2, max_rows=1)
    assert "0.05 ms per step" in text
    assert "| dot | 1 | 0.03 | 60.0% |" in text
    assert "| 1 others | | 0.02 | 40.0% |" in text


def test_a_trace_without_operations_is_reported():
    assert profiling.operations_in([]) == []
    assert "saw no operation" in profiling.to_markdown([], 1)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="names of operations are the platform's")
def test_a_call_is_profiled():
    x = jnp.ones((300, 300))
    product = jax.jit(lambda x: jnp.sum(jnp.sin(x @ x)))
    product(x).block_until_ready()
    operations = profiling.profile(lambda: product(x).block_until_ready())
    assert any("dot" in operation.name or "ynn" in operation.name for operation in operations)
    assert operations[0].seconds > 0


def test_the_command_profiles_our_side_alone(root, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "experiments" / "benchmarks"))
    out = tmp_path / "there" / "profile"
    arguments = [
        "convolutions",
        "--small",
        "--only=8x8x8 to 4x4x8, forward",
        "--profile",
        f"--out={out}",
    ]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(root / "experiments" / "benchmark.py"), run_name="__main__")
    assert ended.value.code == 0 and "| kind |" in capsys.readouterr().out
    text = out.with_suffix(".md").read_text()
    assert text.startswith("`python experiments/benchmark.py convolutions --small")
    assert "ms per step" in text
