"""Protocols, their cache and their records, on a generator that was hardly trained."""

import hashlib
import json
import runpy
import shutil
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, evaluation, metrics
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import protocols, statistics_cache
from gan_jax.experiment import config as configs
from gan_jax.experiment import training_loop
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.run_directory import read_config
from gan_jax.game import Networks
from gan_jax.metrics.features import Extractor
from gan_jax.training.sampling import sampler

N, TINY = 300, 64  # real images, samples


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gan_jax" / "statistics"


def config_of(root, file, *overrides):
    network = "mlp(latent_size=4, generator_widths=(16,), discriminator_widths=(8,), output='tanh')"
    return configs.to_dict(configs.load(str(root / "configs" / "default.py"), [
        f"dataset=npz(path={str(file)!r}, labels=True)", f"networks={network}", "batch_size=8", "steps=4", "steps_per_call=2",
        "log_every=2", "checkpoint_every=2", "sample_every=4", "evaluate_every=2", "num_samples=4", "keep_checkpoints=1", *overrides,
    ]))  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """An `.npz` of images in 10 classes that are not alike in number."""
    rng = np.random.default_rng(0)
    label = np.sort(rng.choice(10, N, p=np.arange(1, 11) / 55)).astype(np.int32)
    pattern = rng.integers(0, 200, (10, 28, 28, 1))
    real = (pattern[label] + rng.integers(0, 55, (N, 28, 28, 1))).astype(np.uint8)
    file = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(file, real=real, label=label)
    return file


