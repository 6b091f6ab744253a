"""Disentanglement of a plain GAN, InfoGAN and IB-GAN on shapes of known factors, by three scores.

    python experiments/reproduce.py entanglement                   # 10 CPU minutes; resumable

Source: Chen et al., "InfoGAN" (2016), and Jeon et al., "IB-GAN" (2021), in a small form of our own:
no published number is comparable. The data are 432 squares at 16x16 (3 sizes, 6 x 6 places, 4
colours); networks are DCGANs of width 16, trained for 1,500 steps of 64. All methods have the same
networks, and a generator of six latents. InfoGAN recognises four of them, U[-1, 1], with weight 1.
IB-GAN has four latents z, N(0, 1), and a bottleneck of six numbers, with weight 1 and beta 0.1. The
codes of a real image are the means of Q(c | x) and q(z | x); the plain GAN is given an encoder, of
its discriminator's form, fitted to 1,000 batches of its samples. MIG is of all 432 images; the
trees of DCI are fitted to 288 of them and tried on the others.

To be met, set before the run: each mean over 5 seeds of MIG, of DCI's disentanglement and of the
FactorVAE score is higher for InfoGAN than for the plain GAN, and, as IB-GAN's authors find on
dSprites, higher for IB-GAN than for InfoGAN. A pilot (seed 100, 2,000 steps) had a MIG of 0.18 for
InfoGAN and of 0.02 for IB-GAN, so the second half was not expected to hold with this beta.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax.reproduction import Claim, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.data import Dataset
    from gan_jax.game import Networks
    from gan_jax.game.terms import Terms

SEEDS, STEPS, BATCH, CALL = 5, 1_500, 64, 50
RESOLUTION, SIZES, PLACES, COLOURS = 16, 3, 6, 4
WIDTH, KERNEL, LATENTS, CODES, BETA = 16, 3, 6, 4, 0.1
GENERATOR_RATE, DISCRIMINATOR_RATE, EMA = 1e-3, 2e-4, 0.99
ENCODER_STEPS, GROUPS, GROUP_SIZE, TREES = 1_000, 2_000, 64, 50
FRAMES = 9
NAMES = {"plain": "plain GAN", "infogan": "InfoGAN", "ib_gan": "IB-GAN"}
SCORES = {
    "mig": "MIG",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "factor_vae": "FactorVAE score",
}
JUDGED = ("mig", "dci_disentanglement", "factor_vae")
T_QUANTILE = {5: 2.776}
"""Of Student's t with n - 1 degrees of freedom, 97.5%: an interval of 95% for the mean of n."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool, folder: Path) -> dict[str, Any]:
    """Trains and scores each method, seed by seed."""
    steps = 2 if smoke else STEPS
    settings = {name.lower(): value for name, value in globals().items() if name.isupper()}
    rows = []
    for seed in range(1 if smoke else SEEDS):
        for method in NAMES:
            part = folder / f"{method}_{seed}.json"
            make = functools.partial(measure_run, method, seed, steps)
            kept = {name: settings[name] for name in SETTINGS} | {"steps": steps}
            rows.append(cached(part, kept, make))
            print(f"{NAMES[method]}, seed {seed}: MIG {rows[-1]['scores']['mig']:.3f}", flush=True)
    return {"rows": rows}


SETTINGS = (
    "batch",
    "resolution",
    "sizes",
    "places",
    "colours",
    "width",
    "kernel",
    "latents",
    "codes",
    "beta",
    "generator_rate",
    "discriminator_rate",
    "ema",
    "encoder_steps",
    "groups",
    "group_size",
    "trees",
)
"""The constants that a measured run depends on, beside its number of steps."""


