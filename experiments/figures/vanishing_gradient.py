"""The better the discriminator, the smaller the saturating generator's gradient; not so a critic's.

    python experiments/reproduce.py vanishing_gradient           # 3 to 5 minutes

Source: Arjovsky and Bottou, "Towards Principled Methods for Training GANs" (2017), figures 2 and 3,
theorem 2.4, in a form with two Gaussians (the paper has a DCGAN on images; it speaks of 5 orders of
magnitude within 4000 steps "in the best case"). The generator x = m + s z is fixed at N(2, s^2),
data are N(-2, s^2); a fresh discriminator, mlp with two hidden layers of 64, is trained for 4000
steps, Adam 1e-3, 3 seeds; the norm of the generator's gradient by (m, s) is taken on 4096 latents.
s in {1, 0.5, 0.25}: the less the two overlap, the further it falls. The dashed line is where the
optimal discriminator leaves it, by quadrature; at s = 0.5 a trained one goes below, because batches
of 256 hardly ever hold a sample of the overlap.

To be met at s = 0.25, U (set before the first run): the gradient of log(1 - D) falls by 3 orders or
more; that of -log D does not fall; that of the WGAN-GP critic stays within a factor of 10. At s = 1
the first ends at that of the optimal discriminator, within a factor of 1.5.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_jax.game import Term

DISTANCE, STDS = 4.0, (1.0, 0.5, 0.25)
SEEDS, STEPS, BATCH, WIDTH, SHOWN = 3, 4_000, 256, 64, 20
NAMES = {
    "minimax": "log(1 - D), saturating",
    "non_saturating": "-log D",
    "wasserstein": "critic, WGAN-GP",
}
_COLOURS = {"minimax": page.VERMILLION, "non_saturating": page.BLUE, "wasserstein": page.PURPLE}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Returns norms of the generator's gradient while discriminators are trained."""
    seeds, steps = (1, 100) if smoke else (SEEDS, STEPS)
    return {
        "steps": list(range(0, steps, SHOWN)),
        "norms": {f"{std:g}": _norms(std, seeds, steps) for std in STDS},
        "optimal": {f"{std:g}": optimal_norm(std) for std in STDS},
    }


def optimal_norm(std: float) -> float:
    """Computes ``|grad_(m, s) E_z log(1 - D*(m + s z))|`` by quadrature.

    D* = sigmoid(-a x), a = 4 / s^2. The derivative by m is E D*(x) a, by s it is E D*(x) a z, where
    x = 2 + s z.
    """
    slope = DISTANCE / std**2
    grid = theory.grid(-40, 40, 800)
    log_density = theory.gaussian()(grid.points)
    log_answers = -np.logaddexp(0, slope * (DISTANCE / 2 + std * grid.points))
    terms = grid.weights * np.exp(log_density + log_answers) * slope
    return float(np.hypot(terms.sum(), terms @ grid.points))


def _norms(std: float, seeds: int, steps: int) -> dict[str, list[list[float]]]:
    """Returns the norm of the generator's gradient every few steps, by objective and seed."""
    return {name: _norms_of(terms, std, seeds, steps) for name, terms in _games().items()}


def _games() -> "dict[str, dict[str, Term]]":
    from gan_jax.objectives import losses, penalties

    return {
        "minimax": {"minimax": losses.minimax()},
        "non_saturating": {"non_saturating": losses.non_saturating()},
        "wasserstein": {
            "wasserstein": losses.wasserstein(),
            "gradient_penalty": penalties.gradient_penalty(10.0),
        },
    }


def _norms_of(terms: "dict[str, Term]", std: float, seeds: int, steps: int) -> list[list[float]]:
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import Player, adversarial
    from gan_jax.networks import mlp
    from gan_jax.theory.fixed_generator import fit_discriminator

    networks = mlp(
        (1,), discriminator_widths=(WIDTH, WIDTH), init="he_uniform", input_scale=1.0, latent_size=1
    )
    networks = networks._replace(generate=lambda params, latents: params[0] + params[1] * latents)
    generator = jnp.array([DISTANCE / 2, std])
    objective, optimizer = adversarial(networks, terms), optax.adam(1e-3, b1=0.5, b2=0.9)

    def draw_real(key: jax.Array, n: int) -> jax.Array:
        return -DISTANCE / 2 + std * jax.random.normal(key, (n, 1))

    def train(key: jax.Array) -> jax.Array:
        def measure_norm(params: Any, _: jax.Array) -> dict[str, jax.Array]:
            batch = {"real": jnp.zeros((4096, 1))}  # the generator's gradient does not depend on it

            def generator_loss(generator: jax.Array) -> jax.Array:
                return objective.generator(generator, Player(params), batch, key)[0]

            return {"norm": optax.global_norm(jax.grad(generator_loss)(generator))}

        _, history = fit_discriminator(
            objective,
            optimizer,
            networks.init(key)[1],
            generator,
            draw_real,
            key,
            batch_size=BATCH,
            steps=steps,
            measure=measure_norm,
            measure_every=SHOWN,
        )
        return history["norm"]

    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    norms = np.asarray(jax.jit(jax.vmap(train))(keys), float)
    return [to_json_value(of_seed, 5) for of_seed in norms]


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about how far the gradients fall."""
    far, near = numbers["norms"]["0.25"], numbers["norms"]["1"]
    optimal = numbers["optimal"]["1"]
    return [
        Claim(
            "s = 0.25: log(1 - D), orders of magnitude fallen",
            measured=_orders_fallen(far["minimax"]),
            published="up to 5, in the best case",
            low=3,
            high=None,
        ),
        Claim(
            "s = 0.25: -log D, orders fallen",
            measured=_orders_fallen(far["non_saturating"]),
            published="does not fall",
            low=None,
            high=0.1,
        ),
        Claim(
            "s = 0.25: critic, largest over least gradient",
            measured=tuple(float(max(norms) / min(norms)) for norms in far["wasserstein"]),
            published="stays, < 10",
            low=1,
            high=10,
        ),
        Claim(
            "s = 1: log(1 - D) over that of D*",
            measured=tuple(_last(norms) / optimal for norms in near["minimax"]),
            published=f"1 ({optimal:.3g})",
            low=1 / 1.5,
            high=1.5,
        ),
    ]


def _orders_fallen(of_seeds: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(float(np.log10(norms[0] / _last(norms))) for norms in of_seeds)


def _last(norms: Sequence[float]) -> float:
    return float(np.median(norms[-10:]))


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the norms of the gradients for each standard deviation."""
    figure, axes = page.panels(1, len(STDS), 3.0, sharey=True)
    for ax, std in zip(axes[0], STDS, strict=True):
        key = f"{std:g}"
        for name, of_seeds in numbers["norms"][key].items():
            for norms in of_seeds:
                ax.semilogy(numbers["steps"], norms, color=_COLOURS[name], linewidth=0.9, alpha=0.8)
            ax.plot([], [], color=_COLOURS[name], label=f"{NAMES[name]}, {len(of_seeds)} seeds")
        optimal = numbers["optimal"][key]
        if optimal > 1e-12:
            style = {"color": page.VERMILLION, "linestyle": "--", "linewidth": 1}
            ax.axhline(optimal, label="log(1 - D) at D*", **style)
        ax.set(xlabel="discriminator steps", ylim=(1e-12, 1e2))
        ax.set_title(f"N(±2, {key}²)")
    axes[0, 0].set_ylabel("norm of the generator's gradient")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2)
    page.letter(axes[0])
    return figure
