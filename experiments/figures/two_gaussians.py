"""Two Gaussians far apart: the optimal discriminator saturates, the critic is a straight line.

    python experiments/reproduce.py two_gaussians                # 1 minute

Source: Arjovsky et al., "Wasserstein GAN" (2017), figure 2, and section 2 on JS against W. The
paper gives no parameters; real N(-2, 0.5^2) and generated N(2, 0.5^2) are our choice. Then W = 4,
JS = log 2 up to 1e-4, and D* = sigmoid(-16 x). Critic (WGAN-GP) and discriminator (minimax): mlp
with two hidden layers of 64, 3 seeds. Right panel, closed form: W is the distance of the means, JS
is soon flat.

To be met, U (proposed before any run): the critic's gap is 4 +- 5%, its slope between the means -1
+- 0.1; JS' by the discriminator's bound in [0.68, 0.694]; the slope of log(1 - D) at the generated
mean below 0.001, where the critic's is 1. The first two are missed, for a reason: with the paper's
penalty weight of 10 the best critic's slope is 1 + W / 20 = 1.2 (`theory.penalised_slope`), and its
gap 1.2 W = 4.8. Both are measured against that as well.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.game import Term

REAL, FAKE, STD = -2.0, 2.0, 0.5
SEEDS, STEPS, BATCH, WIDTH, TAIL, PENALTY = 3, 3_000, 256, 64, 200, 10.0

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Returns W and JS over the distance of the means, and trained critics and discriminators."""
    distances = np.linspace(0, 6, 25 if smoke else 61)
    grid = theory.grid(-8, 14, 400)
    x = np.linspace(-4, 4, 161)
    pairs = [(theory.gaussian(0, STD), theory.gaussian(float(d), STD)) for d in distances]
    return {
        "distances": to_json_value(distances, 6),
        "wasserstein": [theory.wasserstein_1(p, q, grid) for p, q in pairs],
        "js": [theory.js(p, q, grid) for p, q in pairs],
        "x": to_json_value(x, 6),
        "learned": _learn(x, 1 if smoke else SEEDS, 150 if smoke else STEPS),
    }


def _learn(x: np.ndarray, seeds: int, steps: int) -> list[dict[str, Any]]:
    """Returns a row per seed: the critic's gap and scores, the discriminator's bound and D."""
    from gan_jax.objectives import losses, penalties

    critic_terms = {
        "wasserstein": losses.wasserstein(),
        "gradient_penalty": penalties.gradient_penalty(PENALTY),
    }
    critics = _train(critic_terms, "wasserstein", x, seeds, steps)
    discriminators = _train({"minimax": losses.minimax()}, "minimax", x, seeds, steps)
    rows = []
    for seed in range(seeds):
        critic_scores = critics.scores[seed]
        answers = 1 / (1 + np.exp(-discriminators.scores[seed]))
        rows.append(
            {
                "seed": seed,
                "gap": critics.values[seed],
                "js": np.log(2) + discriminators.values[seed] / 2,
                "slope": discriminators.slopes[seed],
                "critic": to_json_value(critic_scores - critic_scores.mean(), 5),
                "discriminator": to_json_value(answers, 5),
            }
        )
    return rows


class Trained(NamedTuple):
    """Discriminators that were trained against a fixed generator.

    Attributes:
      values: the value of the objective, mean of the last steps, ``[seeds]``.
      scores: ``[seeds, points]``.
      slopes: ``|d log(1 - D) / dx|`` at the generated mean, ``[seeds]``.
    """

    values: np.ndarray
    scores: np.ndarray
    slopes: np.ndarray


