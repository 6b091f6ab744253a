"""The soak notices what is wrong, leaves runs a sound checkpoint, and its short form passes."""

import json
import random
import subprocess
import sys
from collections import Counter

import pytest
import soak_faults

ROWS = ({"step": 1, "loss": 0.5, "time": 1.0}, {"step": 2, "loss": 0.25, "time": 2.0})


def write_rows(run_dir, rows):
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_run(run_dir, steps=(10, 20), checksum=1):
    """Writes what the soak looks at."""
    for step in steps:
        record = run_dir / "checkpoints" / str(step) / "record"
        record.mkdir(parents=True)
        (record / "metadata").write_text(json.dumps({"checksums": {"a": checksum}}))
    (run_dir / "samples").mkdir()
    (run_dir / "samples" / "step_1.npy").write_bytes(b"samples")
    write_rows(run_dir, ROWS)
    return run_dir


@pytest.fixture
def pair(tmp_path):
    """A run and its untouched twin."""
    return make_run(tmp_path / "run"), make_run(tmp_path / "untouched")


def test_equal_runs_are_equal_whatever_their_times_and_repeated_rows(pair):
    run_dir, untouched = pair
    again = [{**row, "time": 9.0} for row in ROWS]
    write_rows(run_dir, [*ROWS, *again])
    with open(run_dir / "metrics.jsonl", "a") as file:
        file.write('{"step": 2, "lo')
    counts = Counter()
    assert soak_faults.compare(run_dir, untouched, counts) == []
    assert counts == {"checkpoints": 1, "rows": 4, "samples": 1}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda run: write_rows(run, ROWS[:1]), "metrics.jsonl: rows or values are missing"),
        (lambda run: write_rows(run, [{"step": 2, "loss": 0.3}, *ROWS]), "step 2: other loss"),
        (lambda run: write_rows(run, [*ROWS, {"step": 3}]), "step 3: other step"),
        (lambda run: (run / "samples" / "step_1.npy").write_bytes(b"other"), "step_1.npy differs"),
        (lambda run: (run / "samples" / "step_1.npy").unlink(), "step_1.npy is missing"),
        (
            lambda run: (run / "checkpoints/20/record/metadata").write_text('{"checksums": {}}'),
            "checkpoints/20: other checksums",
        ),
        (lambda run: (run / "checkpoints/20/record/metadata").unlink(), "checkpoints/20: other"),
    ],
)
def test_each_difference_is_noticed(pair, change, difference):
    run_dir, untouched = pair
    change(run_dir)
    differences = soak_faults.compare(run_dir, untouched, Counter())
    assert differences and difference in differences[0]


def test_pictures_may_be_missing_after_a_warning(pair):
    run_dir, untouched = pair
    (run_dir / "samples" / "step_1.npy").unlink()
    counts = Counter()
    assert soak_faults.compare(run_dir, untouched, counts, lost_pictures=True) == []
    assert counts["samples lost with a warning"] == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_checkpoint_that_all_members_have_stays_sound(tmp_path, seed):
    members = [make_run(tmp_path / name, steps=(10, 20, 30)) for name in ("0", "1")]
    files = {path: path.read_bytes() for path in tmp_path.rglob("metadata")}
    vandal = soak_faults.Vandal(random.Random(seed))
    assert [vandal.damage(tmp_path) is not None for _ in range(3)] == [True, True, False]
    damaged = {path for path, content in files.items() if not is_same(path, content)}
    assert len(damaged) == vandal.counts.total() == 2
    sound = [step for step in (10, 20, 30) if not any(f"/{step}/" in str(p) for p in damaged)]
    assert sound == [10] and len(members) == 2


def is_same(path, content):
    return path.exists() and path.read_bytes() == content


def test_files_of_a_process_cannot_grow_any_more(tmp_path):
    code = "import sys; sys.stdin.read(1); open(sys.argv[1], 'wb').write(bytes(10**6))"
    arguments = [sys.executable, "-c", code, str(tmp_path / "file")]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    soak_faults.SmallFiles().fill(process, 1000)
    _, errors = process.communicate(b"x")
    assert process.returncode == 1 and b"File too large" in errors
    assert (tmp_path / "file").stat().st_size == 1000


@pytest.mark.slow
def test_the_short_form_passes(root, tmp_path):
    out = tmp_path / "soak"
    command = [sys.executable, str(root / "tests" / "soak.py"), f"--out={out}"]
    command += ["--seconds=1", "--seed=2", "--runs", "ring"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(out.with_suffix(".json").read_text())["runs"]["ring"]
    assert summary["failures"] == [] and summary["rounds"] == 1
    assert summary["starts"] > 1 and summary["SIGKILL"] + summary["SIGTERM"] > 0
    assert min(summary["compared"][name] for name in ("checkpoints", "rows", "samples")) > 0
    assert "| ring | 1 |" in out.with_suffix(".md").read_text()
