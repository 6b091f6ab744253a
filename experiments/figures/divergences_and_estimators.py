"""What divergences and likelihood do with finite samples: plug-in JS, bias, variance, and bounds.

    python experiments/reproduce.py divergences_and_estimators   # 1 minute

Source: Miller, "Note on the bias of information estimates" (1955), Lin, "Divergence measures based
on the Shannon entropy" (1991), and the bound of Cramer (1946) and Rao (1945). The plug-in entropy
of n samples in B bins is too low by (B - 1) / 2n, so that the plug-in JS of two samples of one
distribution is near (B - 1) / 4n, and not 0. JS is symmetric and at most log 2. No unbiased
estimator of a Gaussian's mean has a variance below sigma^2 / n.

The estimators are of the mean of N(theta, 1) from n samples: maximum likelihood, which is the
sample mean, and the maximum of the posterior with a prior N(0, 0.5^2), in closed form w times the
sample mean with w = n / (n + 4). Theta is 0.5, near the prior, and 3, far from it.

To be met, set before the first run: the mean plug-in JS of two samples of one distribution within
5% of (B - 1) / 4n for n of 10 B or more, and above 0.9 log 2 for n = 3; bias, variance and mean
squared error of both estimators within 5 standard errors of their formulas; the posterior's mean
squared error below the bound of Cramer and Rao for n = 1 near its prior, which it may be, as it is
biased, and above it far from it; KL of 200 random pairs of mixtures 0 or more, and asymmetric, JS
symmetric and at most log 2; the squared error's and the cross-entropy's minima those of Gaussian
and Bernoulli likelihoods.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS, TILT = 100, 0.5
"""Bins of the histograms, and how much q rises from the first to the last, from 1 - TILT."""

SIZES = (3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
"""Numbers of samples of each histogram."""

HISTOGRAMS = 200
MEANS, PRIOR_STD = (0.5, 3.0), 0.5
COUNTS, REPEATS = (1, 2, 5, 10, 30, 100, 300, 1_000), 20_000
PAIRS, COMPONENTS = 200, 3
REGRESSION = 200

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Measures plug-in divergences, estimators, divergences of random pairs, and likelihoods."""
    repeats, pairs = (2_000, 20) if smoke else (REPEATS, PAIRS)
    numbers = {
        "plug_in": plug_in_divergences(20 if smoke else HISTOGRAMS),
        "estimators": [
            row for theta in MEANS for n in COUNTS for row in estimators(theta, n, repeats)
        ],
        "pairs": random_pairs(pairs),
        "likelihoods": likelihoods(),
    }
    measured: dict[str, Any] = to_json_value(numbers, 8)
    return measured


def plug_in_divergences(histograms: int) -> dict[str, Any]:
    """Returns the mean plug-in JS of two samples by n: of one distribution, and of two."""
    p = np.full(BINS, 1 / BINS)
    q = p * (1 + TILT * np.linspace(-1, 1, BINS))
    rng = np.random.default_rng(0)
    means = {
        name: [
            float(np.mean(js_of_histograms(*_histograms(rng, n, histograms, p, other))))
            for n in SIZES
        ]
        for name, other in (("same", p), ("different", q))
    }
    return means | {"truth": float(js_of_histograms(p, q))}


