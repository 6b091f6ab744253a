"""Gradients in a critic of 12 hidden layers explode or vanish under clipping, not under a penalty.

    python experiments/reproduce.py deep_critic_gradients        # 40 to 90 minutes; resumable

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), figure 1b and section 3.
WGANs on the Swiss roll, both networks with 12 hidden layers, ReLU and no normalisation; clipping at
0.1, 0.01 and 0.001 with RMSProp 5e-5, the penalty of weight 10 with Adam 1e-4 (0.5, 0.9). The paper
gives no width, batch size or number of steps: width 128, batches of 256 and 1000 steps of 5
discriminator steps each are our choice, and He initialisation is that of their code. Shown is the
norm of the gradient of f(fake) - f(real) by the activations of each layer: the root of its mean
square over 512 samples, which is 1 at the output by definition; layer 13 is the output. Logarithms
are to base 10.

To be met, A10, U (set before the first run), 3 seeds, by the mean of the last quarter of training:
the slope of the logarithm over the hidden layers, towards the input, above 0.5 per layer at c = 0.1
and within 0.2 of 0 for the penalty.

Clipping has its effect from the first step on: He's weights are wider than the bounds, and kernels
of n inputs with weights +-c behind ReLUs scale a gradient by c sqrt(n / 2) per layer, which is
-1.10 and -2.10 per layer for 0.01 and 0.001 with our width. Three claims that were set before the
first run held before any training, and are no longer judged: a slope below -0.5 at 0.001, 80% of
the weights at the bounds for c = 0.01, and a penalty's spread of weights 5 times as wide. In their
place, set after the runs: slopes at 0.01 and 0.001 within 0.1 of c sqrt(n / 2), as signal
propagation says; and for the two spikes, a share of weights at the bounds at least one percentage
point above that of the initial weights, which 1,000 steps at this rate do not reach.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _he_uniform import share_beyond, spread

from gan_jax import reproduction
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    import jax
    import optax
    from matplotlib.figure import Figure

    from gan_jax.game import Term

DEPTH, WIDTH, BATCH, DISCRIMINATOR_STEPS, POOL = 12, 128, 256, 5, 100_000
SEEDS, STEPS, LOOKS = 3, 1_000, 20
BOUNDS, PENALTY = (1e-1, 1e-2, 1e-3), 10.0
WINDOWS = {"c = 0.01": 0.02, "penalty": 0.5}
"""Half the widths of the histograms of weights, as in the paper."""

_COLOURS = {
    "c = 0.1": page.VERMILLION,
    "c = 0.01": page.ORANGE,
    "c = 0.001": page.PURPLE,
    "penalty": page.BLUE,
}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool, folder: Path) -> dict[str, Any]:
    """Trains critics under clipping and under the penalty, one row per bound and seed."""
    if smoke:
        settings: dict[str, Any] = {"seeds": (0,), "steps": 4, "looks": 2}
    else:
        settings = {"seeds": tuple(range(SEEDS)), "steps": STEPS, "looks": LOOKS}
    rows = []
    for name, bounds in {"clipping": BOUNDS, "penalty": (None,)}.items():
        print(f"{name}: {settings['steps']} steps, {len(settings['seeds'])} seeds", flush=True)
        rows += reproduction.cached(
            folder / f"{name}.json",
            settings | {"bounds": bounds, "width": WIDTH, "batch": BATCH},
            functools.partial(train_critics, bounds, **settings),
        )
    return {"rows": rows}


def train_critics(
    bounds: tuple[float | None, ...], seeds: tuple[int, ...], steps: int, looks: int
) -> list[dict[str, Any]]:
    """Trains one critic per bound and seed, all in one program.

    Args:
      bounds: of the clipped weights; ``(None,)`` stands for the penalty.
      seeds: the seeds of each.
      steps: generator updates.
      looks: how often the norms are measured.

    Returns:
      A row per bound and seed: the norms at each look, and facts about the weights at the end.
    """
    import jax
    import jax.numpy as jnp

    train = _training(steps, looks)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    if bounds == (None,):
        outcomes = jax.tree.map(lambda leaf: leaf[None], jax.jit(jax.vmap(train))(keys))
    else:
        over_seeds = lambda bound: jax.vmap(lambda key: train(key, bound))(keys)
        outcomes = jax.jit(jax.vmap(over_seeds))(jnp.array(bounds))
    all_norms, all_weights = jax.tree.map(lambda leaf: np.asarray(leaf, float), outcomes)
    look_steps = list(range(steps // looks, steps + 1, steps // looks))
    rows = []
    for i, bound in enumerate(bounds):
        name = f"c = {bound:g}" if bound else "penalty"
        for j, seed in enumerate(seeds):
            weights = all_weights[i, j]
            row = {
                "name": name,
                "seed": seed,
                "steps": look_steps,
                "norms": [to_json_value(norms, 5) for norms in all_norms[i, j]],
                "spread": float(weights.std()),
                "bound": None,
            }
            if bound:
                row["bound"] = float(np.mean(np.abs(weights) >= bound * (1 - 1e-6)))
            if seed == seeds[0] and name in WINDOWS:
                edges = np.linspace(-WINDOWS[name], WINDOWS[name], 61)
                row["histogram"] = np.histogram(weights, edges)[0].tolist()
            rows.append(row)
    return rows


def _training(steps: int, looks: int) -> Callable[..., Any]:
    """Returns the training of one critic, ``(key, bound) -> norms [looks, 13], hidden weights``."""
    import jax
    import jax.numpy as jnp

    from gan_jax import data
    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.training import alternating, init_state

    widths = (WIDTH,) * DEPTH
    networks = mlp(
        (2,),
        latent_size=2,
        generator_widths=widths,
        discriminator_widths=widths,
        init="he_uniform",
        input_scale=1.0,
    )
    pool = data.swiss_roll().draw(0, np.arange(POOL))["real"]
    report_progress = reproduction.progress_callback(steps, steps // looks)

    def train(key: Any, bound: Any = None) -> Any:
        terms, generator_optimizer, discriminator_optimizer = _game(bound)
        train_step = alternating(
            adversarial(networks, terms), generator_optimizer, discriminator_optimizer
        )
        init_key, draw_key, run_key = jax.random.split(key, 3)

        def step(state: Any, _: Any) -> Any:
            indices = jax.random.randint(
                jax.random.fold_in(draw_key, state.step), (DISCRIMINATOR_STEPS, BATCH), 0, POOL
            )
            return train_step(state, {"real": pool[indices]}, run_key)[0], None

        def look(state: Any, _: Any) -> Any:
            report_progress()
            state, _ = jax.lax.scan(step, state, length=steps // looks)
            latents = networks.latent(jax.random.fold_in(draw_key, state.step + steps), BATCH)
            fake = networks.generate(state.generator.params, latents)
            samples = jnp.concatenate([pool[:BATCH], fake])
            return state, log_norms(state.discriminator.params, samples)

        state = init_state(networks, generator_optimizer, discriminator_optimizer, init_key)
        state, norms = jax.lax.scan(look, state, length=looks)
        return norms, _hidden_weights(state.discriminator.params)

    return train


def _game(
    bound: Any,
) -> "tuple[dict[str, Term], optax.GradientTransformation, optax.GradientTransformation]":
    """Returns the terms and both optimizers for clipping at a bound, or for the penalty (None)."""
    import optax

    from gan_jax.objectives import losses, penalties
    from gan_jax.training import optimizers

    terms = {"wasserstein": losses.wasserstein()}
    if bound is None:
        adam = optax.adam(1e-4, b1=0.5, b2=0.9)
        return terms | {"penalty": penalties.gradient_penalty(PENALTY)}, adam, adam
    # As in TensorFlow, the mean square starts at 1.
    rmsprop = optax.rmsprop(5e-5, decay=0.9, eps=1e-10, initial_scale=1.0)
    return terms, rmsprop, optax.chain(rmsprop, optimizers.clip_weights(bound))


def _hidden_weights(params: Any) -> "jax.Array":
    """Returns the weights of all hidden kernels, as one vector."""
    import jax
    import jax.numpy as jnp

    leaves = jax.tree.leaves(params["params"]["hidden"])
    return jnp.concatenate([leaf.ravel() for leaf in leaves if leaf.ndim == 2])


def log_norms(params: Any, samples: "jax.Array") -> "jax.Array":
    """Measures the gradients of the score by the activations of each layer.

    Args:
      params: the critic's.
      samples: ``[n, 2]``.

    Returns:
      ``log10`` of the root of the mean square over samples of ``|d f / d activations|``, for layers
      1, ..., 13: ``[13]``.
    """
    import jax
    import jax.numpy as jnp

    hidden, head = params["params"]["hidden"], params["params"]["head"]["score"]

    def score(shifts: Any, x: jax.Array) -> jax.Array:
        for i in range(DEPTH):
            layer = hidden[f"dense_{i}"]
            x = jax.nn.relu(x @ layer["kernel"] + layer["bias"]) + shifts[i]
        return (x @ head["kernel"] + head["bias"])[0]

    zero = [jnp.zeros(WIDTH)] * DEPTH
    gradients = jax.vmap(lambda x: jax.grad(score)(zero, x))(samples)
    # Squares of 1e-25 are below float32's range, so each layer is measured in units of its maximum.
    units = [jnp.maximum(jnp.max(jnp.abs(layer)), 1e-37) for layer in gradients]
    logarithms = []
    for layer, unit in zip(gradients, units, strict=True):
        mean_square = jnp.mean(jnp.sum(jnp.square(layer / unit), 1))
        logarithms.append(jnp.log10(unit) + jnp.log10(mean_square) / 2)
    return jnp.stack([*logarithms, jnp.zeros(())])


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about slopes, weights at the bounds, and the spread of weights."""

    def values_of(name: str, key: str) -> tuple[float, ...]:
        return tuple(row[key] for row in numbers["rows"] if row["name"] == name)

    def slopes_of(name: str) -> tuple[float, ...]:
        return tuple(late_slope(row["norms"]) for row in numbers["rows"] if row["name"] == name)

    widths = (2, *(WIDTH,) * DEPTH)
    initial_share = share_beyond(BOUNDS[1], widths)
    spreads = zip(values_of("penalty", "spread"), values_of("c = 0.01", "spread"), strict=True)
    return [
        Claim(
            "c = 0.1: slope per layer of log10 |gradient|",
            measured=slopes_of("c = 0.1"),
            published="grows exponentially",
            low=0.5,
            high=None,
        ),
        *(
            Claim.close_to(
                f"c = {bound:g}: slope per layer",
                slopes_of(f"c = {bound:g}"),
                slope_of_bound(bound),
                tolerance=0.1,
                published=f"decays exponentially; log10(c sqrt(width / 2)) = "
                f"{slope_of_bound(bound):.2f}",
                note="so from the first step on; the band was set after the runs",
            )
            for bound in BOUNDS[1:]
        ),
        Claim(
            "penalty: slope per layer",
            measured=slopes_of("penalty"),
            published="flat",
            low=-0.2,
            high=0.2,
        ),
        Claim(
            "c = 0.01: share of weights at the bounds, minus that of the initial weights",
            measured=tuple(share - initial_share for share in values_of("c = 0.01", "bound")),
            published="two spikes; asked >= 0.01",
            low=0.01,
            high=None,
            note=f"{initial_share:.1%} of He's weights are beyond the bound before training; "
            "the band was set after the runs",
            why=f"the spikes are those of the initial weights; {STEPS:,} steps add nothing",
        ),
        Claim(
            "penalty's spread of weights (std) over that at c = 0.01",
            measured=tuple(penalty / clipping for penalty, clipping in spreads),
            published="±0.5 against ±0.02 (axes)",
            low=None,
            high=None,
            note=f"not judged: He's initial weights spread by {spread(widths):.3f}, which is "
            f"{spread(widths) / BOUNDS[1]:.3g} times the bound before training",
        ),
    ]