def _train(
    terms: "dict[str, Term]", value_term: str, x: np.ndarray, seeds: int, steps: int
) -> Trained:
    """Trains one discriminator per seed, all in one program, and evaluates it at ``x``."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = mlp(
        (1,),
        discriminator_widths=(WIDTH, WIDTH),
        init="he_uniform",
        input_scale=1.0,
        latent_size=1,
    )
    networks = networks._replace(generate=lambda params, latents: FAKE + STD * latents)
    objective = adversarial(networks, terms)
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, steps), b1=0.5, b2=0.9)
    points = jnp.asarray(x, jnp.float32)[:, None]

    def real(key: jax.Array, n: int) -> jax.Array:
        return REAL + STD * jax.random.normal(key, (n, 1))

    def fit(key: jax.Array) -> Any:
        params = networks.init(key)[1]
        params, metrics = fit_discriminator(
            objective, optimizer, params, (), real, key, batch_size=BATCH, steps=steps
        )

        def saturating_loss(point: jax.Array) -> jax.Array:
            """log(1 - D) at a point."""
            return -jax.nn.softplus(networks.score(params, point[None, None])[0])

        slope = jnp.abs(jax.grad(saturating_loss)(jnp.float32(FAKE)))
        return metrics, networks.score(params, points), slope

    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    metrics, scores, slopes = jax.tree.map(
        lambda leaf: np.asarray(leaf, float), jax.jit(jax.vmap(fit))(keys)
    )
    values = -metrics[f"discriminator/{value_term}"][:, -TAIL:].mean(1)
    return Trained(values, scores, slopes)


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about closed forms, the critic's gap and slope, and the discriminator."""
    rows, x = numbers["learned"], np.array(numbers["x"])
    distances = np.array(numbers["distances"])
    distance = FAKE - REAL
    steepest = theory.penalised_slope(distance, PENALTY)
    note = f"the penalty lets the slope exceed 1: the best is 1 + W / (2 weight) = {steepest:g}"
    gaps = [row["gap"] for row in rows]
    between = np.abs(x) <= 1.5
    slopes = [np.polyfit(x[between], np.array(row["critic"])[between], 1)[0] for row in rows]
    return [
        Claim.close_to(
            "W - |distance of the means|, quadrature",
            np.abs(np.array(numbers["wasserstein"]) - distances).max(),
            0,
            tolerance=2e-3,
            published="0",
            smoke=True,
            kind="exact",
        ),
        Claim.close_to(
            "JS at distance 4, quadrature",
            float(np.interp(distance, distances, numbers["js"])),
            np.log(2),
            tolerance=2e-4,
            published="log 2 = 0.6931",
            smoke=True,
            kind="exact",
        ),
        Claim.close_to("critic's gap", gaps, distance, tolerance=0.2, published="W = 4", note=note),
        Claim.close_to(
            "critic's gap, against the best under the penalty",
            gaps,
            steepest * distance,
            tolerance=0.05 * distance,
            published=f"{steepest * distance:g}",
        ),
        Claim.close_to(
            "critic's slope between the means",
            slopes,
            -1,
            tolerance=0.1,
            published="-1",
            note=note,
        ),
        Claim.close_to(
            "critic's slope, against the best under the penalty",
            slopes,
            -steepest,
            tolerance=0.05,
            published=f"{-steepest:g}",
        ),
        Claim(
            "JS by the discriminator's bound",
            measured=tuple(row["js"] for row in rows),
            published="0.6931",
            low=0.68,
            high=0.694,
        ),
        Claim(
            "|d log(1 - D) / dx| at the generated mean",
            measured=tuple(row["slope"] for row in rows),
            published="vanishing",
            low=0,
            high=1e-3,
        ),
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws discriminators, critics, and both distances over that of the means."""
    figure, axes = page.panels(3, 1, 5.2, page.COLUMN, height_ratios=(1.3, 1, 1))
    top, middle, bottom = axes[:, 0]
    x, rows = np.array(numbers["x"]), numbers["learned"]
    _draw_discriminators(top, x, rows)
    for row in rows:
        critic = np.array(row["critic"])
        middle.plot(x, critic - np.interp(0, x, critic), color=page.PURPLE)
    middle.set(xlabel="x", ylabel="f(x) - f(0)", xlim=(-4, 4))
    middle.set_title(f"WGAN-GP's critic, {len(rows)} seeds")
    bottom.plot(numbers["distances"], numbers["wasserstein"], color=page.PURPLE, label="W")
    js_style = {"color": page.VERMILLION, "linestyle": "--"}
    bottom.plot(numbers["distances"], numbers["js"], label="JS (nats)", **js_style)
    bottom.axhline(np.log(2), color="0.6", linestyle=":", linewidth=0.9)
    bottom.text(6, np.log(2) + 0.2, "log 2", ha="right")
    bottom.set(xlabel="distance of the means")
    bottom.set_title("distances between the distributions")
    bottom.legend(loc="upper left")
    page.letter(axes[:, 0])
    return figure


def _draw_discriminators(ax: "Axes", x: np.ndarray, rows: Sequence[Numbers]) -> None:
    p, q = theory.gaussian(REAL, STD), theory.gaussian(FAKE, STD)
    ax.plot(x, np.exp(p(x)), ":", color=page.BLACK, label="real, N(-2, 0.5²)")
    ax.plot(x, np.exp(q(x)), color=page.GREEN, label="generated, N(2, 0.5²)")
    optimal = theory.optimal_discriminator(p, q)(x)
    ax.plot(x, optimal, color=page.BLUE, linewidth=3, alpha=0.35, label="D*")
    for row in rows:
        ax.plot(x, row["discriminator"], "--", color=page.VERMILLION)
    ax.plot([], [], "--", color=page.VERMILLION, label=f"D, {len(rows)} seeds")
    ax.set(ylabel="density; D(x)", ylim=(-0.05, 1.7), xlim=(-4, 4), yticks=(0, 0.5, 1))
    ax.legend(loc="upper center", ncols=2)
    ax.set_title("densities and discriminators")
