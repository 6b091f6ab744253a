"""Sweeps: which runs there are, each of them once, whatever happens in between; what is written about them."""

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from wandb_files import files, read

from gan_jax.errors import UserError
from gan_jax.experiment import config as configs
from gan_jax.experiment import population, training_loop
from gan_jax.experiment.command_line import split_settings
from gan_jax.sweeps import cluster, naming, plan, report, runner, space

RATE = "config.discriminator_optimizer.adam.learning_rate"
UNROLLS = {"config.unroll": {"values": [0, 1]}}
SEEDS = {"config.seed": {"values": [0, 1]}}
TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))", "batch_size=16", "steps=20",
    "steps_per_call=10", "log_every=10", "checkpoint_every=10", "sample_every=20", "evaluate_every=10", "num_samples=20",
]  # fmt: skip

needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs the extra slurm"
)


@pytest.fixture(autouse=True)
def in_checkout(root, monkeypatch):
    monkeypatch.chdir(root)


def planned(
    workdir: Path, parameters: dict, *overrides: str, most: int = 64, seed: int = 0, **definition
) -> plan.Plan:
    """The plan of a sweep over the ring, noted in ``workdir``."""
    metric = {"name": "modes/high_quality", "goal": "maximize"}
    sweep = space.parse({"method": "grid", "metric": metric, "parameters": parameters} | definition)
    trials = plan.trials(sweep, "configs/ring.py:unrolled", [*TINY, *overrides], seed, "a group")
    found = plan.opened(workdir, sweep, trials, most)
    plan.save(found)
    return found


def names(found: plan.Plan) -> list[list[str]]:
    return [[trial.name for trial in group] for group in found.groups]


# --- which runs there are


def test_runs_that_differ_in_numbers_alone_train_together(tmp_path):
    found = planned(tmp_path, UNROLLS | {RATE: {"values": [1e-4, 1e-3]}} | SEEDS)
    name = "unroll={}_discriminator.learning_rate={}_seed={}"
    assert names(found) == [
        [name.format(k, rate, s) for rate in ("0.0001", "0.001") for s in (0, 1)] for k in (0, 1)
    ]
    for group in found.groups:
        joined = population.joined([trial.config for trial in group])
        assert population.members(joined) == [trial.config for trial in group]
    assert [len(group) for group in planned(tmp_path / "b", UNROLLS | SEEDS, most=1).groups] == [
        1
    ] * 4
    assert [
        len(group)
        for group in planned(tmp_path / "c", {"config.seed": {"min": 0, "max": 4}}, most=2).groups
    ] == [2, 2, 1]


def test_the_runs_configs_are_the_flags_and_are_filed_in_wandb(tmp_path):
    trial = planned(tmp_path, {RATE: {"values": [1e-3]}} | SEEDS).trials[1]
    plain = configs.to_dict(configs.load("configs/ring.py:unrolled", [*TINY, "seed=1"]))
    changed = configs.differences(plain, trial.config)
    assert changed.pop("discriminator_optimizer.adam.learning_rate") == (1e-4, 1e-3)
    assert changed == {
        "best_mode": ("min", "highest"), "best_metric": ("", "modes/high_quality"),
        "wandb.group": ("", "a group"), "wandb.tags": ((), ("sweep",)),
    }  # fmt: skip
    assert (
        planned(tmp_path / "b", SEEDS, "wandb.group=mine").trials[0].config["wandb"]["group"]
        == "mine"
    )


def test_random_trials_are_numbered_and_those_that_are_alike_run_once(tmp_path):
    found = planned(
        tmp_path,
        UNROLLS | {"config.ema_decay": {"min": 0.0, "max": 0.9}},
        method="random",
        run_cap=3,
    )
    assert [trial.name[:11] for trial in found.trials] == [
        "000_unroll=",
        "001_unroll=",
        "002_unroll=",
    ]
    few = planned(tmp_path / "b", UNROLLS, method="random", run_cap=20)
    assert sorted(trial.parameters["config.unroll"] for trial in few.trials) == [0, 1]


