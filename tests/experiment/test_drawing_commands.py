"""The commands that draw what a run of labelled images has learned, as they are typed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_jax.experiment.loading import load

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def typed(script, *arguments):
    command = [sys.executable, str(ROOT / "experiments" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def refused(says, script, *arguments):
    ran = typed(script, *arguments)
    assert ran.returncode == 2 and says in ran.stderr, ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "fish"):
        (folder / "data" / name).mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(folder / "data" / name / f"{index}.png")
    trained = typed(
        "train.py",
        "--config=configs/fashion_mnist.py:conditional",
        f"--workdir={folder / 'run'}",
        f"--config.dataset=folder(path='{folder / 'data'}', resolution=8, channels=1, labels=True)",
        "--config.networks=dcgan(width=4, latent_size=4)",
        "--config.batch_size=4",
        "--config.steps=4",
        "--config.steps_per_call=2",
        "--config.sample_every=2",
        "--config.checkpoint_every=4",
        "--config.num_samples=6",
        "--config.metrics=",
    )
    assert trained.returncode == 0, trained.stderr
    return folder / "run"


def test_samples_by_class_in_folders_and_arrays(run_dir, tmp_path):
    where = f"--workdir={run_dir}"
    drawn = typed("sample.py", where, "--num=5", "--label=fish,cat", f"--out={tmp_path / 'a'}")
    assert drawn.returncode == 0, drawn.stderr
    files = sorted(str(path.relative_to(tmp_path / "a")) for path in tmp_path.rglob("*.png"))
    assert files == [f"cat/{i:06d}.png" for i in (1, 3)] + [f"fish/{i:06d}.png" for i in (0, 2, 4)]
    drawn = typed("sample.py", where, "--num=5", "--label=2,0", f"--out={tmp_path / 'a.npz'}")
    assert drawn.returncode == 0, drawn.stderr
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["labels"].tolist() == [2, 0, 2, 0, 2]
        images = arrays["images"]
    assert images.shape == (5, 8, 8, 1) and images.dtype == np.uint8
    with Image.open(tmp_path / "a" / "cat" / "000003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), images[3, ..., 0])
    refused("is not empty", "sample.py", where, f"--out={tmp_path / 'a'}")
    refused("did you mean dog?", "sample.py", where, "--label=dg", f"--out={tmp_path / 'b.png'}")


def test_seeds_are_the_first_samples_of_each_and_a_grid_has_rows(run_dir, tmp_path):
    where, out = f"--workdir={run_dir}", tmp_path / "a.npy"
    drawn = typed("sample.py", where, "--seeds=4,7", "--label=dog", f"--out={out}")
    assert drawn.returncode == 0, drawn.stderr
    run = load(run_dir)
    alone = [run.sample(1, seed=seed, label="dog") for seed in (4, 7)]
    np.testing.assert_allclose(np.load(out), np.concatenate(alone), rtol=1e-5, atol=1e-5)
    drawn = typed("sample.py", where, "--seeds=0-5", "--rows=3", f"--out={tmp_path / 'a.png'}")
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "a.png") as grid:
        assert grid.size == (2 * (2 * 10 + 2), 2 * (3 * 10 + 2))
    refused("--rows are those of a grid", "sample.py", where, "--rows=2", f"--out={tmp_path / 'b'}")


def test_paths_lead_from_seed_to_seed(run_dir, tmp_path):
    where, run = f"--workdir={run_dir}", load(run_dir)
    out = tmp_path / "a.npy"
    flags = ("--seeds=4,7", "--label=fish", "--frames=3", f"--out={out}")
    drawn = typed("interpolate.py", where, *flags)
    assert drawn.returncode == 0, drawn.stderr
    path = np.load(out)
    assert path.shape == (4, 8, 8, 1)
    np.testing.assert_allclose(path[:1], run.sample(1, 4, "fish"), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(path[-1:], run.sample(1, 7, "fish"), rtol=1e-5, atol=1e-5)
    drawn = typed("interpolate.py", where, "--seeds=0-2", "--closed", f"--out={tmp_path / 'a.gif'}")
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 72 and animation.size == (256, 256)
    drawn = typed(
        "interpolate.py", where, "--arithmetic=1,2 - 3 + 4-5", f"--out={tmp_path / 'b.png'}"
    )
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "b.png") as row:
        assert row.size == (2 * (4 * 10 + 2), 2 * 12)
    refused(
        "at least 2 points", "interpolate.py", where, "--seeds=3", f"--out={tmp_path / 'c.png'}"
    )
    refused(
        "such as '1,4 - 2", "interpolate.py", where, "--arithmetic=1-2", f"--out={tmp_path}/c.png"
    )
    refused("either --seeds", "interpolate.py", where, f"--out={tmp_path / 'c.png'}")


def test_training_as_an_animation(run_dir, tmp_path):
    drawn = typed("animate.py", f"--workdir={run_dir}", f"--out={tmp_path / 'a.gif'}")
    assert drawn.returncode == 0 and "from step 0 to 4" in drawn.stdout, drawn.stderr
    with Image.open(tmp_path / "a.gif") as animation:
        pictures = sorted((run_dir / "samples").glob("*.png"))
        assert animation.size == Image.open(pictures[0]).size
    refused("no pictures", "animate.py", f"--workdir={tmp_path}", f"--out={tmp_path / 'b.gif'}")
    refused(".gif or .mp4", "animate.py", f"--workdir={run_dir}", f"--out={tmp_path / 'b.png'}")


def test_the_latents_of_held_out_images_and_of_those_in_a_folder(run_dir, tmp_path):
    where, out = f"--workdir={run_dir}", tmp_path / "found.npz"
    few = ("--restarts=2", "--steps=3")
    drawn = typed("invert.py", where, "--num=3", *few, f"--out={out}")
    assert drawn.returncode == 0 and "3 images, mse" in drawn.stdout, drawn.stderr
    with np.load(out) as found:
        assert found["latents"].shape == (3, 4) and found["distances"].shape == (3,)
        errors = np.mean((found["samples"] - found["targets"]) ** 2, axis=(1, 2, 3))
        np.testing.assert_allclose(found["distances"], errors, rtol=1e-4)
    folder = f"--images={run_dir.parent / 'data' / 'dog'}"
    picture = tmp_path / "found.png"
    drawn = typed("invert.py", where, folder, "--label=dog", *few, f"--out={picture}")
    assert drawn.returncode == 0 and picture.exists(), drawn.stderr
    refused("expected one of lenet", "invert.py", where, "--distance=x", f"--out={tmp_path}/a.png")
