"""The figure labels_on_images: wrong labels, scores of labelled images, verdicts and panels."""

import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.reproduction import load_figure

NEAREST = "1-NN: training images minus conditional DCGAN"
MLP = "1-NN: conditional DCGAN minus fully connected"
CAS = [f"CAS: training images minus {run}" for run in ("conditional DCGAN", "AC-GAN", "projection")]
WRONG = [
    "label accuracy: right labels minus 20% wrong",
    "label accuracy: 20% wrong minus 50% wrong",
]
FEATURES = "1,000 labels: features of the DCGAN minus pixels"


def labelled(n, seed):
    """Images whose label is the brightness of one row of pixels."""
    module = load("labels_on_images")
    label = np.arange(n) % 10
    images = np.random.default_rng(seed).integers(0, 60, (n, 28, 28, 1), np.uint8)
    images[np.arange(n), 2 * label + 3] = 250
    return module.Labelled(images, label)


def numbers_of(scores, features=0.8):
    """Numbers of runs with these scores (1-NN, CAS, label accuracy), and of training images."""
    module = load("labels_on_images")
    strip = module.images.to_png(np.zeros((28, 28 * 20), np.uint8))
    rows = []
    for run in (module.UNLABELLED, *scores):
        for seed in range(3):
            row = {"run": run, "seed": seed, "steps": 2000, "diverged": False}
            row["curves"] = {module.METRIC: {"step": [1000, 2000], "value": [50.0, 40.0 + seed]}}
            row |= {"scores": {}, "features": {"100": 0.6, "1000": features, "5000": 0.85}}
            if run in scores:
                row["scores"] = dict(zip(module.SCORES, scores[run], strict=True))
                row |= {"features": {}, "strip": strip if seed == 0 else None}
            rows.append(row)
    return {
        "rows": rows,
        "training images": {"nearest": 0.85, "cas": 0.9, "agree": 0.95},
        "pixels": {"100": 0.65, "1000": 0.78, "5000": 0.82},
        "untrained": {"100": 0.6, "1000": 0.7, "5000": 0.8},
    }


def all_runs(**changed):
    module = load("labels_on_images")
    scores = dict.fromkeys(list(module.RUNS)[1:], (0.83, 0.8, 0.85))
    scores |= {"fully connected": (0.75, 0.6, 0.7), "20% wrong": (0.8, 0.75, 0.7)}
    scores |= {"50% wrong": (0.7, 0.6, 0.5)}
    return scores | {name.replace("_", " "): of for name, of in changed.items()}


# --------------------------------------------------------------------------------------- measuring


def test_wrong_labels_are_other_ones_in_the_share_asked_for():
    load("labels_on_images")
    import _noisy_labels

    label = np.random.default_rng(3).integers(0, 10, 5_000)
    changed = _noisy_labels.with_wrong(label, 0.2)
    assert (changed != label).sum() == 1_000
    wrong = (changed - label)[changed != label] % 10
    counts = np.bincount(wrong, minlength=10)
    assert counts[0] == 0 and counts[1:].min() > 70 and counts[1:].max() < 155
    np.testing.assert_array_equal(_noisy_labels.with_wrong(label, 0.2), changed)
    np.testing.assert_array_equal(_noisy_labels.with_wrong(label, 0.0), label)


def test_unknown_labels_are_an_eleventh_class():
    load("labels_on_images")
    import _noisy_labels

    label = np.random.default_rng(3).integers(0, 10, 5_000)
    hidden = _noisy_labels.unknown_outside(label, 0.1)
    assert (hidden == 10).sum() == 4_500
    np.testing.assert_array_equal(hidden[hidden != 10], label[hidden != 10])
    np.testing.assert_array_equal(_noisy_labels.unknown_outside(label, 1.0), label)


def test_the_test_split_keeps_its_labels(fashion_mnist):
    load("labels_on_images")
    import _noisy_labels

    from gan_jax import data

    for split, share in (("test", 0), ("train", 0.5)):
        right = data.fashion_mnist(split, labels=True)
        changed = _noisy_labels.fashion_mnist(split, wrong=0.5)
        wrong = np.mean(changed.arrays["label"] != right.arrays["label"])
        assert changed.classes == 10 and wrong == share
        assert _noisy_labels.fashion_mnist(split, known=0.1).classes == 11


def test_the_nearest_image_gives_its_label():
    from sklearn.neighbors import KNeighborsClassifier

    module = load("labels_on_images")
    train, test = labelled(60, 0), labelled(40, 1)
    train = train._replace(label=np.random.default_rng(2).permutation(train.label))
    peer = KNeighborsClassifier(1).fit(train.images.reshape(60, -1) / 255, train.label)
    expected = peer.score(test.images.reshape(40, -1) / 255, test.label)
    assert module.of_labels.nearest_accuracy(train, test) == pytest.approx(expected)
    assert expected < 0.5