@pytest.fixture(scope="module")
def run(images, tmp_path_factory, request):
    """A run that was scored while it trained."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    metric = f"frechet(samples={TINY}, split='train')"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(workdir.parent / "cache"))
        root = request.config.rootpath
        training_loop.run(
            config_of(root, images, f"metrics={metric}", f"best_metric=fd_lenet_{TINY}_train"),
            workdir,
        )
    return workdir


@pytest.fixture
def copy(run, tmp_path):
    """The run, for a test to append to."""
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture
def evaluate(root, capsys):
    """`evaluate.py` as it is typed, without a new process; returns what it printed."""
    program = runpy.run_path(str(root / "experiments" / "evaluate.py"))["evaluate"]

    def call(*arguments):
        capsys.readouterr()
        program([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return call


def projection(dimension=6, seed=0):
    """A random projection of grey images: the smallest extractor."""
    kernel = np.random.default_rng(seed).normal(size=(28 * 28, dimension)).astype(np.float32) / 28
    head = (np.eye(dimension, 10), np.zeros(10))
    return Extractor(
        "projection", dimension, hashlib.sha256(kernel.tobytes()).hexdigest(),
        lambda variables, images: jnp.reshape(images, (len(images), -1)) @ variables, kernel, 1, head, 50,
    )  # fmt: skip


def subject_of(workdir, seed=0):
    _, experiment, draw = training_loop.load_sampler(workdir)
    return evaluation.GeneratedSamples(
        draw, evaluation.RealSamples(read_config(workdir), experiment.dataset), seed
    )


def test_training_records_its_scores_and_keeps_the_best(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    scores = {row["step"]: row[f"fd_lenet_{TINY}_train"] for row in rows}
    with Checkpoints(run / "checkpoints", 1, f"fd_lenet_{TINY}_train") as checkpoints:
        assert checkpoints.best_step() == min(scores, key=scores.get)
        assert set(checkpoints.steps()) == {4, min(scores, key=scores.get)}


def test_a_streamed_frechet_distance_is_that_of_the_features(run, monkeypatch):
    monkeypatch.setattr("gan_jax.evaluation.real_data.CHUNK", 17)
    extractor, subject = projection(), subject_of(run)
    found = evaluation.scores(protocols.frechet(extractor, TINY, "train"), subject)
    pixels = np.load(read_config(run)["dataset"]["npz"]["path"])["real"]
    real = extractor(((2 * pixels.astype(float) - 255) / 255).astype(np.float32))
    fake = np.concatenate([extractor(samples) for samples, _ in subject.samples(TINY)])
    name = f"fd_projection_{TINY}_train"
    assert found == {name: pytest.approx(metrics.frechet_distance(real, fake), rel=1e-9)}
    subject.features(extractor, TINY + 5)  # held features serve, and give the same
    assert evaluation.scores(protocols.frechet(extractor, TINY, "train"), subject) == found


def test_samples_do_not_depend_on_how_many_nor_on_the_chunks(run, monkeypatch):
    def drawn(n):
        pieces = list(subject_of(run).samples(n))
        return np.concatenate([x for x, _ in pieces]), np.concatenate(
            [label for _, label in pieces]
        )

    many, labels = drawn(40)
    monkeypatch.setattr("gan_jax.evaluation.real_data.CHUNK", 7)
    few, few_labels = drawn(20)
    np.testing.assert_allclose(few, many[:20], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(few_labels, labels[:20])
    assert not np.array_equal(subject_of(run, seed=1).labels(40), labels)


def test_classes_are_drawn_in_their_real_proportions(run, images):
    subject = subject_of(run)
    real = np.bincount(np.load(images)["label"], minlength=10) / N
    drawn = np.bincount(subject.labels(20_000), minlength=10) / 20_000
    np.testing.assert_allclose(drawn, real, atol=0.015)


def test_every_protocol_gives_the_values_that_it_names(run):
    extractor, subject = projection(), subject_of(run)
    asked = [
        protocols.frechet(extractor, TINY, "train"),
        protocols.kernel(extractor, TINY, "train", subsets=3, subset_size=20),
        protocols.inception_score(extractor, TINY, splits=2),
        protocols.precision_recall(extractor, TINY, "train"),
        protocols.density_coverage(extractor, TINY, "train"),
        protocols.sliced_wasserstein(TINY, patches=8, directions=16),
        protocols.ms_ssim(TINY),
        protocols.label_accuracy("lenet", TINY, "train"),
        protocols.classification_accuracy(extractor, TINY, "train"),
        protocols.perceptual_path_length(extractor, TINY),
    ]
    evaluation.check(asked, subject.reals)
    for protocol in asked:
        values = evaluation.scores(protocol, subject)
        assert (
            set(protocol.names()) <= values.keys() and np.isfinite(list(values.values())).all()
        ), protocol.name
    real, fake = subject.reals.features("train", extractor, TINY), subject.features(extractor, TINY)
    found = evaluation.scores(asked[3], subject)
    assert found == {
        f"pr_projection_{TINY}_train/{k}": v
        for k, v in metrics.precision_recall(real, fake)._asdict().items()
    }


def labelled(real, label):
    dataset = data.Dataset.from_arrays(real, label, 0 if label is None else 10)
    return evaluation.RealSamples({"dataset": {"npz": {"path": "x"}}}, dataset)


def test_label_accuracy_and_similarity_of_samples_that_are_the_data(images):
    """A generator that gives back the real images of each class obeys its labels as well as they do."""
    file = np.load(images)
    reals = labelled(file["real"], file["label"])
    by_class = [file["real"][file["label"] == c].astype(np.float32) / 127.5 - 1 for c in range(10)]

    def draw(rng, n, label=None, first=0):
        return np.stack([by_class[c][(first + i) % len(by_class[c])] for i, c in enumerate(label)])

    subject = evaluation.GeneratedSamples(draw, reals, 0)
    found = evaluation.scores(protocols.label_accuracy("lenet", 2000, "train"), subject)
    assert found["label_accuracy_lenet_2k_train"] == pytest.approx(
        found["label_accuracy_lenet_2k_train/real"], abs=0.06
    )
    similar = evaluation.scores(protocols.ms_ssim(100), subject)
    assert similar["ms_ssim100"] == pytest.approx(similar["ms_ssim100/real"], abs=0.05)


def test_nearest_neighbours_tell_a_copier(images, monkeypatch):
    train = split_in_two(images, monkeypatch)
    copies = train.train.arrays["real"].astype(np.float32) / 127.5 - 1
    subject = evaluation.GeneratedSamples(
        lambda rng, n, label=None, first=0: copies[first : first + n], train, 0
    )
    found = evaluation.scores(protocols.nearest_neighbours(projection(), 100), subject)
    assert found["nn_projection_100/z_score"] < -5 and found["nn_projection_100/distance"] < 1e-3


def split_in_two(images, monkeypatch):
    """Every second image to train on, the others held out."""
    file = np.load(images)
    train, test = (
        labelled(file["real"][part], file["label"][part])
        for part in (slice(0, N, 2), slice(1, N, 2))
    )
    monkeypatch.setitem(train._splits, "test", test.train)
    return train


@pytest.mark.parametrize("wrong", [False, True])
def test_what_is_learnt_from_samples_is_scored_on_real_ones(images, monkeypatch, wrong):
    reals = split_in_two(images, monkeypatch)
    arrays = reals.train.arrays
    pictures = [
        arrays["real"][arrays["label"] == c].astype(np.float32) / 127.5 - 1 for c in range(10)
    ]

    def draw(rng, n, label=None, first=0):
        return np.stack(
            [
                pictures[c][(first + i) % len(pictures[c])]
                for i, c in enumerate((label + wrong) % 10)
            ]
        )

    protocol = protocols.classification_accuracy("lenet", 400)
    evaluation.check([protocol], reals)
    found = evaluation.scores(protocol, evaluation.GeneratedSamples(draw, reals, 0))
    assert list(found) == protocol.names() == ["cas_lenet_400", "cas_lenet_400/real"]
    assert found["cas_lenet_400/real"] > 0.9
    assert found["cas_lenet_400"] == pytest.approx(
        0.0 if wrong else found["cas_lenet_400/real"], abs=0.1
    )
    with pytest.raises(UserError, match="needs samples with labels"):
        evaluation.check(
            [protocols.classification_accuracy(split="train")], labelled(arrays["real"], None)
        )


@pytest.mark.parametrize("labels", [False, True])
def test_path_length_of_a_linear_generator(images, labels):
    """What moves linearly in latents and features has the path length ``E |A (z' - z)|^2`` on straight lines."""
    file = np.load(images)
    reals = labelled(file["real"], file["label"] if labels else None)
    matrix = np.random.default_rng(0).normal(size=(3, 28 * 28)).astype(np.float32) / 100

    def generate(params, latents, label=None):
        flat = latents @ params + (0.0 if label is None else 0.01 * label[:, None])
        return flat.reshape(-1, 28, 28, 1)

    nets = Networks(
        init=lambda rng: (matrix, {}),
        latent=lambda rng, n: jax.random.normal(rng, (n, 3)),
        generate=generate,
        score=lambda params, samples: jnp.zeros(len(samples)),
    )
    subject = evaluation.GeneratedSamples(
        sampler(nets, matrix, classes=reals.train.classes), reals, 0
    )
    extractor = projection()
    found = evaluation.scores(
        protocols.perceptual_path_length(
            extractor, TINY, interpolation="lerp", epsilon=0.1, discard=0.0
        ),
        subject,
    )
    latents = subject.latents(2 * TINY)
    moves = (latents[TINY:] - latents[:TINY]) @ (matrix @ extractor.variables)
    lengths = np.sum(moves.astype(np.float64) ** 2, axis=1)
    assert found[f"ppl_projection_{TINY}"] == pytest.approx(lengths.mean(), rel=1e-4)
    assert found[f"ppl_projection_{TINY}/std"] == pytest.approx(lengths.std(), rel=1e-4)


def test_stacked_modes_count_triples(images):
    grey = data.Dataset.from_arrays(np.load(images)["real"], np.load(images)["label"], 10)
    reals = evaluation.RealSamples({"dataset": {"stacked_mnist": {}}}, data.stacked(grey))

    def draw(rng, n, label=None, first=0):  # one image again and again
        return np.repeat(
            reals.train.draw(0, np.array([0]))["real"].astype(np.float32) / 127.5 - 1, n, axis=0
        )

    protocol = protocols.stacked_modes(50)
    evaluation.check([protocol], reals)
    found = evaluation.scores(protocol, evaluation.GeneratedSamples(draw, reals, 0))
    assert found["stacked_modes50/covered"] == 1 < found["stacked_modes50/real_covered"]
    assert found["stacked_modes50/reverse_kl"] == pytest.approx(np.log(1000))


def test_modes_of_the_true_distribution():
    ring = data.ring()
    subject = evaluation.GeneratedSamples(
        lambda rng, n, label=None, first=0: np.asarray(ring.draw(1, np.arange(first, first + n))["real"]),
        evaluation.RealSamples({"dataset": {"ring": {}}}, ring), 0,
    )  # fmt: skip
    found = evaluation.scores(protocols.modes(), subject)
    assert found["modes/covered"] == len(ring.centres) and found[
        "modes/high_quality"
    ] == pytest.approx(0.989, abs=0.01)


def test_a_sample_that_is_not_finite_has_no_score(images):
    file = np.load(images)
    reals = labelled(file["real"], file["label"])
    broken = evaluation.GeneratedSamples(
        lambda rng, n, label=None, first=0: np.full((n, 28, 28, 1), np.nan), reals, 0
    )
    found = evaluation.scores(protocols.frechet(projection(), TINY, "train"), broken)
    assert list(found) == [f"fd_projection_{TINY}_train"] and np.isnan(list(found.values())).all()


def test_samples_of_a_growing_generator_are_enlarged(images):
    file = np.load(images)
    reals = labelled(file["real"], file["label"])
    small = evaluation.GeneratedSamples(
        lambda rng, n, label=None, first=0: np.full((n, 7, 7, 1), 1.5, np.float32), reals, 0
    )
    ((found, _),) = small.samples(3)
    assert found.shape == (3, 28, 28, 1) and found.max() == 1


def test_real_statistics_are_computed_once(images, cache):
    file, calls = np.load(images), []
    extractor = projection()
    counted = Extractor(
        "projection",
        6,
        extractor.hash,
        lambda v, x: calls.append(1) or extractor.apply(v, x),
        extractor.variables,
        1,
    )

    def statistics(real=file["real"], network=counted):
        return labelled(real, file["label"]).statistics("train", network)

    first = statistics()
    assert len(calls) == 1 and len(list(cache.iterdir())) == 1  # traced once
    fresh = Extractor("projection", 6, extractor.hash, lambda v, x: 1 / 0, extractor.variables, 1)
    again = statistics(network=fresh)
    assert again.n == first.n == N and np.array_equal(again.scatter, first.scatter)
    statistics(file["real"][:, ::-1])  # other images
    statistics(network=projection(seed=1))  # another extractor
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[: len(b) // 2],
        lambda b: b[:300] + bytes(64) + b[364:],
        lambda b: b"x" * 9,
    ],
)
def test_a_damaged_cache_is_rebuilt(damage, cache):
    def cached(value=1.0):
        return statistics_cache.cached("name", {"a": 1}, lambda: {"x": np.full(100, value)})["x"][0]

    assert cached() == cached(2.0) == 1.0
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match="damaged"):
        assert cached(2.0) == 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cached(3.0) == 2.0
    assert [path.name for path in cache.iterdir()] == [file.name]


