"""score.py: folders, arrays and saved statistics, against the metrics themselves."""

import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import sample_sets
from gan_jax.metrics.statistics_files import read_statistics

pytestmark = pytest.mark.usefixtures("cache")

ROOT = Path(__file__).resolve().parents[2]


def images(n, seed, side=28):
    rng = np.random.default_rng(seed)
    pattern = rng.integers(0, 200, (1, side, side, 1))
    return (pattern + rng.integers(0, 55, (n, side, side, 1))).astype(np.uint8)


def write_folder(folder, arrays):
    for index, array in enumerate(arrays):
        home = folder / str(index % 2)
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array[..., 0]).save(home / f"{index:03d}.png")


def score(capsys, *arguments):
    """The scores by name that the command prints."""
    runpy.run_path(str(ROOT / "experiments" / "score.py"))["score"](list(map(str, arguments)))
    _, *lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines}


def lenet_features(arrays):
    return metrics.lenet_extractor()((2 * arrays.astype(np.float32) - 255) / 255)


def refused(says, capsys, *arguments):
    with pytest.raises(UserError, match=says) as error:
        score(capsys, *arguments)
    assert "\n" not in str(error.value)


def test_a_folder_against_an_array_is_the_metric_of_their_features(tmp_path, capsys):
    scored, real = images(24, 0), images(30, 1)
    write_folder(tmp_path / "scored", scored)
    np.savez(tmp_path / "real.npz", images=real)
    names = "--metrics=fd_lenet + kernel(subsets=2, subset_size=20)"
    scores = score(capsys, tmp_path / "scored", tmp_path / "real.npz", names)
    by_folder = [*scored[::2], *scored[1::2]]
    expected = metrics.frechet_distance(lenet_features(real), lenet_features(np.array(by_folder)))
    assert scores["fd_lenet_24"] == pytest.approx(expected, rel=1e-4)
    assert set(scores) == {"fd_lenet_24", "kd_lenet_24/mean", "kd_lenet_24/std"}
    floats = (2 * real.astype(np.float32) - 255) / 255
    np.save(tmp_path / "floats.npy", floats)
    again = score(capsys, tmp_path / "scored", tmp_path / "floats.npy", names)
    assert again == pytest.approx(scores, rel=1e-3)
    fewer = score(capsys, tmp_path / "scored", tmp_path / "real.npz", "--num=10", names)
    assert "fd_lenet_10" in fewer
    itself = score(capsys, tmp_path / "real.npz", tmp_path / "real.npz", "--metrics=fd_lenet")
    assert itself["fd_lenet_30"] == pytest.approx(0, abs=1e-3)


def test_names_say_how_images_were_resized(tmp_path, capsys):
    np.savez(tmp_path / "large.npz", arr_0=images(12, 0, side=56))
    np.savez(tmp_path / "small.npz", samples=images(12, 1, side=14))
    np.savez(tmp_path / "right.npz", real=images(12, 2))
    flags = ("--metrics=fd_lenet", "--resolution=28")
    large, small, right = (tmp_path / f"{name}.npz" for name in ("large", "small", "right"))
    assert set(score(capsys, large, right, *flags)) == {"fd_lenet_12_area28"}
    assert set(score(capsys, right, small, *flags)) == {"fd_lenet_12_lanczos28"}
    assert set(score(capsys, large, small, *flags)) == {"fd_lenet_12_area_lanczos28"}
    assert set(score(capsys, right, right, *flags)) == {"fd_lenet_12"}
    refused("resize images to one --resolution", capsys, large, right, "--metrics=fd_lenet")


def test_saved_statistics_stand_for_samples(tmp_path, capsys):
    scored, real = images(200, 0), images(180, 1)
    features = lenet_features(real).astype(np.float64)
    mu, sigma = features.mean(axis=0), np.cov(features, rowvar=False)
    np.savez(tmp_path / "stats.npz", mu=mu, sigma=sigma)
    np.save(tmp_path / "scored.npy", scored)
    np.save(tmp_path / "real.npy", real)
    direct = score(capsys, tmp_path / "scored.npy", tmp_path / "real.npy", "--metrics=fd_lenet")
    saved = score(capsys, tmp_path / "scored.npy", tmp_path / "stats.npz", "--metrics=fd_lenet")
    assert saved == pytest.approx(direct, rel=1e-4)
    refused(
        "needs samples on both sides",
        capsys,
        *(tmp_path / "scored.npy", tmp_path / "stats.npz", "--metrics=kernel"),
    )
    np.savez(tmp_path / "other.npz", mu=mu[:5], sigma=sigma[:5, :5])
    refused(
        "they are of another network",
        capsys,
        *(tmp_path / "scored.npy", tmp_path / "other.npz", "--metrics=fd_lenet"),
    )


