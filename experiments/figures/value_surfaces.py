"""Value surfaces of critics on three toy data sets, with weight clipping and a gradient penalty.

    python experiments/reproduce.py value_surfaces               # 2.5 hours of one core; resumable

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), figure 1a, and gan_toy.py
of the authors: 8 Gaussians, 25 Gaussians and a Swiss roll. The "generator" is fixed at the real
samples plus N(0, I), each generated sample next to the real one it was made from, as in their code.
Critic 2-512-512-512-1, ReLU, He initialisation, batches of 256. Clipping: bound 0.01, RMSProp 5e-5
(TensorFlow's: decay 0.9, first mean square 1). Penalty: Adam 1e-4 (0.5, 0.9), weight 10, which the
paper says all of its experiments have, and 0.1 (1 seed), which their code has. 10,000 steps (weight
0.1: 3000), after which a pilot's gap no longer moved. Real samples are drawn from 100,000. The
truth is the exact optimal transport between 2000 samples of each, mean of 4 draws; between finite
samples it is too large: with 500, 1000 and 2000 of 25 Gaussians 0.603, 0.583, 0.574, of 8 Gaussians
0.837, 0.831, 0.827.

To be met, A7, 3 seeds (C for clipping and the penalty on 8 Gaussians, of 1 seed of a pilot; else
U): weight 10: the critic's gap E f(x) - E f(G(z)) within 10% of W1, the mean |grad f| between the
samples in [0.9, 1.1]; clipping: the gap for the steepest slope, gap / max |grad f|, at most 0.8 of
the penalty's. That 80% or more of the weights of hidden kernels are at +-0.01 was to be met too,
but He's weights put 90.8% beyond this bound before training. In its place, set after the runs: that
training adds a percentage point or more. Seeds 0 to 2 were tried
first, with 3000 clipped and 2000 penalised steps at rates from 1e-3 to 0: too few (gaps of 0.88 to
0.97 of W1, 70% to 83% of the weights at the bounds). Seeds 3 to 5 are judged.

Measured: with weight 10 the gaps are 0.92 to 1.05 of W1 and the slopes 1.03 to 1.06, on all three.
With clipping 71% to 84% of the weights end at the bounds: fewer than there were at first. Its gap
for the steepest slope is 0.61 to 0.63 of the penalty's on 8 Gaussians, the pilot's data; on the
other two it is 0.84 to 0.98, so the band is missed there: the best function is not so much simpler.
"""

import functools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _he_uniform import share_beyond

from gan_jax import reproduction
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    import jax
    import optax
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.data import Dataset
    from gan_jax.game import Objective

RATE, BOUND, WIDTHS, BATCH, POOL, NOISE = 1e-4, 0.01, (512, 512, 512), 256, 100_000, 1.0
FIRST, SEEDS = 3, {"clip": 3, "penalty": 3, "light": 1}
STEPS = {"clip": 10_000, "penalty": 10_000, "light": 3_000}
EVERY, TESTED, LOOKED = 250, 65_536, 8_192
"""Steps between two measurements of the gap; samples for its final value; for all others."""

PAIRS, DRAWS = 2_000, 4
DATA = ("8 Gaussians", "25 Gaussians", "Swiss roll")
METHODS = {
    "clip": "clipping, 0.01",
    "penalty": "penalty, weight 10",
    "light": "penalty, weight 0.1 (their code)",
}
_COLOURS = {"clip": page.VERMILLION, "penalty": page.BLUE, "light": page.SKY}
EXTENT, PIXELS = 3.0, 48

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool, folder: Path) -> dict[str, Any]:
    """Returns the exact W1 of each data set, and a row per data set, method and seed."""
    rows: list[dict[str, Any]] = []
    truth, shown = {}, {}
    pairs, draws = (100, 1) if smoke else (PAIRS, DRAWS)
    for name in DATA[2:] if smoke else DATA:
        real, fake = draw_samples(name, PAIRS * DRAWS, 1_000)
        truth[name] = exact_distances(real, fake, pairs, draws)
        shown[name] = [to_json_value(points[:250], 3) for points in (real, fake)]
        for method in METHODS:
            rows += _measure_method(name, method, smoke, folder)
    return {"truth": truth, "rows": rows, "shown": shown}


