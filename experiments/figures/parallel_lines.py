"""Two parallel lines: Wasserstein sees how far apart they are, Jensen-Shannon does not.

    python experiments/reproduce.py parallel_lines               # 3 to 7 minutes

Source: Arjovsky et al., "Wasserstein GAN" (2017), example 1 and figure 1: laws of (0, Z) and
(theta, Z), Z ~ U[0, 1]. In closed form W = |theta|; JS = log 2, both KL infinite, total variation 1
unless theta is 0. The learned half is ours, as the paper has none: for each theta a WGAN-GP critic
(its gap estimates W) and a minimax discriminator (log 2 + V / 2 <= JS, the paper's own bound,
figure 4), both mlp with two hidden layers of 64, 3 seeds.

To be met, U (thresholds proposed before any run): |W' - |theta|| < 0.05 and JS' in [0.65, 0.694]
for |theta| in {0.1, 0.5, 1}; the gradient by theta that the critic gives the generator is the sign
of theta, up to 0.1, and the discriminator's by the minimax loss is 0, up to 0.001 (this one was
added after the first run); the slope of JS' over |theta| in [0.1, 1] is 0, up to 0.05. At |theta| =
1 the first is narrowly missed, for a reason: under the paper's penalty weight of 10 the best
critic's gap is |theta| (1 + |theta| / 20), which is measured as well (`theory.penalised_slope`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    import jax
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.game import Networks, Term

THETAS = (-1.0, -0.75, -0.5, -0.25, -0.1, 0.1, 0.25, 0.5, 0.75, 1.0)
JUDGED = (0.1, 0.5, 1.0)
SEEDS, STEPS, BATCH, WIDTH, TAIL = 3, 3_000, 256, 64, 200
RATES = {"critic": 1e-3, "discriminator": 2e-3}
TERMS = {"critic": "wasserstein", "discriminator": "minimax"}
"""The term whose value estimates W, and the one that bounds JS."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Returns closed forms, distances between points, and what critics and discriminators learn."""
    thetas = np.linspace(-1, 1, 201)
    exact = [theory.parallel_lines(float(theta)) for theta in thetas]
    return {
        "thetas": to_json_value(thetas, 6),
        "wasserstein": [distances.wasserstein for distances in exact],
        "js": [distances.js for distances in exact],
        "kl": exact[0].kl,
        "total_variation": [distances.total_variation for distances in exact],
        "transport": [
            [theta, *_distances_of_points(theta)] for theta in (-0.7, -0.1, 0.0, 0.3, 1.0)
        ],
        "learned": _learn((-0.5, 0.5), 1, 150) if smoke else _learn(THETAS, SEEDS, STEPS),
    }


def _distances_of_points(theta: float) -> tuple[float, float]:
    """Returns W and JS between 200 points on each line, by metrics of samples alone."""
    from gan_jax import metrics

    heights = (np.arange(200) + 0.5) / 200
    lines = [np.stack([np.full(200, x), heights], axis=1) for x in (0.0, theta)]
    edges = (np.linspace(-1.05, 1.05, 22), np.linspace(0, 1, 11))
    counts = [np.histogram2d(*line.T, bins=edges)[0].ravel() for line in lines]
    return metrics.wasserstein_1(*lines), metrics.js_divergence(*counts)


def _learn(thetas: tuple[float, ...], seeds: int, steps: int) -> list[dict[str, Any]]:
    """Trains critics and discriminators for each theta and seed.

    Returns:
      For each: the critic's gap and its gradient for the generator by theta; the discriminator's
      bound on JS and its gradient for the generator by theta.
    """
    pairs = [(theta, seed) for theta in thetas for seed in range(seeds)]
    gaps, slopes = _train("critic", pairs, steps)
    values, minimax_slopes = _train("discriminator", pairs, steps)
    return [
        {
            "theta": theta,
            "seed": seed,
            "gap": gaps[i],
            "slope": slopes[i],
            "js": np.log(2) + values[i] / 2,
            "minimax_slope": minimax_slopes[i],
        }
        for i, (theta, seed) in enumerate(pairs)
    ]


