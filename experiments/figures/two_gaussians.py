"""Two Gaussians far apart: the optimal discriminator saturates, the critic is a straight line between them.

    python experiments/reproduce.py two_gaussians                # 1 minute

Source: Arjovsky et al., "Wasserstein GAN" (2017), figure 2, and section 2 on JS against W. The paper gives no parameters; real
N(-2, 0.5^2) and generated N(2, 0.5^2) are ours. Then W = 4, JS = log 2 but for 1e-4, and D* = sigmoid(-16 x). Critic (WGAN-GP)
and discriminator (minimax): mlp of two hidden layers of 64, 3 seeds. Right panel, closed form: W is the distance of the means,
JS soon is flat.

To be met, U (proposed before any run): the critic's gap is 4 +- 5%, its slope between the means -1 +- 0.1; JS' by the
discriminator's bound in [0.68, 0.694]; the slope of log(1 - D) at the generated mean below 0.001, where the critic's is 1.
The first two are missed, and for a reason: with the paper's penalty weight of 10 the best critic's slope is 1 + W / 20 = 1.2
(`theory.penalised_slope`), and its gap 1.2 W = 4.8. Both are measured against that as well.
"""

import numpy as np

from gan_jax import theory
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

REAL, FAKE, STD = -2.0, 2.0, 0.5
SEEDS, STEPS, BATCH, WIDTH, TAIL, PENALTY = 3, 3_000, 256, 64, 200, 10.0


def measure(smoke: bool) -> dict:
    distances = np.linspace(0, 6, 25 if smoke else 61)
    on = theory.grid(-8, 14, 400)
    x = np.linspace(-4, 4, 161)
    pairs = [(theory.gaussian(0, STD), theory.gaussian(float(d), STD)) for d in distances]
    return {
        "distances": to_json_value(distances, 6),
        "wasserstein": [theory.wasserstein_1(p, q, on) for p, q in pairs],
        "js": [theory.js(p, q, on) for p, q in pairs],
        "x": to_json_value(x, 6),
        "learned": _learned(x, 1 if smoke else SEEDS, 150 if smoke else STEPS),
    }


def claims(numbers: dict) -> list[Claim]:
    distances = np.array(numbers["distances"])
    gap = np.abs(np.array(numbers["wasserstein"]) - distances).max()
    js = float(np.interp(FAKE - REAL, distances, numbers["js"]))
    found = [
        Claim.close_to("W - |distance of the means|, quadrature", gap, 0, 2e-3, "0", smoke=True),
        Claim.close_to(
            "JS at distance 4, quadrature", js, np.log(2), 2e-4, "log 2 = 0.6931", smoke=True
        ),
    ]
    rows, x = numbers["learned"], np.array(numbers["x"])
    gaps, far = [row["gap"] for row in rows], FAKE - REAL
    steep = theory.penalised_slope(far, PENALTY)
    note = f"the penalty lets the slope exceed 1: the best is 1 + W / (2 weight) = {steep:g}"
    found.append(Claim.close_to("critic's gap", gaps, far, 0.2, "W = 4", note))
    found.append(
        Claim.close_to(
            "critic's gap, against the best under the penalty",
            gaps,
            steep * far,
            0.05 * far,
            f"{steep * far:g}",
        )
    )
    between = np.abs(x) <= 1.5
    slopes = [np.polyfit(x[between], np.array(row["critic"])[between], 1)[0] for row in rows]
    found.append(Claim.close_to("critic's slope between the means", slopes, -1, 0.1, "-1", note))
    found.append(
        Claim.close_to(
            "critic's slope, against the best under the penalty",
            slopes,
            -steep,
            0.05,
            f"{-steep:g}",
        )
    )
    found.append(
        Claim(
            "JS by the discriminator's bound",
            tuple(row["js"] for row in rows),
            "0.6931",
            0.68,
            0.694,
        )
    )
    found.append(
        Claim(
            "|d log(1 - D) / dx| at the generated mean",
            tuple(row["slope"] for row in rows),
            "vanishing",
            0,
            1e-3,
        )
    )
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(1, 2, (5.6, 3.8))
    left, right = axes[0]
    x, rows = np.array(numbers["x"]), numbers["learned"]
    p, q = theory.gaussian(REAL, STD), theory.gaussian(FAKE, STD)
    left.plot(x, np.exp(p(x)), ":", color="black", label="real, N(-2, 0.5²)")
    left.plot(x, np.exp(q(x)), color="tab:green", label="generated, N(2, 0.5²)")
    left.plot(
        x,
        theory.optimal_discriminator(p, q)(x),
        color="tab:blue",
        linewidth=4,
        alpha=0.35,
        label="D*",
    )
    for row in rows:
        left.plot(x, row["discriminator"], "--", color="tab:red", linewidth=1)
        left.plot(x, row["critic"], color="tab:purple", linewidth=1)
    left.plot([], [], "--", color="tab:red", label=f"GAN's discriminator, {len(rows)} seeds")
    left.plot([], [], color="tab:purple", label=f"WGAN-GP's critic (mean 0), {len(rows)} seeds")
    left.set(xlabel="x", ylabel="density; D(x); f(x)", ylim=(-5.6, 5.6), xlim=(-4, 4))
    left.legend(fontsize=8, loc="upper right")
    right.plot(numbers["distances"], numbers["wasserstein"], color="tab:purple", label="W")
    right.plot(numbers["distances"], numbers["js"], color="tab:red", label="JS (nats)")
    right.axhline(np.log(2), color="0.6", linestyle=":", linewidth=0.9)
    right.text(6, np.log(2) + 0.1, "log 2", ha="right", fontsize=9)
    right.set(
        xlabel="distance of the means, standard deviation 0.5",
        ylabel="distance of the distributions",
    )
    right.legend(fontsize=9, loc="upper left")
    return drawing


