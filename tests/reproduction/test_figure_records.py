"""The files of a figure: its record, the parts of its measurement, and the seconds they took."""

import json
import subprocess
import time

import numpy as np
import pytest

from gan_jax.reproduction import (
    Claim,
    add_seconds,
    cached,
    load_record,
    records,
    save_record,
    seconds_spent,
    to_json_value,
)


def test_json_values_keep_so_many_digits_and_name_infinities():
    values = {"a": np.array([[1 / 3, np.inf]]), "b": (np.int64(2), np.nan), "c": np.float32(0.5)}
    assert to_json_value(values, 3) == {"a": [[0.333, "inf"]], "b": [2, "nan"], "c": 0.5}


def test_a_record_is_read_as_it_was_written(tmp_path):
    folder = tmp_path / "made" / "x"
    numbers = {"a": [[0.333, "inf"]], "b": [2, "nan"], "c": 0.5}
    record = {"figure": "x", "scale": "paper", "numbers": numbers}
    save_record(folder, record, [Claim.close_to("one, two", 1.0, 1.0, 0.1)])
    loaded = load_record(folder)
    assert loaded["numbers"] == numbers
    assert loaded["claims"][0]["verdict"] == "pass"
    assert (folder / "claims.csv").read_text().splitlines()[1].startswith('"one, two",1,')
    assert {path.name for path in folder.iterdir()} == {"results.json", "claims.csv"}


def test_lists_of_numbers_are_written_on_one_line(tmp_path):
    save_record(tmp_path, {"figure": "x", "scale": "paper", "numbers": {"x": [1, 2]}}, [])
    assert "[1, 2]" in (tmp_path / "results.json").read_text()


def test_there_is_no_record_in_an_empty_folder(tmp_path):
    assert load_record(tmp_path / "none") is None


def test_a_cached_part_is_measured_again_for_other_settings_or_if_it_is_broken(tmp_path):
    path, calls = tmp_path / "new" / "part.json", []

    def make():
        calls.append(1)
        return {"rows": (np.float64(len(calls)), [2])}

    assert cached(path, {"seeds": (0, 1)}, make) == {"rows": [1.0, [2]]}
    assert cached(path, {"seeds": [0, 1]}, make) == {"rows": [1.0, [2]]}
    assert cached(path, {"seeds": (0,)}, make)["rows"][0] == 2
    path.write_text("{")
    assert cached(path, {"seeds": (0,)}, make)["rows"][0] == 3
    assert {file.name for file in path.parent.iterdir()} == {"part.json", "part.seconds"}


def test_the_seconds_of_all_calls_add_up(tmp_path):
    folder = tmp_path / "new"
    assert seconds_spent(folder) == 0
    with add_seconds(folder / "a.seconds"):
        time.sleep(0.2)
    with pytest.raises(KeyboardInterrupt), add_seconds(folder / "a.seconds"):
        time.sleep(0.2)
        raise KeyboardInterrupt
    assert 0.4 <= seconds_spent(folder) < 5


def test_a_part_that_is_cached_takes_no_seconds(tmp_path):
    cached(tmp_path / "part.json", {}, lambda: time.sleep(0.2))
    seconds = seconds_spent(tmp_path)
    cached(tmp_path / "part.json", {}, lambda: time.sleep(0.2))
    assert seconds_spent(tmp_path) == seconds >= 0.2


def test_the_seconds_of_runs_are_told_apart_by_their_first_seed(tmp_path):
    for name, seconds in (("full_from_0", 1), ("full_from_2", 2), ("full_from_12", 4), ("part", 8)):
        (tmp_path / f"{name}.seconds").write_text(f"{seconds}.0\n")
    assert seconds_spent(tmp_path) == 15
    assert seconds_spent(tmp_path, range(0, 5)) == 3
    assert seconds_spent(tmp_path, range(2, 20)) == 6
    assert seconds_spent(tmp_path, range(3, 4)) == 0


def test_a_record_names_the_commit_and_says_if_code_was_changed(tmp_path, monkeypatch):
    assert all((records.REPOSITORY / folder).is_dir() for folder in records.CODE_FOLDERS)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True)

    monkeypatch.setattr(records, "REPOSITORY", tmp_path)
    assert records.environment_facts()["code"] == "unknown"
    (tmp_path / "gan_jax").mkdir()
    (tmp_path / "gan_jax" / "a.py").write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = records.environment_facts()["code"]
    assert len(commit) == 40
    (tmp_path / "notes.txt").write_text("no code")
    assert records.environment_facts()["code"] == commit
    (tmp_path / "gan_jax" / "a.py").write_text("2")
    assert records.environment_facts()["code"] == f"{commit}, with changes"


def test_records_are_plain_json(tmp_path):
    save_record(tmp_path, {"figure": "x", "scale": "smoke", "numbers": {}, "a": np.nan}, [])
    assert json.loads((tmp_path / "results.json").read_text())["a"] == "nan"