def test_names_are_safe_short_and_different(tmp_path):
    objectives = {
        "config.objective": {"values": ["minimax", "wasserstein + gradient_penalty(weight=10)"]}
    }
    found = [trial.name for trial in planned(tmp_path, objectives).trials]
    assert found == ["objective=minimax", "objective=wasserstein-+-gradient_penalty-weight=10"]
    alike = [
        trial.name
        for trial in planned(tmp_path / "b", {RATE: {"values": [1e-4, 1.00001e-4]}}).trials
    ]
    assert alike[0] == "discriminator.learning_rate=0.0001" and alike[1].startswith(f"{alike[0]}_")
    assert len(naming.folder({f"config.x.{i}": "y" * 20 for i in range(9)}, None)) == naming.LONGEST
    long = [
        naming.folder({f"config.x.{i}": "y" * 20 for i in range(9)} | {"config.z": z}, None)
        for z in (1, 2)
    ]
    assert long[0] != long[1]


def test_labels_say_whose_learning_rate_it_is():
    assert naming.labels(
        ["config.generator_optimizer.adam.learning_rate", RATE, "config.objective.r1.weight"]
    ) == {
        "config.generator_optimizer.adam.learning_rate": "generator.learning_rate",
        RATE: "discriminator.learning_rate",
        "config.objective.r1.weight": "r1.weight",
    }
    two = ["config.generator_optimizer.adam.b1", "config.generator_optimizer.nadam.b1"]
    assert set(naming.labels(two).values()) == {path.removeprefix("config.") for path in two}


@pytest.mark.parametrize(
    ("spec", "flags", "name"),
    [
        (
            "configs/ring.py:unrolled",
            ["unroll=5", "seed=3", "steps=9"],
            "ring unrolled, unroll 5, seed 3",
        ),
        ("configs/ring.py", [], "ring, seed 0"),
        (
            "configs/ring.py:wgan_gp",
            ["objective.gradient_penalty.weight=1"],
            "ring wgan_gp, gradient_penalty.weight 1, seed 0",
        ),
        ("configs/ring.py", ["objective=hinge + r1"], "ring, objective hinge + r1, seed 0"),
    ],
)
def test_a_run_is_named_by_what_was_changed(spec, flags, name):
    config = configs.to_dict(configs.load(spec, flags))
    assert naming.run_name(spec, config) == name
    assert naming.with_wandb_name(spec, config) == config  # without W&B it is not changed
    used = {**config, "wandb": {**config["wandb"], "use": True}}
    assert naming.with_wandb_name(spec, used)["wandb"]["name"] == name
    mine = {**used, "wandb": {**used["wandb"], "name": "mine"}}
    assert naming.with_wandb_name(spec, mine) == mine


def test_members_of_a_population_share_a_group():
    config = configs.to_dict(
        configs.load("configs/ring.py", ["population.seed=0,1", "wandb.use=true"])
    )
    filed = naming.with_wandb_name("configs/ring.py", config)["wandb"]
    assert (filed["name"], filed["group"], filed["tags"]) == (
        "",
        "ring, population of seed",
        ("population",),
    )