def _train(
    name: str, pairs: Sequence[tuple[float, int]], steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Trains against fixed generators, one for each (theta, seed), all in one program.

    Returns:
      The objective's value, mean of the last steps, and the generator's gradient by theta.
    """
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import Player, adversarial
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = _networks()
    objective = adversarial(networks, _terms(name))
    optimizer = optax.adam(optax.cosine_decay_schedule(RATES[name], steps), b1=0.5, b2=0.9)

    def fit(theta: jax.Array, key: jax.Array) -> Any:
        params = networks.init(key)[1]
        params, metrics = fit_discriminator(
            objective, optimizer, params, theta, _draw_line, key, batch_size=BATCH, steps=steps
        )
        batch = {"real": _draw_line(jax.random.fold_in(key, 1), 4096)}

        def generator_loss(theta: jax.Array) -> jax.Array:
            return objective.generator(theta, Player(params), batch, key)[0]

        return metrics, jax.grad(generator_loss)(theta)

    thetas = jnp.array([theta for theta, _ in pairs], jnp.float32)
    keys = jax.vmap(jax.random.key)(jnp.array([seed for _, seed in pairs], jnp.uint32))
    metrics, gradients = jax.jit(jax.vmap(fit))(thetas, keys)
    losses = np.asarray(metrics[f"discriminator/{TERMS[name]}"], float)
    return -losses[:, -TAIL:].mean(1), np.asarray(gradients, float)


def _draw_line(key: "jax.Array", n: int) -> "jax.Array":
    """Draws points ``[n, 2]`` of the line at 0."""
    import jax
    import jax.numpy as jnp

    return jnp.stack([jnp.zeros(n), jax.random.uniform(key, (n,))], axis=1)


def _networks() -> "Networks":
    """Returns an mlp discriminator, and a generator whose parameter is the line's theta."""
    import jax
    import jax.numpy as jnp

    from gan_jax.networks import mlp

    def generate(theta: jax.Array, latents: jax.Array) -> jax.Array:
        return jnp.concatenate([jnp.broadcast_to(theta, latents.shape), latents], axis=1)

    networks = mlp(
        (2,),
        discriminator_widths=(WIDTH, WIDTH),
        init="he_uniform",
        input_scale=1.0,
        latent_size=1,
        latent="uniform",
    )
    return networks._replace(
        latent=lambda key, n: jax.random.uniform(key, (n, 1)), generate=generate
    )


def _terms(name: str) -> "dict[str, Term]":
    from gan_jax.objectives import losses, penalties

    if name == "discriminator":
        return {"minimax": losses.minimax()}
    return {
        "wasserstein": losses.wasserstein(),
        "gradient_penalty": penalties.gradient_penalty(10.0),
    }


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about closed forms, and about what is learned."""
    return [*_exact_claims(numbers), *_learned_claims(numbers["learned"])]


def _exact_claims(numbers: Numbers) -> list[Claim]:
    thetas, wasserstein, js = np.array(numbers["transport"]).T
    cases = [
        ("W - |θ|, exact transport of 200 points", wasserstein - np.abs(thetas)),
        (
            "JS - log 2 (0 at θ = 0), histograms of 200 points",
            js - np.where(thetas == 0, 0.0, np.log(2)),
        ),
    ]
    for name, values in (("wasserstein", wasserstein), ("js", js)):
        closed_form = np.interp(thetas, numbers["thetas"], numbers[name])
        cases.append((f"{name}: closed form against points", values - closed_form))
    return [
        Claim.close_to(name, difference, 0, tolerance=1e-9, published="0", smoke=True, kind="exact")
        for name, difference in cases
    ]


def _learned_claims(rows: Sequence[Numbers]) -> list[Claim]:
    steepest = theory.penalised_slope(1.0)
    note = (
        "the penalty of weight 10 lets the critic's slope exceed 1: the best is 1 + |θ| / 20, "
        f"{steepest:g} at |θ| = 1"
    )
    claims = [
        Claim.close_to(
            "critic's gap - the best under the penalty, |θ| (1 + |θ| / 20)",
            [row["gap"] - theory.penalised_slope(row["theta"]) * abs(row["theta"]) for row in rows],
            0,
            tolerance=0.01,
            published="0",
        )
    ]
    for size in JUDGED:
        rows_of_size = [row for row in rows if abs(row["theta"]) == size]
        claims += [
            Claim.close_to(
                f"|θ| = {size:g}: W by the critic's gap, both signs",
                [row["gap"] for row in rows_of_size],
                size,
                tolerance=0.05,
                note=note if size == 1 else "",
            ),
            Claim(
                f"|θ| = {size:g}: JS by the discriminator's bound",
                measured=tuple(row["js"] for row in rows_of_size),
                published="log 2 = 0.6931",
                low=0.65,
                high=0.694,
            ),
        ]
    js_slope = np.nan
    if len(rows) > 2:
        js_slope = np.polyfit(
            [abs(row["theta"]) for row in rows], [row["js"] for row in rows], deg=1
        )[0]
    return [
        *claims,
        Claim.close_to(
            "generator's gradient by θ from the critic, times sign θ",
            [row["slope"] * np.sign(row["theta"]) for row in rows],
            1,
            tolerance=0.1,
            published="1",
        ),
        Claim.close_to(
            "generator's gradient by θ from the discriminator, minimax loss",
            [row["minimax_slope"] for row in rows],
            0,
            tolerance=1e-3,
            published="0",
        ),
        Claim.close_to(
            "slope of the learned JS over |θ|", js_slope, 0, tolerance=0.05, published="0"
        ),
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws both distances over theta, in closed form and as they are learned."""
    figure, axes = page.panels(1, 2, 2.5)
    left, right = axes[0]
    thetas, js = np.array(numbers["thetas"]), np.array(numbers["js"])
    style = {"color": page.BLUE, "linewidth": 3, "alpha": 0.35}
    left.plot(thetas, numbers["wasserstein"], label="W = |θ|", **style)
    _draw_learned(left, numbers["learned"], "gap", "critic's gap (WGAN-GP)")
    left.set(xlabel="θ", ylabel="Wasserstein distance", ylim=(-0.05, 1.45))
    left.legend(loc="upper center")
    middle = len(js) // 2
    for side in (slice(None, middle), slice(middle + 1, None)):
        right.plot(thetas[side], js[side], **style)
    right.plot([], [], label="JS: log 2, and 0 at θ = 0", **style)
    right.plot(0, 0, "o", color=page.BLUE, alpha=0.5)
    _draw_learned(right, numbers["learned"], "js", "discriminator's bound")
    right.set(xlabel="θ", ylabel="JS (nats)", ylim=(-0.05, 1.0))
    right.legend(loc="upper center")
    page.letter([left, right])
    return figure


def _draw_learned(ax: "Axes", rows: Sequence[Numbers], key: str, label: str) -> None:
    seeds = 1 + max(row["seed"] for row in rows)
    thetas, values = [row["theta"] for row in rows], [row[key] for row in rows]
    ax.plot(thetas, values, "x", color=page.VERMILLION, label=f"{label}, {seeds} seeds")
