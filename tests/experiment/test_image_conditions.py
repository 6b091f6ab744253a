"""Images as conditions, from the config through training to samples, pictures and scores."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.experiment import build, load, load_settings, run
from gan_jax.experiment.validation import check_experiment
from gan_jax.loggers import translations
from gan_jax.loggers.json_lines import read_metrics

SAMPLE = runpy.run_path("experiments/sample.py")["sample"]
FLAGS = (
    "steps=2",
    "steps_per_call=1",
    "log_every=1",
    "sample_every=2",
    "checkpoint_every=2",
    "evaluate_every=2",
    "batch_size=4",
    "num_samples=3",
    "metrics=paired_similarity(samples=5)",
)
SMALL = {
    "pix2pix": (
        "dataset=paired_shapes(resolution=16)",
        "networks=pix2pix(width=2, depth=2, layers=1)",
    ),
    "cyclegan": (
        "dataset=unpaired_shapes(resolution=16)",
        "networks=cyclegan(width=2, blocks=1, layers=1)",
    ),
}


def small(name):
    return load_settings(f"configs/{name}.py", (*FLAGS, *SMALL[name]))


@pytest.mark.parametrize("name", SMALL)
def test_held_out_images_are_what_the_sampler_starts_from(name):
    experiment = build(small(name))
    check_experiment(experiment)
    given = experiment.held_out_conditions(np.array([3, 503]))["input"]
    test = experiment.load_split("test").arrays["input"][3]
    np.testing.assert_allclose(given, [(2 * test.astype(float) - 255) / 255] * 2, rtol=1e-6)


def test_parts_that_do_not_fit_are_refused_in_one_line():
    flags = (*FLAGS, "dataset=ring", "metrics=", "networks=pix2pix")
    with pytest.raises(UserError, match="pix2pix translates images 'input'"):
        build(load_settings("configs/pix2pix.py", flags))
    flags = (*FLAGS, SMALL["pix2pix"][0], SMALL["cyclegan"][1])
    with pytest.raises(UserError, match="cyclegan takes pairs of images"):
        build(load_settings("configs/pix2pix.py", flags))


def test_pictures_show_inputs_next_to_what_is_made_of_them():
    draws = np.random.default_rng(0)
    made, real = draws.uniform(-1, 1, (2, 6, 4, 4, 3))
    source = draws.uniform(-1, 1, (6, 4, 4, 1))
    cells, columns = translations.beside_inputs(made, {"input": source, "real": real})
    assert cells.shape == (18, 4, 4, 3) and columns == 3
    np.testing.assert_array_equal(cells[3], np.repeat(source[1], 3, -1))
    np.testing.assert_array_equal(cells[4], made[1])
    np.testing.assert_array_equal(cells[5], real[1])
    pairs, domains = draws.uniform(-1, 1, (2, 6, 2, 4, 4, 1))
    cells, columns = translations.beside_inputs(pairs, {"input": domains})
    assert columns == 4
    a, b = domains[0]
    np.testing.assert_array_equal(cells[:4], [a, pairs[0, 1], b, pairs[0, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_run_trains_scores_and_samples(name, tmp_path):
    run_dir = tmp_path / "run"
    run(small(name), run_dir)
    last = [row for row in read_metrics(run_dir / "metrics.jsonl") if "paired5/l1" in row][-1]
    assert 0 < last["paired5/l1"] < 1 and np.isfinite(last["paired5/psnr"])
    assert (run_dir / "samples" / "step_00000002.png").exists()
    assert load(run_dir).sample(2).shape[1:] == load(run_dir).experiment.dataset.shape
    images = tmp_path / "images"
    images.mkdir()
    for i in range(2):
        pixels = np.full((20, 24, 3), 100 * i, np.uint8)
        Image.fromarray(pixels).save(images / f"{i}.png")
    for suffix, flags in ((".png", []), (".npy", [f"--conditions={images}"])):
        out = tmp_path / f"out{suffix}"
        SAMPLE([f"--workdir={run_dir}", f"--out={out}", "--num=3", *flags])
        assert Path(out).exists()
    assert np.load(tmp_path / "out.npy").shape == (2, *load(run_dir).experiment.dataset.shape)
