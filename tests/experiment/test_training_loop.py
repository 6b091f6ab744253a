"""Runs in their directories: exact resumes, clear refusals, every config."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import evaluation
from gan_jax.errors import UserError
from gan_jax.experiment import run_writer, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.checkpoint_reading import checksums
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import load
from gan_jax.experiment.run_directory import last_metrics, opened, read_settings
from gan_jax.experiment.settings import Settings
from gan_jax.loggers import json_lines
from gan_jax.loggers.images import read_image
from gan_jax.training import fused

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=60",
    "steps_per_call=5",
    "log_every=10",
    "health=false",
    "checkpoint_every=10",
    "sample_every=20",
    "evaluate_every=10",
    "num_samples=20",
    "keep_checkpoints=10",
]


def tiny(root: Path, *overrides: str, variant: str = "unrolled") -> Settings:
    config = str(root / "configs" / f"ring.py:{variant}")
    return load_settings(config, [*TINY, "unroll=2", *overrides])


def final_state(workdir: Path) -> tuple[int, dict]:
    settings = read_settings(workdir)
    with Checkpoints(workdir / "checkpoints", settings.keep_checkpoints) as checkpoints:
        step, state = checkpoints.restore(jax.eval_shape(build(settings).init, jax.random.key(0)))
    return step, checksums(state)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    training_loop.run(tiny(Path(__file__).parents[2]), workdir)
    return workdir


def test_a_run_leaves_what_it_promises(uninterrupted):
    rows = json_lines.read_metrics(uninterrupted / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(10, 61, 10))
    names = {
        "modes/covered",
        "modes/high_quality",
        "discriminator/loss",
        "generator/gradient_norm",
        "steps_per_second",
    }
    assert names <= rows[-1].keys()
    assert [path.name for path in sorted((uninterrupted / "samples").glob("*.png"))] == [
        f"step_{step:08d}.png" for step in (0, 20, 40, 60)
    ]
    assert np.load(uninterrupted / "samples" / "step_00000060.npy").shape == (20, 2)
    assert read_image(uninterrupted / "losses.png").shape[2] == 3
    assert final_state(uninterrupted)[0] == 60
    assert last_metrics(uninterrupted)["step"] == 60


def test_points_are_on_disk_before_the_checkpoint_from_which_a_killed_run_goes_on(
    root, tmp_path, monkeypatch
):
    """Even if pictures lag: figures over training need the points, which are not made again."""
    saved, save, picture = [], Checkpoints.save, run_writer.sample_plots.save_samples

    def late(*arguments):
        time.sleep(0.3)
        picture(*arguments)

    def checked(self, step, *rest):
        saved.append((step, (self.directory.parent / "samples" / f"step_{step:08d}.npy").exists()))
        save(self, step, *rest)

    monkeypatch.setattr(run_writer.sample_plots, "save_samples", late)
    monkeypatch.setattr(Checkpoints, "save", checked)
    settings = tiny(root, "steps=20", "sample_every=10", "population.seed=0,1")
    training_loop.run(settings, tmp_path, [tmp_path / "a", tmp_path / "b"])
    assert saved == [(10, True)] * 2 + [(20, True)] * 2


def test_a_damaged_checkpoint_is_replaced_and_not_lost_at_every_start(
    uninterrupted, root, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    shutil.rmtree(run / "checkpoints" / "60" / "state")
    training_loop.run(tiny(root), run)
    assert "60 is damaged" in capsys.readouterr().out
    assert final_state(run) == final_state(uninterrupted)
    assert (run / "checkpoints.damaged" / "60").is_dir()  # whoever wants it back finds it
    training_loop.run(tiny(root), run)
    output = capsys.readouterr().out
    assert "is done: 60 steps" in output and "is damaged" not in output


def test_a_second_run_says_that_it_is_done(uninterrupted, root, capsys):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*.png")}
    metrics = training_loop.run(tiny(root), uninterrupted)
    assert "is done: 60 steps" in capsys.readouterr().out and metrics["step"] == 60
    assert before == {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*.png")}


def test_the_same_seed_gives_the_same_bits_and_another_does_not(uninterrupted, root, tmp_path):
    training_loop.run(tiny(root), tmp_path / "again")
    training_loop.run(tiny(root, "seed=1"), tmp_path / "other")
    assert (
        final_state(tmp_path / "again")
        == final_state(uninterrupted)
        != final_state(tmp_path / "other")
    )


def test_how_steps_are_cut_into_calls_changes_no_bit(uninterrupted, root, tmp_path):
    training_loop.run(
        tiny(root, "steps_per_call=10", "log_every=30", "checkpoint_every=20"), tmp_path / "run"
    )
    assert final_state(tmp_path / "run") == final_state(uninterrupted)


@pytest.mark.slow
def test_a_run_may_change_its_parallelism_and_accumulation(uninterrupted, root, tmp_path):
    training_loop.run(
        tiny(root, "steps=30", "parallelism=pmapped", "accumulation_steps=2"), tmp_path / "run"
    )
    training_loop.run(tiny(root), tmp_path / "run")
    ends = []
    for workdir in (tmp_path / "run", uninterrupted):
        with Checkpoints(workdir / "checkpoints", 10) as checkpoints:
            ends.append(
                checkpoints.restore(jax.eval_shape(build(tiny(root)).init, jax.random.key(0)))[1]
            )
    for one, other in zip(jax.tree.leaves(ends[0]), jax.tree.leaves(ends[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_a_longer_run_continues_a_shorter_one(uninterrupted, root, tmp_path):
    training_loop.run(tiny(root, "steps=30"), tmp_path / "run")
    assert final_state(tmp_path / "run")[0] == 30
    training_loop.run(tiny(root), tmp_path / "run")
    assert final_state(tmp_path / "run") == final_state(uninterrupted)


def command(root: Path, workdir: Path, *flags: str) -> list[str]:
    overrides = [f"--config.{text}" for text in [*TINY, "unroll=2", *flags]]
    return [
        sys.executable,
        str(root / "experiments" / "train.py"),
        f"--config={root / 'configs' / 'ring.py:unrolled'}",
        f"--workdir={workdir}",
        *overrides,
    ]


def wait_for(condition, process: subprocess.Popen, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end, (
            "the run ended, or hung, before it was to be stopped"
        )
        time.sleep(0.02)


# Long enough to be stopped in the middle.
LONG = (
    "steps=3000",
    "checkpoint_every=250",
    "log_every=250",
    "health=false",
    "evaluate_every=250",
    "sample_every=1500",
    "steps_per_call=50",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    subprocess.run(
        command(Path(__file__).parents[2], workdir, *LONG),
        capture_output=True,
        text=True,
        check=True,
    )
    return workdir


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_stopped_and_resumed_run_ends_with_the_same_bits(how, whole, root, tmp_path):
    workdir = tmp_path / "run"
    process = subprocess.Popen(
        command(root, workdir, *LONG), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: (workdir / "checkpoints" / "250").is_dir(), process)
    process.send_signal(how)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 143), output
    stopped_at = final_state(workdir)[0]
    assert 250 <= stopped_at < 3000
    if how == signal.SIGTERM:
        assert f"stopped by SIGTERM at step {stopped_at}" in output
    resumed = subprocess.run(
        command(root, workdir, *LONG), capture_output=True, text=True, check=True
    )
    assert f"resuming at step {stopped_at}" in resumed.stdout
    assert final_state(workdir) == final_state(whole)
    rows = [
        [row for row in json_lines.read_metrics(run / "metrics.jsonl") if row["step"] % 250 == 0]
        for run in (workdir, whole)
    ]
    cut_short = (
        stopped_at + -stopped_at % 250 if stopped_at % 250 else None
    )  # a row's means are over the steps since the last
    for name in ("step", "modes/high_quality", "generator/loss"):
        mine, theirs = (
            [row[name] for row in run if name != "generator/loss" or row["step"] != cut_short]
            for run in rows
        )
        assert mine == theirs


def test_a_signal_between_saving_and_stopping_waits_for_the_next_call(
    root, tmp_path, monkeypatch, capsys
):
    """It comes after this call has decided not to save; saying "saved" then would be a lie."""

    def signalling(self, step, values):
        if step == 20:
            os.kill(os.getpid(), signal.SIGTERM)
        return log(self, step, values)

    log = run_writer.RunWriter.log
    monkeypatch.setattr(run_writer.RunWriter, "log", signalling)
    with pytest.raises(KeyboardInterrupt):
        training_loop.run(
            tiny(root, "steps_per_call=10", "log_every=20", "checkpoint_every=40"), tmp_path / "run"
        )
    stopped_at = final_state(tmp_path / "run")[0]
    assert f"stopped by SIGTERM at step {stopped_at}, saved" in capsys.readouterr().out
    assert stopped_at == 30


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_another_config_is_refused_and_nothing_is_touched(uninterrupted, root):
    before = listing(uninterrupted)
    with pytest.raises(
        UserError, match="holds a run of another config: discriminator_steps is 1 there and 2 here"
    ):
        training_loop.run(tiny(root, "discriminator_steps=2"), uninterrupted)
    with pytest.raises(UserError, match="objective is 'minimax' there and 'hinge' here"):
        training_loop.run(tiny(root, "objective=hinge"), uninterrupted)
    assert listing(uninterrupted) == before


def test_foreign_and_impossible_workdirs_are_refused(root, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"is not the directory of a run: it has no config.json"):
        training_loop.run(tiny(root), foreign)
    assert listing(foreign) == {str(foreign / "thesis.tex"): b"precious"}
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UserError, match="is a file, not a directory"):
        training_loop.run(tiny(root), file)
    (foreign / "config.json").write_text("{broken")
    with pytest.raises(UserError, match="cannot be read"):
        training_loop.run(tiny(root), foreign)


def test_two_processes_do_not_write_one_workdir(root, tmp_path):
    """The lock is gone with the process that had it, even where it was killed."""
    code = """
