"""Eigenvalues of an unrolled GAN along its training on a ring, with the step size's stability disc.

    python experiments/reproduce.py unrolled_eigenvalues           # 8 to 17 minutes
    python experiments/reproduce.py unrolled_eigenvalues --scale=smoke   # 1 minute

The smoke form has K = 0 and 1, one seed, 40 steps and tiny networks.

Source: ours, on the game of Metz et al., "Unrolled Generative Adversarial Networks" (2017), figure
2, made smaller: latents of size 64, two hidden layers of 64 units in both networks, minimax,
batches of 128, Adam 1e-3 with b1 = 0.5, 3,000 steps, seeds 0 and 1. The eigenvalues are those of
Mescheder et al., "The Numerics of GANs" (2017), and Berard et al., "A Closer Look at the
Optimization Landscapes of Generative Adversarial Networks" (2020): of the Jacobian of v = (grad_G
L_G, grad_D L_D), the generator's loss being that of K updates of the discriminator ahead, on one
batch of 512 that no step has seen. Positive real parts damp. With plain gradients of step size h
those outside of the disc |1 - h lambda| < 1 grow.

To be met, exactly: K steps of size h unrolled give the Dirac-GAN the eigenvalues of R1 of weight
gamma = 2 K h f'(0)^2, to 1e-6; every eigenvalue on the ring is one up to 1e-3 of the greatest.
On the ring, set after a pilot with another seed (100, K = 0 and 10 at the last step) and before
any other was seen: K = 10 covers 8 modes in both seeds; the leading eigenvalues hardly rotate (less
than a quarter have |imaginary| > |real| / 10); the smallest real part is negative for every K, so
that training does not end at a stable point of the field; and, unlike on the Dirac-GAN, it is
further from 0 with K = 10 than with K = 0, in both seeds.

Measured: all but the first of these, as K = 10 covers 8 modes with seed 0 and 3 with seed 1. Early
on some leading eigenvalues rotate: up to 6 of 10 without unrolling, 6 of 11 with K = 5 and 2 with K
= 10. At the end all are real, of both signs and of like size, and they have grown along training
for every K. On the ring unrolling does not damp the field, as it does on the Dirac-GAN. Two seeds:
the ratios of K = 10 to K = 0, 1.5 and 5.3, tell no size;
on another processor they were 1.1 and 7.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import dynamics, metrics, theory
from gan_jax.reproduction import Claim, cached, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.game import Networks

LEARNING_RATE, BATCH, EVALUATION_BATCH, COUNT = 1e-3, 128, 512, 10
UNROLLS, SEEDS = (0, 5, 10), 2
STEPS, SMOKE_STEPS = (100, 1000, 3000), (20, 40)
"""The steps at which eigenvalues are computed, the last of which ends the training."""
LATENT_SIZE, WIDTH, SAMPLES, MIN_SAMPLES = 64, 64, 2500, 20
_MARKERS = ("o", "^")
DIRAC_STEP_SIZE, DIRAC_UNROLLS = 0.2, (0, 1, 2, 5, 10, 20)

Numbers = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool, folder: Path) -> dict[str, Any]:
    """Returns a row per number of unrolled steps, seed and step of training; and the Dirac-GAN."""
    unrolls, seeds = ((0, 1), 1) if smoke else (UNROLLS, SEEDS)
    steps, width = (SMOKE_STEPS, 8) if smoke else (STEPS, WIDTH)
    rows = []
    for seed in range(seeds):
        for unroll in unrolls:
            settings = {"unroll": unroll, "seed": seed, "steps": steps, "width": width}
            rows += cached(
                folder / f"unroll_{unroll}_seed_{seed}.json",
                settings,
                lambda settings=settings: _along_training(**settings),
            )
            print(f"K = {unroll}, seed {seed}: measured", flush=True)
    return {"rows": rows, "dirac": [_dirac(unroll) for unroll in DIRAC_UNROLLS]}


def _along_training(unroll: int, seed: int, steps: Sequence[int], width: int) -> Rows:
    """Trains one run, and returns its eigenvalues and modes at each of ``steps``."""
    import jax
    import optax

    from gan_jax import data, training
    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, unrolled

    ring, key = data.ring(), jax.random.key(seed)
    networks = mlp(
        (2,),
        latent_size=LATENT_SIZE,
        generator_widths=(width, width),
        discriminator_widths=(width, width),
    )
    # The look-ahead differentiates Adam, whose square root has no derivative at 0.
    adam = optax.adam(LEARNING_RATE, b1=0.5, eps_root=1e-14)
    objective = unrolled(adversarial(networks, losses.minimax()), unroll, adam)
    train = jax.jit(training.fused(training.alternating(objective, adam, adam)))
    state = training.init_state(networks, adam, adam, key)
    unseen = data.batches(ring, seed, max(steps), 1, 1, EVALUATION_BATCH)
    unseen = {name: leaf[0, 0] for name, leaf in unseen.items()}
    rows = []
    for first, last in zip((0, *steps), steps, strict=False):
        batches = data.batches(ring, seed, first, last - first, 1, BATCH)
        state, _ = train(state, batches, key)
        field, at = dynamics.vector_field(objective, state, unseen, key)
        leading = dynamics.leading_eigenvalues(field, at, COUNT)
        least = dynamics.leading_eigenvalues(field, at, COUNT, "SR")
        latents = networks.latent(jax.random.key(seed + 1), SAMPLES)
        samples = np.asarray(networks.generate(state.generator.params, latents))
        modes = metrics.mode_coverage(samples, ring.centres, ring.std, minimum=MIN_SAMPLES)
        rows.append(
            {
                "unroll": unroll,
                "seed": seed,
                "step": last,
                "modes": modes.modes,
                "high_quality": modes.high_quality,
                "leading": _parts(leading.eigenvalues),
                "least": _parts(least.eigenvalues),
                "residual": float(max(leading.residuals.max(), least.residuals.max())),
            }
        )
    return rows


def _dirac(unroll: int) -> dict[str, Any]:
    """The eigenvalues of the unrolled Dirac-GAN at its equilibrium, and those of R1."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax import training
    from gan_jax.game import adversarial
    from gan_jax.objectives import losses, unrolled

    sgd, networks = optax.sgd(DIRAC_STEP_SIZE), _dirac_networks()
    with jax.enable_x64(True):  # a double eigenvalue is exact to the root of the precision
        key = jax.random.key(0)
        objective = unrolled(adversarial(networks, losses.minimax()), unroll, sgd)
        state = training.init_state(networks, sgd, sgd, key)
        field, at = dynamics.vector_field(objective, state, {"real": jnp.zeros((1, 1))}, key)
        measured = dynamics.leading_eigenvalues(field, at, 2).eigenvalues
    formula = -np.array(theory.dirac_eigenvalues(2 * unroll * DIRAC_STEP_SIZE * 0.5**2, 0.5))
    gap = np.abs(np.sort_complex(measured) - np.sort_complex(formula)).max()
    return {
        "unroll": unroll,
        "measured": _parts(measured),
        "formula": _parts(formula),
        "gap": float(gap),
    }


