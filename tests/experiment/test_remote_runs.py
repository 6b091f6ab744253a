"""Runs in object stores, with fsspec's store in memory and with S3 served on this machine."""

import json
import os
import subprocess
import sys
import time

import fsspec
import numpy as np
import pytest

from gan_jax import load
from gan_jax.buckets import Bucket
from gan_jax.errors import StorageError, UserError
from gan_jax.experiment import holders, remote_runs, training_loop
from gan_jax.experiment.bucket_lease import LEASE, Lease
from gan_jax.experiment.checkpoint_files import saved_steps
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.holders import Holder
from gan_jax.experiment.remote_runs import MANIFEST, fetched, working_copy
from gan_jax.loggers.json_lines import read_metrics
from gan_jax.report import read_folders

URL = "memory://bucket/run"
UPLOAD = Bucket.upload
SHORT = (
    "steps=4",
    "steps_per_call=2",
    "log_every=2",
    "checkpoint_every=2",
    "sample_every=4",
    "metrics=",
    "batch_size=8",
    "networks=mlp(generator_widths=(8,), discriminator_widths=(8,))",
)


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """Returns a function that goes on at another machine, which has a cache of its own."""
    fsspec.filesystem("memory").rm("/", recursive=True)

    def become(name):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))

    become("one")
    return become


@pytest.fixture
def bucket():
    return Bucket(URL)


def uploaded(bucket):
    """The names in the manifest; none if there is no manifest yet."""
    return set(json.loads(bucket.read(MANIFEST) or '{"files": []}')["files"])


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def checkpoint(folder, step):
    """A checkpoint as far as its files go."""
    path = folder / "checkpoints" / str(step)
    write(path, "state/array", f"of step {step}")
    size = (path / "state" / "array").stat().st_size
    write(path, "contents.json", json.dumps({"state/array": size}))


def test_a_run_trains_is_uploaded_and_resumes_on_another_machine(machine, bucket, capsys):
    settings = load_settings("configs/ring.py:vanilla", SHORT)
    training_loop.run(settings, URL)
    names = bucket.names().keys()
    assert LEASE not in names and {"config.json", "metrics.jsonl", MANIFEST} <= names
    assert uploaded(bucket) | {MANIFEST} == set(names)
    assert "is worked on in" in capsys.readouterr().out

    machine("two")
    longer = load_settings("configs/ring.py:vanilla", (*SHORT, "steps=6"))
    training_loop.run(longer, URL)
    assert "resuming at step 4" in capsys.readouterr().out
    folder = fetched(URL)
    assert [row["step"] for row in read_metrics(folder / "metrics.jsonl")] == [2, 4, 6]
    assert saved_steps(folder / "checkpoints")[-1] == 6
    run = load(URL, 4)
    assert run.step == 4 and run.sample(3).shape == (3, 2)


def test_it_ends_with_the_bits_of_a_run_on_a_disk(tmp_path):
    settings = load_settings("configs/ring.py:vanilla", SHORT)
    training_loop.run(settings, URL)
    training_loop.run(settings, tmp_path / "run")
    np.testing.assert_array_equal(load(URL).sample(5), load(tmp_path / "run").sample(5))


def test_what_was_not_uploaded_goes_on_from_the_folder_of_this_machine(bucket, monkeypatch):
    with working_copy(URL) as copy:
        write(copy.folder, "config.json", "1")
    monkeypatch.setattr(Bucket, "upload", _no_network)
    said = pytest.raises(StorageError, match="the same command uploads it")
    with said, working_copy(URL) as copy:
        write(copy.folder, "config.json", "22")
    monkeypatch.setattr(Bucket, "upload", UPLOAD)
    assert bucket.read("config.json") == b"1"
    with working_copy(URL):
        pass
    assert bucket.read("config.json") == b"22"


def _no_network(*arguments):
    raise OSError("no network")


def test_a_failed_upload_is_made_good_by_the_next_one(bucket, capsys):
    """The thread goes on after errors, and an upload that was cut off is taken for none."""
    with working_copy(URL) as copy:
        write(copy.folder, "config.json", "1")
        copy.upload()
        write(copy.folder, "config.json", "22")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="no network"):
            patch.setattr(Bucket, "write", _no_network)
            copy.upload()
        # Killed here, the next start has to go on from this folder, not from the store.
        assert json.loads(bucket.read(MANIFEST))["token"] in remote_runs._noted(copy.folder)
        copy.upload()
        assert json.loads(bucket.read(MANIFEST))["token"] in remote_runs._noted(copy.folder)
    assert bucket.read("config.json") == b"22"
    assert "replaced" not in capsys.readouterr().out


