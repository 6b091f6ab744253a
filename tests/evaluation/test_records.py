"""Records of scores: read, found, and compared only if they were measured alike."""

import json

import pytest

from gan_jax.errors import UserError
from gan_jax.evaluation import (
    comparable_pairs,
    comparison_table,
    find_record,
    format_record,
    read_score_records,
    records_of_step,
    score_names,
)


def record(value=1.5, **fields):
    return {
        "step": 4,
        "protocol": "fd_lenet_10k",
        "metric": "frechet",
        "n": 10_000,
        "seed": 0,
        "split": "test",
        "real_samples": 300,
        "data": "d" * 64,
        "extractor": "lenet",
        "extractor_hash": "e" * 64,
        "resize": "none",
        "settings": "",
        "fd_lenet_10k": value,
    } | fields


def test_records_are_read_past_lines_of_training_and_damaged_ones(tmp_path):
    file = tmp_path / "metrics.jsonl"
    assert read_score_records(file) == []
    lines = [
        '{"step": 1, "generator/loss": 2}',
        json.dumps(record()),
        '{"step": "x", "protocol": "fid50k"}',
        "[1]",
        json.dumps(record(2.5)),
        '{"step": 3, "proto',
    ]
    file.write_bytes("\n".join(lines).encode() + b"\xff")
    assert read_score_records(file) == [record(), record(2.5)]


def test_the_newest_record_of_a_description_is_found():
    records = [record(1.0), record(2.0), record(3.0, seed=1)]
    assert find_record(records, {"protocol": "fd_lenet_10k", "seed": 0}) == record(2.0)
    assert find_record(records, {"seed": 2}) is None
    assert find_record(records, {"absent": None}) is None


def test_records_of_the_newest_step_are_the_default():
    records = [record(step=2), record(step=6), record(step=4)]
    assert records_of_step(records) == [record(step=6)]
    assert records_of_step(records, 2) == [record(step=2)]
    assert records_of_step([]) == records_of_step(records, 3) == []


def test_scores_are_told_from_other_fields():
    fields = {"protocol": "pr", "pr/precision": 1, "pr/recall": 2, "prx": 3, "n": 4}
    assert score_names(fields) == ["pr/precision", "pr/recall"]


def test_a_record_is_one_line():
    assert format_record(record(), "", "a remark") == (
        "fd_lenet_10k  1.5  (step 4, n 10000, 300 real of test, seed 0, lenet eeeeeeee, "
        "resize: none); a remark"
    )
    modes = record(
        protocol="modes", split=None, extractor=None, **{"modes/covered": 8, "modes/kl": None}
    )
    assert format_record(modes) == "modes  covered 8  kl undefined  (step 4, n 10000, seed 0)"


def test_the_newest_scores_of_two_runs_are_a_table():
    first, second = [record(1.0), record(2.0)], [record(3.0), record(4.0)]
    assert comparable_pairs(first, second) == [(record(2.0), record(4.0))]
    assert comparison_table(("a", "run b"), first, second).splitlines() == [
        "              a  run b",
        "fd_lenet_10k  2  4",
    ]


def test_scores_that_were_measured_differently_do_not_compare():
    for fields, says in (
        ({"n": 50}, "n is 10000 in one and 50 in the other"),
        ({"real_samples": 5}, "real_samples is 300 in one and 5"),
        ({"extractor_hash": "0" * 64}, "extractor_hash is eeeeeeeeeeee... in one and 000000000000"),
    ):
        with pytest.raises(UserError, match=says):
            comparable_pairs([record()], [record(**fields)])
    with pytest.raises(UserError, match="no metric in common: fd_lenet_10k in one and none"):
        comparable_pairs([record()], [])
