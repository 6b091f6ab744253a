"""Two parallel lines: the Wasserstein distance knows how far apart they are, the Jensen-Shannon divergence does not.

    python experiments/reproduce.py parallel_lines               # 3 to 7 minutes

Source: Arjovsky et al., "Wasserstein GAN" (2017), example 1 and figure 1: laws of (0, Z) and (theta, Z), Z ~ U[0, 1]. In
closed form W = |theta|; JS = log 2, both KL infinite, total variation 1 where theta is not 0. The learned half is ours, as the
paper has none: for each theta a WGAN-GP critic (its gap estimates W) and a minimax discriminator (log 2 + V / 2 <= JS, the
paper's own bound, figure 4), both mlp of two hidden layers of 64, 3 seeds.

To be met, U (thresholds proposed before any run): |W' - |theta|| < 0.05 and JS' in [0.65, 0.694] for |theta| in {0.1, 0.5, 1};
the gradient by theta that the critic gives the generator is the sign of theta, give or take 0.1, and the discriminator's by the
minimax loss is 0, give or take 0.001 (this one was added after the first run); the slope of JS' over
|theta| in [0.1, 1] is 0, give or take 0.05. At |theta| = 1 the first is missed by a hair, for a reason: under the paper's
penalty weight of 10 the best critic's gap is |theta| (1 + |theta| / 20), which is measured as well (`theory.penalised_slope`).
"""

import numpy as np

from gan_jax import theory
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

THETAS = (-1.0, -0.75, -0.5, -0.25, -0.1, 0.1, 0.25, 0.5, 0.75, 1.0)
JUDGED = (0.1, 0.5, 1.0)
SEEDS, STEPS, BATCH, WIDTH, TAIL = 3, 3_000, 256, 64, 200
RATES = {"critic": 1e-3, "discriminator": 2e-3}


def measure(smoke: bool) -> dict:
    thetas = np.linspace(-1, 1, 201)
    exact = [theory.parallel_lines(float(theta)) for theta in thetas]
    return {
        "thetas": to_json_value(thetas, 6),
        "wasserstein": [one.wasserstein for one in exact],
        "js": [one.js for one in exact],
        "kl": exact[0].kl,
        "total_variation": [one.total_variation for one in exact],
        "transport": [[theta, *_of_points(theta)] for theta in (-0.7, -0.1, 0.0, 0.3, 1.0)],
        "learned": _learned((-0.5, 0.5), 1, 150) if smoke else _learned(THETAS, SEEDS, STEPS),
    }


def claims(numbers: dict) -> list[Claim]:
    points = np.array(numbers["transport"])
    js = np.where(points[:, 0] == 0, 0.0, np.log(2))
    found = [
        Claim.close_to(
            "W - |θ|, exact transport of 200 points",
            points[:, 1] - np.abs(points[:, 0]),
            0,
            1e-9,
            "0",
            smoke=True,
        ),
        Claim.close_to(
            "JS - log 2 (0 at θ = 0), histograms of 200 points",
            points[:, 2] - js,
            0,
            1e-9,
            "0",
            smoke=True,
        ),
    ]
    for name, column in (("wasserstein", 1), ("js", 2)):
        closed = np.interp(points[:, 0], numbers["thetas"], numbers[name])
        off = points[:, column] - closed
        found.append(
            Claim.close_to(f"{name}: closed form against points", off, 0, 1e-9, "0", smoke=True)
        )
    rows = numbers["learned"]
    steep = theory.penalised_slope(1.0)
    note = f"the penalty of weight 10 lets the critic's slope exceed 1: the best is 1 + |θ| / 20, {steep:g} at |θ| = 1"
    best = [row["gap"] - theory.penalised_slope(row["theta"]) * abs(row["theta"]) for row in rows]
    found.append(
        Claim.close_to(
            "critic's gap - the best under the penalty, |θ| (1 + |θ| / 20)", best, 0, 0.01, "0"
        )
    )
    for size in JUDGED:
        of = [row for row in rows if abs(row["theta"]) == size]
        gaps = [row["gap"] for row in of]
        why = note if size == 1 else ""
        found.append(
            Claim.close_to(
                f"|θ| = {size:g}: W by the critic's gap, both signs", gaps, size, 0.05, note=why
            )
        )
        bounds = tuple(row["js"] for row in of)
        found.append(
            Claim(
                f"|θ| = {size:g}: JS by the discriminator's bound",
                bounds,
                "log 2 = 0.6931",
                0.65,
                0.694,
            )
        )
    slopes = [row["slope"] * np.sign(row["theta"]) for row in rows]
    found.append(
        Claim.close_to(
            "generator's gradient by θ from the critic, times sign θ", slopes, 1, 0.1, "1"
        )
    )
    still = [row["minimax_slope"] for row in rows]
    found.append(
        Claim.close_to(
            "generator's gradient by θ from the discriminator, minimax loss", still, 0, 1e-3, "0"
        )
    )
    flat = (
        np.polyfit([abs(row["theta"]) for row in rows], [row["js"] for row in rows], 1)[0]
        if len(rows) > 2
        else np.nan
    )
    found.append(Claim.close_to("slope of the learned JS over |θ|", flat, 0, 0.05, "0"))
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(1, 2, (5.2, 3.8))
    thetas, rows = np.array(numbers["thetas"]), numbers["learned"]
    seeds = max(row["seed"] for row in rows) + 1
    at = [row["theta"] for row in rows]
    left, right = axes[0]
    left.plot(
        thetas, numbers["wasserstein"], color="tab:blue", linewidth=4, alpha=0.35, label="W = |θ|"
    )
    left.plot(
        at,
        [row["gap"] for row in rows],
        "x",
        color="tab:red",
        label=f"critic's gap (WGAN-GP), {seeds} seeds",
    )
    left.set(xlabel="θ", ylabel="Wasserstein distance", ylim=(-0.05, 1.45))
    left.legend(fontsize=8, loc="upper center")
    js = np.array(numbers["js"])
    middle = len(js) // 2
    for part in (slice(None, middle), slice(middle + 1, None)):
        right.plot(thetas[part], js[part], color="tab:blue", linewidth=4, alpha=0.35)
    right.plot([], [], color="tab:blue", linewidth=4, alpha=0.35, label="JS: log 2, and 0 at θ = 0")
    right.plot(0, 0, "o", color="tab:blue", alpha=0.5)
    right.plot(
        at,
        [row["js"] for row in rows],
        "x",
        color="tab:red",
        label=f"discriminator's bound, {seeds} seeds",
    )
    right.set(xlabel="θ", ylabel="Jensen-Shannon divergence (nats)", ylim=(-0.05, 1.0))
    right.legend(fontsize=8, loc="upper center")
    return drawing


