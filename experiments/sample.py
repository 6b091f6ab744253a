"""Draws samples from a checkpoint of a run: a grid of images, points, arrays, or a file for each.

    python experiments/sample.py --workdir=runs/ring --num=64 --out=samples.png [--step=5000]
    python experiments/sample.py --workdir=runs/dcgan --num=10000 --out=samples.npz
    python experiments/sample.py --workdir=runs/acgan --num=1000 --out=folder --label=Bag,Coat
    python experiments/sample.py --workdir=runs/dcgan --out=grid.png --seeds=0-15 --rows=2
    python experiments/sample.py --workdir=runs/stylegan2 --out=samples.png --truncation=0.7
    python experiments/sample.py --workdir=runs/x --out=x.png --ema='power_ema(std=0.08)'
    python experiments/sample.py --pretrained=fashion_mnist_dcgan --out=samples.png

--out is a picture (.png), samples as they are (.npy, [num, ...] float32), images as uint8 with
their labels (.npz, arrays images [num, height, width, channels] and labels), or a folder of one PNG
per image, in folders by class if the networks take labels.

--label takes names or numbers of classes, in turn, or all. Without it a grid shows a class per row.
--seeds draws one sample of each seed, the first that --seed would draw, to choose and find again.
--ema takes one of the run's config.ema, or a power_ema of another std, which is then made of those
in the checkpoints of the run. experiments/interpolate.py draws what lies between samples.
"""

import argparse
import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, storage_failure
from gan_jax.experiment.command_line import Parser, check_output, check_output_folder, main

if TYPE_CHECKING:
    import jax
    import numpy as np

    from gan_jax.data import Dataset
    from gan_jax.experiment.builder import Experiment
    from gan_jax.training.sampling import Sampler

BYTES_PER_NUMBER = {".npy": 8, ".npz": 10, ".png": 40, "": 9}
"""What drawing and writing takes per number of a sample, by the end of --out; "" is a folder."""

MOST_IN_A_PICTURE = 100_000
"""Samples beyond which nothing more can be seen."""

AT_ONCE = 65_536
"""How many samples are drawn between two looks at the progress."""


