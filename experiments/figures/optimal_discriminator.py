"""The optimal discriminator D* = p / (p + q), the value -log 4 + 2 JS, and trained discriminators.

    python experiments/reproduce.py optimal_discriminator        # 1 minute

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), figure 1, proposition 1, theorem 1.
The paper gives no numbers; p = N(0, 1) and q = N(mu, 1) are our choice, for which log p - log q is
linear, so that a logistic regression can be optimal. The right panel has a mixture that needs a
network: mlp with one hidden layer of 128 (tanh). Outside of the samples its D is undetermined.

To be met (A3, set before the first run), over 5 seeds of 100,000 samples of each kind: |D - D*| <
0.02 on [-4, mu + 4] and |V - (-log 4 + 2 JS)| < 0.01 for mu in {0.5, 1, 2, 3}, where V is the mean
over another 100,000 samples of each. Discriminators minimise gan_jax's minimax loss.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEANS = (0.5, 1.0, 2.0, 3.0, 4.0)
KNOWN = {
    0.5: (0.030311, -1.325672),
    1.0: (0.111421, -1.163451),
    2.0: (0.336831, -0.712633),
    3.0: (0.526777, -0.332740),
    4.0: (0.632720, -0.120854),
}
"""JS in nats and V at D*, by the quadrature of a separate implementation."""

JUDGED = (0.5, 1.0, 2.0, 3.0)
SAMPLES, SEEDS = 100_000, 5
MIXTURE = (theory.mixture((-2, 1.5), (0.5, 0.8), (1, 1)), theory.gaussian(0, 1.5))
"""p and q of the right panel."""

_RARE = 1e-2
"""Density below which a trained discriminator sees next to no samples; it is shaded."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Trains logistic regressions for each mean, and networks for the mixture."""
    samples, seeds, steps = (5_000, 1, 300) if smoke else (SAMPLES, SEEDS, 4_000)
    pairs = {f"{mean:g}": _measure_pair(mean, samples, seeds) for mean in MEANS}
    x = np.linspace(-5, 5, 301)
    p, q = MIXTURE
    mixture = {
        "p": to_json_value(np.exp(p(x)), 5),
        "q": to_json_value(np.exp(q(x)), 5),
        "optimal": to_json_value(theory.optimal_discriminator(p, q)(x), 5),
        "trained": [to_json_value(_train_network(seed, x, steps), 5) for seed in range(seeds)],
        "js": theory.js(p, q, theory.grid(-16, 16, panels=200)),
    }
    return {"pairs": pairs, "x": to_json_value(x, 5), "mixture": mixture}


def _measure_pair(mean: float, samples: int, seeds: int) -> dict[str, Any]:
    """Compares discriminators that are trained on N(0, 1) and N(mean, 1) with the optimal one."""
    grid = theory.grid(-14, 18, panels=160)
    p, q = theory.gaussian(), theory.gaussian(mean)
    optimal_score = theory.optimal_score(p, q)
    x = np.linspace(-4, mean + 4, 201)
    trained = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, int(10 * mean)])
        real, fake = rng.normal(size=samples), rng.normal(mean, 1, samples)
        slope, intercept = _fit_logistic(real, fake)
        new_real, new_fake = rng.normal(size=samples), rng.normal(mean, 1, samples)
        gap = np.abs(_sigmoid(slope * x + intercept) - _sigmoid(optimal_score(x)))
        trained.append(
            {
                "slope": slope,
                "intercept": intercept,
                "value": -_loss((slope, intercept), new_real, new_fake),
                "deviation": float(gap.max()),
            }
        )
    return {
        "js": theory.js(p, q, grid),
        "value": theory.value_function(p, q, optimal_score, grid),
        "trained": trained,
    }


def _sigmoid(scores: Any) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.asarray(scores, float))))