def _measure_method(name: str, method: str, smoke: bool, folder: Path) -> list[dict[str, Any]]:
    """Trains the critics of a method on a data set, unless ``folder`` has them already."""
    seeds = tuple(range(FIRST, FIRST + (1 if smoke else SEEDS[method])))
    settings: dict[str, Any] = {
        "seeds": seeds,
        "steps": 10 if smoke else STEPS[method],
        "every": 5 if smoke else EVERY,
    }
    label = f"{name}, {METHODS[method]}"
    print(f"{label}: {STEPS[method]} steps, seeds {', '.join(map(str, seeds))}", flush=True)
    rows: list[dict[str, Any]] = reproduction.cached(
        folder / f"{reproduction.folder_name(f'{name} {method}')}.json",
        settings | {"rate": RATE, "batch": BATCH, "widths": WIDTHS},
        functools.partial(train_critics, name, method, **settings),
    )
    print(f"{label}: gaps {[round(row['gap'], 4) for row in rows]}", flush=True)
    return rows


def draw_samples(name: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws real samples and, independently of them, generated ones, ``[n, 2]`` each."""
    points = np.asarray(_dataset(name).draw(seed, np.arange(2 * n))["real"], float)
    return points[:n], points[n:] + NOISE * np.random.default_rng(seed).normal(size=(n, 2))


def exact_distances(real: np.ndarray, fake: np.ndarray, pairs: int, draws: int) -> list[float]:
    """Returns the exact W1 between so many samples of each, for several draws."""
    from gan_jax.metrics import wasserstein_1

    starts = range(0, pairs * draws, pairs)
    return [wasserstein_1(real[i : i + pairs], fake[i : i + pairs]) for i in starts]


def _dataset(name: str) -> "Dataset":
    from gan_jax import data

    if name == "8 Gaussians":
        return data.ring(scale=1 / 1.414)
    if name == "25 Gaussians":
        return data.grid(scale=1 / 2.828)
    return data.swiss_roll()


def train_critics(
    name: str, method: str, seeds: tuple[int, ...], steps: int, every: int
) -> list[dict[str, Any]]:
    """Trains the critics of one method on one data set as one program.

    Args:
      name: of the data set.
      method: a key of `METHODS`.
      seeds: the seeds of the critics.
      steps: updates of each.
      every: steps between two measurements of the gap.

    Returns:
      A row per seed, that of the first with a value surface.
    """
    import jax
    import jax.numpy as jnp

    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    train = _training(name, method, steps, every)
    outcomes = {
        key: np.asarray(values, float) for key, values in jax.jit(jax.vmap(train))(keys).items()
    }
    surfaces = outcomes.pop("surface")
    rows = []
    for i, seed in enumerate(seeds):
        row = {"data": name, "method": method, "seed": seed}
        row |= {key: to_json_value(values[i], 6) for key, values in outcomes.items()}
        if method != "clip":
            row["bound"] = None
        row |= {"used": row["gap"] / row["steepest"], "steps": list(range(0, steps, every))}
        if i == 0:
            row["surface"] = to_json_value(surfaces[i].reshape(PIXELS, PIXELS), 4)
        rows.append(row)
    return rows


def _training(
    name: str, method: str, steps: int, every: int
) -> "Callable[[jax.Array], dict[str, jax.Array]]":
    """Returns ``key -> what a critic has become``: gaps, slopes, weights at the bounds, surface."""
    import jax
    import jax.numpy as jnp

    from gan_jax.networks import mlp
    from gan_jax.objectives import penalties
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = mlp(
        (2,), discriminator_widths=WIDTHS, init="he_uniform", input_scale=1.0, latent_size=2
    )
    score = networks.score
    objective, optimizer = _game(networks, method)
    pool = _dataset(name).draw(0, np.arange(POOL))["real"]
    real = _dataset(name).draw(2_000, np.arange(TESTED))["real"]
    noise = NOISE * jax.random.normal(jax.random.key(0), (TESTED, 2))
    fake = real + noise
    shares = jax.random.uniform(jax.random.key(1), (TESTED, 1))
    between = (real + (1 - shares) * noise)[:LOOKED]
    ticks = (jnp.arange(PIXELS) + 0.5) / PIXELS * 2 * EXTENT - EXTENT
    grid = jnp.stack(jnp.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    report_progress = reproduction.progress_callback(steps, every)

    def gap(params: Any, n: int) -> jax.Array:
        return jnp.mean(score(params, real[:n])) - jnp.mean(score(params, fake[:n]))

    def measure_gap(params: Any, _: jax.Array) -> dict[str, jax.Array]:
        report_progress()
        return {"gap": gap(params, LOOKED)}

    def draw_real(key: jax.Array, n: int) -> jax.Array:
        return pool[jax.random.randint(key, (n,), 0, POOL)]

    def train(key: jax.Array) -> dict[str, jax.Array]:
        init_key, run_key = jax.random.split(key)
        params, history = fit_discriminator(
            objective,
            optimizer,
            networks.init(init_key)[1],
            (),
            draw_real,
            run_key,
            batch_size=BATCH,
            steps=steps,
            measure=measure_gap,
            measure_every=every,
        )
        slopes = penalties.slopes(lambda x: score(params, x), between)
        grid_slopes = penalties.slopes(lambda x: score(params, x), grid)
        hidden = jax.tree.leaves(params["params"]["hidden"])
        weights = jnp.concatenate([leaf.ravel() for leaf in hidden if leaf.ndim == 2])
        return {
            "history": history["gap"],
            "gap": gap(params, TESTED),
            "slope": jnp.mean(slopes),
            "slopes": jnp.quantile(slopes, jnp.array([0.05, 0.95])),
            "steepest": jnp.maximum(jnp.max(slopes), jnp.max(grid_slopes)),
            "bound": jnp.mean(jnp.abs(weights) >= BOUND * (1 - 1e-6)),
            "surface": score(params, grid),
        }

    return train


def _game(networks: Any, method: str) -> "tuple[Objective, optax.GradientTransformation]":
    """Returns the objective, whose generated samples are noisy real ones, and the optimizer."""
    import jax
    import optax

    from gan_jax.game import Objective, adversarial, as_context
    from gan_jax.objectives import losses, penalties
    from gan_jax.training import optimizers

    terms = {"wasserstein": losses.wasserstein()}
    if method == "clip":
        # As in TensorFlow, the mean square starts at 1.
        rmsprop = optax.rmsprop(5e-5, decay=0.9, eps=1e-10, initial_scale=1.0)
        optimizer = optax.chain(rmsprop, optimizers.clip_weights(BOUND))
    else:
        optimizer = optax.adam(RATE, b1=0.5, b2=0.9)
        terms["penalty"] = penalties.gradient_penalty(10.0 if method == "penalty" else 0.1)
    objective = adversarial(networks, terms)

    def discriminator_loss(params: Any, generator: Any, batch: Any, context: Any) -> Any:
        context = as_context(context)
        noise_key, loss_key = jax.random.split(context.rng)
        noise = NOISE * jax.random.normal(noise_key, batch["real"].shape)
        batch = batch | {"fake": batch["real"] + noise}
        return objective.discriminator(params, generator, batch, context._replace(rng=loss_key))

    return Objective(discriminator_loss, objective.generator), optimizer


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about gaps, slopes and clipped weights, for each data set."""
    claims = []
    for name, distances in numbers["truth"].items():
        claims += _data_claims(numbers, name, float(np.mean(distances)))
    return claims


def _data_claims(numbers: Numbers, name: str, distance: float) -> list[Claim]:
    def values(method: str, key: str) -> tuple[float, ...]:
        return tuple(row[key] for row in _rows_of(numbers, name, method))

    why = "" if name == DATA[0] else "the band is from a pilot on 8 Gaussians"
    best = np.mean(values("penalty", "used"))
    initial_share = share_beyond(BOUND, (2, *WIDTHS))
    return [
        Claim(
            f"{name}: weight 10, gap over W1",
            measured=tuple(gap / distance for gap in values("penalty", "gap")),
            published=f"1 (W1 = {distance:.3f})",
            low=0.9,
            high=1.1,
        ),
        Claim(
            f"{name}: weight 10, mean |grad f|",
            measured=values("penalty", "slope"),
            published="1",
            low=0.9,
            high=1.1,
        ),
        Claim(
            f"{name}: clipping, share of weights at the bounds, minus that of the initial weights",
            measured=tuple(share - initial_share for share in values("clip", "bound")),
            published="two spikes at the bounds; asked >= 0.01",
            low=0.01,
            high=None,
            note=f"{initial_share:.1%} of He's weights are beyond the bound before training; "
            "the band was set after the runs",
            why="training moves weights away from the bounds",
        ),
        Claim(
            f"{name}: clipping, gap / max |grad f| over the penalty's",
            measured=tuple(value / best for value in values("clip", "used")),
            published="simpler functions",
            low=0,
            high=0.8,
            why=why,
        ),
        Claim(
            f"{name}: weight 0.1, gap over W1",
            measured=tuple(gap / distance for gap in values("light", "gap")),
            published="reported only; no estimate of W1",
            low=None,
            high=None,
        ),
    ]


def _rows_of(numbers: Numbers, name: str, method: str) -> list[Numbers]:
    return [row for row in numbers["rows"] if (row["data"], row["method"]) == (name, method)]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the value surface of each method on each data set; gaps and slopes of all seeds."""
    names, rows = list(numbers["truth"]), numbers["rows"]
    seeds = len({row["seed"] for row in rows})
    figure, axes = page.panels(len(METHODS), len(names) + 1, 5.2)
    for line, (method, label) in zip(axes, METHODS.items(), strict=True):
        for ax, name in zip(line, names, strict=False):
            _draw_surface(ax, numbers, name, method)
        line[0].set_ylabel(f"{textwrap.fill(label, 18)}\ny")
    for ax in axes[-1, :-1]:
        ax.set_xlabel(f"x (seed {rows[0]['seed']})")
    counts = {len(_rows_of(numbers, name, method)) for name in names for method in METHODS}
    title = f"{seeds} seeds" if counts == {seeds} else f"up to {seeds} seeds"
    gaps, slopes, used = axes[:, -1]
    _draw_values(gaps, numbers, "gap", "gap / W1")
    gaps.set_title(title)
    _draw_values(slopes, numbers, "slope", "|grad f|")
    slopes.set_title(f"{title}; 5 to 95%")
    _draw_values(used, numbers, "used", "gap / max |grad f| / W1")
    for ax in (gaps, used):
        page.plain_ticks(ax)
    used.set_title(title)
    handles = [gaps.plot([], [], "o", color=_COLOURS[method])[0] for method in METHODS]
    figure.legend(handles, list(METHODS.values()), loc="outside upper center", ncols=3)
    page.letter(list(axes.flat))
    return figure


def _draw_surface(ax: "Axes", numbers: Numbers, name: str, method: str) -> None:
    real, fake = (np.array(points) for points in numbers["shown"][name])
    row = next(row for row in _rows_of(numbers, name, method) if "surface" in row)
    surface = np.array(row["surface"])
    pixel_centres = (np.arange(PIXELS) + 0.5) / PIXELS * 2 * EXTENT - EXTENT
    ax.contour(pixel_centres, pixel_centres, surface, levels=14, linewidths=0.7, cmap="viridis")
    ax.plot(*fake.T, "+", color=page.GREEN, markersize=3, alpha=0.4, markeredgewidth=0.6)
    ax.plot(*real.T, "+", color=page.ORANGE, markersize=4, markeredgewidth=0.8)
    limits, ticks = (-EXTENT, EXTENT), (-2, 0, 2)
    ax.set(xlim=limits, ylim=limits, aspect="equal", xticks=ticks, yticks=ticks)
    ax.set_title(f"{name}\nf spans {np.ptp(surface):.2g}")


def _draw_values(ax: "Axes", numbers: Numbers, key: str, label: str) -> None:
    names: Sequence[str] = list(numbers["truth"])
    for i, method in enumerate(METHODS):
        for j, name in enumerate(names):
            rows = _rows_of(numbers, name, method)
            unit = 1.0 if key == "slope" else float(np.mean(numbers["truth"][name]))
            x = j + 0.2 * (i - 1) + np.linspace(-0.05, 0.05, len(rows))
            values = np.array([row[key] for row in rows]) / unit
            if key == "slope":
                low, high = np.array([row["slopes"] for row in rows]).T
                style = {"fmt": "none", "color": _COLOURS[method], "linewidth": 0.7}
                ax.errorbar(x, values, (values - low, high - values), **style)
            ax.plot(x, values, "o", color=_COLOURS[method], markersize=3)
    ax.axhline(1.0, color="0.5", linestyle=":", linewidth=0.9)
    ax.set(ylabel=label, yscale="log", xlim=(-0.6, len(names) - 0.4))
    ax.set_xticks(range(len(names)), [name.split()[0] for name in names])
