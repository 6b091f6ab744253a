"""Animations are read back frame by frame."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.errors import UserError
from gan_jax.loggers.animations import save_animation


def pictures(n, height=13, width=17):
    """Pictures of one colour each, a corner of which is black."""
    frames = np.full((n, height, width, 3), 255, np.uint8)
    frames[:, :4, :4] = 0
    frames[..., 0] = frames[..., 0] * np.linspace(0.2, 1, n)[:, None, None]
    return list(frames)


def test_a_gif_holds_the_pictures_and_how_long_each_is_shown(tmp_path):
    made = pictures(5)
    save_animation(tmp_path / "a.gif", made, frames_per_second=10, hold_last=1.5)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 5 and image.info["loop"] == 0
        for index, picture in enumerate(made):
            image.seek(index)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), picture)
            assert image.info["duration"] == (1600 if index == 4 else 100)


def test_an_mp4_has_even_sides_and_all_frames(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    made = pictures(6)
    save_animation(tmp_path / "a.mp4", made, frames_per_second=12, hold_last=0.5)
    frames = ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    meta = next(frames)
    shown = [np.frombuffer(frame, np.uint8).reshape(14, 18, 3) for frame in frames]
    assert meta["size"] == (18, 14) and meta["fps"] == 12 and len(shown) == 12
    assert meta["pix_fmt"].startswith("yuv420p")
    for frame, picture in zip(shown, made, strict=False):
        assert abs(frame[4:10, 6:14].astype(int) - picture[4:10, 6:14]).mean() < 8


@pytest.mark.parametrize(
    ("name", "frames", "rate", "says"),
    [
        ("a.avi", 1, 10, "ends in .gif or .mp4"),
        ("a.gif", 0, 10, "at least one picture"),
        ("a.gif", 1, 0, "0.1 to 50 frames per second"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, name, frames, rate, says):
    with pytest.raises(UserError, match=says):
        save_animation(tmp_path / name, pictures(frames), rate)
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[video\]', or choose a .gif"):
        save_animation(tmp_path / "a.mp4", pictures(2))
