"""Data that stays on the disk: the samples and orders of data in memory, in little memory."""

import itertools
import signal
import subprocess
import sys
import tracemalloc

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data.shuffling import epoch_shuffles
from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import make_executor
from gan_jax.experiment.loading import load

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=40",
    "steps_per_call=5",
    "log_every=10",
    "health=false",
    "checkpoint_every=10",
    "sample_every=40",
    "num_samples=4",
]
N, SHARDS = 60, (25, 0, 20, 15)


def samples(dtype, shape=(4, 6, 3)):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=(N, *shape)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, (N, *shape), dtype)


def write(folder, real, label=None, **others):
    """Writes arrays as shards of different lengths, one of them empty."""
    folder.mkdir()
    bounds = np.cumsum([0, *SHARDS])
    arrays = {"real": real, **others} | ({} if label is None else {"label": label})
    for i, (first, end) in enumerate(itertools.pairwise(bounds)):
        np.savez(folder / f"{i}.npz", **{name: array[first:end] for name, array in arrays.items()})
    return folder


def assert_same_streams(streamed, in_memory):
    """Whole arrays, batches of several epochs in any cut, and the parts of two processes."""
    assert streamed.shape == in_memory.shape and streamed.classes == in_memory.classes
    for name, array in in_memory.arrays.items():
        assert len(streamed.arrays[name]) == len(array)
        assert streamed.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(streamed.arrays[name][:], array)
        np.testing.assert_array_equal(streamed.arrays[name][-3:], array[-3:])
        np.testing.assert_array_equal(streamed.arrays[name][5], array[5])
    for first, steps, part in ((0, 30, slice(None)), (7, 3, slice(0, 4)), (7, 3, slice(4, 8))):
        expected = data.batches(in_memory, 3, first, steps, 2, 8, part)
        batch = data.batches(streamed, 3, first, steps, 2, 8, part)
        assert batch.keys() == expected.keys()
        for name in batch:
            assert batch[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(batch[name], expected[name])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_shards_stream_as_arrays_in_memory_do(tmp_path, dtype):
    real, label = samples(dtype), np.arange(N, dtype=np.int64) % 3
    write(tmp_path / "shards", real, label, input=real[::-1])
    expected = real.astype(np.float32) if np.dtype(dtype).kind == "f" else real
    label = label.astype(np.int32)
    in_memory = data.Dataset.from_arrays(
        expected, label, 3, conditions={"input": expected[::-1]}, orders=epoch_shuffles
    )
    streamed = data.streamed(tmp_path / "shards", labels=True, conditions=("input",))
    assert_same_streams(streamed, in_memory)
    assert streamed.contents.classes == {"0": 20, "1": 20, "2": 20}
    assert "read as needed" in str(streamed.contents)


def test_one_file_and_npy_files_stream_too(tmp_path):
    real = samples(np.uint8, (5,))
    in_memory = data.Dataset.from_arrays(real, orders=epoch_shuffles)
    np.savez(tmp_path / "all.npz", real=real)
    np.save(tmp_path / "all.npy", real)
    (tmp_path / "parts").mkdir()
    np.save(tmp_path / "parts" / "a.npy", real[:31])
    np.save(tmp_path / "parts" / "b.npy", real[31:])
    for name in ("all.npz", "all.npy", "parts"):
        assert_same_streams(data.streamed(tmp_path / name), in_memory)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(N):
        kind = tmp_path / "images" / "abc"[i % 3]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (9, 8 + i % 2, 4), np.uint8)
        Image.fromarray(pixels).save(kind / f"{i:03d}.png")
    (tmp_path / "images" / "a" / "broken.png").write_bytes(b"no image")
    return tmp_path / "images"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_folder_streams_as_one_in_memory_does(folder, channels):
    held = data.folder(folder, 6, channels, labels=True)
    in_memory = data.Dataset.from_arrays(
        held.arrays["real"], held.arrays["label"], 3, orders=epoch_shuffles
    )
    streamed = data.streamed(folder, 6, channels, labels=True)
    assert_same_streams(streamed, in_memory)
    for name in ("sizes", "kinds", "classes", "refused"):
        assert getattr(streamed.contents, name) == getattr(held.contents, name)