def sample(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    out = Path(flags.out)
    set_up_jax()

    import jax
    import numpy as np

    from gan_jax.experiment.pretrained import load_generator
    from gan_jax.experiment.sample_choice import parse_seeds

    seeds = None if flags.seeds is None else parse_seeds(flags.seeds)
    if seeds is not None:
        flags.num = len(seeds)
    run = load_generator(flags.workdir, flags.pretrained, flags.step, flags.ema, flags.truncation)
    dataset = run.dataset
    check_sampling(flags, dataset.shape)
    given = conditions_of(run.experiment, flags) if dataset.conditions else None
    if flags.conditions and given is None:
        raise UserError(
            "--conditions needs networks that start from images, unlike those of this run"
        )
    if seeds is not None and dataset.conditions:
        raise UserError("--seeds is of latents alone, and this generator starts from conditions")
    label, columns = choose_labels(flags, dataset)
    if seeds is None:
        start = None if given is None else {name: given[name] for name in dataset.conditions}
        samples = draw(run.sampler, jax.random.key(flags.seed), flags.num, label, start)
    else:
        latents = [run.sampler.latents(jax.random.key(seed), 1) for seed in seeds]
        same = np.zeros(flags.num, int)
        samples = run.sampler.generate(np.concatenate(latents), label, same)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write(out, samples, label, columns, dataset, given, seeds)
    except OSError as error:
        if storage_failure(error):
            raise
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    print(f"{out}: {flags.num} samples of step {run.step}")


def choose_labels(
    flags: argparse.Namespace, dataset: "Dataset"
) -> "tuple[np.ndarray | None, int | None]":
    """Returns the labels of all samples, or None, and the columns of a grid, or None."""
    import numpy as np

    from gan_jax.experiment.sample_choice import parse_classes
    from gan_jax.loggers import sample_plots

    n = flags.num
    label, columns = sample_plots.labels_by_row(n, dataset.classes)
    if flags.label is not None:
        chosen = parse_classes(flags.label, dataset.classes, dataset.class_names)
        label, columns = np.resize(chosen, n), None
        if len(chosen) > 1:
            columns = len(chosen) * max(1, round(math.sqrt(n) / len(chosen)))
    elif dataset.classes and (label is None or flags.seeds is not None):
        label, columns = np.arange(n) % dataset.classes, None
    return label, columns if flags.rows is None else math.ceil(n / flags.rows)


def write(
    out: Path,
    samples: "np.ndarray",
    label: "np.ndarray | None",
    columns: int | None,
    dataset: "Dataset",
    given: "dict[str, np.ndarray] | None",
    seeds: list[int] | None,
) -> None:
    """Writes samples in the form that the end of the file's name asks for."""
    from gan_jax.loggers import sample_files, sample_plots, translations

    if out.suffix == ".npy":
        sample_files.write_npy(out, samples)
    elif out.suffix == ".npz":
        sample_files.write_npz(out, samples, label)
    elif not out.suffix:
        sample_files.write_folder(out, samples, label, dataset.class_names, seeds)
    else:
        real = sample_plots.real_to_compare(dataset, len(samples))
        if given is not None and translations.shows(dataset):
            samples, columns = translations.beside_inputs(samples, given)
        sample_plots.save_samples(out, samples, real, columns)


def draw(
    sampler: "Sampler",
    rng: "jax.Array",
    n: int,
    label: "np.ndarray | None",
    conditions: "dict[str, np.ndarray] | None",
) -> "np.ndarray":
    """Draws samples with a bar, as `Sampler` does."""
    import numpy as np

    from gan_jax.loggers.bars import Bar

    parts = []
    with contextlib.closing(Bar("sampling", n)) as bar:
        for first in range(0, n, AT_ONCE):
            bar.update("sampling", first)
            part = slice(first, min(first + AT_ONCE, n))
            given = conditions and {name: leaf[part] for name, leaf in conditions.items()}
            labels = None if label is None else label[part]
            size = part.stop - part.start
            parts.append(sampler(rng, size, labels, first, conditions=given))
    return np.concatenate(parts)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir"])
    parser.add_argument("--workdir", help="the directory of the run")
    parser.add_argument("--pretrained", metavar="NAME", help="a generator that is shipped, or .npz")
    parser.add_argument("--out", required=True, help="a .png, .npy or .npz file, or a folder")
    parser.add_argument("--num", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--rows", type=int, help="of a grid of images (default: about a square)")
    parser.add_argument("--step", type=int, help="of the checkpoint (default: the newest)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", help="one sample of each, such as 0-15 or 3,7,20-23")
    parser.add_argument("--ema", default="", help="a moving average (default: the first)")
    parser.add_argument("--label", help="classes by name or number, in turn, such as Bag,Coat")
    parser.add_argument(
        "--truncation", type=float, help="of the styles of a StyleGAN2, such as 0.7"
    )
    parser.add_argument(
        "--conditions", metavar="FOLDER", help="of images to start from (default: held-out ones)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    out = Path(flags.out)
    if out.suffix not in BYTES_PER_NUMBER:
        raise UserError(f"--out ends in .png, .npy or .npz, or is a folder, not {flags.out!r}")
    if out.suffix:
        check_output(out, flags.overwrite)
    else:
        check_output_folder(out, flags.overwrite)
    if not 1 <= flags.num < 2**31:
        raise UserError(f"--num is an integer from 1 to {2**31 - 1}, not {flags.num}")
    if flags.rows is not None and (out.suffix != ".png" or flags.rows < 1):
        raise UserError("--rows are those of a grid, at least 1, in an --out that ends in .png")
    if not 0 <= flags.seed < 2**31:
        raise UserError(f"--seed is an integer from 0 to {2**31 - 1}, not {flags.seed}")
    return flags


def conditions_of(experiment: "Experiment", flags: argparse.Namespace) -> "dict[str, np.ndarray]":
    """Returns what samples are made from: held-out samples, or the images of a folder.

    The held-out ones come with their targets, ``"real"``. With a folder ``flags.num`` becomes the
    number of its images, if there are fewer.

    Raises:
      UserError: networks that start from something else than images, or no images.
    """
    import numpy as np

    from gan_jax import data
    from gan_jax.data.folders import image_files, read_images

    if not flags.conditions:
        samples = data.samples_at(experiment.held_out, np.arange(flags.num))
        return {name: samples[name] for name in ("real", *experiment.dataset.conditions)}
    shape = experiment.dataset.conditions.get("input", ())
    if set(experiment.dataset.conditions) != {"input"} or len(shape) < 3 or shape[-3] != shape[-2]:
        raise UserError("--conditions needs networks that start from square images 'input' alone")
    folder = Path(flags.conditions)
    files = image_files(folder)[: flags.num]
    flags.num = len(files)
    images = read_images(folder, files, shape[-2], shape[-1])
    if len(shape) == 4:  # both generators translate each image
        images = np.stack([images, images], 1)
    return {"input": np.asarray(data.decode({"input": images})["input"])}  # type: ignore[dict-item]


def check_sampling(flags: argparse.Namespace, shape: tuple[int, ...]) -> None:
    """Refuses flags that do not fit the samples of a run. Raises UserError."""
    from gan_jax.evaluation.memory import check_memory

    suffix = Path(flags.out).suffix
    if suffix == ".png" and len(shape) == 3 and shape[2] not in (1, 3):
        raise UserError(f"a .png has 1 or 3 channels, the samples are {shape}: choose a .npy")
    if suffix == "" and (len(shape) != 3 or shape[2] not in (1, 3, 4)):
        raise UserError(
            f"a folder is for images of 1, 3 or 4 channels, the samples are {shape}: choose a .npy"
        )
    if flags.rows is not None and len(shape) != 3:
        raise UserError(f"--rows are those of a grid of images, and the samples are {shape}")
    size = flags.num * math.prod(shape) * BYTES_PER_NUMBER[suffix]
    check_memory(f"--num={flags.num}", size, "choose a smaller --num")
    if suffix == ".png" and flags.num > MOST_IN_A_PICTURE:
        raise UserError(
            f"a .png shows at most {MOST_IN_A_PICTURE} samples, not {flags.num}: choose a .npy"
        )


if __name__ == "__main__":
    main(sample)
