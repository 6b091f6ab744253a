"""One Gaussian fitted to two modes by KL, reverse KL and JS; maximum likelihood and MAP, which minimise KL, beside them.

    python experiments/reproduce.py divergence_fits              # 30 seconds

Source: Goodfellow, "NIPS 2016 Tutorial: Generative Adversarial Networks" (2016), figure 14 and section 2.1. The tutorial gives
no numbers: the mixtures, 0.5 N(-2, 0.5^2) + 0.5 N(2, 0.5^2) and the same with weights 0.7 and 0.3, are ours, and so are the
numbers to be met, which another implementation of the integrals gave.

To be met: each fit's mean, standard deviation and divergence, to 1e-3; and that JS turns from covering to seeking where modes
of equal weight stand at +-4.246 standard deviations, to 0.005: that JS seeks modes is true beyond that only.

Maximum likelihood on n samples goes to the fit of KL(p || q) as n grows. MAP has a conjugate prior that says as much as 20
samples of N(-2, 0.5^2), the left mode: it starts there and goes to the same fit.
"""

import numpy as np
from scipy.optimize import brentq

from gan_jax import theory
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim

MODES, STDS = (-2.0, 2.0), (0.5, 0.5)
MIXTURES = {"equal": (1.0, 1.0), "7:3": (0.7, 0.3)}
NAMES = {"kl": "KL(p‖q)", "reverse_kl": "KL(q‖p)", "js": "JS(p, q)"}
# Mixture, divergence, start -> mean, standard deviation, divergence; None: not given.
FITS = {
    ("equal", "kl", (0, 2)): (0.0, 2.062, 0.72355),
    ("equal", "reverse_kl", (2.2, 0.6)): (2.0, 0.5, 0.69305),
    ("equal", "reverse_kl", (0, 2)): (0.0, 1.736, 1.871),
    ("equal", "js", (0, 2)): (0.0, 2.042, 0.20096),
    ("equal", "js", (2.2, 0.6)): (None, None, 0.21573),
    ("7:3", "kl", (0, 2)): (-0.8, 1.900, 0.72422),
    ("7:3", "reverse_kl", (-2, 0.6)): (-2.0, 0.5, 0.35661),
    ("7:3", "js", (-2, 0.6)): (None, None, 0.11725),
    ("7:3", "js", (-0.5, 2)): (None, None, 0.20105),
}
CROSSOVER = 4.246
COUNTS, SEEDS, STRENGTH = (10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000), 10, 20.0


def measure(smoke: bool) -> dict:
    on = theory.grid(-16, 16, 80)
    targets = {name: theory.mixture(MODES, STDS, weights) for name, weights in MIXTURES.items()}
    fits = [
        {"mixture": mixture, "divergence": divergence, "start": start,
         "fit": theory.fit_gaussian(divergence, targets[mixture], on, *start)}
        for mixture, divergence, start in FITS
    ]  # fmt: skip
    apart = [3.5, 5.0] if smoke else [1.0, 2.0, 3.0, 3.5, 3.9, 4.1, 4.2, 4.3, 4.5, 5.0, 6.0]
    switch = [
        {"c": c, "covering": cover, "seeking": seek} for c in apart for cover, seek in [_js_fits(c)]
    ]
    gap = lambda c: np.subtract(*_js_fits(c))
    crossover = brentq(gap, 4.2, 4.3, xtol=1e-3 if smoke else 1e-5)
    return {
        "fits": fits,
        "switch": switch,
        "crossover": float(crossover),
        "samples": _samples(smoke),
    }


