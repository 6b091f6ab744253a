"""The optimal discriminator D* = p / (p + q), the value -log 4 + 2 JS, and what trained discriminators make of them.

    python experiments/reproduce.py optimal_discriminator        # 1 minute

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), figure 1, proposition 1, theorem 1. The paper gives no numbers;
p = N(0, 1) and q = N(mu, 1) are ours, for which log p - log q is linear, so that a logistic regression can be optimal. The
right panel has a mixture that needs a network: mlp of one hidden layer of 128 (tanh). Beyond the samples its D is not bound.

To be met (A3, set before the first run), over 5 seeds of 100,000 samples of each kind: |D - D*| < 0.02 on [-4, mu + 4] and |V
- (-log 4 + 2 JS)| < 0.01 for mu in {0.5, 1, 2, 3}, with V the mean over other 100,000 samples of each. Discriminators
minimise gan_jax's minimax loss.
"""

import functools

import numpy as np

from gan_jax import theory
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

MEANS = (0.5, 1.0, 2.0, 3.0, 4.0)
# By quadrature of an implementation of its own: JS in nats, and V at D*.
KNOWN = {0.5: (0.030311, -1.325672), 1.0: (0.111421, -1.163451), 2.0: (0.336831, -0.712633), 3.0: (0.526777, -0.332740),
         4.0: (0.632720, -0.120854)}  # fmt: skip
JUDGED = (0.5, 1.0, 2.0, 3.0)
SAMPLES, SEEDS = 100_000, 5
MIXTURE = (theory.mixture((-2, 1.5), (0.5, 0.8), (1, 1)), theory.gaussian(0, 1.5))


def measure(smoke: bool) -> dict:
    samples, seeds, steps = (5_000, 1, 300) if smoke else (SAMPLES, SEEDS, 4_000)
    on, pairs = theory.grid(-14, 18, panels=160), {}
    for mean in MEANS:
        p, q = theory.gaussian(), theory.gaussian(mean)
        star = theory.optimal_score(p, q)
        x = np.linspace(-4, mean + 4, 201)
        trained = []
        for seed in range(seeds):
            rng = np.random.default_rng([seed, int(10 * mean)])
            slope, intercept = _logistic(rng.normal(size=samples), rng.normal(mean, 1, samples))
            score = lambda x, a=slope, b=intercept: a * x + b
            value = -_loss(
                (slope, intercept), rng.normal(size=samples), rng.normal(mean, 1, samples)
            )
            trained.append({
                "slope": slope, "intercept": intercept, "value": value,
                "deviation": float(np.abs(_sigmoid(score(x)) - _sigmoid(star(x))).max()),
            })  # fmt: skip
        pairs[f"{mean:g}"] = {
            "js": theory.js(p, q, on), "value": theory.value_function(p, q, star, on), "trained": trained,
        }  # fmt: skip
    x = np.linspace(-5, 5, 301)
    networks = [_network(seed, x, steps) for seed in range(seeds)]
    p, q = MIXTURE
    wide = theory.grid(-16, 16, panels=200)
    mixture = {
        "p": to_json_value(np.exp(p(x)), 5), "q": to_json_value(np.exp(q(x)), 5), "optimal": to_json_value(theory.optimal_discriminator(p, q)(x), 5),
        "trained": [to_json_value(answers, 5) for answers in networks], "js": theory.js(p, q, wide),
    }  # fmt: skip
    return {"pairs": pairs, "x": to_json_value(x, 5), "mixture": mixture}


