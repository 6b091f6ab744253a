"""Damaged metrics.jsonl: all that reads it goes on."""

import json

from hypothesis import example, given
from hypothesis import strategies as st
from properties import damaged_bytes, damaged_tree, malformed_input, odd_texts, plain_values

from gan_jax.errors import UserError
from gan_jax.evaluation import comparison_table, format_record, read_score_records, records_of_step
from gan_jax.experiment.run_directory import METRICS, last_metrics
from gan_jax.loggers import json_lines
from gan_jax.loggers.progress import format_number
from gan_jax.sweeps.comparison import summarize_metrics

ROWS = [
    {
        "step": 10,
        "generator/loss": 1.5,
        "modes/covered": 8,
        "modes/high_quality": None,
        "time": 1.0,
    },
    {"step": 20, "generator/loss": 0.5, "modes/covered": 7, "modes/high_quality": 0.5, "time": 2.0},
    {
        "step": 20,
        "protocol": "fid50k",
        "metric": "frechet",
        "n": 50_000,
        "seed": 0,
        "split": "train",
        "real_samples": 50_000,
        "data": "d" * 64,
        "extractor": "inception",
        "extractor_hash": "e" * 64,
        "resize": "none",
        "settings": "",
        "fid50k": 12.5,
        "time": 3.0,
    },
]


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


odd_rows = st.dictionaries(
    st.sampled_from(("step", "protocol", "seed", "modes/covered", "metric")) | odd_texts,
    plain_values,
    max_size=4,
)
files = (
    damaged_bytes(lines(ROWS))
    | st.lists(st.sampled_from(ROWS).flatmap(damaged_tree), max_size=3).map(lines)
    | st.lists(odd_rows, max_size=3).map(lambda rows: lines([*ROWS, *rows]))
)


@example(lines([*ROWS, {"step": 30, "modes/covered": 10**400}]))
@example(lines([*ROWS, {"step": 30, "modes/covered": "many", "modes/high_quality": [1]}]))
@example(lines([*ROWS, {"step": 30, "protocol": "fid50k"}]))
@example(b"[" * 100_000 + b"\n" + lines(ROWS))
@given(files)
def test_any_metrics_file_is_read(tmp_path, content):
    (tmp_path / METRICS).write_bytes(content)
    with malformed_input():
        rows = json_lines.read_metrics(tmp_path / METRICS)
        json_lines.find_best(rows, "modes/covered", maximize=True)
        latest = last_metrics(tmp_path)
        for value in latest.values():
            assert value is None or format_number(value)
        summarize_metrics(latest)


@given(files, files)
def test_any_scores_are_shown_and_compared_or_refused(tmp_path, first, second):
    (tmp_path / "first").write_bytes(first)
    (tmp_path / "second").write_bytes(second)
    with malformed_input(UserError):
        records = [
            records_of_step(read_score_records(tmp_path / name)) for name in ("first", "second")
        ]
        for record in records[0]:
            format_record(record)
        comparison_table(("a", "b"), *records)