def claims(numbers: dict) -> list[Claim]:
    found = []
    for (mixture, divergence, start), known in FITS.items():
        fit = _fit(numbers, mixture, divergence, start)
        for part, value, expected in zip(
            ("mean", "standard deviation", "divergence"), fit, known, strict=True
        ):
            if expected is not None:
                name = f"{mixture}, {NAMES[divergence]} from {tuple(start)}: {part}"
                found.append(
                    Claim.close_to(name, value, expected, 1e-3, f"{expected:g}", smoke=True)
                )
    # Which minimum is the global one is what the argument about JS is about.
    for mixture, covers in (("equal", True), ("7:3", False)):
        starts = [
            start for name, divergence, start in FITS if (name, divergence) == (mixture, "js")
        ]
        wide, narrow = sorted(
            (_fit(numbers, mixture, "js", start) for start in starts), key=lambda fit: -fit[1]
        )
        what, margin = (
            ("covering", narrow[2] - wide[2]) if covers else ("seeking", wide[2] - narrow[2])
        )
        found.append(
            Claim(
                f"{mixture}: the {what} JS fit is better, by", (margin,), "> 0", 0, None, smoke=True
            )
        )
    found.append(
        Claim.close_to(
            "JS turns from covering to seeking at c",
            numbers["crossover"],
            CROSSOVER,
            5e-3,
            "4.246",
            smoke=True,
        )
    )
    mean, std, _ = _fit(numbers, "7:3", "kl", (0, 2))
    for kind, name in (("ml", "maximum likelihood"), ("map", "MAP")):
        rows = [row for row in numbers["samples"] if row["n"] == max(COUNTS)]
        for part, exact in (("mean", mean), ("std", std)):
            values = [row[kind][part == "std"] for row in rows]
            text = f"{exact:.4g}, the KL fit's"
            found.append(Claim.close_to(f"{name}, n = 100,000: {part}", values, exact, 0.03, text))
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(2, 2, (5.6, 3.4))
    x = np.linspace(-6.5, 6.5, 600)
    titles = {"equal": "modes of equal weight", "7:3": "modes of weights 0.7, 0.3"}
    widths = {"kl": 4.5, "reverse_kl": 3.0, "js": 1.3}  # fits that coincide can be seen
    for ax, (mixture, title) in zip(axes[0], titles.items(), strict=True):
        ax.fill_between(
            x, np.exp(theory.mixture(MODES, STDS, MIXTURES[mixture])(x)), color="0.85", label="p"
        )
        best: dict[str, float] = {}
        for row in numbers["fits"]:
            if row["mixture"] == mixture:
                best[row["divergence"]] = min(best.get(row["divergence"], np.inf), row["fit"][2])
        colours = {"kl": "tab:blue", "reverse_kl": "tab:red", "js": "tab:green"}
        for row in numbers["fits"]:
            if row["mixture"] == mixture:
                mean, std, value = row["fit"]
                top = value == best[row["divergence"]]
                text = f"{NAMES[row['divergence']]} = {value:.3f}" + ("" if top else ", local")
                style = "-" if top else ":"
                ax.plot(x, np.exp(theory.gaussian(mean, std)(x)), style, color=colours[row["divergence"]], label=text,
                        linewidth=widths[row["divergence"]])  # fmt: skip
        ax.set(xlabel="x", ylabel="density", title=title, ylim=(0, 1.25))
        ax.legend(fontsize=8, loc="upper center", ncols=2)
    left, right = axes[1]
    c = [row["c"] for row in numbers["switch"]]
    left.plot(
        c,
        [row["covering"] for row in numbers["switch"]],
        "o-",
        markersize=3,
        label="one Gaussian over both modes",
    )
    # Modes that are close have no fit of their own: there the search ends over both.
    alone = [
        row
        for row in numbers["switch"]
        if abs(row["seeking"] - row["covering"]) > 1e-6 or row["c"] > 4
    ]
    left.plot([row["c"] for row in alone], [row["seeking"] for row in alone], "s-", markersize=3,
              label="one Gaussian on one mode, where that is a minimum")  # fmt: skip
    left.axvline(numbers["crossover"], color="0.5", linestyle="--", linewidth=0.9)
    left.text(
        numbers["crossover"] - 0.06, 0.02, f"c = {numbers['crossover']:.3f}", ha="right", fontsize=9
    )
    left.set(xlabel="c: modes of equal weight at ±c standard deviations", ylabel="JS of the best fit (nats)", ylim=(0, 0.38),
             title="JS covers below, and seeks above")  # fmt: skip
    left.legend(fontsize=8, loc="upper left")
    n = sorted({row["n"] for row in numbers["samples"]})
    mean, _, _ = _fit(numbers, "7:3", "kl", (0, 2))
    for kind, name, colour in (
        ("ml", "maximum likelihood", "tab:blue"),
        ("map", "MAP, prior on the left mode", "tab:purple"),
    ):
        values = np.array(
            [[row[kind][0] for row in numbers["samples"] if row["n"] == count] for count in n]
        )
        label = f"{name}: mean, and each of {values.shape[1]} seeds"
        right.plot(n, values.mean(1), "o-", markersize=3, color=colour, label=label)
        right.plot(np.repeat(n, values.shape[1]), values.ravel(), "_", color=colour, alpha=0.5)
    right.axhline(mean, color="0.5", linestyle="--", linewidth=0.9)
    right.text(n[-1], mean + 0.06, "KL(p‖q)", ha="right", fontsize=9)
    right.set(xscale="log", xlabel="samples n of p (weights 0.7, 0.3)", ylabel="mean of the fitted Gaussian",
              title="likelihood and posterior go to the KL fit", ylim=(-2.6, 1.4))  # fmt: skip
    right.legend(fontsize=8, loc="upper right")
    return drawing


def _fit(numbers: dict, mixture: str, divergence: str, start) -> list[float]:
    return next(
        row["fit"] for row in numbers["fits"]
        if (row["mixture"], row["divergence"], tuple(row["start"])) == (mixture, divergence, tuple(start))
    )  # fmt: skip


def _js_fits(c: float) -> tuple[float, float]:
    """The JS of the fits over both modes at +-c, of standard deviation 1, and on one of them."""
    p, on = theory.mixture((-c, c), (1, 1), (1, 1)), theory.grid(-c - 14, c + 14, 60)
    return theory.fit_gaussian("js", p, on, 0, max(c, 1)).value, theory.fit_gaussian(
        "js", p, on, c, 1.1
    ).value


def _samples(smoke: bool) -> list[dict]:
    """Maximum likelihood and MAP on the first n of a seed's samples."""
    rows = []
    for seed in range(2 if smoke else SEEDS):
        rng = np.random.default_rng(seed)
        mode = (rng.random(max(COUNTS)) >= MIXTURES["7:3"][0]).astype(int)
        x = np.array(MODES)[mode] + np.array(STDS)[mode] * rng.normal(size=len(mode))
        for n in COUNTS[:4] if smoke else COUNTS:
            ml, posterior = (
                theory.map_gaussian(x[:n]),
                theory.map_gaussian(x[:n], MODES[0], STDS[0], STRENGTH),
            )
            rows.append({"seed": seed, "n": n, "ml": ml[:2], "map": posterior[:2]})
    return rows
