"""Scores samples against others: any two folders of images, arrays, or saved statistics.

    python experiments/score.py generated/ real/ --metrics='fd_lenet + precision_recall'
    python experiments/score.py a.npz real.npz --metrics='fid50k + kid' --weights=inception.npz
    python experiments/score.py samples/ stats.npz --metrics=fid50k --weights=inception.npz
    python experiments/score.py generated/ real/ --metrics=fd_lenet --resolution=28
    python experiments/score.py a.npy b.npy --metrics='frechet(extractor=identity)'

The first are scored, the second are the real ones. Each is a folder of PNG and JPEG files, a .npz
file (an array images, samples, real or arr_0) or a .npy file, of images [n, height, width,
channels], uint8 or floats in [-1, 1], or of vectors [n, d], for metrics that take the extractor
identity; or saved statistics, for Frechet distances: .npz files of pytorch-fid (mu and sigma), .pt
files of torch-fidelity, files of this package's cache. pytorch-fid resizes images for Inception in
another way than this package, so compare scores against its statistics only with each other.

--metrics takes names of `gan_jax.evaluation.protocols`, as evaluate.py does. All samples are used
unless --num says how many, and the names of scores say so: fid50k of 1000 samples is fid1k. If
images are resized (--resolution), names end in how: fid1k_area64 if areas were averaged,
fid1k_lanczos64 if images were enlarged.
"""

import argparse
from typing import TYPE_CHECKING

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main

if TYPE_CHECKING:
    from gan_jax.evaluation.set_scoring import Side


def score(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    set_up_jax()

    from gan_jax.evaluation.sample_sets import SampleSet, read_samples_or_statistics, resize_suffix
    from gan_jax.evaluation.set_scoring import score_sets
    from gan_jax.experiment.part_building import build_protocols, parse_metrics
    from gan_jax.loggers.bars import spinner

    scored, real = (
        read_samples_or_statistics(path, flags.resolution) for path in (flags.scored, flags.real)
    )
    number = len(scored.samples) if isinstance(scored, SampleSet) else None
    if flags.num is not None and isinstance(scored, SampleSet):
        if not 2 <= flags.num <= len(scored.samples):
            raise UserError(
                f"--num is from 2 to {len(scored.samples)}, as many as {flags.scored} has"
            )
        number = flags.num
        scored = scored._replace(samples=scored.samples[:number])
    protocols = build_protocols(parse_metrics(flags.metrics), number, flags.weights)
    with spinner(f"scoring {flags.scored}"):
        scores = score_sets(scored, real, protocols, flags.seed)
    print(f"{flags.scored}: {described(scored)}; {flags.real}: {described(real)}")
    suffix = resize_suffix([side for side in (scored, real) if isinstance(side, SampleSet)])
    for protocol in protocols:
        extractor = protocol.extractor
        network = ""
        if extractor and extractor.name != "identity":
            network = f"  ({extractor.name} {extractor.hash[:8]})"
        for name, value in scores.items():
            if name == protocol.name or name.startswith(f"{protocol.name}/"):
                print(f"{protocol.name}{suffix}{name[len(protocol.name) :]}  {value:.6g}{network}")


def described(side: "Side") -> str:
    """Returns what one side is, in words."""
    from gan_jax.evaluation.sample_sets import SampleSet

    if isinstance(side, SampleSet):
        shape = "x".join(map(str, side.samples.shape[1:]))
        return f"{len(side.samples)} samples {shape}"
    return f"statistics of {side.mean.size} features"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__)
    parser.add_argument("scored", help="a folder, a .npz or .npy file, or saved statistics")
    parser.add_argument("real", help="what it is scored against, in one of these forms")
    parser.add_argument("--metrics", required=True, help="names joined by +, such as fd_lenet")
    parser.add_argument("--num", type=int, help="of the scored samples (default: all)")
    parser.add_argument("--resolution", type=int, help="side to which images are resized")
    parser.add_argument("--weights", default="", help=".npz file of the extractor's weights")
    parser.add_argument("--seed", type=int, default=0, help="of what metrics draw")
    flags = parser.parse_args(arguments)
    if flags.resolution is not None and not 1 <= flags.resolution <= 8192:
        raise UserError(f"--resolution is from 1 to 8192, not {flags.resolution}")
    return flags


if __name__ == "__main__":
    main(score)
