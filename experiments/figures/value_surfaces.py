"""Value surfaces of critics on 8 Gaussians, 25 Gaussians and a Swiss roll: weight clipping beside a gradient penalty.

    python experiments/reproduce.py value_surfaces               # 2.5 hours of one core; goes on from the parts it has

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), figure 1a, and gan_toy.py of the authors. The
"generator" stands still at the real samples plus N(0, I), each generated sample beside the real one it was made from, as in
their code. Critic 2-512-512-512-1, ReLU, He initialisation, batches of 256. Clipping: bound 0.01, RMSProp 5e-5 (TensorFlow's:
decay 0.9, first mean square 1). Penalty: Adam 1e-4 (0.5, 0.9), weight 10, which the paper says all of its experiments have, and
0.1 (1 seed), which their code has. 10,000 steps (weight 0.1: 3000), from where on a pilot's gap stood still. Real samples are
drawn from 100,000. The truth is the exact optimal transport between 2000 samples of each, mean of 4 draws; between finite
samples it is too large: with 500, 1000 and 2000 of 25 Gaussians 0.603, 0.583, 0.574, of 8 Gaussians 0.837, 0.831, 0.827.

To be met, A7, 3 seeds (C for clipping and the penalty on 8 Gaussians, of 1 seed of a pilot; else U): weight 10: the critic's
gap E f(x) - E f(G(z)) within 10% of W1, the mean |grad f| between the samples in [0.9, 1.1]; clipping: 80% or more of the
hidden kernels' weights at +-0.01, and the gap for the steepest slope, gap / max |grad f|, at most 0.8 of the penalty's. Seeds 0
to 2 were tried first, with 3000 clipped and 2000 penalised steps at rates from 1e-3 to 0: too few (gaps of 0.88 to 0.97 of W1,
70% to 83% of the weights at the bounds). Judged are seeds 3 to 5.

Measured: with weight 10 the gaps are 0.92 to 1.05 of W1 and the slopes 1.03 to 1.06, on all three. Clipping is as the pilot had
it on 8 Gaussians, the data of the pilot; on the other two 71% to 80% of the weights are at the bounds and the gap for the
steepest slope is 0.84 to 0.98 of the penalty's, so there the band is missed: the best function is not so much simpler.
"""

import functools
from pathlib import Path

import numpy as np

from gan_jax import reproduction
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

RATE, BOUND, WIDTHS, BATCH, POOL, NOISE = 1e-4, 0.01, (512, 512, 512), 256, 100_000, 1.0
FIRST, SEEDS = 3, {"clip": 3, "penalty": 3, "light": 1}
STEPS = {"clip": 10_000, "penalty": 10_000, "light": 3_000}
EVERY, TESTED, LOOKED = 250, 65_536, 8_192
PAIRS, DRAWS = 2_000, 4
DATA = ("8 Gaussians", "25 Gaussians", "Swiss roll")
METHODS = {
    "clip": "clipping, 0.01",
    "penalty": "penalty, weight 10",
    "light": "penalty, weight 0.1 (their code)",
}
COLOURS = {"clip": "tab:red", "penalty": "tab:blue", "light": "tab:cyan"}
EXTENT, PIXELS = 3.0, 48


def measure(smoke: bool, folder: Path) -> dict:
    rows, truth, shown = [], {}, {}
    for name in DATA[2:] if smoke else DATA:
        real, fake = samples(name, PAIRS * DRAWS, 1_000)
        truth[name] = transport(real, fake, *((100, 1) if smoke else (PAIRS, DRAWS)))
        shown[name] = [to_json_value(points[:250], 3) for points in (real, fake)]
        for method, steps in STEPS.items():
            seeds = tuple(range(FIRST, FIRST + (1 if smoke else SEEDS[method])))
            settings = {
                "seeds": seeds,
                "steps": 10 if smoke else steps,
                "every": 5 if smoke else EVERY,
            }
            part = folder / f"{reproduction.folder_name(f'{name} {method}')}.json"
            make = functools.partial(critics, name, method, **settings)
            print(
                f"{name}, {METHODS[method]}: {steps} steps, seeds {', '.join(map(str, seeds))}",
                flush=True,
            )
            rows += reproduction.cached(
                part, settings | {"rate": RATE, "batch": BATCH, "widths": WIDTHS}, make
            )
            print(
                f"{name}, {METHODS[method]}: gaps {[round(row['gap'], 4) for row in rows[-len(seeds) :]]}",
                flush=True,
            )
    return {"truth": truth, "rows": rows, "shown": shown}