def _dirac_networks() -> "Networks":
    """A generator and a discriminator of one number each, both 0."""
    import jax.numpy as jnp

    from gan_jax.game import Networks

    return Networks(
        init=lambda rng: (jnp.zeros(()), jnp.zeros(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda theta, latents: theta * jnp.ones_like(latents),
        score=lambda psi, samples: psi * samples[:, 0],
    )


def _parts(values: np.ndarray) -> list[list[float]]:
    """Returns real and imaginary parts."""
    return [[float(value.real), float(value.imag)] for value in values]


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about the Dirac-GAN, the accuracy, and the ring."""
    rows = numbers["rows"]
    last = max(row["step"] for row in rows)
    ends = {
        unroll: [row for row in rows if row["unroll"] == unroll and row["step"] == last]
        for unroll in dict.fromkeys(row["unroll"] for row in rows)
    }
    most = max(ends)
    return [
        Claim(
            "Dirac-GAN: eigenvalues unrolled, deviation from those of R1",
            measured=tuple(row["gap"] for row in numbers["dirac"]),
            published="asked: 0",
            low=0,
            high=1e-6,
            smoke=True,
            kind="exact",
        ),
        Claim(
            "ring: greatest residual of an eigenvalue, over the greatest magnitude",
            measured=tuple(row["residual"] for row in rows),
            published="asked < 0.001",
            low=0,
            high=1e-3,
            smoke=True,
        ),
        Claim(
            f"ring, K = {most}: modes at the last step",
            measured=tuple(row["modes"] for row in ends[most]),
            published="asked 8; pilot 8",
            low=8,
            high=8,
        ),
        Claim(
            "ring: leading eigenvalues with |imaginary| > |real| / 10, share at the last step",
            measured=tuple(
                _share_rotating(row["leading"]) for group in ends.values() for row in group
            ),
            published="asked < 0.25; pilot 0",
            low=0,
            high=0.25,
        ),
        Claim(
            "ring: smallest real part at the last step, for every K",
            measured=tuple(row["least"][0][0] for group in ends.values() for row in group),
            published="asked < 0; pilot -173 for K = 0, -767 for K = 10",
            low=None,
            high=float(np.nextafter(0, -1)),
        ),
        Claim(
            f"ring: smallest real part at the last step, K = {most} over K = 0, each seed",
            measured=tuple(
                unrolled["least"][0][0] / plain["least"][0][0]
                for unrolled, plain in zip(ends[most], ends[0], strict=True)
            ),
            published="asked > 1; pilot 4.4",
            low=1,
            high=None,
        ),
    ]


def _share_rotating(parts: Sequence[Sequence[float]]) -> float:
    return float(np.mean([abs(imaginary) > abs(real) / 10 for real, imaginary in parts]))


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws eigenvalues by K, those of the Dirac-GAN, and extremes and modes over training."""
    rows = numbers["rows"]
    unrolls = list(dict.fromkeys(row["unroll"] for row in rows))
    steps = sorted({row["step"] for row in rows})
    figure = page.canvas(5.0)
    top, bottom = figure.subfigures(2, 1)
    above = top.subplots(1, len(unrolls), squeeze=False)[0]
    shown = np.array([part for row in rows for part in (*row["leading"], *row["least"])])
    for ax, unroll in zip(above, unrolls, strict=True):
        _draw_field(ax, [row for row in rows if row["unroll"] == unroll], steps, shown)
        ax.set_title(f"ring, K = {unroll}: eigenvalues λ")
    handles = [
        above[0].plot([], [], "o", color=colour, markersize=5, label=f"step {step:,}")[0]
        for step, colour in zip(steps, _colours(len(steps)))
    ]
    above[0].legend(handles=handles, loc="upper left")
    dirac, extremes, quality = bottom.subplots(1, 3)
    _draw_dirac(dirac, numbers["dirac"])
    _draw_extremes(extremes, rows, unrolls)
    _draw_quality(quality, rows, unrolls)
    page.letter([*above, dirac, extremes, quality])
    return figure


def _colours(count: int) -> np.ndarray:
    from matplotlib import colormaps

    return colormaps["viridis_r"](np.linspace(0.1, 1, count))


def _draw_field(ax: "Axes", rows: Rows, steps: Sequence[int], shown: np.ndarray) -> None:
    """Eigenvalues, and outside of the disc in grey; both axes are linear up to 1."""
    left, right = 1.6 * shown[:, 0].min() - 10, 1.6 * shown[:, 0].max() + 10
    height = max(1.6 * np.abs(shown[:, 1]).max(), 30.0)
    disc = dynamics.stability_disc(LEARNING_RATE, points=20_001)
    ax.set_facecolor("0.9")
    ax.fill(disc.real, disc.imag, color="white", zorder=0)
    ax.plot(disc.real, disc.imag, color="0.4", linewidth=0.9)
    for row in rows:
        colour = _colours(len(steps))[steps.index(row["step"])]
        parts = np.array([*row["leading"], *row["least"]])
        marker = _MARKERS[row["seed"]]
        ax.plot(*parts.T, marker, color=colour, markersize=4, fillstyle="none")
    ax.axvline(0, color="0.6", linewidth=0.7)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlim=(left, right), ylim=(-height, height), xticks=(-1000, -10, 0, 10, 1000))
    ax.set_xlabel("real part")
    ax.set_ylabel("imaginary part")


def _draw_dirac(ax: "Axes", rows: Rows) -> None:
    for colour, row in zip(_colours(len(rows)), rows):
        ax.plot(*np.array(row["formula"]).T, "o", markersize=6, fillstyle="none", color=colour)
        label = f"K = {row['unroll']}"
        ax.plot(*np.array(row["measured"]).T, "x", markersize=4, color=colour, label=label)
    ax.axvline(0, color="0.6", linewidth=0.7)
    ax.set_title("Dirac-GAN: o formula of R1, x unrolled")
    ax.set_xlabel("real part")
    ax.set_ylabel("imaginary part")
    ax.legend(loc="upper right")


def _draw_extremes(ax: "Axes", rows: Rows, unrolls: Sequence[int]) -> None:
    for steps, run, style in _runs(rows, unrolls):
        ax.plot(steps, [max(real for real, _ in row["leading"]) for row in run], **style)
        ax.plot(steps, [row["least"][0][0] for row in run], **style | {"label": None})
    ax.axhline(0, color="0.6", linewidth=0.7)
    ax.set_yscale("symlog", linthresh=10)
    ax.set_title("greatest and smallest real part")
    ax.set_xlabel("step")


def _draw_quality(ax: "Axes", rows: Rows, unrolls: Sequence[int]) -> None:
    for steps, run, style in _runs(rows, unrolls):
        ax.plot(steps, [row["high_quality"] for row in run], **style)
        end = (steps[-1], run[-1]["high_quality"])
        ax.annotate(f" {run[-1]['modes']}", end, color=style["color"])
    ax.set_title("high quality; number: modes")
    ax.set_xlabel("step")
    ax.margins(0.1)
    ax.set_ylim(top=2 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper left")


def _runs(rows: Rows, unrolls: Sequence[int]) -> Iterator[tuple[list[int], Rows, dict[str, Any]]]:
    """The steps, the rows and the style of each run."""
    for index, unroll in enumerate(unrolls):
        for seed in dict.fromkeys(row["seed"] for row in rows):
            run = [row for row in rows if row["unroll"] == unroll and row["seed"] == seed]
            style = {
                "color": f"C{index}",
                "marker": _MARKERS[seed],
                "fillstyle": "none",
                "linewidth": 1,
                "label": f"K = {unroll}, seed {seed}",
            }
            yield [row["step"] for row in run], run, style