def _histograms(
    rng: np.random.Generator, n: int, repeats: int, p: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draws relative frequencies ``[repeats, BINS]`` of n samples of each distribution."""
    return rng.multinomial(n, p, repeats) / n, rng.multinomial(n, q, repeats) / n


def js_of_histograms(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Returns the Jensen-Shannon divergence in nats over the last axis, H(m) - H(p)/2 - H(q)/2."""
    from scipy.special import entr

    entropies = [entr(part).sum(-1) for part in ((p + q) / 2, p, q)]
    divergence: np.ndarray = entropies[0] - (entropies[1] + entropies[2]) / 2
    return divergence


def estimators(theta: float, n: int, repeats: int) -> list[dict[str, Any]]:
    """Returns bias, variance and mean squared error of both estimators, measured and exact."""
    rng = np.random.default_rng([n, int(10 * theta)])
    means = theta + rng.normal(size=(repeats, n)).mean(1)
    rows = []
    for name, weight in (("likelihood", 1.0), ("posterior", n / (n + PRIOR_STD**-2))):
        errors = weight * means - theta
        bias, variance = (weight - 1) * theta, weight**2 / n
        measured = (errors.mean(), errors.var(ddof=1), np.mean(errors**2))
        exact = (bias, variance, bias**2 + variance)
        scatter = (errors.std(), np.std((errors - errors.mean()) ** 2), np.std(errors**2))
        gaps = [
            float(abs(value - known) / (spread / np.sqrt(repeats)))
            for value, known, spread in zip(measured, exact, scatter, strict=True)
        ]
        row = {"name": name, "theta": theta, "n": n, "gaps": gaps}
        rows.append(row | {"measured": measured, "exact": exact})
    return rows


def random_pairs(pairs: int) -> list[list[float]]:
    """Returns KL(p, q), KL(q, p), JS(p, q) and JS(q, p) of random mixtures of Gaussians."""
    rng, grid = np.random.default_rng(0), theory.grid(-25, 25, panels=400)
    values = []
    for _ in range(pairs):
        p, q = (
            theory.mixture(
                rng.uniform(-6, 6, COMPONENTS),
                rng.uniform(0.4, 2, COMPONENTS),
                rng.dirichlet(np.ones(COMPONENTS)),
            )
            for _ in range(2)
        )
        values.append(
            [
                theory.kl(p, q, grid),
                theory.kl(q, p, grid),
                theory.js(p, q, grid),
                theory.js(q, p, grid),
            ]
        )
    return values


def likelihoods() -> dict[str, float]:
    """Returns how far minima of losses are from those of likelihoods of scipy's distributions."""
    from scipy import optimize, stats

    rng = np.random.default_rng(0)
    x = rng.normal(size=(REGRESSION, 2))
    y = x @ [1.0, -2.0] + 0.3 * rng.normal(size=REGRESSION)
    by_squares = np.linalg.lstsq(x, y, rcond=None)[0]
    by_likelihood = optimize.minimize(
        lambda w: -stats.norm.logpdf(y, x @ w, 0.3).mean(), np.zeros(2), tol=1e-12
    ).x
    scores = rng.normal(size=(2, REGRESSION))
    labels = np.repeat([1, 0], REGRESSION)
    answers = 1 / (1 + np.exp(-scores.ravel()))
    bernoulli = -2 * stats.bernoulli.logpmf(labels, answers).mean()
    return {
        "squares": float(np.abs(by_squares - by_likelihood).max()),
        "cross_entropy": float(_discriminator_loss(*scores) - bernoulli),
    }


def _discriminator_loss(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns gan_jax's minimax loss of a discriminator that gives these scores."""
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Networks, Player, adversarial
    from gan_jax.objectives import losses

    networks = Networks(
        init=lambda rng: (jnp.zeros(()), jnp.zeros(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda params, latents: latents,
        score=lambda params, samples: samples[:, 0],
    )
    with jax.enable_x64(True):
        objective = adversarial(networks, {"minimax": losses.minimax()})
        batch = {"real": jnp.asarray(real)[:, None], "fake": jnp.asarray(fake)[:, None]}
        loss, _ = objective.discriminator(
            jnp.zeros(()), Player(jnp.zeros(())), batch, jax.random.key(0)
        )
        return float(loss)


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about samples, estimators, bounds and likelihoods."""
    return [
        *_plug_in_claims(numbers["plug_in"]),
        *_estimator_claims(numbers["estimators"]),
        *_pair_claims(np.array(numbers["pairs"], float)),
        Claim.close_to(
            "least squares, minus the maximum of a Gaussian likelihood",
            numbers["likelihoods"]["squares"],
            0,
            tolerance=1e-5,
            published="0",
            smoke=True,
            kind="exact",
        ),
        Claim.close_to(
            "discriminator's loss, plus twice the mean Bernoulli log-likelihood",
            numbers["likelihoods"]["cross_entropy"],
            0,
            tolerance=1e-10,
            published="0",
            smoke=True,
            kind="exact",
        ),
    ]


def _plug_in_claims(plug_in: Numbers) -> list[Claim]:
    ratios = [
        value / miller(n) for n, value in zip(SIZES, plug_in["same"], strict=True) if n >= 10 * BINS
    ]
    return [
        Claim.close_to(
            "plug-in JS of two samples of one distribution, over (B - 1) / 4n, n >= 10 B",
            ratios,
            1,
            tolerance=0.05,
            published="1 (Miller, 1955)",
            kind="exact",
        ),
        Claim(
            f"plug-in JS of two samples of one distribution, n = {SIZES[0]}, over log 2",
            measured=(plug_in["same"][0] / np.log(2),),
            published="as if they were disjoint; asked > 0.9",
            low=0.9,
            high=1,
            kind="exact",
        ),
        Claim.close_to(
            f"plug-in JS of two distributions, n = {SIZES[-1]:,}, minus (B - 1) / 4n, over JS",
            (plug_in["different"][-1] - miller(SIZES[-1])) / plug_in["truth"],
            1,
            tolerance=0.05,
            published="1",
            kind="exact",
        ),
    ]


def miller(n: int) -> float:
    """Returns the leading term of the plug-in JS of two samples of one distribution."""
    return (BINS - 1) / (4 * n)


def _estimator_claims(rows: list[Numbers]) -> list[Claim]:
    claims = [
        Claim(
            f"{name}: {part}, deviation from its formula, in standard errors",
            measured=tuple(row["gaps"][i] for row in rows if row["name"] == name),
            published="asked < 5",
            low=0,
            high=5,
            smoke=True,
            kind="exact",
        )
        for name in ("likelihood", "posterior")
        for i, part in enumerate(("bias", "variance", "mean squared error"))
    ]
    for theta, low, high in ((MEANS[0], 0, 1), (MEANS[1], 1, None)):
        errors = [
            row["measured"][2]
            for row in rows
            if (row["name"], row["theta"], row["n"]) == ("posterior", theta, 1)
        ]
        claims.append(
            Claim(
                f"posterior, theta = {theta:g}, n = 1: mean squared error, over the bound for "
                "unbiased estimators",
                measured=tuple(errors),
                published="< 1: it is biased" if high else "> 1: the prior is far off",
                low=low,
                high=high,
                kind="exact",
            )
        )
    return claims


def _pair_claims(pairs: np.ndarray) -> list[Claim]:
    kl, reverse_kl, js, swapped_js = pairs.T
    cases: list[tuple[str, np.ndarray, float, float | None, str]] = [
        ("KL(p, q), least of all pairs", np.min([kl, reverse_kl]), 0, None, ">= 0"),
        ("|KL(p, q) / KL(q, p) - 1|, median", np.median(np.abs(kl / reverse_kl - 1)), 0.1, None,
         "not symmetric; asked > 0.1"),
        ("|JS(p, q) - JS(q, p)|, greatest", np.abs(js - swapped_js).max(), 0, 1e-12, "0"),
        ("JS(p, q), least and greatest", np.array([js.min(), js.max()]), 0, np.log(2),
         "0 .. log 2 (Lin, 1991)"),
    ]  # fmt: skip
    return [
        Claim(
            name,
            measured=tuple(float(value) for value in np.ravel(values)),
            published=published,
            low=low,
            high=high,
            smoke=True,
            kind="exact",
        )
        for name, values, low, high, published in cases
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws plug-in JS over n, both estimators near and far from the prior, and pairs."""
    figure, axes = page.panels(2, 2, 4.4)
    left, right = axes[0]
    _draw_plug_in(left, numbers["plug_in"])
    kl, reverse_kl, js, _ = np.array(numbers["pairs"], float).T
    right.loglog(kl, reverse_kl, ".", color=page.BLUE, label="KL(q‖p)")
    right.loglog(kl, js, "+", color=page.VERMILLION, label="JS(p, q)")
    right.axhline(np.log(2), color="0.5", linestyle=":", label="log 2")
    right.set(xlabel="KL(p‖q)", ylabel="nats")
    right.set_title(f"{len(kl)} random pairs of mixtures")
    right.legend(loc="lower right")
    for ax, theta in zip(axes[1], MEANS, strict=True):
        _draw_estimators(ax, [row for row in numbers["estimators"] if row["theta"] == theta])
        ax.set_title(f"mean of N({theta:g}, 1), prior N(0, {PRIOR_STD:g}²)")
    axes[1, 0].legend(loc="lower left")
    page.letter(list(axes.flat))
    return figure


def _draw_plug_in(ax: "Axes", plug_in: Numbers) -> None:
    ax.loglog(SIZES, plug_in["same"], "o", color=page.BLUE, label="p = q")
    ax.loglog(SIZES, [miller(n) for n in SIZES], color=page.BLUE, label="(B - 1) / 4n")
    ax.loglog(SIZES, plug_in["different"], "s-", color=page.ORANGE, label="p and a tilted q")
    ax.axhline(plug_in["truth"], color=page.ORANGE, linestyle="--", label="their JS")
    ax.axhline(np.log(2), color="0.5", linestyle=":", label="log 2")
    ax.set(xlabel="samples n of each", ylabel="plug-in JS (nats)", ylim=(5e-4, 3))
    ax.set_title(f"histograms of {BINS} bins")
    ax.legend(loc="lower left")


def _draw_estimators(ax: "Axes", rows: list[Numbers]) -> None:
    colours = {"likelihood": page.BLUE, "posterior": page.PURPLE}
    for name, colour in colours.items():
        of_name = [row for row in rows if row["name"] == name]
        counts = [row["n"] for row in of_name]
        ax.loglog(counts, [row["measured"][2] for row in of_name], "o", color=colour)
        ax.loglog(
            counts, [row["exact"][2] for row in of_name], color=colour, label=f"{name}: error"
        )
        if name == "posterior":
            bias = [row["exact"][0] ** 2 for row in of_name]
            variance = [row["exact"][1] for row in of_name]
            ax.loglog(counts, bias, ":", color=colour, label="its bias²")
            ax.loglog(counts, variance, "--", color=colour, label="its variance")
    bound = [1 / n for n in counts]
    ax.loglog(counts, bound, color="0.6", linewidth=3, alpha=0.5, label="Cramér-Rao, 1 / n")
    ax.set(xlabel="samples n", ylabel="mean squared error")
