"""Run directories are read tolerantly: what is damaged or missing is one line, never an error."""

import json

import pytest
from report_cases import write_run

from gan_jax.errors import UserError
from gan_jax.report import health, read_folders, read_run, tables
from gan_jax.report.health import CHECKS

ROWS = [{"step": step, "time": 1.0, "generator/loss": 1.0 / step} for step in (10, 20, 30)]


def _findings(run):
    return {check: look(run) for check, look in CHECKS.items() if look(run)}


def test_a_sound_run_has_no_findings(tmp_path):
    run = read_run(write_run(tmp_path / "a", ROWS, grids=[0, 30]), "a")
    assert run.status == "unfinished" and run.step == 30
    assert run.last["generator/loss"] == 1 / 30
    assert [step for step, _ in run.pictures] == [0, 30]
    assert _findings(run) == {}


def test_damaged_lines_are_counted(tmp_path):
    directory = write_run(tmp_path / "a", ROWS)
    with open(directory / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 40, "generat\n\xff\xfe\n[1]\n\n')
    run = read_run(directory, "a")
    assert len(run.rows) == 3
    assert _findings(run) == {"files": ["metrics.jsonl: 3 damaged lines"]}


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 0}', "[" * 10_000])
def test_a_damaged_config_is_one_line(tmp_path, content):
    directory = write_run(tmp_path / "a", ROWS)
    (directory / "config.json").write_text(content)
    run = read_run(directory, "a")
    assert run.settings is None and len(run.rows) == 3
    (note,) = run.notes
    assert note.startswith("config.json cannot be read: ") and "\n" not in note


def test_missing_files_are_named(tmp_path):
    directory = write_run(tmp_path / "a", ROWS)
    (directory / "metrics.jsonl").unlink()
    (directory / "samples").rmdir()
    assert _findings(read_run(directory, "a")) == {"files": ["metrics.jsonl is missing"]}


def test_health_tells_what_went_wrong(tmp_path):
    rows = [
        {"step": 1, "generator/loss": None, "modes/reverse_kl": None, "skipped_updates": 2.0},
        {"step": 2, "generator/loss": None, "discriminator/loss": 1.0, "skipped_updates": 3.0},
        {"step": 3, "generator/loss": 1.0, "skipped_updates": 0.0},
    ]
    directory = write_run(tmp_path / "a", rows)
    (directory / "diverged").write_text("it is not finite\n")
    back = {"step": 1, "reason": "a loss"}
    (directory / "roll_backs.jsonl").write_text(json.dumps(back) + "\n")
    run = read_run(directory, "a")
    assert run.status == "diverged"
    assert _findings(run) == {
        "diverged": ["it is not finite"],
        "not finite": ["2 of 3 rows, first generator/loss at step 1"],
        "skipped updates": ["5 updates, the last up to step 2"],
        "rolled back": ["to step 1: a loss"],
    }


def test_folders_are_searched_at_any_depth(tmp_path):
    write_run(tmp_path / "a" / "b", ROWS)
    population = write_run(tmp_path / "seeds", overrides=["population.seed=0,1"])
    (population / "metrics.jsonl").unlink()
    for member in ("000", "001"):
        write_run(population / "members" / member, ROWS)
    write_run(tmp_path / "sweep" / "runs" / "x", ROWS)
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    (tmp_path / "sweep" / "sensitivity.csv").write_text("parameter,share\nunroll,0.5\n")
    (tmp_path / "a" / "b" / "checkpoints" / "1").mkdir(parents=True)
    (tmp_path / "a" / "b" / "checkpoints" / "1" / "config.json").write_text("{}")
    contents = read_folders([tmp_path])
    assert {run.name: run.group for run in contents.runs} == {
        "a/b": "a",
        "seeds/members/000": "seeds",
        "seeds/members/001": "seeds",
        "sweep/runs/x": "sweep",
    }
    (sweep,) = contents.sweeps
    assert sweep.table == [["parameter", "share"], ["unroll", "0.5"]]