@pytest.mark.parametrize(
    ("parameters", "flags", "says"),
    [
        ({"config.discriminator_stps": {"values": [1]}}, [], "did you mean discriminator_steps?"),
        ({"config.discriminator_steps": {"values": [1.5]}}, [], "takes a whole number"),
        ({"config.objective": {"values": ["hing +"]}}, [], "takes parts like"),
        (SEEDS, ["seed=3"], "--config.seed is swept"),
        (SEEDS, ["population.seed=1,2"], "config.population is a population of its own"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_the_flags_own_words(
    parameters, flags, says, tmp_path
):
    with pytest.raises(UserError) as caught:
        planned(tmp_path / "s", parameters, *flags)
    assert (
        says in str(caught.value)
        and "\n" not in str(caught.value)
        and not (tmp_path / "s").exists()
    )


# --- the same workdir again


def test_an_extended_sweep_keeps_its_runs_and_groups(tmp_path):
    first = planned(tmp_path, UNROLLS)
    wider = planned(
        tmp_path, {"config.unroll": {"values": [0, 1, 5]}} | {"config.seed": {"values": [0, 1]}}
    )
    kept = {trial.key: trial.name for trial in first.trials}
    assert {trial.key: trial.name for trial in wider.trials} | kept == {
        trial.key: trial.name for trial in wider.trials
    }
    assert names(wider)[:2] == names(first) == [["unroll=0"], ["unroll=1"]]
    assert len(wider.trials) == 6
    longer = planned(
        tmp_path, {"config.unroll": {"values": [0, 1, 5]}} | SEEDS, "steps=40"
    )  # more steps: the same runs
    assert [trial.key for trial in longer.trials] == [trial.key for trial in wider.trials]


@pytest.mark.parametrize(
    "changed", [{"config.unroll": {"values": [0]}}, {"config.unroll": {"values": [0, 2]}}, SEEDS]
)
def test_another_sweep_in_the_same_workdir_is_refused(changed, tmp_path):
    planned(tmp_path, UNROLLS)
    before = (tmp_path / "sweep.json").read_bytes()
    with pytest.raises(
        UserError,
        match=r"holds another sweep: [12] of its 2 runs, such as unroll=[01], are not in this one",
    ):
        planned(tmp_path, changed)
    with pytest.raises(UserError, match="holds another sweep: 2 of its 2 runs"):
        planned(tmp_path, UNROLLS, "discriminator_steps=2")
    assert (tmp_path / "sweep.json").read_bytes() == before


def test_a_higher_run_cap_goes_on_and_another_seed_is_refused(tmp_path):
    averages = {"config.ema_decay": {"min": 0.0, "max": 0.9}}
    few = planned(tmp_path, averages, method="random", run_cap=2)
    assert planned(tmp_path, averages, method="random", run_cap=4).trials[:2] == few.trials
    with pytest.raises(UserError, match="holds another sweep"):
        planned(tmp_path, averages, method="random", run_cap=4, seed=1)


def test_foreign_workdirs_and_two_at_once_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not the workdir of a sweep"):
        planned(tmp_path, SEEDS)
    with (
        plan.locked(tmp_path),
        pytest.raises(UserError, match="another sweep runs in"),
        plan.locked(tmp_path),
    ):
        pass
    with pytest.raises(UserError, match="cannot be used"), plan.locked(tmp_path / "thesis.tex"):
        pass


# --- running, with runs that only pretend


class Trainer:
    """Stands in for `running.run`: leaves what a run leaves, and does to some what their names ask for."""

    def __init__(self, **ends):
        self.ends, self.ran = ends, []

    def __call__(self, config, workdir, members=None):
        each = population.members(config) if members else [config]
        for own, folder in zip(each, members or [workdir], strict=True):
            end = next(
                (
                    end
                    for part, end in self.ends.items()
                    if f"unroll={part[-1]}" in Path(folder).name
                ),
                None,
            )
            self.ran.append(Path(folder).name)
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(configs.dumps(own))
            quality = 0.1 * own["unroll"] + 0.01 * own["seed"]
            row = {
                "step": 10,
                "modes/high_quality": 2 * quality,
                "generator/loss": 1.0,
                "time": 3.0,
            }
            if end == "diverge":
                (folder / "diverged").write_text("generator/loss is not finite")
                raise training_loop.TrainingDiverged("generator/loss is not finite")
            if end:
                raise end
            rows = [row, row | {"step": own["steps"], "modes/high_quality": quality}]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (folder / "checkpoints" / str(own["steps"])).mkdir(exist_ok=True)
        return {}


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def results(workdir: Path) -> list[dict[str, str]]:
    return rows_of(workdir / "results.csv")


def test_each_run_is_run_once_and_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_loop, "run", Trainer())
    found = planned(tmp_path, UNROLLS | SEEDS)
    assert runner.run(found) == 0
    report.finish(found)
    rows = results(tmp_path)
    assert [
        (row["index"], row["name"], row["config.unroll"], row["seed"], row["status"], row["step"])
        for row in rows
    ] == [
        (str(2 * k + s), f"unroll={k}_seed={s}", str(k), str(s), "finished", "20")
        for k in (0, 1)
        for s in (0, 1)
    ]
    assert (
        [row["modes/high_quality"] for row in rows]
        == [row["metric"] for row in rows]
        == ["0.0", "0.01", "0.1", "0.11"]
    )
    last = rows[-1]
    assert (last["best"], last["best_step"], last["modes/high_quality.max"], last["modes/high_quality.min"]) == (
        "0.22", "10", "0.22", "0.11",
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "runs 1 to 2 of 4, together: unroll=0_seed=0 ..." in said and "2 of 4 runs done" in said
    assert "best so far modes/high_quality 0.11 (unroll=1_seed=1)" in said and "0s left" in said
    table = {row["parameter"]: row for row in rows_of(tmp_path / "sensitivity.csv")}
    assert float(table["config.unroll"]["share"]) == pytest.approx(0.01 / 0.0101)
    assert float(table["(seeds)"]["share"]) == pytest.approx(0.0001 / 0.0101)
    assert "unroll" in said and "99%" in said
    assert (tmp_path / "parallel_coordinates.png").stat().st_size > 5000
    again = Trainer()
    monkeypatch.setattr(training_loop, "run", again)
    assert runner.run(found) == 0 and again.ran == []


def test_of_a_group_only_what_has_not_ended_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "run", Trainer())
    found = planned(tmp_path, {"config.seed": {"min": 0, "max": 3}})
    runner.run(found)
    for seed in (1, 3):
        shutil.rmtree(tmp_path / "runs" / f"seed={seed}")
    again = Trainer()
    monkeypatch.setattr(training_loop, "run", again)
    assert runner.run(found) == 0 and again.ran == ["seed=1", "seed=3"]
    shutil.rmtree(tmp_path / "runs" / "seed=2")
    assert runner.run(found) == 0 and again.ran[2:] == ["seed=2"]


def test_divergence_is_recorded_and_never_tried_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_loop, "run", Trainer(unroll0="diverge"))
    found = planned(tmp_path, UNROLLS)
    assert runner.run(found) == 0
    assert [row["status"] for row in results(tmp_path)] == ["diverged", "finished"]
    assert results(tmp_path)[0]["metric"] == ""
    again = Trainer()
    monkeypatch.setattr(training_loop, "run", again)
    runner.run(found)
    assert again.ran == [] and "2 of 2 runs have ended before" in capsys.readouterr().out


def test_a_run_that_fails_is_noted_left_and_tried_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_loop, "run", Trainer(unroll0=MemoryError("no memory")))
    found = planned(tmp_path, UNROLLS)
    assert runner.run(found) == 1
    assert [row["status"] for row in results(tmp_path)] == ["failed", "finished"]
    assert "MemoryError: no memory" in (tmp_path / "failures" / "unroll=0.txt").read_text()
    assert "failed: MemoryError: no memory" in capsys.readouterr().out
    again = Trainer()
    monkeypatch.setattr(training_loop, "run", again)
    assert runner.run(found) == 0 and again.ran == ["unroll=0"]
    assert [row["status"] for row in results(tmp_path)] == ["finished", "finished"]