def test_only_whole_checkpoints_are_uploaded_and_removed_ones_go_after_the_manifest(bucket):
    with working_copy(URL) as copy:
        write(copy.folder, "config.json", "{}")
        checkpoint(copy.folder, 2)
        write(copy.folder, "checkpoints/4.orbax-checkpoint-tmp/state/array", "half")
        write(copy.folder, "checkpoints/4/state/array", "without its contents")
        write(copy.folder, ".0123456789abcdef.part", "half")
        write(copy.folder, "lock.json", "{}")
        (copy.folder / "link").symlink_to("nowhere")
        copy.upload()
        whole = {"config.json", "checkpoints/2/state/array", "checkpoints/2/contents.json"}
        assert uploaded(bucket) == whole
        checkpoint(copy.folder, 4)
        for path in sorted((copy.folder / "checkpoints" / "2").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="no network"):
            patch.setattr(Bucket, "remove", _no_network)
            copy.upload()
        assert "checkpoints/4/state/array" in uploaded(bucket)
        assert not any(name.startswith("checkpoints/2/") for name in uploaded(bucket))
    folder = fetched(URL)
    assert files_of(folder) == uploaded(bucket)


def test_a_copy_that_is_not_the_newest_is_set_aside(machine, bucket, tmp_path, capsys):
    with working_copy(URL) as copy:
        write(copy.folder, "config.json", "of one")
    machine("two")
    with working_copy(URL) as copy:
        assert (copy.folder / "config.json").read_text() == "of one"
        write(copy.folder, "config.json", "of two")
    machine("one")
    with working_copy(URL) as copy:
        assert (copy.folder / "config.json").read_text() == "of two"
    aside = copy.folder.with_name(f"{copy.folder.name}.replaced-1")
    assert (aside / "config.json").read_text() == "of one"
    assert "was written elsewhere" in capsys.readouterr().out

    fsspec.filesystem("memory").rm("/bucket/run", recursive=True)  # by somebody, to start afresh
    with working_copy(URL) as copy:
        assert not copy.folder.exists()


def test_reading_follows_the_store_and_leaves_it_alone(machine, bucket):
    with working_copy(URL) as copy:
        write(copy.folder, "config.json", "{}")
        checkpoint(copy.folder, 2)
        checkpoint(copy.folder, 4)
    machine("two")
    assert saved_steps(fetched(URL) / "checkpoints") == [2, 4]
    machine("one")
    with working_copy(URL) as copy:
        os.rename(copy.folder / "checkpoints" / "2", copy.folder / "2")
    machine("two")
    assert saved_steps(fetched(URL) / "checkpoints") == [4]  # and no empty folder of step 2
    assert LEASE not in bucket.names()


def test_a_report_reads_runs_of_a_store_without_their_checkpoints(bucket, tmp_path):
    training_loop.run(load_settings("configs/ring.py:vanilla", SHORT), URL)
    for url, name in ((URL, "run"), ("memory://bucket", "run"), ("memory://", "bucket/run")):
        (run,) = read_folders([url]).runs
        assert run.name == name and run.step == 4 and run.pictures
    here = tmp_path / "one" / "gan_jax" / "parts"
    assert list(here.rglob("metrics.jsonl")) and not list(here.rglob("checkpoints"))
    with pytest.raises(UserError, match="memory://bucket/none does not exist"):
        read_folders(["memory://bucket/none"])


def test_a_run_that_was_copied_there_by_other_means_is_read(bucket):
    bucket.write("config.json", b"{}")
    assert files_of(fetched(URL)) == {"config.json"}
    with working_copy(URL) as copy:
        assert files_of(copy.folder) == {"config.json"}


def test_what_is_no_run_is_refused_and_left_alone(bucket):
    with pytest.raises(UserError, match=r"holds no run: it has no config\.json"):
        fetched(URL)
    bucket.write("photo.png", b"1")
    with pytest.raises(UserError, match="holds something else than a run"), working_copy(URL):
        pass
    assert bucket.names().keys() == {"photo.png"}


def write_lease(bucket, **changes):
    holder = Holder("node17", "another", 4711, "12345", "2026-01-02 03:04:05", False, "0123")
    bucket.write(LEASE, Holder(**(vars(holder) | changes)).content(changes.get("renewals", 3)))


class Clock:
    """Time that passes when it is slept; ``meanwhile`` is called at each sleep."""

    strftime = staticmethod(time.strftime)

    def __init__(self, meanwhile=lambda now: None):
        self.now, self.meanwhile = 0.0, meanwhile

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile(self.now)


def test_a_run_that_is_written_elsewhere_is_refused(bucket, monkeypatch):
    said = pytest.raises(UserError, match="is being written by another process")
    with working_copy(URL), said, working_copy(URL):
        pass
    write_lease(bucket)

    def renew(now):
        holder = Holder.parse(bucket.read(LEASE))
        bucket.write(LEASE, holder.content(4))

    monkeypatch.setattr(holders, "time", Clock(renew))
    with pytest.raises(UserError, match="process 4711 on node17"), working_copy(URL):
        pass


