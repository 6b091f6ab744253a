"""The better the discriminator, the smaller the saturating generator's gradient; a critic's stays as it is.

    python experiments/reproduce.py vanishing_gradient           # 3 to 5 minutes

Source: Arjovsky and Bottou, "Towards Principled Methods for Training GANs" (2017), figures 2 and 3, theorem 2.4, in a form of
two Gaussians (the paper has a DCGAN on images; it speaks of 5 orders of magnitude within 4000 steps "in the best case"). The
generator x = m + s z stands still at N(2, s^2), data are N(-2, s^2); a fresh discriminator, mlp of two hidden layers of 64,
is trained for 4000 steps, Adam 1e-3, 3 seeds; the norm of the generator's gradient by (m, s) is taken on 4096 latents.
s in {1, 0.5, 0.25}: the less the two overlap, the further it falls. The dashed line is where the optimal discriminator leaves
it, by quadrature; at s = 0.5 a trained one goes below, as batches of 256 hardly ever hold a sample of the overlap.

To be met at s = 0.25, U (set before the first run): the gradient of log(1 - D) falls by 3 orders or more; that of -log D does
not fall; that of the WGAN-GP critic stays within a factor of 10. At s = 1 the first ends at the optimal discriminator's,
within a factor of 1.5.
"""

import numpy as np

from gan_jax import theory
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

DISTANCE, STDS = 4.0, (1.0, 0.5, 0.25)
SEEDS, STEPS, BATCH, WIDTH, SHOWN = 3, 4_000, 256, 64, 20
NAMES = {
    "minimax": "log(1 - D), saturating",
    "non_saturating": "-log D",
    "wasserstein": "critic, WGAN-GP",
}
COLOURS = {"minimax": "tab:red", "non_saturating": "tab:blue", "wasserstein": "tab:purple"}


def measure(smoke: bool) -> dict:
    seeds, steps = (1, 100) if smoke else (SEEDS, STEPS)
    return {
        "steps": list(range(0, steps, SHOWN)),
        "norms": {f"{std:g}": _norms(std, seeds, steps) for std in STDS},
        "optimal": {f"{std:g}": optimal_norm(std) for std in STDS},
    }


def claims(numbers: dict) -> list[Claim]:
    near, far = numbers["norms"]["1"], numbers["norms"]["0.25"]
    orders = lambda of: tuple(float(np.log10(_first(one) / _last(one))) for one in of)
    found = [
        Claim(
            "s = 0.25: log(1 - D), orders of magnitude fallen",
            orders(far["minimax"]),
            "up to 5, in the best case",
            3,
            None,
        ),
        Claim(
            "s = 0.25: -log D, orders fallen",
            orders(far["non_saturating"]),
            "does not fall",
            None,
            0.1,
        ),
    ]
    spans = tuple(float(max(one) / min(one)) for one in far["wasserstein"])
    found.append(
        Claim("s = 0.25: critic, largest over least gradient", spans, "stays, < 10", 1, 10)
    )
    optimal = numbers["optimal"]["1"]
    ratios = tuple(_last(one) / optimal for one in near["minimax"])
    found.append(
        Claim("s = 1: log(1 - D) over that of D*", ratios, f"1 ({optimal:.3g})", 1 / 1.5, 1.5)
    )
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(1, len(STDS), (4.4, 3.8))
    for ax, std in zip(axes[0], STDS, strict=True):
        key = f"{std:g}"
        for name, of in numbers["norms"][key].items():
            for norms in of:
                ax.semilogy(numbers["steps"], norms, color=COLOURS[name], linewidth=0.9, alpha=0.8)
            ax.plot([], [], color=COLOURS[name], label=f"{NAMES[name]}, {len(of)} seeds")
        optimal = numbers["optimal"][key]
        if optimal > 1e-12:
            ax.axhline(
                optimal, color="tab:red", linestyle="--", linewidth=1, label="log(1 - D) at D*"
            )
        ax.set(
            xlabel="discriminator's steps",
            title=f"N(-2, {key}²) and N(2, {key}²)",
            ylim=(1e-12, 3e4),
        )
    axes[0, 0].set_ylabel("norm of the generator's gradient")
    axes[0, 0].legend(fontsize=8, loc="lower left")
    return drawing


def optimal_norm(std: float) -> float:
    """``|grad_(m, s) E_z log(1 - D*(m + s z))|`` at D* = sigmoid(-a x), a = 4 / s^2, by quadrature.

    The derivative by m is E D*(x) a, by s it is E D*(x) a z, x = 2 + s z.
    """
    slope = DISTANCE / std**2
    on = theory.grid(-40, 40, 800)
    density, answers = (
        theory.gaussian()(on.points),
        -np.logaddexp(0, slope * (DISTANCE / 2 + std * on.points)),
    )
    terms = on.weights * np.exp(density + answers) * slope
    return float(np.hypot(terms.sum(), terms @ on.points))


def _first(norms: list[float]) -> float:
    return float(norms[0])


def _last(norms: list[float]) -> float:
    return float(np.median(norms[-10:]))


def _norms(std: float, seeds: int, steps: int) -> dict[str, list[list[float]]]:
    """The gradient's norm every few steps, by objective and seed."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import Player, adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = mlp(
        (1,), discriminator_widths=(WIDTH, WIDTH), init="he_uniform", input_scale=1.0, latent_size=1
    )
    networks = networks._replace(generate=lambda params, latents: params[0] + params[1] * latents)
    generator = jnp.array([DISTANCE / 2, std])
    games = {
        "minimax": {"minimax": losses.minimax()},
        "non_saturating": {"non_saturating": losses.non_saturating()},
        "wasserstein": {
            "wasserstein": losses.wasserstein(),
            "gradient_penalty": penalties.gradient_penalty(10.0),
        },
    }
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    real = lambda key, n: -DISTANCE / 2 + std * jax.random.normal(key, (n, 1))
    found = {}
    for name, terms in games.items():
        objective, optimizer = adversarial(networks, terms), optax.adam(1e-3, b1=0.5, b2=0.9)

        def fit(key, objective=objective, optimizer=optimizer):
            def measure(params, _):
                batch = {"real": jnp.zeros((4096, 1))}  # the generator's gradient does not see them
                gradient = jax.grad(
                    lambda own: objective.generator(own, Player(params), batch, key)[0]
                )(generator)
                return {"norm": optax.global_norm(gradient)}

            params = networks.init(key)[1]
            settings = {"batch_size": BATCH, "steps": steps, "measure": measure, "measure_every": SHOWN}
            return fit_discriminator(
                objective, optimizer, params, generator, real, key, **settings
            )[1]["norm"]

        found[name] = [
            to_json_value(norms, 5) for norms in np.asarray(jax.jit(jax.vmap(fit))(keys), float)
        ]
    return found