def claims(numbers: dict) -> list[Claim]:
    found = []
    for mean, (js, value) in KNOWN.items():
        pair = numbers["pairs"][f"{mean:g}"]
        found.append(
            Claim.close_to(
                f"μ = {mean:g}: JS, quadrature", pair["js"], js, 6e-7, f"{js}", smoke=True
            )
        )
        found.append(
            Claim.close_to(
                f"μ = {mean:g}: V at D*", pair["value"], value, 6e-7, f"{value}", smoke=True
            )
        )
        gap = pair["value"] - 2 * pair["js"] + np.log(4)
        found.append(
            Claim.close_to(
                f"μ = {mean:g}: V - (2 JS - log 4)", gap, 0, 1e-10, "0, theorem 1", smoke=True
            )
        )
        if mean in JUDGED:
            deviations = tuple(one["deviation"] for one in pair["trained"])
            found.append(
                Claim(f"μ = {mean:g}: trained D, largest |D - D*|", deviations, "< 0.02", 0, 0.02)
            )
            gaps = [one["value"] - pair["value"] for one in pair["trained"]]
            found.append(
                Claim.close_to(f"μ = {mean:g}: trained V - (2 JS - log 4)", gaps, 0, 0.01, "< 0.01")
            )
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(1, 3, (4.6, 3.6))
    left, middle, right = axes[0]
    mean, x = 2.0, np.linspace(-4, 6, 301)
    p, q = theory.gaussian(), theory.gaussian(mean)
    left.plot(x, np.exp(p(x)), ":", color="black", label="p, data: N(0, 1)")
    left.plot(x, np.exp(q(x)), color="tab:green", label="q, generator: N(2, 1)")
    left.plot(
        x,
        theory.optimal_discriminator(p, q)(x),
        color="tab:blue",
        linewidth=4,
        alpha=0.35,
        label="D* = p / (p + q)",
    )
    trained = numbers["pairs"]["2"]["trained"]
    for one in trained:
        left.plot(
            x, _sigmoid(one["slope"] * x + one["intercept"]), "--", color="tab:red", linewidth=1
        )
    left.plot([], [], "--", color="tab:red", label=f"trained logistic D, {len(trained)} seeds")
    left.set(xlabel="x", ylabel="density; D(x)", ylim=(-0.03, 1.55))
    left.legend(fontsize=8, loc="upper right")
    means = np.linspace(0, 5, 51)
    on = theory.grid(-14, 19, panels=160)
    curve = [-np.log(4) + 2 * theory.js(theory.gaussian(), theory.gaussian(m), on) for m in means]
    middle.plot(means, curve, color="tab:blue", label="-log 4 + 2 JS(p, q)")
    for name, pair in numbers["pairs"].items():
        values = [one["value"] for one in pair["trained"]]
        middle.plot([float(name)] * len(values), values, "x", color="tab:red")
    middle.plot(
        [], [], "x", color="tab:red", label=f"V of trained D, new samples, {len(trained)} seeds"
    )
    middle.axhline(-np.log(4), color="0.6", linewidth=0.8, linestyle=":")
    middle.axhline(0, color="0.6", linewidth=0.8, linestyle=":")
    middle.text(5, -np.log(4) + 0.02, "-log 4: p = q", ha="right", fontsize=8)
    middle.text(0, 0.02, "0: told apart with certainty", fontsize=8)
    middle.set(xlabel="μ, where p = N(0, 1), q = N(μ, 1)", ylabel="V (nats)", ylim=(-1.5, 0.15))
    middle.legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.25))
    x, mixture = numbers["x"], numbers["mixture"]
    right.plot(x, mixture["p"], ":", color="black", label="p, data: two modes")
    right.plot(x, mixture["q"], color="tab:green", label="q, generator: N(0, 1.5²)")
    right.plot(
        x, mixture["optimal"], color="tab:blue", linewidth=4, alpha=0.35, label="D* = p / (p + q)"
    )
    for answers in mixture["trained"]:
        right.plot(x, answers, "--", color="tab:red", linewidth=1)
    right.plot(
        [], [], "--", color="tab:red", label=f"trained network D, {len(mixture['trained'])} seeds"
    )
    right.set(xlabel="x", ylabel="density; D(x)", ylim=(-0.03, 1.55))
    right.legend(fontsize=8, loc="upper right")
    return drawing


def _sigmoid(scores):
    return 1 / (1 + np.exp(-np.asarray(scores, float)))


@functools.cache
def _game():
    """The discriminator's loss of gan_jax's minimax for a score that is linear in x, and its gradient; float64."""
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

    def loss(params, real, fake):
        return objective.discriminator(
            params, Player(()), {"real": real, "fake": fake}, jax.random.key(0)
        )[0]

    return jax.jit(jax.value_and_grad(loss))


def _logistic(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the score that minimises the loss on these samples ``[n]``."""
    import jax
    from scipy.optimize import minimize

    with jax.enable_x64(True):
        real, fake = (jax.device_put(part[:, None]) for part in (real, fake))
        evaluate = lambda v: tuple(np.asarray(part, float) for part in _game()(v, real, fake))
        found = minimize(
            lambda v: evaluate(np.asarray(v, float)), np.zeros(2), jac=True, method="BFGS"
        )
    return float(found.x[0]), float(found.x[1])


def _loss(params: tuple[float, float], real: np.ndarray, fake: np.ndarray) -> float:
    import jax

    with jax.enable_x64(True):
        return float(_game()(np.asarray(params, float), real[:, None], fake[:, None])[0])


def _network(seed: int, x: np.ndarray, steps: int) -> np.ndarray:
    """D at ``x`` of a network that has been trained against a generator that stands still."""
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

    def real(key, n):
        which, where = jax.random.split(key)
        mode, noise = jax.random.bernoulli(which, shape=(n, 1)), jax.random.normal(where, (n, 1))
        return jnp.where(mode, -2 + 0.5 * noise, 1.5 + 0.8 * noise)

    @jax.jit
    def scores(key):
        params = networks.init(key)[1]
        params, _ = fit_discriminator(
            objective, optimizer, params, (), real, key, batch_size=1024, steps=steps
        )
        return networks.score(params, jnp.asarray(x, jnp.float32)[:, None])

    return _sigmoid(scores(jax.random.key(seed)))