def test_vectors_are_scored_as_they_are(tmp_path, capsys):
    rng = np.random.default_rng(0)
    scored, real = rng.normal(size=(40, 5)), rng.normal(size=(50, 5)) + 1
    np.save(tmp_path / "a.npy", scored)
    np.savez(tmp_path / "b.npz", samples=real)
    np.savez(tmp_path / "c.npz", mu=real.mean(axis=0), sigma=np.cov(real, rowvar=False))
    expected = metrics.frechet_distance(real, scored)
    for other in ("b.npz", "c.npz"):
        files = (tmp_path / "a.npy", tmp_path / other)
        scores = score(capsys, *files, "--metrics=frechet(extractor=identity)")
        assert scores == pytest.approx({"fd_identity_40": expected}, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_that_torch_fidelity_saves_are_read_without_pytorch(tmp_path, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    mu, sigma = rng.normal(size=6).astype(dtype), rng.normal(size=(6, 6)).astype(dtype)
    torch.save({"mu": mu, "sigma": sigma.T}, tmp_path / "a.pt")
    read = read_statistics(tmp_path / "a.pt")
    np.testing.assert_array_equal(read.mean, mu.astype(np.float64))
    np.testing.assert_array_equal(read.covariance, sigma.T.astype(np.float64))
    torch.save({"mu": mu, "sigma": Path("x")}, tmp_path / "b.pt")
    with pytest.raises(ValueError, match="something else than"):
        read_statistics(tmp_path / "b.pt")


def test_statistics_of_the_cache_are_read_and_damaged_files_refused(tmp_path):
    features = np.random.default_rng(0).normal(size=(20, 4))
    found = metrics.feature_statistics(features)
    np.savez(tmp_path / "a.npz", n=20, mean=found.mean, scatter=found.scatter)
    read = read_statistics(tmp_path / "a.npz")
    np.testing.assert_allclose(read.covariance, np.cov(features, rowvar=False))
    np.savez(tmp_path / "b.npz", mu=np.zeros(3), sigma=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"expected \[d\] and \[d, d\]"):
        read_statistics(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as file:
        file.writestr("archive/data.pkl", b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match=r"it names os\.system"):
        read_statistics(tmp_path / "c.pt")


def test_what_cannot_be_scored_is_refused_in_one_line(tmp_path, capsys):
    np.save(tmp_path / "a.npy", images(5, 0))
    np.savez(tmp_path / "b.npz", other=images(5, 0))
    a = tmp_path / "a.npy"
    refused("does not exist", capsys, tmp_path / "x", a, "--metrics=fd_lenet")
    refused("holds neither samples", capsys, a, tmp_path / "b.npz", "--metrics=fd_lenet")
    refused("--num is from 2 to 5", capsys, a, a, "--metrics=fd_lenet", "--num=6")
    refused("score a run with evaluate.py", capsys, a, a, "--metrics=nearest_neighbours")
    refused("Inception scores need the network's weights", capsys, a, a, "--metrics=fid50k")
    for index, side in enumerate((8, 9)):
        (tmp_path / "mixed").mkdir(exist_ok=True)
        Image.fromarray(images(1, 0, side)[0, ..., 0]).save(tmp_path / "mixed" / f"{index}.png")
    refused("pass --resolution", capsys, tmp_path / "mixed", a, "--metrics=fd_lenet")


def test_grey_images_are_of_one_channel_unless_others_have_colours(tmp_path):
    grey = images(2, 0, 8)
    write_folder(tmp_path / "grey", grey)
    assert sample_sets.read_samples(tmp_path / "grey").samples.shape == (2, 8, 8, 1)
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "grey" / "z.png")
    mixed = sample_sets.read_samples(tmp_path / "grey").samples
    assert mixed.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(mixed[2], colours)
    assert sample_sets.with_channels(grey, 3).shape == (2, 8, 8, 3)