def test_a_part_is_held_out(tmp_path, folder):
    real = np.arange(N, dtype=np.float32)[:, None]
    shards = write(tmp_path / "shards", real, np.arange(N) % 4)
    for source, settings, classes in ((shards, {}, 4), (folder, {"resolution": 4}, 3)):
        parts = [
            data.streamed(source, labels=True, held_out=0.25, split=split, **settings)
            for split in ("train", "test")
        ]
        assert [len(part.arrays["real"]) for part in parts] == [45, 15]
        assert [part.classes for part in parts] == [classes, classes]
        whole = data.streamed(source, labels=True, **settings).arrays
        both = np.concatenate([part.arrays["real"][:] for part in parts]).reshape(N, -1)
        np.testing.assert_array_equal(
            both[np.lexsort(both.T)], (rows := whole["real"][:].reshape(N, -1))[np.lexsort(rows.T)]
        )
    values = parts[0].draw(0, np.arange(45))["real"]
    assert len(np.unique(values.reshape(45, -1), axis=0)) == 45
    for split in ("train", "test"):
        part = data.streamed(shards, labels=True, held_out=0.25, split=split)
        points = part.arrays["real"][:][:, 0].astype(int)
        np.testing.assert_array_equal(points % 4, part.arrays["label"])
    other = write(tmp_path / "other", real + 100, np.arange(N) % 2)
    test = data.streamed(shards, labels=True, held_out=str(other), split="test")
    assert test.arrays["real"][0].tolist() == [100.0] and test.classes == 4


def test_memory_does_not_grow_with_the_data(tmp_path):
    """32 MB of images: training batches and all that an evaluation reads take less than 6 MB."""
    (tmp_path / "shards").mkdir()
    block = np.random.default_rng(0).integers(0, 256, (500, 64, 64, 1), np.uint8)
    for i in range(16):
        np.savez(tmp_path / "shards" / f"{i:02d}.npz", real=block + np.uint8(i))
    run_once = data.streamed(tmp_path / "shards", held_out=0.1)
    data.batches(run_once, 0, 0, 1, 1, 8)  # imports and threads
    tracemalloc.start()
    try:
        streamed = data.streamed(tmp_path / "shards", held_out=0.1)
        for step in range(0, 40, 4):
            data.batches(streamed, 0, step, 4, 1, 64)
        data.samples_at(streamed, np.arange(64))
        batches_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        real = RealSamples(streamed)
        real.fingerprint("train")
        fingerprint_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert batches_peak < 6e6 and fingerprint_peak < 12e6


def settings_of(root, shards, *overrides):
    config = str(root / "configs" / "default.py")
    return load_settings(config, [*TINY, f"dataset=streamed(path={shards})", *overrides])