def test_figures_are_found_with_their_claims(tmp_path):
    folder = tmp_path / "ring"
    folder.mkdir()
    (folder / "claims.csv").write_text("claim,measured,published,verdict,note\na,1,2,miss,\n")
    (folder / "results.json").write_text(json.dumps({"title": "A ring", "verdict": ["0 of 1"]}))
    (figure,) = read_folders([tmp_path]).figures
    assert (figure.title, figure.lines, figure.pictures) == ("A ring", ("0 of 1",), ())
    assert figure.table[1] == ["a", "1", "2", "miss", ""]
    (folder / "results.json").write_text("{")
    (figure,) = read_folders([tmp_path]).figures
    assert figure.lines[0].startswith("results.json cannot be read: ")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UserError, match="no run lies in"):
        read_folders([tmp_path])
    with pytest.raises(UserError, match="is not a folder"):
        read_folders([tmp_path / "missing"])


def test_differing_settings_are_columns(tmp_path):
    adam = "generator_optimizer=adam(learning_rate={}, b1=0.5, b2=0.999, eps_root=1e-14)"
    for name, overrides in {
        "a": ["seed=0", "steps=10"],
        "b": ["seed=1", "steps=20", "unroll=3"],
        "c": ["seed=1", adam.format("2e-4")],
    }.items():
        write_run(tmp_path / name, ROWS, overrides)
    runs = read_folders([tmp_path]).runs
    differing = tables.differing_settings(runs)
    assert differing == {
        "generator.learning_rate": [1e-4, 1e-4, 2e-4],
        "seed": [0, 1, 1],
        "unroll": [0, 3, 0],
    }
    assert tables.cells(runs, differing) == [
        "generator.learning_rate 0.0001, unroll 0",
        "generator.learning_rate 0.0001, unroll 3",
        "generator.learning_rate 0.0002, unroll 0",
    ]


def test_fields_of_different_parts_are_one_column(tmp_path):
    write_run(tmp_path / "a", ROWS, ["objective=minimax"])
    write_run(tmp_path / "b", ROWS, ["objective=wasserstein + gradient_penalty(weight=10)"])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.json").write_text("{")
    differing = tables.differing_settings(read_folders([tmp_path]).runs)
    assert differing == {
        "objective": ["minimax", "wasserstein + gradient_penalty(weight=10)", None],
    }


def test_scores_that_do_not_compare_are_in_different_columns(tmp_path):
    record = {
        "metric": "frechet", "protocol": "fd_lenet", "n": 100, "seed": 0, "split": "test",
        "real_samples": 100, "data": None, "extractor": None, "extractor_hash": None,
        "resize": None, "settings": "{}",
    }  # fmt: skip
    records = [{"step": 5, **record, "fd_lenet": 3.0}, {"step": 5, **record, "n": 9, "fd_lenet": 7}]
    runs = []
    for name, rows in {"a": records[:1], "b": records[1:]}.items():
        runs.append(read_run(write_run(tmp_path / name, [*ROWS, *rows]), name))
    table = tables.score_table(runs)
    assert table.columns[:3] == ["run", "step", "seed"] and len(table.columns) == 5
    assert table.rows == [["a", 5, 0, 3.0, None], ["b", 5, 0, None, 7]]
    assert tables.run_table(runs, {}).columns == ["run", "health", "status", "step"]


def test_the_light_is_red_in_trouble_yellow_after_it_and_green_without(tmp_path):
    def run(name, *diversities):
        rows = [
            {"step": step, "health/diversity": value} for step, value in enumerate(diversities, 1)
        ]
        return read_run(write_run(tmp_path / name, rows), name)

    sick, recovered, well = (
        run("sick", 1, 0, 0, 0),
        run("recovered", 0, 0, 0, 1, 1, 1),
        run("well", 1, 1, 1, 0),
    )
    assert [health.light(r) for r in (sick, recovered, well)] == ["red", "yellow", "green"]
    assert health.troubles(sick)[0].endswith("(since step 3)")
    assert health.troubles(recovered) == ["mode collapse from step 3 to step 4: it is over"]
    assert not health.troubles(well)