def _of_points(theta: float) -> tuple[float, float]:
    """W and JS between the same 200 heights on both lines, by the metrics that know nothing of lines."""
    from gan_jax import metrics

    heights = (np.arange(200) + 0.5) / 200
    lines = [np.stack([np.full(200, at), heights], axis=1) for at in (0.0, theta)]
    edges = (np.linspace(-1.05, 1.05, 22), np.linspace(0, 1, 11))
    counts = [np.histogram2d(*line.T, bins=edges)[0].ravel() for line in lines]
    return metrics.wasserstein_1(*lines), metrics.js_divergence(*counts)


def _learned(thetas: tuple[float, ...], seeds: int, steps: int) -> list[dict]:
    """For each theta and seed: the critic's gap, its gradient for the generator, and the discriminator's bound on JS."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import Player, adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.theory.fixed_generator import fit_discriminator

    def line(key, n):
        return jnp.stack([jnp.zeros(n), jax.random.uniform(key, (n,))], axis=1)

    widths = (WIDTH, WIDTH)
    networks = mlp(
        (2,),
        discriminator_widths=widths,
        init="he_uniform",
        input_scale=1.0,
        latent_size=1,
        latent="uniform",
    )
    networks = networks._replace(
        latent=lambda key, n: jax.random.uniform(key, (n, 1)),
        generate=lambda theta, latents: jnp.concatenate(
            [jnp.broadcast_to(theta, latents.shape), latents], axis=1
        ),
    )
    games = {
        "critic": {
            "wasserstein": losses.wasserstein(),
            "gradient_penalty": penalties.gradient_penalty(10.0),
        },
        "discriminator": {"minimax": losses.minimax()},
    }
    pairs = [(theta, seed) for theta in thetas for seed in range(seeds)]
    at = jnp.array([theta for theta, _ in pairs], jnp.float32)
    keys = jax.vmap(jax.random.key)(jnp.array([seed for _, seed in pairs], jnp.uint32))
    values, slopes = {}, {}
    for name, terms in games.items():
        objective = adversarial(networks, terms)
        optimizer = optax.adam(optax.cosine_decay_schedule(RATES[name], steps), b1=0.5, b2=0.9)

        def fit(theta, key, objective=objective, optimizer=optimizer):
            params = networks.init(key)[1]
            params, metrics = fit_discriminator(
                objective, optimizer, params, theta, line, key, batch_size=BATCH, steps=steps
            )
            batch = {"real": line(jax.random.fold_in(key, 1), 4096)}
            gradient = jax.grad(lambda t: objective.generator(t, Player(params), batch, key)[0])(
                theta
            )
            return metrics, gradient

        metrics, gradient = jax.jit(jax.vmap(fit))(at, keys)
        loss = metrics["discriminator/wasserstein" if name == "critic" else "discriminator/minimax"]
        values[name], slopes[name] = (
            -np.asarray(loss, float)[:, -TAIL:].mean(1),
            np.asarray(gradient, float),
        )
    return [
        {"theta": theta, "seed": seed, "gap": values["critic"][i], "slope": slopes["critic"][i],
         "js": np.log(2) + values["discriminator"][i] / 2, "minimax_slope": slopes["discriminator"][i]}
        for i, (theta, seed) in enumerate(pairs)
    ]  # fmt: skip