import sys, time
from pathlib import Path
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.run_directory import opened
with opened(Path(sys.argv[1]), load_settings("configs/ring.py")):
    print("open", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    try:
        assert other.stdout.readline() == "open\n"
        before = (tmp_path / "a" / "config.json").stat().st_mtime_ns
        with (
            pytest.raises(UserError, match="is being written by another process"),
            opened(tmp_path / "a", load_settings(str(root / "configs" / "ring.py"))),
        ):
            pass
        assert (tmp_path / "a" / "config.json").stat().st_mtime_ns == before
    finally:
        other.kill()
        other.wait()
    with (
        opened(tmp_path / "a", load_settings(str(root / "configs" / "ring.py"))),
        pytest.raises(FileNotFoundError),
    ):  # what fails inside is not about the workdir
        (tmp_path / "none").read_text()
    with opened(tmp_path / "a", load_settings(str(root / "configs" / "ring.py"))):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_workdir_is_one_line(root, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        training_loop.run(tiny(root), tmp_path / "run")


def test_numbers_that_explode_stop_the_run_and_say_where(root, tmp_path):
    settings = tiny(
        root, "generator_optimizer=sgd(learning_rate=1e30)", "unroll=0", "objective=wasserstein"
    )
    with pytest.raises(
        training_loop.TrainingDiverged,
        match=r"is not finite from step \d+ on; .* leaf of the state is \S+/\S+ \(no checkpoint",
    ):
        training_loop.run(settings, tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").glob("[0-9]*"))


def test_sampling_a_run_again_gives_the_samples_that_it_drew(uninterrupted):
    run = load(uninterrupted)
    np.testing.assert_allclose(
        run.sampler(evaluation.evaluation_key(0), 20),
        np.load(uninterrupted / "samples" / f"step_{run.step:08d}.npy"),
        rtol=1e-6,
    )
    assert load(str(uninterrupted), 30).step == 30 and run.sample(3).shape == (3, 2)
    with pytest.raises(UserError, match="draws at least 1 sample, not 0"):
        run.sample(0)
    with pytest.raises(UserError, match="label"):
        run.sample(3, label=1)
    with pytest.raises(UserError, match="no checkpoint of step 31"):
        load(uninterrupted, 31)


def test_extra_discriminator_steps_are_the_shape_of_the_data(root):
    settings = tiny(
        root,
        "discriminator_steps=2",
        "extra_discriminator_steps.burst=7",
        "extra_discriminator_steps.first=3",
        "extra_discriminator_steps.every=10",
    )
    experiment = build(settings)
    chunks = list(experiment.chunks(0, 25))
    assert [chunk.steps for chunk in chunks] == [3, 2, 5, 1, 4, 5, 1, 4]
    assert [chunk.discriminator_steps for chunk in chunks] == [7, 2, 2, 7, 2, 2, 7, 2]
    assert list(experiment.chunks(4, 25))[1:] == chunks[2:]  # however a run was resumed
    numbers = [
        chunk.first_discriminator_step + np.arange(chunk.steps * chunk.discriminator_steps)
        for chunk in chunks
    ]
    np.testing.assert_array_equal(
        np.concatenate(numbers),
        np.arange(sum(chunk.steps * chunk.discriminator_steps for chunk in chunks)),
    )
    for chunk in chunks[:2]:
        assert experiment.batch(chunk)["real"].shape == (
            chunk.steps,
            chunk.discriminator_steps,
            16,
            2,
        )


OF_FOLDERS = {
    "cyclegan.py:horse2zebra": "unpaired_folder",
    "pix2pix.py:edges2shoes": "paired_folder",
    "vqgan.py:imagenet": "folder",
}
"""Configs whose data are folders of images that are not here, and the functions that read them."""

WITH_OTHER_DATA = (
    *OF_FOLDERS,
    "r3gan.py:cifar10",
    "stylegan2.py:cifar10",
    "stylegan2.py:ffhq",
    "stylegan2.py:projected",
)
"""Configs whose data or weights may not be here; tests of their own trace them with others."""


def all_configs() -> list[str]:
    specs = []
    for file in sorted((Path(__file__).parents[2] / "configs").glob("*.py")):
        if file.stem not in ("__init__", "default"):
            namespace: dict = {}
            exec(
                next(
                    (line for line in file.read_text().splitlines() if line.startswith("VARIANTS")),
                    "",
                ),
                namespace,
            )
            specs += [
                f"{file.name}:{variant}" if variant else file.name
                for variant in namespace.get("VARIANTS", ("",))
            ]
    return [spec for spec in specs if spec not in WITH_OTHER_DATA]


@pytest.mark.parametrize("spec", [spec for spec in all_configs() if not spec.startswith("ring.py")])
def test_every_config_builds_and_its_steps_are_traced(spec, root, fashion_mnist):
    """All but compiling and running, which is slow for convolutions."""
    check_trace(load_settings(str(root / "configs" / spec), ["batch_size=8"]))


@pytest.mark.parametrize("spec", OF_FOLDERS)
def test_configs_of_folders_are_traced_with_images_of_their_size(spec, root, tmp_path):
    for folder in ("trainA", "trainB"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            Image.new("RGB", (8, 8)).save(tmp_path / folder / f"{number}.png")
    data = f"dataset={OF_FOLDERS[spec]}(path='{tmp_path}', resolution=256)"
    overrides = ["batch_size=2", data, "metrics="]
    if "vqgan" in spec:  # without the term that needs the weights of VGG16
        overrides += [
            "objective=reconstruction + codebook + commitment + after(step=250000, term=hinge)",
            "transformations.adaptive_weight.against=reconstruction",
        ]
    check_trace(load_settings(str(root / "configs" / spec), overrides))


def check_trace(settings: Settings) -> None:
    """Checks that a step has the state's shapes and dtypes, and both losses."""
    experiment = build(settings)
    state = jax.eval_shape(experiment.init, jax.random.key(0))
    chunk = next(experiment.chunks(0, 1))
    stage, batch = experiment.stages[chunk.stage], experiment.batch(chunk)
    step = fused(stage.make_step({}), stage.prepare)
    after, metrics = jax.eval_shape(step, state, batch, jax.random.key(0))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert {"discriminator/loss", "generator/loss"} <= metrics.keys()


# Of configs that differ in one part, the steps of the others are traced above: each takes a minute
# to compile.
ALIKE = ("vqgan.py:fsq", "vqgan.py:kl", "infogan.py:shapes", "infogan.py:plain")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, marks=() if spec == "ring.py:vanilla" else pytest.mark.slow)
        for spec in all_configs()
        if spec not in ALIKE
    ],
)
def test_configs_build_and_run_two_steps(spec, root, tmp_path, fashion_mnist):
    each = [f"{interval}_every=1" for interval in ("log", "checkpoint", "sample", "evaluate")]
    overrides = ["steps=2", "steps_per_call=1", "num_samples=4", *each]
    settings = load_settings(str(root / "configs" / spec), [*overrides, "batch_size=8"])
    phases = settings.progressive_growing[:2]
    settings = dataclasses.replace(
        settings,
        progressive_growing=tuple((phase[0], 8, 1, min(phase[3], 1)) for phase in phases),
        metrics=tuple(part.updated({"samples": 16}) for part in settings.metrics),
    )
    metrics = training_loop.run(settings, tmp_path / "run")
    assert np.isfinite(metrics["discriminator/loss"]) and np.isfinite(metrics["generator/loss"])
    assert final_state(tmp_path / "run")[0] == 2


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["objective=auxiliary_classifier + hinge"], "auxiliary_classifier needs"),
        (["networks=packed(m=3, networks=mlp)"], "multiple of 3"),
        (["networks=dcgan"], "images"),
        (["objective=nonsaturating"], "did you mean non_saturating"),
        (["objective=hinge + r1(gama=3)"], "did you mean gamma"),
        (["objective=hinge + r1(gamma='x')"], "gamma takes float, not 'x'"),
        (["objective=r1"], "moves the generator"),
        (["networks=mlp(latent_size=2.5)"], "latent_size takes int, not 2.5"),
        (["networks=mlp + dcgan"], "names one part"),
        (["dataset=rng"], "did you mean ring"),
        (
            ["extra_discriminator_steps.burst=5", "extra_discriminator_steps.every=0"],
            "extra_discriminator_steps.every must be at least 1, not 0",
        ),
        (["metrics=mods"], "did you mean modes"),
        (["unroll=1", "discriminator_optimizer=adam(learning_rate=1e-4)"], "needs eps_root"),
        (["unroll=1", "discriminator_optimizer=lion(learning_rate=1e-4)"], "not differentiable"),
        (["discriminator_optimizer=adam"], "needs learning_rate"),
        (
            [
                "discriminator_optimizer=linear_schedule(init_value=1, end_value=0, "
                "transition_steps=1)"
            ],
            "returns function, not GradientTransformation",
        ),
        (["log_every=7"], "multiple of config.steps_per_call"),
        (["batch_size=6"], "does not divide over 4 devices"),
        (["best_mode=good"], "'min' or 'max'"),
        (["progressive_growing=((4, 8, 10, 5),)"], "needs networks that grow"),
        (["ema_decay=1.5"], "ema_decay must be in"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_anything_starts(overrides, says, root, tmp_path):
    with pytest.raises(UserError) as caught:
        training_loop.run(tiny(root, "unroll=0", *overrides), tmp_path / "run")
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_schedule_for_a_learning_rate_is_built_by_the_same_rule(root):
    """A schedule that starts at 0 moves nothing in the first step, and something in the second."""
    schedule = "linear_schedule(init_value=0.0, end_value=0.1, transition_steps=1)"
    experiment = build(tiny(root, f"generator_optimizer=sgd(learning_rate={schedule})"))
    key, (stage,) = jax.random.key(0), experiment.stages
    step = jax.jit(stage.make_step({}))
    states = [experiment.init(key)]
    for chunk in experiment.chunks(0, 2):
        batches = stage.prepare(experiment.batch(chunk))
        for index in range(chunk.steps):
            batch = jax.tree.map(lambda leaf, index=index: leaf[index], batches)
            states.append(step(states[-1], batch, key)[0])
    weights = [np.asarray(jax.tree.leaves(state.generator.params)[-1]) for state in states]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[1], weights[2])


