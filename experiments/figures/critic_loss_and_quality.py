"""Does the discriminator's loss tell how good the images are, and does a critic overfit?

    python experiments/reproduce.py critic_loss_and_quality                          # 4 hours
    python experiments/reproduce.py critic_loss_and_quality --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores. It can be stopped and resumed, and --seeds=N with a larger N adds seeds.
The short form has 500 of the 3,000 steps of each run.

Source: Arjovsky et al., "Wasserstein GAN" (2017), figures 3 and 4: the critic's estimate of the
Wasserstein distance falls as images get better, while the estimate of the Jensen-Shannon
divergence by a GAN's discriminator, log 2 - L / 2 with L its loss, stays near log 2 = 0.69, or
rises. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), figure 5: trained on 1,000
images, the critic tells them from others, and its loss on them and on others part. They show
curves of other data and no numbers of correlation. Here: the variants dcgan, wgan and wgan_gp of
configs/fashion_mnist.py, and wgan_gp on the first 1,000 training images.

The estimate is the mean over the 100 steps before each evaluation. FD is the Fréchet distance of
2,000 samples of the generator's moving average from the test images under a LeNet, never FID. The
correlation is Spearman's, of the estimate with FD over the evaluations of one run. A critic's
distance on held-out images is its mean score of 1,000 test images minus that of 1,000 samples; on
its own images the same with 1,000 training images.

To be met, set before any run. The correlation is above 0.5 in every seed of WGAN and WGAN-GP. The
GAN's estimate ends above 0.3 nats in every seed. Of the critic trained on 1,000 images, the share
of its distance that is lost on held-out images, averaged over seeds, is above 0.2 at the end, and
more than twice that of the critic trained on all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun

METRIC = "fd_lenet_2k"
GAN_LOSS, CRITIC_LOSS = "discriminator/non_saturating", "discriminator/wasserstein"
STEPS, SHORT_STEPS, EVALUATIONS, HELD_OUT = 3_000, 500, 10, 1_000
COMMON = (
    *images.every(STEPS, 2 * EVALUATIONS, log_every=50),
    f"keep_checkpoints={2 * EVALUATIONS}",
    "metrics=fd_lenet(samples=2000)",
)
GAN, FEW, ALL = "DCGAN", "WGAN-GP, 1,000 images", "WGAN-GP"
RUNS = {
    GAN: Run("configs/fashion_mnist.py:dcgan", COMMON),
    "WGAN": Run("configs/fashion_mnist.py:wgan", COMMON),
    ALL: Run("configs/fashion_mnist.py:wgan_gp", COMMON),
    FEW: Run(
        "configs/fashion_mnist.py:wgan_gp", (*COMMON, "dataset=fashion_mnist(split='train[:1000]')")
    ),
}
SEEDS = 3
SHORT = images.every(SHORT_STEPS, EVALUATIONS, log_every=50)
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps of each run"
SMOKE_RUNS, SMOKE_SEEDS, SMOKE = (GAN, FEW), 1, images.SMOKE
NOT_RUN = "two of four runs, and all steps but 4: this only shows that it works"
_STYLES = {
    GAN: {"color": page.VERMILLION},
    "WGAN": {"color": page.ORANGE},
    ALL: {"color": page.BLUE},
    FEW: {"color": page.SKY},
}

Numbers = Mapping[str, Any]
Row = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the rows of `_image_runs.rows`, and a critic's distances on seen and other images."""
    rows = images.rows(runs, METRIC, GAN_LOSS, CRITIC_LOSS)
    for row in rows:
        if row["run"] != GAN and not row["diverged"]:
            directory = runs[row["run"]][row["seed"]]
            row["distances"] = cached(
                directory / "distances.json",
                {"images": HELD_OUT, "steps": row["steps"]},
                lambda directory=directory: distances_over_training(directory),
            )
    numbers: dict[str, Any] = to_json_value({"rows": rows}, 5)
    return numbers


def distances_over_training(directory: Path) -> dict[str, list[float]]:
    """Returns a critic's distances on training and on test images at each saved step of a run."""
    from gan_jax.experiment.checkpoint_files import saved_steps
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.run_directory import CHECKPOINTS

    found: dict[str, list[float]] = {"step": [], "seen": [], "held_out": []}
    for step in saved_steps(directory / CHECKPOINTS):
        if step:
            seen, held_out = critic_distances(load(directory, step))
            for name, value in (("step", step), ("seen", seen), ("held_out", held_out)):
                found[name].append(value)
    return found


def critic_distances(run: "LoadedRun") -> tuple[float, float]:
    """Returns the mean score of training images, and of test images, minus that of samples."""
    import jax

    score = jax.jit(run.networks.score)
    real = run.experiment.real_samples()
    train, test = (real.dataset(name).arrays["real"][:HELD_OUT] for name in ("train", "test"))
    samples = run.sample(HELD_OUT)
    means = [
        float(np.mean(score(run.state.discriminator.params, x)))
        for x in (images.decoded(train), images.decoded(test), samples)
    ]
    return means[0] - means[2], means[1] - means[2]


# ------------------------------------------------------------------------------------------ claims