def test_evaluate_appends_rows_and_says_what_is_known(copy, evaluate):
    asked = (
        f"--workdir={copy}",
        "--metrics=frechet(split='train'),kernel(split='train', subsets=4)",
        f"--num={TINY}",
    )
    printed = evaluate(*asked)
    assert f"fd_lenet_{TINY}_train" in printed and f"kd_lenet_{TINY}_train" in printed
    assert f"too few samples: n = {TINY} <= d = 128" in printed
    rows = evaluation.recorded(copy / "metrics.jsonl")
    assert [row["metric"] for row in rows] == ["kernel", "frechet"]
    row = rows[1]
    assert (
        row["step"] == 4
        and row["n"] == TINY
        and row["seed"] == 0
        and row["split"] == "train"
        and row["reals"] == N
    )
    assert (
        row["extractor"] == "lenet_fashion_mnist"
        and len(row["extractor_hash"]) == 64
        and row["resize"] == "none"
    )
    # As in training, where the seed is the same.
    during = json.loads((copy / "metrics.jsonl").read_text().splitlines()[1])
    assert row[f"fd_lenet_{TINY}_train"] == pytest.approx(
        during[f"fd_lenet_{TINY}_train"], rel=1e-5
    )

    assert evaluate(*asked).count("recorded before") == 2
    assert len(evaluation.recorded(copy / "metrics.jsonl")) == 2
    assert "recorded before" not in evaluate(*asked, "--again") + evaluate(*asked, "--seed=1")
    assert len(evaluation.recorded(copy / "metrics.jsonl")) == 6
    assert f"fd_lenet_{TINY}_train" in evaluate(f"--workdir={copy}")  # the config's own