@functools.cache
def _loss_and_gradient() -> Callable[..., Any]:
    """Returns the discriminator's loss of gan_jax's minimax, and its gradient, in float64.

    The score is linear in x: the parameters are its slope and intercept.
    """
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Networks, Player, adversarial
    from gan_jax.objectives import losses

    networks = Networks(
        init=lambda rng: ((), jnp.zeros(2)),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda params, latents: latents,
        score=lambda params, samples: params[0] * samples[:, 0] + params[1],
    )
    objective = adversarial(networks, {"minimax": losses.minimax()})

    def loss(params: jax.Array, real: jax.Array, fake: jax.Array) -> jax.Array:
        batch = {"real": real, "fake": fake}
        return objective.discriminator(params, Player(()), batch, jax.random.key(0))[0]

    return jax.jit(jax.value_and_grad(loss))


def _fit_logistic(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Returns slope and intercept of the score that minimises the loss on samples ``[n]``."""
    import jax
    from scipy.optimize import minimize

    with jax.enable_x64(True):
        real_points, fake_points = (jax.device_put(part[:, None]) for part in (real, fake))

        def evaluate(params: Any) -> tuple[np.ndarray, np.ndarray]:
            params = np.asarray(params, float)
            loss, gradient = _loss_and_gradient()(params, real_points, fake_points)
            return np.asarray(loss, float), np.asarray(gradient, float)

        optimum = minimize(evaluate, np.zeros(2), jac=True, method="BFGS").x
    return float(optimum[0]), float(optimum[1])


def _loss(params: tuple[float, float], real: np.ndarray, fake: np.ndarray) -> float:
    import jax

    with jax.enable_x64(True):
        loss, _ = _loss_and_gradient()(np.asarray(params, float), real[:, None], fake[:, None])
        return float(loss)


def _train_network(seed: int, x: np.ndarray, steps: int) -> np.ndarray:
    """Returns D at ``x`` of a network that is trained against a fixed generator."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = mlp(
        (1,),
        discriminator_widths=(128,),
        activation="tanh",
        init="he_uniform",
        input_scale=1.0,
        latent_size=1,
    )
    networks = networks._replace(generate=lambda params, latents: 1.5 * latents)  # q = N(0, 1.5^2)
    objective = adversarial(networks, {"minimax": losses.minimax()})
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-2, steps))

    def real(key: jax.Array, n: int) -> jax.Array:
        mode_key, noise_key = jax.random.split(key)
        is_left = jax.random.bernoulli(mode_key, shape=(n, 1))
        noise = jax.random.normal(noise_key, (n, 1))
        return jnp.where(is_left, -2 + 0.5 * noise, 1.5 + 0.8 * noise)

    @jax.jit
    def train(key: jax.Array) -> jax.Array:
        params = networks.init(key)[1]
        params, _ = fit_discriminator(
            objective, optimizer, params, (), real, key, batch_size=1024, steps=steps
        )
        return networks.score(params, jnp.asarray(x, jnp.float32)[:, None])

    return _sigmoid(train(jax.random.key(seed)))


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about JS, values, and trained discriminators, for each mean."""
    claims = []
    for mean, (js, best) in KNOWN.items():
        pair, label = numbers["pairs"][f"{mean:g}"], f"μ = {mean:g}"
        gap = pair["value"] - 2 * pair["js"] + np.log(4)
        claims += [
            Claim.close_to(
                f"{label}: {name}", value, known, tolerance, published, smoke=True, kind="exact"
            )
            for name, value, known, tolerance, published in (
                ("JS, quadrature", pair["js"], js, 6e-7, f"{js}"),
                ("V at D*", pair["value"], best, 6e-7, f"{best}"),
                ("V - (2 JS - log 4)", gap, 0, 1e-10, "0, theorem 1"),
            )
        ]
        if mean not in JUDGED:
            continue
        value_gaps = [fit["value"] - pair["value"] for fit in pair["trained"]]
        claims += [
            Claim(
                f"{label}: trained D, largest |D - D*|",
                measured=tuple(fit["deviation"] for fit in pair["trained"]),
                published="< 0.02",
                low=0,
                high=0.02,
            ),
            Claim.close_to(
                f"{label}: trained V - (2 JS - log 4)", value_gaps, 0, 0.01, published="< 0.01"
            ),
        ]
    return claims


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws two Gaussians, the value over the distance of their means, and the mixture."""
    figure = page.canvas(4.6)
    panels = figure.subplot_mosaic([["gaussians", "mixture"], ["values", "values"]])
    left, right, middle = panels.values()
    _draw_gaussians(left, numbers["pairs"]["2"]["trained"])
    _draw_values(middle, numbers["pairs"])
    _draw_mixture(right, numbers["x"], numbers["mixture"])
    page.letter([left, right, middle])
    return figure


