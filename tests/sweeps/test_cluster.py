"""Sweeps as SLURM arrays, with submitit's executors that need no SLURM."""

import importlib.util
import json
import time
from collections import Counter

import pytest
from sweep_cases import SEEDS, UNROLLS, FakeTraining, make_plan, read_results

from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.experiment.command_line import split_settings
from gan_jax.sweeps import cluster, plan, report

needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs the extra slurm"
)


def test_settings_of_slurm_are_split_from_the_other_flags():
    flags = [
        "--slurm.partition=gpu",
        "--workdir=x",
        "--slurm.timeout_min=60",
        "--slurm.exclusive=true",
    ]
    settings = {"partition": "gpu", "timeout_min": 60, "exclusive": True}
    assert split_settings(flags, "slurm") == (settings, ["--workdir=x"])
    with pytest.raises(UserError, match=r"--slurm.partition needs a value"):
        split_settings(["--slurm.partition", "gpu"], "slurm")


def test_the_error_without_submitit_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[slurm\]'"):
        cluster.submit(make_plan(tmp_path, SEEDS), [], {})


@needs_submitit
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"partitoin": "gpu", "cluster": "debug"}, "did you mean partition"),
        ({"cluster": "pbs"}, "pbs"),
    ],
)
def test_unknown_settings_and_clusters_are_refused(settings, message, tmp_path):
    sweep_plan = make_plan(tmp_path, SEEDS)
    with pytest.raises(UserError, match=message) as caught:
        cluster.submit(sweep_plan, sweep_plan.groups, settings)
    assert "\n" not in str(caught.value)


@needs_submitit
def test_each_group_is_one_task_of_an_array(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "run", FakeTraining(unroll1="diverge"))
    sweep_plan = make_plan(tmp_path, UNROLLS | SEEDS)
    settings = {"cluster": "debug", "timeout_min": 5, "partition": "gpu", "array_parallelism": 4}
    jobs = cluster.submit(sweep_plan, plan.unfinished_groups(sweep_plan), settings)
    assert [job.result() for job in jobs] == [["finished", "finished"], ["diverged", "waiting"]]
    report.write_report(sweep_plan)
    statuses = Counter(row["status"] for row in read_results(tmp_path))
    assert statuses == {"finished": 2, "diverged": 1, "waiting": 1}


@needs_submitit
def test_a_sweep_is_not_submitted_again_before_its_jobs_have_ended(tmp_path):
    import submitit

    sweep_plan = make_plan(tmp_path, SEEDS)
    folder = tmp_path / "slurm"
    executor = submitit.AutoExecutor(folder, cluster="local")

    def record(*jobs):
        content = {"cluster": "local", "jobs": [job.job_id for job in jobs]}
        (folder / "jobs.json").write_text(json.dumps(content))

    ended = executor.submit(sum, [1, 2])
    ended.result()
    running = executor.submit(time.sleep, 60)
    try:
        record(ended)
        cluster._check_nothing_is_running(folder, executor)
        record(ended, running)
        with pytest.raises(UserError, match="1 tasks of this sweep have not ended"):
            cluster.submit(sweep_plan, sweep_plan.groups, {"cluster": "local"})
    finally:
        running.cancel(check=False)


@needs_submitit
def test_a_stopped_task_is_queued_again_with_the_same_arguments():
    task = cluster.GroupTask()
    submission = task.checkpoint("workdir", ["trials"])
    assert (submission.function, submission.args) == (task, ("workdir", ["trials"]))
