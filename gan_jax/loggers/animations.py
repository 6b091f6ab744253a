"""Pictures in motion: GIF by Pillow, and MP4 if imageio-ffmpeg is installed."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_jax import files
from gan_jax.errors import UserError

SUFFIXES = (".gif", ".mp4")


def check_animation(path: str | os.PathLike[str]) -> None:
    """Refuses a file that `save_animation` cannot write. Raises UserError."""
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise UserError(f"an animation ends in {' or '.join(SUFFIXES)}, not {os.fspath(path)!r}")
    if suffix == ".mp4":
        _ffmpeg()


def save_animation(
    path: str | os.PathLike[str],
    pictures: Sequence[np.ndarray],
    frames_per_second: float = 20.0,
    hold_last: float = 0.0,
) -> None:
    """Writes pictures as an animation, whole or not at all; a GIF starts again at its end.

    GIFs have at most 256 colours per picture and show each for a multiple of 10 ms. MP4 is H.264 in
    YUV 4:2:0, which all browsers show, with even sides: an odd one gets a white line.

    Args:
      path: of a ``.gif`` or ``.mp4`` file.
      pictures: ``[height, width, 3]`` uint8 each, at least one, all of one size.
      frames_per_second: from 0.1 to 50.
      hold_last: seconds for which the last picture stays in addition.

    Raises:
      UserError: there is no picture, another rate, or what writes MP4 is not installed.
    """
    check_animation(path)
    if not len(pictures):
        raise UserError("an animation needs at least one picture")
    if not 0.1 <= frames_per_second <= 50:
        raise UserError(f"an animation shows 0.1 to 50 frames per second, not {frames_per_second}")
    held = round(hold_last * frames_per_second)
    if Path(path).suffix == ".gif":
        _save_gif(path, pictures, 1 / frames_per_second, hold_last)
    else:
        _save_mp4(path, [*pictures, *[pictures[-1]] * held], frames_per_second)


def _save_gif(
    path: str | os.PathLike[str], pictures: Sequence[np.ndarray], shown: float, hold_last: float
) -> None:
    from PIL import Image

    frames = [
        Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE) for picture in pictures
    ]
    duration = [max(10 * round(100 * shown), 20)] * len(frames)  # browsers slow 10 ms down
    duration[-1] += 10 * round(100 * hold_last)
    with files.replacing(path) as file:
        frames[0].save(
            file, format="GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0
        )


def _save_mp4(
    path: str | os.PathLike[str], pictures: Sequence[np.ndarray], frames_per_second: float
) -> None:
    height, width = pictures[0].shape[:2]
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    frames = np.stack([np.pad(picture, padding, constant_values=255) for picture in pictures])
    command = [_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{frames.shape[2]}x{frames.shape[1]}", "-r", str(frames_per_second)]
    command += ["-i", "-", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-f", "mp4"]
    # ffmpeg writes the index of an MP4 file last, so it cannot write into a pipe.
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "animation.mp4"
        ran = subprocess.run([*command, str(made)], input=frames.tobytes(), capture_output=True)
        if ran.returncode:
            reason = ran.stderr.decode(errors="replace").strip()
            raise UserError(f"ffmpeg cannot write {os.fspath(path)}: {reason}")
        files.write_bytes(path, made.read_bytes())


def _ffmpeg() -> str:
    """Where imageio-ffmpeg keeps ffmpeg. Raises UserError if it is not installed."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(
            "MP4 is written with imageio-ffmpeg, which is not installed: "
            "pip install 'gan_jax[video]', or choose a .gif"
        ) from error
    executable: str = imageio_ffmpeg.get_ffmpeg_exe()
    return executable
