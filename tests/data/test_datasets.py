"""Streams of samples: purity, epochs, toy distributions and their closed forms, images,
prefetch."""

import io
import threading
import time
import zipfile
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats

import gan_jax.data as data
from gan_jax.data.decoding import resize
from gan_jax.errors import UserError

N = 50_000
# A correct distribution fails a test with this probability. Seeds are fixed: a pass stays a pass.
P = 1e-5


def points(dataset, n=N, seed=0):
    return {name: np.asarray(value) for name, value in dataset.draw(seed, np.arange(n)).items()}


def images(n=20, size=4, channels=1, classes=10):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (n, size, size, channels), np.uint8)
    return data.Dataset.from_arrays(real, (np.arange(n) % classes).astype(np.int32), classes)


MAKERS = {
    "ring": lambda: data.ring(labels=True),
    "grid": data.grid,
    "swiss_roll": data.swiss_roll,
    "parallel_lines": data.parallel_lines,
    "three_classes": data.three_classes,
    "fixed": lambda: data.ring(finite=100, labels=True),
    "images": images,
    "stacked": lambda: data.stacked(images(), labels=True),
}
DATASETS = {name: make() for name, make in MAKERS.items()}


@pytest.mark.parametrize("name", DATASETS)
def test_batches_do_not_depend_on_how_they_are_cut(name):
    dataset = DATASETS[name]
    whole = data.batches(dataset, 3, 0, 6, 2, 10)
    assert whole["real"].shape == (6, 2, 10, *dataset.shape)
    assert ("label" in whole) == (dataset.classes > 0)
    np.testing.assert_array_equal(whole["sample_index"], np.broadcast_to(np.arange(10), (6, 2, 10)))
    for first, steps, rows in [
        (0, 1, slice(None)),
        (1, 4, slice(None)),
        (5, 1, slice(2, 5)),
        (0, 6, slice(5, 10)),
    ]:
        part = data.batches(dataset, 3, first, steps, 2, 10, rows)
        assert part.keys() == whole.keys()
        for key, value in part.items():
            assert value.dtype == whole[key].dtype
            np.testing.assert_array_equal(value, whole[key][first : first + steps, :, rows])
    again = MAKERS[name]().draw(3, np.arange(120).reshape(6, 2, 10))
    np.testing.assert_array_equal(again["real"], whole["real"])
    assert np.any(
        np.asarray(dataset.draw(4, np.arange(120).reshape(6, 2, 10))["real"]) != whole["real"]
    )


@pytest.mark.parametrize("name", DATASETS)
def test_draws_keep_the_shape_of_positions_and_reach_beyond_32_bits(name):
    dataset = DATASETS[name]
    near = np.array([[0, 1, 2, 5]])
    for far in (2**32, 2**33, 2**40 + 7, 2**62):
        batch = dataset.draw(0, near + far)
        assert batch["real"].shape == (1, 4, *dataset.shape)
        np.testing.assert_array_equal(
            batch["real"][0, 2], dataset.draw(0, np.int64(far + 2))["real"]
        )
        assert np.any(np.asarray(batch["real"]) != np.asarray(dataset.draw(0, near)["real"]))
    step = 2**31 + 5
    np.testing.assert_array_equal(
        data.batches(dataset, 0, step, 1, 5, 8)["real"].reshape(40, *dataset.shape),
        dataset.draw(0, np.arange(40) + step * 40)["real"],
    )


def test_a_distribution_takes_traced_seeds():
    dataset = DATASETS["ring"]
    members = jax.vmap(lambda seed: dataset.draw(seed, np.arange(6)))(jnp.array([0, 7]))
    for member, seed in enumerate((0, 7)):
        alone = dataset.draw(seed, np.arange(6))
        np.testing.assert_allclose(members["real"][member], alone["real"], rtol=1e-6)
        np.testing.assert_array_equal(members["label"][member], alone["label"])


def test_bits_do_not_depend_on_the_number_of_positions():
    for dataset in (DATASETS["grid"], DATASETS["swiss_roll"]):
        whole = points(dataset, 3000)["real"]
        for n in (1, 3, 17, 1024, 1025, 2999):
            np.testing.assert_array_equal(points(dataset, n)["real"], whole[:n])