def estimate(row: Row) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the steps of the evaluations, the discriminator's estimates there, and the FDs.

    Of a GAN the estimate is log 2 - L / 2, of the Jensen-Shannon divergence in nats; of a critic
    -L, of the Wasserstein distance times the critic's Lipschitz constant, without the penalty.
    """
    loss = row["curves"][GAN_LOSS if row["run"] == GAN else CRITIC_LOSS]
    fd = row["curves"][METRIC]
    at = [loss["step"].index(step) for step in fd["step"]]
    means = np.array([np.mean(loss["value"][max(i - 1, 0) : i + 1]) for i in at])
    values = np.log(2) - means / 2 if row["run"] == GAN else -means
    return np.array(fd["step"]), values, np.array(fd["value"])


def correlation(row: Row) -> float:
    """Returns Spearman's rank correlation of the estimate with FD; NaN if either is constant."""
    from scipy.stats import spearmanr

    _, estimates, fds = estimate(row)
    if len(fds) < 3 or np.ptp(estimates) == 0 or np.ptp(fds) == 0:
        return float("nan")
    return float(spearmanr(estimates, fds).statistic)


def lost_share(row: Row) -> float:
    """Returns the share of the critic's last distance that is lost on held-out images."""
    distances = row["distances"]
    return 1 - float(distances["held_out"][-1] / distances["seen"][-1])


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the correlations, the GAN's estimate, and how much of a distance is overfitted."""
    made = []
    for name in images.names(numbers):
        rows = images.rows_named(numbers, name)
        made.append(
            Claim(
                f"{name}: rank correlation of the estimate with FD",
                tuple(map(correlation, rows)),
                "WGAN: falls with it; asked > 0.5" if name in ("WGAN", ALL) else "reported only",
                0.5 if name in ("WGAN", ALL) else None,
                None,
                images.divergence_note(numbers, name),
            )
        )
    if GAN in images.names(numbers):
        last = tuple(float(estimate(row)[1][-1]) for row in images.rows_named(numbers, GAN))
        made.append(
            Claim(
                f"{GAN}: estimate of JS at the end, nats", last, "near 0.69; asked > 0.3", 0.3, None
            )
        )
    return (
        made
        + _overfitting_claims(numbers)
        + [images.shown(numbers, name, METRIC, "FD") for name in images.names(numbers)]
    )


def _overfitting_claims(numbers: Numbers) -> list[Claim]:
    lost = {
        name: [lost_share(row) for row in images.rows_named(numbers, name)] for name in (FEW, ALL)
    }
    made = []
    if lost[FEW]:
        note = "by seed: " + ", ".join(f"{share:.2f}" for share in lost[FEW])
        mean = (float(np.mean(lost[FEW])),)
        name = "critic of 1,000 images: share of its distance lost on others"
        made.append(Claim(name, mean, "the losses part; asked > 0.2", 0.2, None, note))
        if lost[ALL]:
            ratio = (mean[0] / float(np.mean(lost[ALL])),)
            note = f"of all: {np.mean(lost[ALL]):.3f}"
            name = "the same over that of the critic of 60,000"
            made.append(Claim(name, ratio, "asked > 2", 2, None, note))
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws estimates and FD over training, and critics' distances on seen and other images."""
    figure = page.canvas(5.6)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1, 1, 0.75))
    top, bottom = upper.subplots(1, 3), middle.subplots(1, 2)
    for ax, name in zip(top, (GAN, "WGAN", ALL), strict=True):
        _draw_estimate(ax, numbers, name).set_ylabel("FD (dashed)", color="0.4")
    for ax, name in zip(bottom, (FEW, ALL), strict=True):
        _draw_distances(ax, numbers, name)
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title("the first samples of seed 0")
    page.letter([*top, *bottom, strips])
    return figure


def _draw_estimate(ax: "Axes", numbers: Numbers, name: str) -> "Axes":
    """Draws the estimate of each seed, and the mean FD on a second axis, which is returned."""
    rows = images.rows_named(numbers, name)
    for row in rows:
        steps, estimates, _ = estimate(row)
        ax.plot(steps, estimates, ".-", color=_STYLES[name]["color"], linewidth=0.8)
    twin = ax.twinx()
    if rows:
        fds = np.mean([estimate(row)[2] for row in rows], axis=0)
        twin.plot(estimate(rows[0])[0], fds, "--", color="0.5")
    twin.set_ylim(bottom=0)
    twin.tick_params(colors="0.4")
    ax.set(xlabel="generator steps", ylabel="log 2 - L/2" if name == GAN else "-L")
    if name == GAN:
        ax.axhline(np.log(2), color="0.7", linewidth=0.6)
    shown = ", ".join(f"{correlation(row):.2f}" for row in rows)
    ax.set_title(f"{name}; rank correlation with FD: {shown}")
    return twin


def _draw_distances(ax: "Axes", numbers: Numbers, name: str) -> None:
    """Draws a critic's distances of each seed on training images, and on test images."""
    for row in images.rows_named(numbers, name):
        distances = row["distances"]
        ax.plot(distances["step"], distances["seen"], ".-", color=page.BLUE)
        ax.plot(distances["step"], distances["held_out"], ".--", color=page.VERMILLION)
    ax.plot([], [], ".-", color=page.BLUE, label="training images")
    ax.plot([], [], ".--", color=page.VERMILLION, label="test images")
    ax.set(xlabel="generator steps", ylabel="critic's distance", ylim=(0, None))
    ax.set_ylim(top=1.35 * ax.get_ylim()[1])
    ax.legend(loc="upper right", ncols=2)
    of = "1,000 images" if name == FEW else "60,000 images"
    ax.set_title(f"a critic trained with gradient penalty on {of}")