def slope_of_bound(bound: float) -> float:
    """Returns log10 of the factor by which weights of +-``bound`` scale a gradient per layer."""
    return float(np.log10(bound * np.sqrt(WIDTH / 2)))


def late_slope(norms: list[list[float]]) -> float:
    """Returns the slope per hidden layer, towards the input, in the last quarter of training."""
    return slope(late_norms(norms))


def late_norms(norms: list[list[float]]) -> np.ndarray:
    """Returns the mean over the last quarter of training of the logarithms by layer, ``[13]``."""
    mean: np.ndarray = np.array(norms)[-max(1, len(norms) // 4) :].mean(0)
    return mean


def slope(norms: np.ndarray) -> float:
    """Returns the slope per hidden layer, from the output to the input, of logarithms by layer."""
    return float(-np.polyfit(np.arange(DEPTH), norms[:DEPTH], 1)[0])


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws norms by layer, slopes over training, and two histograms of weights."""
    figure, axes = page.panels(2, 2, 4.4)
    by_layer, over_training, *histograms = axes.flat
    rows = numbers["rows"]
    steps = rows[0]["steps"]
    seeds = 1 + max(row["seed"] for row in rows)
    layers = np.arange(DEPTH + 1, 0, -1)
    for row in rows:
        style = {"color": _COLOURS[row["name"]], "linewidth": 1.2, "alpha": 0.8}
        by_layer.plot(layers, late_norms(row["norms"])[::-1], **style)
        over_training.plot(steps, [slope(np.array(norms)) for norms in row["norms"]], **style)
    for name, colour in _COLOURS.items():
        label = f"penalty, weight {PENALTY:g}" if name == "penalty" else f"clipping, {name}"
        by_layer.plot([], [], color=colour, label=label)
    by_layer.invert_xaxis()
    by_layer.set(xlabel="layer (13: the output)", ylabel="log10 |gradient|")
    by_layer.set_title(
        f"last quarter of {steps[-1]:,} steps, width {WIDTH}; {seeds} seeds, one line per seed"
    )
    by_layer.legend()
    for bound in (-0.2, 0.2):
        over_training.axhline(bound, color="0.6", linestyle=":", linewidth=0.9)
    over_training.set(
        xlabel="step",
        ylabel="slope per layer",
    )
    over_training.set_title("dotted: the penalty's band, ±0.2")
    for ax, (name, window) in zip(histograms, WINDOWS.items(), strict=True):
        row = next(row for row in rows if (row["name"], row["seed"]) == (name, 0))
        counts = np.array(row["histogram"], float)
        edges = np.linspace(-window, window, len(counts) + 1)
        ax.stairs(counts / counts.sum(), edges, color=_COLOURS[name], fill=True, alpha=0.6)
        ax.set(xlabel="weight", ylabel="share of hidden weights")
        label = name if name == "penalty" else f"clipping, {name}"
        ax.set_title(f"{label}: at the end, seed 0")
    page.letter(list(axes.flat))
    return figure
