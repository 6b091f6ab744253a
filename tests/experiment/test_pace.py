"""How fast a run is, what it spends its time on, and traces of its steps."""

import gzip
import json
import time

import pytest

from gan_jax.experiment import pace as paces
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.pace import Pace
from gan_jax.experiment.step_trace import StepTrace
from gan_jax.experiment.training_loop import run
from gan_jax.loggers import json_lines


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(paces.time, "perf_counter", lambda: self.now)


class Device:
    """A device that tells its memory, or does not."""

    def __init__(self, stats):
        self.memory_stats = lambda: stats


def test_shares_and_rates_are_those_since_the_last_row(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(paces.jax, "local_devices", lambda: [Device(None)])
    pace = Pace()
    for _ in range(2):
        for part, seconds in (("input", 1.0), ("compile", 4.0), ("saving", 0.004)):
            with pace.spent_on(part):
                clock.now += seconds
        with pytest.raises(KeyError), pace.spent_on("input"):
            clock.now += 1.0
            raise KeyError
        clock.now += 13.996
        pace.add_samples(100)
        pace.add_samples(40)
        values = pace.measure()
        assert values == pytest.approx(
            {
                "pace/input": 0.1,
                "pace/compile": 0.2,
                "pace/evaluation": 0,
                "pace/saving": 0.0002,
                "pace/samples_per_second": 140 / 13.996,
            }
        )
    assert paces.describe(values) == "10 samples/s  input 10%  compile 20%"
    monkeypatch.setattr(paces.jax, "local_devices", lambda: [Device({"peak_bytes_in_use": 2**31})])
    values = Pace().measure()
    assert values["pace/device_memory"] == 2**31
    assert paces.describe(values) == "0 samples/s  2.00 GiB"


def test_only_whole_calls_after_the_first_are_traced(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("jax.profiler.start_trace", lambda folder: calls.append(folder))
    monkeypatch.setattr("jax.profiler.stop_trace", lambda: calls.append("stop"))
    trace = StepTrace(tmp_path, 15)
    for _ in range(4):
        trace.begin(lambda: calls.append("wait"))
        calls.append("call")
        trace.end(10, lambda: calls.append("wait"))
    trace.close()
    first, then = ["wait", str(tmp_path), "call"], ["call", "wait", "stop", "call", "call"]
    assert calls == first + then and "traced 20 steps" in capsys.readouterr().out
    StepTrace(tmp_path, 0).close()
    assert not capsys.readouterr().out
    StepTrace(tmp_path, 5).close()
    assert "nothing was traced" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_says_its_pace_and_writes_a_trace(root, tmp_path, capsys):
    overrides = [
        "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
        "batch_size=16",
        "discriminator_steps=2",
        "steps=40",
        "steps_per_call=10",
        "log_every=10",
        "health=false",
        "checkpoint_every=40",
        "sample_every=40",
        "num_samples=4",
        "profile=10",
    ]
    began = time.perf_counter()
    run(load_settings(str(root / "configs" / "ring.py:vanilla"), overrides), tmp_path)
    seconds = time.perf_counter() - began
    rows = json_lines.read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [10, 20, 30, 40]
    # The rate is unknown after one call, which compiled.
    assert ["steps_per_second" in row for row in rows] == [False, True, True, True]
    assert all(row["steps_per_second"] > 0 for row in rows[1:])
    for row in rows:
        shares = [row[f"pace/{part}"] for part in ("input", "compile", "evaluation", "saving")]
        assert min(shares) >= 0 and sum(shares) <= 1
        assert row["pace/samples_per_second"] > 10 * 2 * 16 / seconds
    assert rows[0]["pace/compile"] > 0 and rows[-1]["pace/compile"] == 0
    assert {row["pace/input"] for row in rows} == {0}  # points are drawn on the device
    printed = capsys.readouterr().out
    assert "samples/s" in printed and "compile" in printed and "traced 10 steps" in printed
    (trace,) = (tmp_path / "profile").rglob("*.trace.json.gz")
    assert json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