@pytest.mark.parametrize("dtype", [pytest.param(np.uint8, marks=pytest.mark.slow), np.uint16])
def test_a_run_gives_the_numbers_of_one_in_memory(tmp_path, root, dtype):
    real = samples(dtype, (4, 4, 1))
    settings = settings_of(root, write(tmp_path / "shards", real))
    states = []
    for dataset in (None, data.Dataset.from_arrays(real, orders=epoch_shuffles)):
        executor = make_executor(settings, dataset)
        state = executor.init()
        for chunk in executor.experiment.chunks(0, 10):
            state, _ = executor.step(chunk, state, executor.batch(chunk))
        states.append(jax.tree.leaves(state))
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_killed_run_and_a_population_have_the_same_bits(tmp_path, root):
    shards = write(tmp_path / "shards", samples(np.uint8, (4, 4, 1)))
    script = f"""
import os, signal, sys
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.training_loop import run

def on_step(step, metrics):
    if sys.argv[2] == "killed" and step == 30:  # the checkpoint of step 10 is whole
        os.kill(os.getpid(), signal.SIGKILL)

overrides = {[*TINY, f"dataset=streamed(path={shards})"]!r} + sys.argv[3:]
settings = load_settings({str(root / "configs" / "default.py")!r}, overrides)
run(settings, sys.argv[1], on_step=on_step)
"""

    def trained(name, *arguments):
        command = [sys.executable, "-c", script, str(tmp_path / name), *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True)

    assert trained("whole", "").returncode == 0
    assert trained("run", "killed").returncode == -signal.SIGKILL
    assert "resuming at step" in trained("run", "").stdout
    assert trained("members", "", "population.seed=0,1").returncode == 0
    states = [load(tmp_path / name).state for name in ("whole", "run", "members/members/000")]
    for one, other in zip(*map(jax.tree.leaves, states[:2]), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(*map(jax.tree.leaves, states[::2]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_real_samples_are_those_of_data_in_memory(tmp_path):
    real, label = samples(np.uint8), np.arange(N) % 3
    streamed = data.streamed(write(tmp_path / "shards", real, label), labels=True)
    in_memory = data.Dataset.from_arrays(real, label.astype(np.int32), 3)
    one, other = RealSamples(streamed), RealSamples(in_memory)
    assert one.fingerprint("train") == other.fingerprint("train")
    np.testing.assert_array_equal(one.class_proportions(), other.class_proportions())
    for n in (10, N):
        np.testing.assert_array_equal(one.labels("train", n), other.labels("train", n))
        for (x, _), (y, _) in zip(one.samples("train", n), other.samples("train", n), strict=True):
            np.testing.assert_array_equal(x, y)


def save_cut(path):
    np.savez(path, real=np.ones((9, 2), np.float32))
    path.write_bytes(path.read_bytes()[:-40])


def save_compressed(path):
    np.savez_compressed(path, real=np.ones((9, 2), np.float32))


@pytest.mark.parametrize(
    ("save", "settings", "message"),
    [
        (save_cut, {}, r"x\.npz cannot be read as a shard"),
        (save_compressed, {}, "'real.npy' is compressed: save it by numpy.savez"),
        (lambda path: np.savez(path, fake=np.ones((2, 2))), {}, "has no array 'real'"),
        (lambda path: np.savez(path, real=np.ones(2)), {}, r"float64 \[2\]: it should be samples"),
        (lambda path: np.savez(path, real=np.ones((2, 2), int)), {}, "int64 .* uint8, uint16"),
        (lambda path: np.savez(path, real=np.ones((2, 2)).T[:, :1]), {"labels": True}, "'label'"),
        (lambda path: np.savez(path, real=np.asfortranarray(np.ones((2, 3)))), {}, "Fortran order"),
        (lambda path: np.savez(path, real=np.ones((2, 2))), {"resolution": 4}, "resolution out"),
        (lambda path: np.savez(path, real=np.ones((0, 2))), {}, "has no samples"),
        (lambda path: np.savez(path, real=np.ones((2, 2))), {"split": "test"}, "is held out"),
        (
            lambda path: np.savez(path, real=np.ones((2, 2)), label=np.array([0, -1])),
            {"labels": True},
            "from 0 to",
        ),
        (lambda path: path.write_bytes(b"PK"), {}, "cannot be read as a shard"),
        (lambda path: path.with_suffix(".txt").write_text(""), {}, "no images"),
    ],
)
def test_bad_shards_are_refused(tmp_path, save, settings, message):
    save(tmp_path / "x.npz")
    with pytest.raises(UserError, match=message):
        data.streamed(tmp_path, **({"resolution": 4} if "images" in message else {}) | settings)


def test_shards_that_do_not_fit_each_other_are_refused(tmp_path, folder):
    np.savez(tmp_path / "a.npz", real=np.ones((3, 2), np.float32))
    np.savez(tmp_path / "b.npz", real=np.ones((3, 4), np.float32))
    with pytest.raises(UserError, match=r"b\.npz is float32 \[4\], and float32 \[2\] in the files"):
        data.streamed(tmp_path)
    np.save(tmp_path / "c.npy", np.ones(2))
    with pytest.raises(UserError, match="one kind"):
        data.streamed(tmp_path)
    with pytest.raises(UserError, match="set their resolution"):
        data.streamed(folder)
    with pytest.raises(UserError, match="does not exist"):
        data.streamed(tmp_path / "none")
    with pytest.raises(UserError, match="held in memory, can be stacked"):
        data.stacked(data.streamed(folder, 4, 1, labels=True))


def test_what_goes_wrong_while_reading_is_said_in_one_line(tmp_path, folder):
    values = np.ones((3, 2), np.float32)
    values[1] = np.inf
    np.savez(tmp_path / "a.npz", real=values)
    streamed = data.streamed(tmp_path / "a.npz")
    with pytest.raises(UserError, match="sample 1 holds NaN or values beyond"):
        streamed.draw(0, np.arange(3))
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(UserError, match="become shorter"):
        streamed.draw(0, np.arange(3))
    images = data.streamed(folder, 4)
    file = folder / "a" / "000.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(UserError, match=r"000\.png cannot be read as an image.*prepare"):
        images.draw(0, np.arange(N))
    for index in (N, -N - 1):
        with pytest.raises(IndexError, match="beyond the 60 samples"):
            images.arrays["real"][index]