def test_a_lease_whose_holder_is_gone_is_taken_over(bucket, monkeypatch):
    write_lease(bucket)
    clock = Clock()
    monkeypatch.setattr(holders, "time", clock)
    monkeypatch.setattr(holders, "SETTLING_SECONDS", 0.0)
    with working_copy(URL):
        assert Holder.parse(bucket.read(LEASE)).pid == os.getpid()
    assert clock.now >= holders.EXPIRY_SECONDS and LEASE not in bucket.names()


def test_of_two_that_take_over_a_lease_one_gives_way(bucket, monkeypatch):
    write_lease(bucket)
    monkeypatch.setattr(holders, "time", Clock())

    def overtaken(self):
        write_lease(bucket, host="node18")
        return False

    monkeypatch.setattr(Lease, "is_held", overtaken)
    monkeypatch.setattr(holders, "SETTLING_SECONDS", 0.0)
    with pytest.raises(UserError, match="on node18"), working_copy(URL):
        pass


def test_a_process_that_was_overtaken_stops_without_writing(bucket, monkeypatch):
    monkeypatch.setattr(remote_runs, "UPLOAD_SECONDS", 0.01)
    said = pytest.raises(StorageError, match="taken over by process 4711 on node17")
    with said, working_copy(URL) as copy:
        write_lease(bucket)
        write(copy.folder, "config.json", "{}")
        while copy._thread.is_alive():
            time.sleep(0.01)
        copy.check()
    assert Holder.parse(bucket.read(LEASE)).pid == 4711 and MANIFEST not in bucket.names()


def test_a_lease_is_renewed_and_only_ones_own(bucket, monkeypatch):
    monkeypatch.setattr(holders, "RENEWED_SECONDS", 0.01)

    def renewals():
        return int(json.loads(bucket.read(LEASE))["renewals"])

    lease = Lease(bucket)
    while renewals() < 2:
        time.sleep(0.01)
    write_lease(bucket)
    time.sleep(0.1)
    assert renewals() == 3
    lease.end()
    assert Holder.parse(bucket.read(LEASE)).pid == 4711


@pytest.fixture
def s3(monkeypatch):
    """A bucket of an S3 server on this machine."""
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # which knows the server of another test
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").makedirs("bucket", exist_ok=True)
    yield "s3://bucket/runs/x"
    server.stop()


def command(root, name, *arguments):
    return [sys.executable, str(root / "experiments" / f"{name}.py"), *arguments]


def overrides(**changes):
    settings = dict(item.split("=", 1) for item in SHORT) | changes
    return [f"--config.{name}={value}" for name, value in settings.items()]


@pytest.mark.slow
def test_commands_work_on_s3_and_a_killed_run_resumes_elsewhere(s3, machine, root, tmp_path):
    train = command(root, "train", "--config=configs/ring.py:vanilla", f"--workdir={s3}")
    often = {"checkpoint_every": "200", "log_every": "200"}
    quick = overrides(steps="1000000", sample_every="10000", **often)
    bucket = Bucket(s3)
    with subprocess.Popen([*train, *quick], cwd=root) as process:
        try:
            deadline = time.monotonic() + 300
            while not any(name.startswith("checkpoints/") for name in uploaded(bucket)):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(1)
            refused = subprocess.run(
                [*train, *quick], cwd=root, capture_output=True, text=True, check=False
            )
        finally:
            process.kill()
    assert refused.returncode == 2 and f"process {process.pid} on" in refused.stderr

    machine("two")
    whole = fetched(s3)
    newest = saved_steps(whole / "checkpoints")[-1]
    ended = subprocess.run(
        [*train, *overrides(steps=str(newest + 200), **often)],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"resuming at step {newest}" in ended.stdout
    assert LEASE not in bucket.names()
    scored = command(root, "evaluate", f"--workdir={s3}", "--metrics=modes(samples=500)")
    subprocess.run(scored, cwd=root, check=True)
    rows = [json.loads(line) for line in bucket.read("metrics.jsonl").decode().splitlines()]
    assert any("protocol" in row for row in rows)
    out = tmp_path / "samples.npz"
    subprocess.run(
        command(root, "sample", f"--workdir={s3}", "--num=8", f"--out={out}"), cwd=root, check=True
    )
    with np.load(out) as arrays:
        assert next(len(array) for array in arrays.values()) == 8
    page = tmp_path / "page"
    subprocess.run(command(root, "report", s3, f"--out={page}"), cwd=root, check=True)
    assert (page / "index.html").is_file()


def test_an_s3_bucket_that_does_not_exist_is_said_in_a_line(s3):
    with pytest.raises(UserError, match="s3://nowhere/x") as caught, working_copy("s3://nowhere/x"):
        pass
    assert "\n" not in str(caught.value)
    assert Bucket(s3).create("a", b"1") and not Bucket(s3).create("a", b"2")