def test_a_stopped_sweep_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "run", Trainer(unroll0=KeyboardInterrupt()))
    found = planned(tmp_path, UNROLLS)
    with pytest.raises(KeyboardInterrupt):
        runner.run(found)
    assert [plan.status(tmp_path, trial) for trial in found.trials] == ["started", "waiting"]


@pytest.mark.parametrize(
    ("flags", "metric", "says"),
    [
        (["batch_size=-4"], "modes/covered", "batch_size must be at least 1"),
        (["objective=auxiliary_classifier + hinge"], "modes/covered", "auxiliary_classifier needs"),
        ([], "modes/cuvered", "did you mean modes/covered"),
        (["metrics={}"], "fid", "config.metrics is empty"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(flags, metric, says, tmp_path):
    with pytest.raises(UserError) as caught:
        runner.check(planned(tmp_path, SEEDS, *flags, metric={"name": metric, "goal": "maximize"}))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_loss_will_do_as_the_metric(tmp_path):
    runner.check(planned(tmp_path, SEEDS, metric={"name": "generator/loss"}))


# --- the cluster


def test_settings_of_slurm_are_split_from_the_other_flags():
    given = [
        "--slurm.partition=gpu",
        "--workdir=x",
        "--slurm.timeout_min=60",
        "--slurm.exclusive=true",
    ]
    assert split_settings(given, "slurm") == (
        {"partition": "gpu", "timeout_min": 60, "exclusive": True},
        ["--workdir=x"],
    )
    with pytest.raises(UserError, match=r"--slurm.partition needs a value"):
        split_settings(["--slurm.partition", "gpu"], "slurm")


def test_without_submitit_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[slurm\]'"):
        cluster.submit(planned(tmp_path, SEEDS), [], {})


@needs_submitit
def test_settings_that_slurm_does_not_know_and_no_slurm_are_refused(tmp_path):
    found = planned(tmp_path, SEEDS)
    for settings, says in (
        ({"partitoin": "gpu", "cluster": "debug"}, "did you mean partition"),
        ({"cluster": "pbs"}, "pbs"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            cluster.submit(found, found.groups, settings)
        assert "\n" not in str(caught.value)


@needs_submitit
def test_each_group_is_a_task_of_one_array(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "run", Trainer(unroll1="diverge"))
    found = planned(tmp_path, UNROLLS | SEEDS)
    settings = {"cluster": "debug", "timeout_min": 5, "partition": "gpu", "array_parallelism": 4}
    jobs = cluster.submit(found, runner.pending(found), settings)
    assert [job.result() for job in jobs] == [["finished", "finished"], ["diverged", "waiting"]]
    report.finish(found)
    assert Counter(row["status"] for row in results(tmp_path)) == {
        "finished": 2,
        "diverged": 1,
        "waiting": 1,
    }


@needs_submitit
def test_what_has_been_submitted_is_not_submitted_again_until_it_ends(tmp_path):
    import submitit

    found = planned(tmp_path, SEEDS)
    executor = submitit.AutoExecutor(tmp_path / "slurm", cluster="local")
    done = executor.submit(sum, [1, 2])
    done.result()
    hangs = executor.submit(time.sleep, 60)
    try:
        for jobs, says in (
            ([done.job_id], None),
            ([done.job_id, hangs.job_id], "1 tasks of this sweep have not ended"),
        ):
            (tmp_path / "slurm" / "jobs.json").write_text(
                json.dumps({"cluster": "local", "jobs": jobs})
            )
            if says is None:
                cluster._refuse_twice(tmp_path / "slurm", executor)
                continue
            with pytest.raises(UserError, match=says):
                cluster.submit(found, found.groups, {"cluster": "local"})
    finally:
        hangs.cancel(check=False)


@needs_submitit
def test_a_task_is_queued_again_as_it_was(tmp_path):
    task = cluster.Task()
    again = task.checkpoint("workdir", ["trials"])
    assert (again.function, again.args) == (task, ("workdir", ["trials"]))


# --- the real command


def command(root: Path, workdir: Path, sweep: dict, *flags: str) -> list[str]:
    file = workdir.parent / f"{workdir.name}.yaml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    overrides = [f"--config.{text}" for text in TINY if not text.startswith("steps=")]
    return [sys.executable, str(root / "experiments" / "sweep.py"), f"--config={root / 'configs' / 'ring.py:unrolled'}",
            f"--sweep={file}", f"--workdir={workdir}", *overrides, *flags]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "flags", "says"),
    [
        ({"method": "bayes"}, (), "needs W&B's server"),
        ({"metric": {"name": "fid"}}, (), "the sweep's metric is 'fid'"),
        pytest.param(
            {},
            ("--slurm.cluster=debug", "--slurm.partitoin=a"),
            "did you mean partition",
            marks=needs_submitit,
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(change, flags, says, root, tmp_path):
    sweep = {
        "method": "grid",
        "metric": {"name": "modes/covered", "goal": "maximize"},
        "parameters": SEEDS,
    } | change
    ran = subprocess.run(
        command(root, tmp_path / "s", sweep, *flags), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 2, ran.stderr
    assert (
        says in ran.stderr and ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1
    ), ran.stderr
    assert not (tmp_path / "s" / "runs").exists()


@pytest.mark.slow
def test_eight_runs_killed_in_the_middle_and_resumed(root, tmp_path):
    workdir = tmp_path / "sweep"
    sweep = {
        "method": "grid", "metric": {"name": "generator/loss", "goal": "minimize"},
        "parameters": UNROLLS | {RATE: {"values": [1e-4, 1e-3]}} | SEEDS,
    }  # fmt: skip
    every = [f"--config.{name}_every=200" for name in ("checkpoint", "evaluate", "log")]
    typed = command(
        root,
        workdir,
        sweep,
        "--config.steps=2000",
        "--config.sample_every=1000",
        *every,
        "--config.wandb.use",
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB_")
    }
    process = subprocess.Popen(
        typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    end = time.monotonic() + 240
    saved = lambda: {
        path.parts[-3]
        for path in workdir.glob("runs/unroll=1*/checkpoints/*")
        if path.name.isdecimal()
    }
    while len(saved()) < 4:  # of all four there is one to resume from
        assert process.poll() is None and time.monotonic() < end, (
            "the sweep ended, or hung, before it was to be stopped"
        )
        time.sleep(0.05)
    process.kill()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL, output
    statuses = Counter(
        path.parent.parent.name[:8] for path in workdir.glob("runs/*/checkpoints/2000")
    )
    assert statuses == {"unroll=0": 4}, output
    first = {
        path: path.stat().st_mtime_ns
        for path in workdir.glob("runs/unroll=0*/**/*")
        if path.is_file()
    }

    resumed = subprocess.run(typed, capture_output=True, text=True, env=environment, timeout=300)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert (
        "4 of 8 runs have ended before" in resumed.stdout and "resuming at step" in resumed.stdout
    )
    assert {path: path.stat().st_mtime_ns for path in first} == first, "a finished run was touched"
    rows = results(workdir)
    assert len(rows) == 8 == len({row["name"] for row in rows})
    assert {(row["status"], row["step"]) for row in rows} == {("finished", "2000")}
    assert "what moves generator/loss" in resumed.stdout and (workdir / "heat_maps.png").exists()
    found = {}
    for run in (workdir / "runs").iterdir():
        parts = [
            part for part in map(read, files(run)) if part["run"]
        ]  # the last second before a kill may be lost
        assert (
            len({part["run"].run_id for part in parts}) == 1
        )  # stopped and resumed, it is one run of W&B's
        assert len(files(run)) == (1 if run.name.startswith("unroll=0") else 2)
        assert {part["run"].display_name for part in parts} == {run.name}
        assert (parts[-1]["run"].run_group, list(parts[-1]["run"].tags)) == ("sweep", ["sweep"])
        assert parts[-1]["rows"][-1]["train/step"] == 2000 and parts[-1]["exit"]
        assert "histogram" in {row.get("histograms/real_scores/_type") for row in parts[-1]["rows"]}
        assert "image-file" in {row.get("samples/_type") for row in parts[-1]["rows"]}
        found[parts[0]["run"].run_id] = run.name
    assert len(found) == 8

    shutil.rmtree(
        workdir / "runs" / rows[0]["name"]
    )  # lost: only it is run again, alone, and to the same numbers
    again = subprocess.run(typed, capture_output=True, text=True, env=environment, timeout=300)
    assert again.returncode == 0 and "run 8 of 8: " in again.stdout, again.stdout + again.stderr
    assert float(results(workdir)[0]["metric"]) == pytest.approx(float(rows[0]["metric"]), rel=1e-3)