def measure_run(method: str, seed: int, steps: int) -> dict[str, Any]:
    """Trains one method, and returns its scores and, of seed 0, its traversals."""
    import jax
    import optax

    from gan_jax import data, training
    from gan_jax.evaluation.disentanglement import disentanglement
    from gan_jax.game import adversarial
    from gan_jax.training import encoding

    dataset, key = shapes(), jax.random.key(seed)
    networks, terms = game(method, dataset)
    optimizers = [optax.adam(rate, b1=0.5) for rate in (GENERATOR_RATE, DISCRIMINATOR_RATE)]
    objective = adversarial(networks, terms)
    step = training.alternating(objective, *optimizers, ema_decay=EMA)
    train = jax.jit(training.fused(step, data.decode), donate_argnums=0)
    state = training.init_state(networks, *optimizers, key)
    for first in range(0, steps, CALL):
        state, _ = train(state, data.batches(dataset, seed, first, min(CALL, steps), 1, BATCH), key)
    sampler = training.sampler(networks, state.generator_ema)
    if networks.classify is not None:
        encode = encoding.recogniser(networks, state.discriminator.params)
    else:
        encoder = recognising(dataset.shape, LATENTS)
        fitted = encoding.fit_encoder(
            sampler, encoder, jax.random.fold_in(key, 1), steps=min(ENCODER_STEPS, 10 * steps)
        )
        encode = fitted.encode
    scores = disentanglement(
        encode,
        dataset,
        groups=GROUPS if steps == STEPS else 100,
        group_size=GROUP_SIZE,
        trees=TREES if steps == STEPS else 2,
    )
    row = {"method": method, "seed": seed, "scores": to_json_value(scores._asdict(), 6)}
    if seed == 0:
        row["traversals"] = traversals(sampler, key, 1.0 if method != "ib_gan" else 2.0)
    return row


def shapes() -> "Dataset":
    """Returns squares whose size, place and colour are known."""
    from gan_jax import data

    return data.factor_shapes(
        kinds=1,
        sizes=SIZES,
        angles=1,
        xs=PLACES,
        ys=PLACES,
        colours=COLOURS,
        resolution=RESOLUTION,
    )


def game(method: str, dataset: "Dataset") -> "tuple[Networks, Terms]":
    """Returns the networks and the objective of a method."""
    from gan_jax import networks
    from gan_jax.game.terms import Terms
    from gan_jax.objectives import autoencoding, losses

    loss = Terms({"non_saturating": losses.non_saturating()})
    if method == "plain":
        return _dcgan()(dataset.shape), loss
    information = losses.mutual_information(categories=0, continuous=CODES)
    if method == "infogan":
        return (
            networks.latent_code(
                dataset.shape, categories=0, continuous=CODES, networks=recognising
            ),
            loss + information,
        )
    return (
        networks.ib_gan(dataset.shape, latent_size=CODES, networks=recognising),
        loss + information + autoencoding.kl(BETA),
    )


def _dcgan() -> Any:
    from gan_jax import networks

    return functools.partial(
        networks.dcgan,
        width=WIDTH,
        kernel=KERNEL,
        latent_size=LATENTS,
        discriminator_norm="layer",
    )


def recognising(shape: tuple[int, ...], classes: int = 0) -> "Networks":
    """Returns the same networks with a second head of the discriminator."""
    networks: Networks = _dcgan()(shape, classes, labels="auxiliary")
    return networks