def test_runs_are_compared_only_where_measured_alike(run, copy, evaluate, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    metric = "--metrics=frechet(split='train')"
    printed = evaluate(f"--workdir={copy}", f"--compare={other}", metric, "--num=64").splitlines()
    name, first, second = printed[-1].split()
    assert name == "fd_lenet_64_train" and first == second
    assert evaluate(f"--workdir={copy}", f"--compare={other}").splitlines()[-1] == printed[-1]

    evaluate(f"--workdir={copy}", metric, "--num=50")
    lines = (copy / "metrics.jsonl").read_text().splitlines()
    (copy / "metrics.jsonl").write_text(
        "\n".join(line for line in lines if '"n": 64' not in line) + "\n"
    )
    with pytest.raises(
        UserError,
        match="fd_lenet_50_train and fd_lenet_64_train do not compare: n is 50 in one and 64 in",
    ):
        evaluate(f"--workdir={copy}", f"--compare={other}")
    row = json.loads([line for line in lines if '"n": 64' in line][-1])
    (copy / "metrics.jsonl").write_text(json.dumps(row | {"extractor_hash": "0" * 64}) + "\n")
    with pytest.raises(UserError, match="extractor_hash is 000000000000"):
        evaluate(f"--workdir={copy}", f"--compare={other}")
    (copy / "metrics.jsonl").write_text("")
    with pytest.raises(UserError, match="has no scores"):
        evaluate(f"--workdir={copy}", f"--compare={other}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--metrics=fid50k"],
            "convert torch-fidelity's or pytorch-fid's .pth once.*--weights=inception.npz",
        ),
        (["--metrics=is"], "convert torch-fidelity's"),
        (["--metrics=fid50k", "--weights=none.npz"], "none.npz"),
        (["--metrics=fid5k"], "names 'fid5k'"),
        (["--metrics=frechet(sample=3)"], "no setting 'sample'"),
        (["--metrics=frechet("], "--metrics takes names like"),
        (["--metrics=frechet,frechet"], "twice"),
        (["--metrics=frechet(extractor='vgg')"], "no extractor 'vgg'"),
        (["--metrics=frechet(extractor='efficientnet_lite0', weights='x')"], "takes no weights"),
        (["--metrics=frechet"], "npz has no split 'test'"),
        (["--metrics=modes"], "known centres"),
        (["--metrics=stacked_modes"], "three stacked images"),
        (["--metrics=swd"], "needs 16384 real samples, the split 'train' has 300"),
        (["--metrics=frechet", "--num=1"], "--num must be at least 2"),
        (["--metrics=inception_score(extractor='lenet')", "--num=12"], "2 samples a split"),
        (["--metrics=fd_lenet", "--step=3"], "no checkpoint of step 3"),
        (
            ["--metrics=density_coverage(k=70, split='train')", "--num=64"],
            "more samples than neighbours: not 64 for k = 70",
        ),
        (["--metrics=ppl"], "convert torch-fidelity's"),
        (
            ["--metrics=perceptual_path_length(where='middle')"],
            "'full' paths or at their 'end', not 'middle'",
        ),
        (["--metrics=perceptual_path_length(interpolation='spline')"], "slerp, lerp, not 'spline'"),
        (["--metrics=perceptual_path_length(epsilon=0.0)"], "epsilon > 0"),
        (["--metrics=cas"], "convert torch-fidelity's"),
        (["--metrics=classification_accuracy"], "npz has no split 'test'"),
        (["--seed=-1"], "--seed is an integer from 0"),
    ],
)
def test_evaluate_refuses_in_one_line(run, evaluate, arguments, says):
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=says) as error:
        evaluate(f"--workdir={run}", *arguments)
    assert "\n" not in str(error.value)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_evaluate_is_a_command(root, tmp_path):
    done = subprocess.run(
        [sys.executable, str(root / "experiments" / "evaluate.py"), f"--workdir={tmp_path}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        == f"error: {tmp_path} is not the workdir of a run: it has no config.json"
    )


def test_a_run_refuses_what_it_could_not_score(root, images, tmp_path):
    for overrides, says in (
        (
            ["metrics=frechet(split='train')", "best_metric=fid"],
            "best_metric is 'fid', which no metric.*fd_lenet_10k_train",
        ),
        (["best_metric=fid"], "config.metrics is empty"),
        (["metrics=modes"], "known centres"),
        (["metrics=fid10k"], "Inception scores need"),
    ):
        with pytest.raises(UserError, match=says):
            training_loop.run(config_of(root, images, *overrides), tmp_path / "run")
        assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="needs images"):
        reals = evaluation.RealSamples({"dataset": {"ring": {}}}, data.ring())
        evaluation.check([protocols.frechet(split="train")], reals)