def _learned(x: np.ndarray, seeds: int, steps: int) -> list[dict]:
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.theory.fixed_generator import fit_discriminator

    widths = (WIDTH, WIDTH)
    networks = mlp(
        (1,), discriminator_widths=widths, init="he_uniform", input_scale=1.0, latent_size=1
    )
    networks = networks._replace(generate=lambda params, latents: FAKE + STD * latents)
    games = {
        "critic": {
            "wasserstein": losses.wasserstein(),
            "gradient_penalty": penalties.gradient_penalty(PENALTY),
        },
        "discriminator": {"minimax": losses.minimax()},
    }
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    points, found = jnp.asarray(x, jnp.float32)[:, None], {}
    real = lambda key, n: REAL + STD * jax.random.normal(key, (n, 1))
    for name, terms in games.items():
        objective = adversarial(networks, terms)
        optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, steps), b1=0.5, b2=0.9)

        def fit(key, objective=objective, optimizer=optimizer):
            params = networks.init(key)[1]
            params, metrics = fit_discriminator(
                objective, optimizer, params, (), real, key, batch_size=BATCH, steps=steps
            )
            score = lambda where: networks.score(params, where[None, None])[0]
            loss = lambda where: -jax.nn.softplus(score(where))  # log(1 - D)
            return (
                metrics,
                networks.score(params, points),
                jnp.abs(jax.grad(loss)(jnp.float32(FAKE))),
            )

        found[name] = jax.tree.map(
            lambda leaf: np.asarray(leaf, float), jax.jit(jax.vmap(fit))(keys)
        )
    gaps = -found["critic"][0]["discriminator/wasserstein"][:, -TAIL:].mean(1)
    values = -found["discriminator"][0]["discriminator/minimax"][:, -TAIL:].mean(1)
    return [
        {"seed": seed, "gap": gaps[seed], "js": np.log(2) + values[seed] / 2, "slope": found["discriminator"][2][seed],
         "critic": to_json_value(found["critic"][1][seed] - found["critic"][1][seed].mean(), 5),
         "discriminator": to_json_value(1 / (1 + np.exp(-found["discriminator"][1][seed])), 5)}
        for seed in range(seeds)
    ]  # fmt: skip
