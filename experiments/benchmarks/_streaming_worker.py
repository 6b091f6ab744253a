"""Worker process of the case streaming: makes a call for each line of standard input."""

import dataclasses
import resource
import sys
from pathlib import Path

import numpy as np
from _sides import TrainingRun, noise_images, serve

from gan_jax import data
from gan_jax.distributed.cpu import set_up_jax
from gan_jax.evaluation import RealSamples
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.part_text import Part

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "fashion_mnist.py"


def main(folder: str, limit: int, batch_size: int, width: int, steps: int) -> None:
    """Serves steps of a DCGAN, on streamed images in ``limit`` MB; 0: on images in memory."""
    set_up_jax()
    networks = Part("dcgan", {"width": width})
    settings = load_settings(f"{CONFIG}:dcgan")
    (side,) = {np.load(file, mmap_mode="r").shape[1] for file in sorted(Path(folder).glob("*.npy"))}
    run = TrainingRun(settings, steps, noise_images(side), networks=networks, batch_size=batch_size)
    run()  # compiles
    before = memory()
    if limit:
        most = (before["VmData"] + limit * 1000) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        images = data.streamed(folder)
    else:
        arrays = [np.load(file) for file in sorted(Path(folder).glob("*.npy"))]
        images = data.Dataset.from_arrays(np.concatenate(arrays), orders=data.epoch_shuffles)
        del arrays
    run.executor.experiment = dataclasses.replace(run.executor.experiment, dataset=images)
    if limit:
        run()
        real = RealSamples(images)
        real.fingerprint("train")
        for _ in real.samples("train", 20_000):
            pass
        after = memory()
        data_bytes = images.arrays["real"][:1].nbytes * len(images.arrays["real"])
        print(
            f"{data_bytes / 1e6:,.0f} MB of images; above {before['VmRSS'] / 1e3:,.0f} MB before "
            f"them, at most {(after['VmHWM'] - before['VmRSS']) / 1e3:,.0f} MB resident",
            file=sys.stderr,
            flush=True,
        )
    serve(run)


def memory() -> dict[str, int]:
    """Returns kilobytes of memory of this process, by Linux' names."""
    lines = Path("/proc/self/status").read_text().splitlines()
    rows = (line.split() for line in lines if line.startswith("Vm"))
    return {name.rstrip(":"): int(number) for name, number, _ in rows}


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