def test_metrics_are_strict_json(uninterrupted):
    for line in (uninterrupted / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_no_picture_is_lost_if_a_run_is_killed_after_a_checkpoint(root, tmp_path, monkeypatch):
    """Pictures are drawn while training goes on, but those of earlier steps before a checkpoint."""
    draw, save, at_saves = run_writer.sample_plots.save_samples, Checkpoints.save, {}

    def draw_slowly(path, *arguments):
        time.sleep(0.5)
        draw(path, *arguments)

    def note(checkpoints, step, *arguments):
        pictures = (tmp_path / "run" / "samples").glob("*.png")
        at_saves[step] = sorted(int(path.stem.removeprefix("step_")) for path in pictures)
        save(checkpoints, step, *arguments)

    monkeypatch.setattr(run_writer.sample_plots, "save_samples", draw_slowly)
    monkeypatch.setattr(Checkpoints, "save", note)
    training_loop.run(tiny(root, "steps=20", "sample_every=10", "metrics="), tmp_path / "run")
    assert at_saves[10][:1] == [0]
    assert at_saves[20] == [0, 10, 20]  # nothing comes after the last one


def test_a_resumed_run_draws_the_picture_that_its_checkpoint_came_before(root, tmp_path):
    overrides = ["sample_every=10", "metrics="]
    training_loop.run(tiny(root, "steps=10", *overrides), tmp_path / "run")
    picture = tmp_path / "run" / "samples" / "step_00000010.png"
    drawn = picture.read_bytes()
    picture.unlink()
    (picture.parent / f".{'0' * 16}.part").touch()  # what the kill left
    training_loop.run(tiny(root, "steps=20", *overrides), tmp_path / "run")
    assert picture.read_bytes() == drawn
    assert not list(picture.parent.glob(".*"))