def test_scores_follow_the_labels_of_the_images_learned_from():
    module = load("labels_on_images")
    sizes = module.Sizes(nearest=200, classifier=100, test=50, labelled=())
    train, test = labelled(200, 0), labelled(80, 1)
    right = module.of_labels.scores(train, test, sizes)
    shifted = train._replace(label=(train.label + 1) % 10)
    wrong = module.of_labels.scores(shifted, test, sizes)
    assert right["nearest"] == right["cas"] == 1
    assert wrong["nearest"] == wrong["cas"] == 0
    logits = module.of_labels.lenet(train.images[:100])[1]
    assert right["agree"] == np.mean(logits.argmax(1) == train.label[:100])


def test_more_labels_are_the_first_ones_of_the_training_images():
    module = load("labels_on_images")
    train, test = labelled(120, 0), labelled(40, 1)
    wrong_at_first = np.where(np.arange(120) < 20, (train.label + 1) % 10, train.label)
    sizes = module.Sizes(nearest=0, classifier=0, test=40, labelled=(20, 120))
    found = module.of_labels.pixel_scores(train._replace(label=wrong_at_first), test, sizes)
    assert list(found) == ["20", "120"] and found["20"] < 0.1 < 0.6 < found["120"]


# ---------------------------------------------------------------------------- verdicts and drawing


def test_what_was_to_be_met_is_judged_in_the_full_form_alone():
    claims = load("labels_on_images").claims
    made = claims(numbers_of(all_runs()))
    judged = {name: v for name, v in verdicts(made).items() if v != "not judged"}
    assert list(judged) == [NEAREST, MLP, *CAS, *WRONG, FEATURES]
    assert set(judged.values()) == {"pass"}
    assert made[0].measured == (pytest.approx(0.02),)
    assert {claim.verdict(shortened=True) for claim in made} == {"not judged"}


@pytest.mark.parametrize(
    ("changed", "features", "missed"),
    [
        ({"conditional_DCGAN": (0.81, 0.8, 0.85)}, 0.8, [NEAREST]),
        ({"fully_connected": (0.82, 0.6, 0.7)}, 0.8, [MLP]),
        ({"AC-GAN": (0.83, 0.91, 0.85)}, 0.8, [CAS[1]]),
        ({"20%_wrong": (0.8, 0.7, 0.9)}, 0.8, [WRONG[0]]),
        ({"50%_wrong": (0.8, 0.7, 0.75)}, 0.8, [WRONG[1]]),
        ({}, 0.77, [FEATURES]),
    ],
)
def test_each_claim_can_be_missed(changed, features, missed):
    made = load("labels_on_images").claims(numbers_of(all_runs(**changed), features))
    assert [name for name, verdict in verdicts(made).items() if verdict == "miss"] == missed


def test_runs_that_are_missing_are_not_judged():
    made = load("labels_on_images").claims(numbers_of({"conditional DCGAN": (0.83, 0.8, 0.85)}))
    judged = [name for name, verdict in verdicts(made).items() if verdict != "not judged"]
    assert judged == [NEAREST, CAS[0], FEATURES]


def test_each_run_has_its_labels():
    module = load("labels_on_images")
    found = {}
    for name, run in module.RUNS.items():
        settings = load_settings(str(ROOT / run.config), run.overrides)
        found[name] = str(settings.dataset)
        assert settings.steps == module.STEPS
    assert "labels" not in found[module.UNLABELLED]
    assert "wrong=0.2" in found["20% wrong"] and "wrong=0.5" in found["50% wrong"]
    assert "known=0.1" in found["10% known"]
    for name in ("conditional DCGAN", "AC-GAN", "projection", "fully connected"):
        assert "labels=True" in found[name]


def test_the_drawing_has_its_panels():
    figure = load_figure(FIGURES, "labels_on_images")
    drawing = figure.draw(numbers_of(all_runs()))
    titles = [ax.get_title(loc="left") for ax in drawing.axes]
    assert [title[:3] for title in titles] == [f"({x})" for x in "abcdef"]
    labels = [text.get_text() for text in drawing.axes[0].get_yticklabels()]
    assert labels == list(figure.module.RUNS)[1:]
    assert len(drawing.axes[4].lines) == 3 + 2 + 1  # seeds, pixels and untrained, the legend's
    assert figure.draw(numbers_of({"10% known": (0.5, 0.5, 0.5)})).axes