def claims(numbers: dict) -> list[Claim]:
    found = []
    for name, drawn in numbers["truth"].items():
        of = {
            method: [
                row for row in numbers["rows"] if (row["data"], row["method"]) == (name, method)
            ]
            for method in METHODS
        }
        w = float(np.mean(drawn))
        taken = lambda method, key, of=of: tuple(row[key] for row in of[method])
        why = "" if name == DATA[0] else "the band is of a pilot on 8 Gaussians"
        ratios = tuple(gap / w for gap in taken("penalty", "gap"))
        found.append(
            Claim(f"{name}: weight 10, gap over W1", ratios, f"1 (W1 = {w:.3f})", 0.9, 1.1)
        )
        found.append(
            Claim(f"{name}: weight 10, mean |grad f|", taken("penalty", "slope"), "1", 0.9, 1.1)
        )
        found.append(Claim(f"{name}: clipping, share of weights at the bound", taken("clip", "bound"),
                           "two spikes at the bounds", 0.8, 1, why=why))  # fmt: skip
        best = np.mean(taken("penalty", "used"))
        used = tuple(value / best for value in taken("clip", "used"))
        text = f"{name}: clipping, gap / max |grad f| over the penalty's"
        found.append(Claim(text, used, "simpler functions", 0, 0.8, why=why))
        light = tuple(gap / w for gap in taken("light", "gap"))
        found.append(
            Claim(
                f"{name}: weight 0.1, gap over W1",
                light,
                "asked: to be shown; no estimate of W1",
                None,
                None,
            )
        )
    return found


def draw(numbers: dict):
    names = list(numbers["truth"])
    drawing, axes = plots.figure(len(METHODS), len(names) + 1, (3.3, 3.2))
    seeds = len({row["seed"] for row in numbers["rows"]})
    ticks = (np.arange(PIXELS) + 0.5) / PIXELS * 2 * EXTENT - EXTENT
    for line, (method, label) in enumerate(METHODS.items()):
        for ax, name in zip(axes[line], names, strict=False):
            real, fake = (np.array(points) for points in numbers["shown"][name])
            row = next(
                row
                for row in numbers["rows"]
                if (row["data"], row["method"]) == (name, method) and "surface" in row
            )
            surface = np.array(row["surface"])
            ax.contour(ticks, ticks, surface, levels=14, linewidths=1, cmap="viridis")
            ax.plot(*fake.T, "+", color="tab:green", markersize=3, alpha=0.4, markeredgewidth=0.6)
            ax.plot(*real.T, "+", color="tab:orange", markersize=4, markeredgewidth=0.8)
            span = np.ptp(surface)
            ax.set(
                xlim=(-EXTENT, EXTENT),
                ylim=(-EXTENT, EXTENT),
                aspect="equal",
                xticks=(-2, 0, 2),
                yticks=(-2, 0, 2),
            )
            ax.set_title(f"{name}: f spans {span:.2g}", fontsize=9)
        axes[line, 0].set_ylabel(f"{label}\ny")
    for ax in axes[-1, :-1]:
        ax.set_xlabel(
            f"x (seed {numbers['rows'][0]['seed']}; orange real, green generated)", fontsize=8
        )
    panels = {
        "gap": "critic's gap over W1",
        "slope": "|grad f| between samples",
        "used": "gap / max |grad f|, over W1",
    }
    for ax, (key, label) in zip(axes[:, -1], panels.items(), strict=True):
        for line, method in enumerate(METHODS):
            for where, name in enumerate(names):
                rows = [
                    row for row in numbers["rows"] if (row["data"], row["method"]) == (name, method)
                ]
                scale = 1.0 if key == "slope" else float(np.mean(numbers["truth"][name]))
                x = where + 0.2 * (line - 1) + np.linspace(-0.05, 0.05, len(rows))
                values = np.array([row[key] for row in rows]) / scale
                if key == "slope":
                    low, high = np.array([row["slopes"] for row in rows]).T
                    ax.errorbar(
                        x,
                        values,
                        (values - low, high - values),
                        fmt="none",
                        color=COLOURS[method],
                        linewidth=0.7,
                    )
                ax.plot(x, values, "o", color=COLOURS[method], markersize=3)
        ax.axhline(1.0, color="0.5", linestyle=":", linewidth=0.9)
        ax.set(ylabel=label, yscale="log", xlim=(-0.6, len(names) - 0.4))
        ax.set_xticks(range(len(names)), names, fontsize=8)
        ax.set_title(
            f"dots: {seeds} seeds, 1 of weight 0.1" + "; bars: 5% to 95%" * (key == "slope"),
            fontsize=8,
        )
    handles = [axes[0, -1].plot([], [], "o", color=COLOURS[method])[0] for method in METHODS]
    drawing.legend(handles, list(METHODS.values()), loc="outside upper right", ncols=3, fontsize=8)
    return drawing


# ------------------------------------------------------------------------------------------------------------- the numbers