def _draw_discriminators(
    ax: "Axes", x: Any, optimal: Any, trained: Sequence[Any], label: str
) -> None:
    """Draws the optimal and the trained discriminators; densities are there already."""
    ax.plot(x, optimal, color=page.BLUE, linewidth=4, alpha=0.35, label="D* = p / (p + q)")
    for answers in trained:
        ax.plot(x, answers, "--", color=page.VERMILLION, linewidth=1)
    ax.plot([], [], "--", color=page.VERMILLION, label=f"{label}, {len(trained)} seeds")
    ax.set(xlabel="x", ylabel="density; D(x)", ylim=(-0.03, 1.9), yticks=(0, 0.5, 1))
    ax.legend(loc="upper right")


def _draw_gaussians(ax: "Axes", trained: Sequence[Numbers]) -> None:
    x = np.linspace(-4, 6, 301)
    p, q = theory.gaussian(), theory.gaussian(2.0)
    ax.plot(x, np.exp(p(x)), ":", color="black", label="p, data: N(0, 1)")
    ax.plot(x, np.exp(q(x)), color=page.GREEN, label="q, generator: N(2, 1)")
    answers = [_sigmoid(fit["slope"] * x + fit["intercept"]) for fit in trained]
    optimal = theory.optimal_discriminator(p, q)(x)
    _draw_discriminators(ax, x, optimal, answers, "trained logistic D")


def _draw_mixture(ax: "Axes", x: Sequence[float], mixture: Numbers) -> None:
    rare = np.add(mixture["p"], mixture["q"]) < _RARE
    style = {"color": "0.9", "linewidth": 0, "label": f"p + q < {_RARE:g}"}
    ax.fill_between(x, -0.03, 1, where=rare, **style)
    ax.plot(x, mixture["p"], ":", color="black", label="p, data: two modes")
    ax.plot(x, mixture["q"], color=page.GREEN, label="q, generator: N(0, 1.5²)")
    _draw_discriminators(ax, x, mixture["optimal"], mixture["trained"], "trained network D")


def _draw_values(ax: "Axes", pairs: Numbers) -> None:
    means = np.linspace(0, 5, 51)
    grid = theory.grid(-14, 19, panels=160)
    optimal = [
        -np.log(4) + 2 * theory.js(theory.gaussian(), theory.gaussian(mean), grid) for mean in means
    ]
    ax.plot(means, optimal, color=page.BLUE, label="-log 4 + 2 JS(p, q)")
    for mean, pair in pairs.items():
        values = [fit["value"] for fit in pair["trained"]]
        ax.plot([float(mean)] * len(values), values, "x", color=page.VERMILLION)
    label = f"V of trained D, new samples, {len(values)} seeds"
    ax.plot([], [], "x", color=page.VERMILLION, label=label)
    for value in (-np.log(4), 0):
        ax.axhline(value, color="0.6", linewidth=0.8, linestyle=":")
    ax.text(5, -np.log(4) + 0.02, "-log 4: p = q", ha="right")
    ax.text(0, 0.02, "0: told apart with certainty")
    ax.set(xlabel="μ, where p = N(0, 1), q = N(μ, 1)", ylabel="V (nats)", ylim=(-1.5, 0.15))
    ax.legend(loc="center right")
