"""Metrics as JSON lines: written, and read back past whatever is damaged."""

import errno
import json
import math

import pytest

from gan_jax.loggers import json_lines


def test_rows_come_back_by_step_and_later_ones_win(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = json_lines.JsonLines(path)
    log.scalars(2, {"a": 1.0})
    log.scalars(4, {"a": 2.0, "b": float("nan")})
    log.close()
    log = json_lines.JsonLines(path)  # resumed from step 2 after a crash
    log.scalars(4, {"a": 3.0})
    log.scalars(6, {"a": 4.0})
    log.close()
    assert json_lines.read_metrics(path) == [
        {"step": 2, "a": 1.0},
        {"step": 4, "a": 3.0, "b": None},
        {"step": 6, "a": 4.0},
    ]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # no NaN: it is not JSON


def test_rows_of_protocols_are_kept_by_name_and_seed(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = json_lines.JsonLines(path)
    rows = [
        {"protocol": "fid10k", "seed": 0, "fid10k": 9.0},
        {"protocol": "fid10k", "seed": 1, "fid10k": 8.0},
        {"protocol": "kid50k", "seed": 0, "kid50k/mean": 1.0},
    ]
    replaced = rows[0] | {"fid10k": 7.0}
    for row in [rows[2], rows[1], replaced, {"loss": 1.0}, rows[0]]:
        log.scalars(4, row)
    log.close()
    assert json_lines.read_metrics(path) == [{"step": 4, "loss": 1.0}] + [
        {"step": 4} | row for row in rows
    ]


def test_a_line_cut_short_spoils_no_other(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a"')
    log = json_lines.JsonLines(path)
    log.scalars(3, {"a": 3})
    log.close()
    assert [row["step"] for row in json_lines.read_metrics(path)] == [1, 3]


def test_rows_that_a_full_disk_refuses_are_written_whole_and_in_order_later(tmp_path):
    class FullFile:
        """Takes so many bytes more."""

        def __init__(self, file, free):
            self.file, self.free = file, free

        def write(self, data):
            if not self.free:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = self.file.write(data[: self.free])
            self.free -= written
            return written

        def __getattr__(self, name):
            return getattr(self.file, name)

    path = tmp_path / "metrics.jsonl"
    log = json_lines.JsonLines(path)
    log._file = FullFile(log._file, free=20)
    log.scalars(1, {})
    for step in (2, 3):
        with pytest.raises(OSError, match="No space left") as caught:
            log.scalars(step, {})
        assert caught.value.filename == str(path)
    assert json_lines.read_metrics(path) == [{"step": 1}]  # and half a line
    log._file.free = 1000
    log.scalars(4, {})
    assert path.read_text() == "".join(f'{{"step": {step}}}\n' for step in (1, 2, 3, 4))
    log._file.free = 0
    with pytest.raises(OSError, match="No space left"):
        log.scalars(5, {})
    with pytest.raises(OSError, match="No space left"):
        log.close()
    log.close()  # is closed


def test_damaged_bytes_and_odd_rows_are_skipped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    odd_rows = [
        b'{"step": "x", "a": 1}',
        b'{"step": 1.5, "a": 1}',
        b'{"step": true, "a": 1}',
        b'{"step": null, "a": 1}',
        b'{"a": 1}',
        b'{"step": 2, "seed": "0", "protocol": "fid10k"}',
        b'{"step": 2, "seed": [0], "protocol": "fid10k"}',
        b'{"step": 2, "seed": 0, "protocol": 3}',
        b'{"step": 2, "seed": 0, "protocol": ["fid10k"]}',
        b"[1, 2]",
        b"3",
        b"\xff\xfe",
        b"",
    ]
    good_rows = [
        b'{"step": 3, "a": 3}',
        b'{"step": 4, "note": "\xff"}',
        b'{"step": 4, "protocol": null, "seed": null, "b": 1}',
    ]
    path.write_bytes(b"\n".join([*odd_rows, *good_rows]))
    assert json_lines.read_metrics(path) == [
        {"step": 3, "a": 3},
        {"step": 4, "note": "\ufffd", "protocol": None, "seed": None, "b": 1},
    ]


def test_an_appended_file_keeps_its_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in (1, 2):
        log = json_lines.JsonLines(path)
        log.scalars(step, {})
        log.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_the_best_value_is_the_first_of_equals_and_finite():
    rows = [
        {"step": 1, "a": None},
        {"step": 2, "a": 3.0},
        {"step": 3, "a": 3.0},
        {"step": 4, "a": 1.0},
    ]
    assert json_lines.find_best(rows, "a", maximize=True) == (2, 3.0)
    assert json_lines.find_best(rows, "a", maximize=False) == (4, 1.0)
    assert json_lines.find_best(rows, "b", maximize=False) is None
    assert json_lines.find_best(rows[:1], "a", maximize=True) is None
    assert json_lines.find_best([{"step": 1, "a": math.nan}], "a", maximize=True) is None