def samples(name: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Real samples and, independently of them, generated ones, ``[n, 2]`` each."""
    drawn = np.asarray(_dataset(name).draw(seed, np.arange(2 * n))["real"], float)
    return drawn[:n], drawn[n:] + NOISE * np.random.default_rng(seed).normal(size=(n, 2))


def transport(real: np.ndarray, fake: np.ndarray, pairs: int, draws: int) -> list[float]:
    """The exact W1 between so many samples of each, a few times."""
    from gan_jax.metrics import wasserstein_1

    return [
        wasserstein_1(real[i : i + pairs], fake[i : i + pairs])
        for i in range(0, pairs * draws, pairs)
    ]


def critics(name: str, method: str, seeds: tuple[int, ...], steps: int, every: int) -> list[dict]:
    """A row a seed of one method on one data set: the critics trained as one program, and what they have become."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import Objective, adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.theory.fixed_generator import fit_discriminator
    from gan_jax.training import optimizers

    networks = mlp(
        (2,), discriminator_widths=WIDTHS, init="he_uniform", input_scale=1.0, latent_size=2
    )
    terms = {"wasserstein": losses.wasserstein()}
    if method == "clip":
        # TensorFlow starts the mean square at 1.
        rmsprop = optax.rmsprop(5e-5, decay=0.9, eps=1e-10, initial_scale=1.0)
        optimizer = optax.chain(rmsprop, optimizers.clip_weights(BOUND))
    else:
        optimizer = optax.adam(RATE, b1=0.5, b2=0.9)
        terms["penalty"] = penalties.gradient_penalty(10.0 if method == "penalty" else 0.1)
    game = adversarial(networks, terms)

    def beside(own, generator, batch, rng):
        noise, play = jax.random.split(rng)
        fake = batch["real"] + NOISE * jax.random.normal(noise, batch["real"].shape)
        return game.discriminator(own, generator, batch | {"fake": fake}, play)

    pool = _dataset(name).draw(0, np.arange(POOL))["real"]
    tested = _dataset(name).draw(2_000, np.arange(TESTED))["real"]
    noisy, between = (draw(jax.random.key(i), (TESTED, size)) for i, draw, size in
                      ((0, jax.random.normal, 2), (1, jax.random.uniform, 1)))  # fmt: skip
    middle = (tested + (1 - between) * NOISE * noisy)[:LOOKED]
    ticks = (jnp.arange(PIXELS) + 0.5) / PIXELS * 2 * EXTENT - EXTENT
    grid = jnp.stack(jnp.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    score = networks.score

    def gap(params, n):
        return jnp.mean(score(params, tested[:n])) - jnp.mean(
            score(params, (tested + NOISE * noisy)[:n])
        )

    tick = reproduction.progress_callback(steps, every)

    def measure(params, _):
        tick()
        return {"gap": gap(params, LOOKED)}

    def fit(key):
        first, run = jax.random.split(key)
        real = lambda key, n: pool[jax.random.randint(key, (n,), 0, POOL)]
        params, history = fit_discriminator(
            Objective(beside, game.generator), optimizer, networks.init(first)[1], (), real, run,
            batch_size=BATCH, steps=steps, measure=measure, measure_every=every,
        )  # fmt: skip
        of = lambda points: penalties.slopes(lambda x: score(params, x), points)
        hidden = [leaf for leaf in jax.tree.leaves(params["params"]["hidden"]) if leaf.ndim == 2]
        weights = jnp.concatenate([leaf.ravel() for leaf in hidden])
        steepest = jnp.maximum(jnp.max(of(middle)), jnp.max(of(grid)))
        return {
            "history": history["gap"], "gap": gap(params, TESTED), "slope": jnp.mean(of(middle)),
            "slopes": jnp.quantile(of(middle), jnp.array([0.05, 0.95])), "steepest": steepest,
            "bound": jnp.mean(jnp.abs(weights) >= BOUND * (1 - 1e-6)),
            "surface": score(params, grid),
        }  # fmt: skip

    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    found = {key: np.asarray(values, float) for key, values in jax.jit(jax.vmap(fit))(keys).items()}
    rows = []
    for i, seed in enumerate(seeds):
        row = {
            key: to_json_value(values[i], 6) for key, values in found.items() if key != "surface"
        }
        row["bound"] = row["bound"] if method == "clip" else None
        row |= {"used": row["gap"] / row["steepest"], "steps": list(range(0, steps, every))}
        if i == 0:
            row["surface"] = to_json_value(found["surface"][i].reshape(PIXELS, PIXELS), 4)
        rows.append({"data": name, "method": method, "seed": seed} | row)
    return rows


def _dataset(name: str):
    from gan_jax import data

    made = {
        "8 Gaussians": lambda: data.ring(scale=1 / 1.414),
        "25 Gaussians": lambda: data.grid(scale=1 / 2.828),
    }
    return made.get(name, data.swiss_roll)()