def traversals(sampler: Any, key: Any, reach: float) -> list[list[str]]:
    """Returns frames ``[codes, FRAMES]`` as hexadecimal bytes: one latent moves from -reach on."""
    start = sampler.latents(key, 1)
    rows = []
    for code in range(CODES):
        latents = np.repeat(start, FRAMES, 0)
        latents[:, code] = np.linspace(-reach, reach, FRAMES)
        images = sampler.generate(latents, sample_index=np.zeros(FRAMES, int))
        pixels = np.rint(127.5 * (np.clip(images, -1, 1) + 1)).astype(np.uint8)
        rows.append([image.tobytes().hex() for image in pixels])
    return rows


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Compares means over seeds."""
    found = []
    for score in JUDGED:
        for low, high in (("plain", "infogan"), ("infogan", "ib_gan")):
            apart = values(numbers, high, score).mean() - values(numbers, low, score).mean()
            found.append(
                Claim(
                    f"mean {SCORES[score]}: {NAMES[high]} minus {NAMES[low]}",
                    (float(apart),),
                    "asked > 0",
                    low=1e-9,
                    high=None,
                    note=", ".join(
                        f"{NAMES[method]} {interval(values(numbers, method, score))}"
                        for method in (low, high)
                    ),
                    why="networks and steps are far below the papers': all codes are entangled, "
                    "and the intervals overlap",
                )
            )
    return found


def values(numbers: Numbers, method: str, score: str) -> np.ndarray:
    """Returns a score of a method, ``[seeds]``."""
    return np.array([row["scores"][score] for row in numbers["rows"] if row["method"] == method])


def interval(scores: np.ndarray) -> str:
    """Returns the mean of scores with its 95% interval by Student's t, as text."""
    return f"{scores.mean():.3f} ± {half_width(scores):.3f}"


def half_width(scores: np.ndarray) -> float:
    """Returns half the 95% interval of the mean of scores; NaN of another number of seeds."""
    if len(scores) not in T_QUANTILE:
        return float("nan")
    return float(T_QUANTILE[len(scores)] * scores.std(ddof=1) / np.sqrt(len(scores)))


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws traversals of seed 0, and the scores of all seeds."""
    figure = page.canvas(3.5)
    figure.suptitle(
        f"{RESOLUTION}x{RESOLUTION} images, DCGANs of width {WIDTH}, {STEPS:,} steps: far smaller "
        "than in the papers"
    )
    top, bottom = figure.subfigures(2, 1, height_ratios=(0.7, 1.0))
    upper, lower = top.subplots(1, len(NAMES)), bottom.subplots(1, len(SCORES), sharey=True)
    for ax, method in zip(upper, NAMES, strict=True):
        row = next(r for r in numbers["rows"] if r["method"] == method and r["seed"] == 0)
        ax.imshow(_grid(row["traversals"]), interpolation="nearest")
        ax.set(xticks=[], yticks=[], title=f"{NAMES[method]}, seed 0", xlabel="value of a latent →")
        ax.set_yticks(
            [(i + 0.5) * RESOLUTION for i in range(CODES)], [f"{i}" for i in range(CODES)]
        )
        ax.set_ylabel("latent")
    for ax, (score, title) in zip(lower, SCORES.items(), strict=True):
        _draw_scores(ax, [values(numbers, method, score) for method in NAMES])
        # The panels are too narrow for the words that D, C and I stand for.
        ax.set_title(f"DCI, {title[4].upper()}" if title.startswith("DCI") else title.split()[0])
    page.letter([*upper, *lower])
    return figure


def _grid(rows: Sequence[Sequence[str]]) -> np.ndarray:
    shape = (RESOLUTION, RESOLUTION, 3)
    images = [
        [np.frombuffer(bytes.fromhex(frame), np.uint8).reshape(shape) for frame in row]
        for row in rows
    ]
    return np.concatenate([np.concatenate(row, 1) for row in images], 0)


def _draw_scores(ax: "Axes", scores: Sequence[np.ndarray]) -> None:
    """Draws one dot per seed, and the mean with its interval."""
    for i, of_method in enumerate(scores):
        ax.plot(i + np.linspace(-0.1, 0.1, len(of_method)), of_method, ".", color="0.5")
        ax.errorbar(i + 0.25, of_method.mean(), half_width(of_method), fmt="o", capsize=3)
    ax.set_xticks(range(len(NAMES)), list(NAMES.values()), rotation=30, ha="right")
    ax.set(xlim=(-0.4, len(NAMES) - 0.4), ylim=(0, 1))