def test_extractors_must_suit_the_images():
    def reals(*shape):
        return evaluation.RealSamples(
            {"dataset": {"npz": {}}}, Dataset(shape, lambda seed, positions: {})
        )

    for shape, says in (
        ((28, 28, 3), "for images of 1 channel"),
        ((64, 64, 1), "found shape"),
        ((2,), "needs images"),
    ):
        with pytest.raises(UserError, match=says):
            evaluation.check([protocols.frechet(split="train")], reals(*shape))
    with pytest.raises(UserError, match="two metrics are both called"):
        evaluation.check(
            [protocols.fd_lenet(split="train"), protocols.frechet(split="train")], reals(28, 28, 1)
        )


def test_names_say_which_network():
    extractor = projection()
    inception = Extractor(
        "inception", 6, extractor.hash, extractor.apply, extractor.variables, 1, extractor.head
    )
    light = Extractor(
        "efficientnet_lite0", 6, extractor.hash, extractor.apply, extractor.variables, 1
    )
    for protocol, name in (
        (protocols.frechet(inception, 50_000, "train"), "fid50k"),
        (protocols.frechet(inception, 10_000, "test"), "fid10k"),
        (protocols.frechet(inception, 10_000, "train"), "fid10k_train"),
        (protocols.frechet(inception, 500, "test"), "fid500_test"),
        (protocols.frechet(light, 10_000, "test"), "fd_effnetlite0_10k"),
        (protocols.fd_lenet(), "fd_lenet_10k"),
        (protocols.kernel(inception, 50_000, "train"), "kid50k"),
        (protocols.inception_score(inception), "is50k"),
        (protocols.inception_score("lenet"), "cs_lenet_50k"),
        (protocols.swd(), "swd16384"),
        (protocols.perceptual_path_length(inception, 50_000), "ppl_inception_50k"),
        (protocols.perceptual_path_length(), "ppl_lenet_10k"),
        (protocols.classification_accuracy(inception, 50_000), "cas_inception_50k_test"),
        (protocols.classification_accuracy(), "cas_lenet_10k"),
        (protocols.modes(), "modes"),
    ):
        assert protocol.name == name