@pytest.mark.parametrize("batch_size", [1, 7, 20, 64])
def test_an_epoch_is_a_permutation(batch_size):
    dataset = data.Dataset.from_arrays(np.arange(20, dtype=np.uint8)[:, None])
    stream = np.concatenate(
        [data.batches(dataset, 1, step, 1, 1, batch_size)["real"].ravel() for step in range(100)]
    )
    epochs = stream[: len(stream) // 20 * 20].reshape(-1, 20)
    np.testing.assert_array_equal(
        np.sort(epochs, axis=1), np.broadcast_to(np.arange(20), epochs.shape)
    )
    assert len(np.unique(epochs, axis=0)) == len(epochs)


@pytest.mark.parametrize(
    ("dataset", "weights"),
    [
        (DATASETS["ring"], np.ones(8)),
        (data.ring(5, radius=1.0, std=0.01, scale=3.0), np.ones(5)),
        (data.ring_of_seven(), [2, 1, 1, 1, 1, 1, 1]),
        (DATASETS["grid"], np.ones(25)),
        (data.mixture([-2.0, 2.0], 0.5 / 4, [0.7, 0.3]), [0.7, 0.3]),
    ],
)
def test_mixtures_have_their_weights_means_and_stds(dataset, weights):
    real = points(dataset)["real"]
    distances = np.linalg.norm(real[:, None] - dataset.centres, axis=-1)
    mode = distances.argmin(axis=1)
    assert len(dataset.centres) == len(weights)
    expected = N * np.array(weights) / np.sum(weights)
    assert stats.chisquare(np.bincount(mode, minlength=len(weights)), expected).pvalue > P
    off = (real - dataset.centres[mode]) / dataset.std
    for axis in off.T:
        assert stats.kstest(axis, "norm").pvalue > P
    for k in range(len(weights)):
        error = off[mode == k].mean(axis=0) * np.sqrt((mode == k).sum())
        assert np.all(np.abs(error) < 5)
    # Within three standard deviations of the nearest centre: chi with d degrees of freedom.
    inside = stats.chi.cdf(3, df=real.shape[1])
    assert abs(np.mean(distances.min(axis=1) < 3 * dataset.std) - inside) < 5 * np.sqrt(
        inside * (1 - inside) / N
    )


def test_centres_of_the_ring_and_the_grid():
    ring, grid = DATASETS["ring"], DATASETS["grid"]
    np.testing.assert_allclose(np.linalg.norm(ring.centres, axis=1), 2, rtol=1e-6)
    angles = np.arctan2(ring.centres[:, 1], ring.centres[:, 0]) % (2 * np.pi)
    np.testing.assert_allclose(angles, 2 * np.pi * np.arange(8) / 8, atol=1e-6)
    assert {tuple(c) for c in grid.centres.tolist()} == {
        (x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)
    }
    assert (ring.std, grid.std) == (pytest.approx(0.02), pytest.approx(0.05))
    scaled = data.grid(scale=1 / 2.828)
    np.testing.assert_allclose(scaled.centres * 2.828, grid.centres, rtol=1e-5)
    assert scaled.std == pytest.approx(0.05 / 2.828)


def test_the_ring_of_seven_has_the_published_bug():
    angles = np.linspace(0, 2 * np.pi, 8)
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(data.ring_of_seven().centres, centres[:7], atol=1e-6)
    np.testing.assert_allclose(centres[7], centres[0], atol=1e-6)


def test_three_classes_have_their_labels_means_and_stds():
    dataset = DATASETS["three_classes"]
    batch = points(dataset)
    assert dataset.classes == 3
    assert dataset.std is None
    for k in range(3):
        real = batch["real"][batch["label"] == k]
        assert abs(len(real) - N / 3) < 5 * np.sqrt(N * 2 / 9)
        assert stats.kstest((real[:, 0] - 3.5 * k) / (k + 1), "norm").pvalue > P
        assert stats.kstest(real[:, 1] / (k + 1), "norm").pvalue > P


def test_gaussian_line_and_point_mass():
    real = points(data.gaussian(1.0, 2.0, dimensions=3))["real"]
    assert real.shape == (N, 3)
    assert stats.kstest((real.ravel() - 1) / 2, "norm").pvalue > P
    assert np.all(np.abs(np.corrcoef(real.T)[np.triu_indices(3, 1)]) < 5 / np.sqrt(N))
    line = points(data.parallel_lines(0.5))["real"]
    assert np.all(line[:, 0] == 0.5)
    assert stats.kstest(line[:, 1], "uniform").pvalue > P
    assert np.all(points(data.gaussian(std=0.0), 100)["real"] == 0)


def test_the_swiss_roll_is_that_of_scikit_learn():
    along = 7.5 * points(data.swiss_roll(noise=0.0))["real"]
    t = np.linalg.norm(along, axis=1)
    assert stats.kstest(t, "uniform", (1.5 * np.pi, 3 * np.pi)).pvalue > P
    np.testing.assert_allclose(
        along, t[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1), atol=1e-3
    )
    datasets = pytest.importorskip("sklearn.datasets", reason="pip install scikit-learn")
    theirs = datasets.make_swiss_roll(N, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    ours = points(DATASETS["swiss_roll"])["real"]
    for turn in (np.eye(2), np.array([[1, 1], [1, -1]])):
        for a, b in zip((ours @ turn).T, (theirs @ turn).T, strict=True):
            assert stats.ks_2samp(a, b).pvalue > P


def test_fixed_samples_are_the_same_in_every_run():
    dataset = DATASETS["fixed"]
    np.testing.assert_array_equal(dataset.arrays["real"], points(DATASETS["ring"], 100)["real"])
    for seed in (0, 5):
        batch = dataset.draw(seed, np.arange(100))
        order = np.lexsort(batch["real"].T)
        np.testing.assert_array_equal(
            batch["real"][order], dataset.arrays["real"][np.lexsort(dataset.arrays["real"].T)]
        )
        nearest = np.linalg.norm(batch["real"][:, None] - dataset.centres, axis=-1).argmin(axis=1)
        np.testing.assert_array_equal(batch["label"], nearest)
    other = data.fixed(DATASETS["ring"], 100, seed=1)
    assert np.all(other.arrays["real"] != dataset.arrays["real"])
    assert other.std == dataset.std


@pytest.mark.parametrize(
    "call",
    [
        lambda: data.mixture([[[0.0]]], 1.0),
        lambda: data.mixture([], 1.0),
        lambda: data.mixture([0.0, 1.0], [1.0, 1.0, 1.0]),
        lambda: data.mixture([0.0, 1.0], -1.0),
        lambda: data.mixture([0.0, 1.0], 1.0, [0.0, 0.0]),
        lambda: data.ring(0),
        lambda: data.grid(0),
        lambda: data.ring(finite=-1),
        lambda: data.batches(DATASETS["ring"], 0, 0, 0, 1, 8),
        lambda: data.batches(DATASETS["ring"], -1, 0, 1, 1, 8),
        lambda: data.batches(images(), 2**31, 0, 1, 1, 8),
        lambda: data.stacked(DATASETS["ring"]),
    ],
)
def test_bad_arguments_are_one_line(call):
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_decode_maps_bytes_to_minus_one_and_one_and_leaves_floats():
    batch = {"real": np.array([[0, 255, 51]], np.uint8), "sample_index": np.array([0], np.int32)}
    decoded = jax.jit(data.decode)(batch)
    assert decoded["real"].dtype == jnp.float32
    np.testing.assert_allclose(decoded["real"], [[-1, 1, -0.6]], rtol=1e-6)
    np.testing.assert_array_equal(decoded["sample_index"], [0])
    np.testing.assert_array_equal(data.decode({"real": np.float32([3.0])})["real"], [3.0])


def test_stacked_images_are_triples_whose_label_spells_their_digits():
    base = images(n=30)
    dataset = data.stacked(base, labels=True)
    assert (dataset.shape, dataset.classes) == ((4, 4, 3), 1000)
    batch = dataset.draw(0, np.arange(60).reshape(2, 30))
    digits = np.stack(
        [batch["label"] // 100, batch["label"] // 10 % 10, batch["label"] % 10], axis=-1
    )
    pictures = {base.arrays["real"][i, ..., 0].tobytes(): i for i in range(30)}
    index = np.array(
        [
            [[pictures[image[..., c].tobytes()] for c in range(3)] for image in row]
            for row in batch["real"]
        ]
    )
    np.testing.assert_array_equal(base.arrays["label"][index], digits)
    np.testing.assert_array_equal(
        np.sort(index, axis=1)[:, :, 0], np.broadcast_to(np.arange(30), (2, 30))
    )
    assert np.any(index[..., 0] != index[..., 1])
    assert "label" not in data.stacked(base).draw(0, np.arange(3))


def test_resizing_pads_28_to_32_shrinks_by_averages_and_crops_to_a_square():
    image = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28, 1)
    padded = resize(image, 32)
    np.testing.assert_array_equal(padded[2:-2, 2:-2], image)
    assert padded.sum() == image.sum()
    small = resize(
        np.kron(np.array([[0, 100], [200, 40]]), np.ones((14, 14))).astype(np.uint8)[..., None], 2
    )
    np.testing.assert_array_equal(small[..., 0], [[0, 100], [200, 40]])
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 4:12] = 9
    assert np.all(resize(wide, 4) == 9)
    assert resize(image, 64).shape == (64, 64, 1)


def test_a_folder_of_images(tmp_path: Path):
    for index, owner in enumerate(["b", "a", "b"]):
        (tmp_path / owner).mkdir(exist_ok=True)
        suffix = ("png", "jpg", "PNG")[index]
        Image.fromarray(np.full((6, 8, 3), 40 * (index + 1), np.uint8)).save(
            tmp_path / owner / f"{index}.{suffix}"
        )
    dataset = data.folder(tmp_path, 4, labels=True)
    assert (dataset.shape, dataset.classes) == ((4, 4, 3), 2)
    np.testing.assert_array_equal(dataset.arrays["label"], [0, 1, 1])
    np.testing.assert_allclose(
        dataset.arrays["real"].astype(int).mean(axis=(1, 2, 3)), [80, 40, 120], atol=1
    )
    assert data.folder(tmp_path, 4, channels=1).shape == (4, 4, 1)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "loose.png")
    with pytest.raises(UserError, match="no class"):
        data.folder(tmp_path, 4, labels=True)
    with pytest.raises(UserError, match="nowhere does not exist"):
        data.folder(tmp_path / "nowhere", 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images"):
        data.folder(tmp_path / "empty", 4)
    with pytest.raises(UserError, match="is a file"):
        data.folder(tmp_path / "loose.png", 4)


def test_npz_files(tmp_path: Path):
    path = tmp_path / "own.npz"
    np.savez(path, real=np.zeros((5, 4, 4, 1), np.uint8), label=[0, 1, 2, 1, 0])
    dataset = data.npz(path, labels=True)
    assert (dataset.shape, dataset.classes) == ((4, 4, 1), 3)
    assert data.npz(path).classes == 0
    np.savez(path, real=np.zeros((5, 2)))
    assert data.npz(path).arrays["real"].dtype == np.float32
    with pytest.raises(UserError, match="no array 'label'"):
        data.npz(path, labels=True)
    for arrays in (
        {"x": np.zeros(3)},
        {"real": np.zeros((2, 2), int)},
        {"real": np.zeros((2, 2)), "label": [0]},
    ):
        np.savez(path, **arrays)
        with pytest.raises(UserError):
            data.npz(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"own\.npz"):
        data.npz(path)
    with pytest.raises(UserError, match="other"):
        data.npz(tmp_path / "other.npz")


def header_of(shape: tuple[int, ...], dtype: str) -> bytes:
    """The header of an `.npy` file that claims an array, without the array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"real": np.zeros((0, 4)), "label": np.zeros(0, int)}, "no samples"),
        ({"real": np.zeros((3, 0))}, "no samples"),
        ({"real": np.array([[0.0], [np.nan], [np.inf]])}, "NaN .* first in sample 1"),
        ({"real": np.array([[0.0], [1e300]])}, "beyond float32, first in sample 1"),
        ({"real": np.zeros((2, 1)), "label": np.array([0, -1])}, "an integer from 0"),
        ({"real": np.zeros((2, 1)), "label": np.array([0, 2**40])}, "an integer from 0"),
        ({"real": np.zeros((2, 1)), "label": np.array([0.0, 1.0])}, "an integer from 0"),
        ({"real": np.zeros((2, 1)), "label": np.zeros((2, 1), int)}, "an integer from 0"),
        ({"real": np.array(["a"], object)}, "pickle|allow_pickle"),
        ({"real": np.zeros(3)}, r"not float64 \[3\]"),
    ],
)
def test_npz_files_with_unusable_arrays_are_one_line(tmp_path, arrays, says):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=says) as caught:
        data.npz(path, labels=True)
    assert "own.npz" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_files_that_are_damaged_are_one_line(tmp_path, compressed):
    path = tmp_path / "own.npz"
    rng = np.random.default_rng(0)
    save = np.savez_compressed if compressed else np.savez
    save(path, real=rng.integers(0, 256, (50, 8), np.uint8))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", whole[:-40], whole[: len(whole) // 2], bytes(flipped), whole[:4]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"own\.npz cannot be read") as caught:
            data.npz(path)
        assert "\n" not in str(caught.value)


def test_an_npz_header_that_claims_terabytes_is_one_line(tmp_path):
    path = tmp_path / "own.npz"
    for shape in ((2**41, 1), (2**62, 4), (-1, 4)):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("real.npy", header_of(shape, "|u1") + bytes(100))
        with pytest.raises(UserError, match=r"own\.npz cannot be read") as caught:
            data.npz(path)
        assert "\n" not in str(caught.value)


def huge_png(width: int, height: int) -> bytes:
    """A PNG file of few bytes whose header claims so many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + checksum

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize(("width", "height"), [(8193, 8192), (30_000, 30_000)])
def test_an_image_of_too_many_pixels_is_refused(tmp_path, width, height):
    (tmp_path / "huge.png").write_bytes(huge_png(width, height))
    with pytest.raises(UserError, match=r"huge\.png .* more than 67108864") as caught:
        data.folder(tmp_path, 4)
    assert "\n" not in str(caught.value)


def test_file_names_with_line_breaks_and_escape_codes_are_shown_escaped(tmp_path):
    name = "two\nlines\x1b[31m.png"
    (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(UserError) as caught:
        data.folder(tmp_path, 4)
    assert r"two\nlines\x1b[31m.png" in str(caught.value) and str(caught.value).isprintable()
    with pytest.raises(UserError) as caught:
        data.npz(tmp_path / "two\nlines.npz")
    assert str(caught.value).isprintable()


def test_prefetch_yields_the_same_items_in_order():
    assert list(data.prefetch(range(50))) == list(range(50))
    assert list(data.prefetch([], ahead=1)) == []
    assert list(data.prefetch([None, None])) == [None, None]


def test_prefetch_works_ahead_on_another_thread():
    threads: list[str] = []

    def source():
        for index in range(100):
            threads.append(threading.current_thread().name)
            yield index

    items = data.prefetch(source(), ahead=3)
    assert next(items) == 0
    deadline = time.monotonic() + 10
    while len(threads) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(threads) == 5  # one taken, three waiting, one in hand
    assert set(threads) == {"prefetch"}
    items.close()


def test_prefetch_raises_exceptions_after_the_items_before_them():
    def source():
        yield 1
        raise OSError("the disk is gone")

    items = data.prefetch(source())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_prefetch_stops_when_the_consumer_does():
    closed = threading.Event()

    def source():
        try:
            index = 0
            while True:
                yield index
                index += 1
        finally:
            closed.set()

    for item in data.prefetch(source(), ahead=1):
        if item == 3:
            break
    assert closed.wait(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
