"""TensorBoard's event files: what is written is read back, record by record."""

import importlib.util
import io
import struct

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.training_loop import run
from gan_jax.experiment.validation import check_settings
from gan_jax.loggers import TensorBoardLogger


def events(folder):
    """The events of all files, in the order of the files: records of length, CRC, bytes, CRC."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted((folder / "tensorboard").iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            yield Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]


def values(folder):
    return {
        (event.step, value.tag): value for event in events(folder) for value in event.summary.value
    }


def test_what_is_logged_is_read_back(tmp_path):
    pytest.importorskip("tensorboardX")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    for step in (10, 20):
        logger = TensorBoardLogger(tmp_path)
        logger.scalars(step, {"generator/loss": step / 8, "broken": np.nan, "protocol": "fid"})
        logger.image(step, "samples", tmp_path / "x.png")
        scores = np.array([1.0, np.inf, *np.linspace(2, 3, 9)])
        logger.histograms(step, {"scores/real": scores, "none": np.array([np.nan])})
        logger.close()
    logged = values(tmp_path)
    assert {tag for _, tag in logged} == {"generator/loss", "broken", "samples", "scores/real"}
    for step in (10, 20):
        assert logged[step, "generator/loss"].simple_value == step / 8
        assert np.isnan(logged[step, "broken"].simple_value)
        picture = Image.open(io.BytesIO(logged[step, "samples"].image.encoded_image_string))
        np.testing.assert_array_equal(np.asarray(picture), pixels)
        histogram = logged[step, "scores/real"].histo
        assert (histogram.num, histogram.min, histogram.max) == (10, 1, 3)


def settings_of(root, *overrides):
    tiny = [
        "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
        "batch_size=16",
        "steps=20",
        "steps_per_call=10",
        "log_every=10",
        "health=false",
        "checkpoint_every=20",
        "sample_every=20",
        "num_samples=4",
        "tensorboard=true",
    ]
    return load_settings(str(root / "configs" / "ring.py:vanilla"), [*tiny, *overrides])


@pytest.mark.slow
def test_a_run_logs_its_rows_pictures_and_scores(root, tmp_path):
    pytest.importorskip("tensorboardX")
    run(settings_of(root), tmp_path)
    logged = values(tmp_path)
    assert {(10, "generator/loss"), (20, "pace/input"), (20, "samples")} <= set(logged)
    assert any(tag.startswith("scores/") for step, tag in logged if step == 20)


def test_without_tensorboardx_one_line_says_what_to_install(root, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[tensorboard\]'"):
        check_settings(settings_of(root))
