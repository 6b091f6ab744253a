"""Gradients through a critic of 12 hidden layers: under weight clipping they explode or vanish, under a penalty they do not.

    python experiments/reproduce.py deep_critic_gradients        # 40 minutes to 1.5 hours; keeps its parts

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), figure 1b and section 3. WGANs on the Swiss roll, both
networks of 12 hidden layers with ReLU and no normalisation; clipping at 0.1, 0.01 and 0.001 with RMSProp 5e-5, the penalty of
weight 10 with Adam 1e-4 (0.5, 0.9). The paper gives no width, batch and number of steps: 128, 256 and 1000 of 5 discriminator steps each are
ours, and He initialisation is their code's. Shown is the norm of the gradient of f(fake) - f(real) by each layer's
activations, the root of its mean square over 512 samples, at the output 1 by definition; layer 13 is the output. Logarithms
are to base 10.

To be met, A10, U (set before the first run), 3 seeds, by the mean of the last quarter of training: the logarithm's slope over
the hidden layers, towards the input, above 0.5 a layer at c = 0.1 and below -0.5 at 0.001, and within 0.2 of 0 for the
penalty. Of the hidden kernels' weights 80% or more are at the bounds for c = 0.01 (two spikes), and the penalty's spread is 5
times as wide or more.

What clipping does is there from the first step on: He's weights are wider than the bounds, and kernels of n inputs with weights
+-c behind ReLUs scale a gradient by c sqrt(n / 2) a layer, which is -1.10 and -2.10 a layer for 0.01 and 0.001 with our width.
"""

import functools
from pathlib import Path

import numpy as np

from gan_jax import reproduction
from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

DEPTH, WIDTH, BATCH, DISCRIMINATOR_STEPS, POOL = 12, 128, 256, 5, 100_000
SEEDS, STEPS, LOOKS = 3, 1_000, 20
BOUNDS, PENALTY = (1e-1, 1e-2, 1e-3), 10.0
FROM_THE_START = "so from the first step on: He's weights are wider than the bound"
WINDOWS = {"c = 0.01": 0.02, "penalty": 0.5}  # of the histograms, as in the paper
COLOURS = {
    "c = 0.1": "tab:red",
    "c = 0.01": "tab:orange",
    "c = 0.001": "tab:brown",
    "penalty": "tab:blue",
}


def measure(smoke: bool, folder: Path) -> dict:
    settings = (
        {"seeds": (0,), "steps": 4, "looks": 2}
        if smoke
        else {"seeds": tuple(range(SEEDS)), "steps": STEPS, "looks": LOOKS}
    )
    found = []
    for name, bounds in {"clipping": BOUNDS, "penalty": (None,)}.items():
        make = functools.partial(rows, bounds, **settings)
        print(f"{name}: {settings['steps']} steps, {len(settings['seeds'])} seeds", flush=True)
        found += reproduction.cached(
            folder / f"{name}.json",
            settings | {"bounds": bounds, "width": WIDTH, "batch": BATCH},
            make,
        )
    return {"rows": found}


def claims(numbers: dict) -> list[Claim]:
    slopes = lambda name: tuple(
        slope(row["norms"]) for row in numbers["rows"] if row["name"] == name
    )
    spread = {
        name: [row["spread"] for row in numbers["rows"] if row["name"] == name] for name in COLOURS
    }
    at_bound = tuple(row["bound"] for row in numbers["rows"] if row["name"] == "c = 0.01")
    wider = tuple(a / b for a, b in zip(spread["penalty"], spread["c = 0.01"], strict=True))
    return [
        Claim(
            "c = 0.1: slope a layer of log10 |gradient|",
            slopes("c = 0.1"),
            "grows exponentially",
            0.5,
            None,
        ),
        Claim(
            "c = 0.01: slope a layer",
            slopes("c = 0.01"),
            "decays, less than at 0.001",
            None,
            None,
            of_width(0.01),
        ),
        Claim(
            "c = 0.001: slope a layer",
            slopes("c = 0.001"),
            "decays exponentially",
            None,
            -0.5,
            of_width(0.001),
        ),
        Claim("penalty: slope a layer", slopes("penalty"), "flat", -0.2, 0.2),
        Claim(
            "c = 0.01: share of weights at the bounds",
            at_bound,
            "two spikes",
            0.8,
            1,
            FROM_THE_START,
        ),
        Claim(
            "penalty's spread of weights (std) over that at c = 0.01",
            wider,
            "±0.5 against ±0.02 (axes)",
            5,
            None,
            FROM_THE_START,
        ),
    ]


def draw(numbers: dict):
    drawing, axes = plots.figure(1, 4, (3.9, 3.6))
    layers = np.arange(DEPTH + 1, 0, -1)
    seeds = 1 + max(row["seed"] for row in numbers["rows"])
    for row in numbers["rows"]:
        axes[0, 0].plot(
            layers, _late(row["norms"])[::-1], color=COLOURS[row["name"]], linewidth=1.2, alpha=0.8
        )
    for name, colour in COLOURS.items():
        label = f"clipping, {name}" if name != "penalty" else f"penalty, weight {PENALTY:g}"
        axes[0, 0].plot([], [], color=colour, label=label)
    axes[0, 0].invert_xaxis()
    axes[0, 0].set(xlabel="layer (13: the output)", ylabel="log10 |gradient by activations|")
    axes[0, 0].set_title(f"{seeds} seeds, a line each; width {WIDTH}, {numbers['rows'][0]['steps'][-1]:,} steps (the paper\n"
                         "gives neither); mean of the last quarter of training", fontsize=8)  # fmt: skip
    axes[0, 0].legend(fontsize=8)
    steps = numbers["rows"][0]["steps"]
    for row in numbers["rows"]:
        values = [_slope(np.array(look)) for look in row["norms"]]
        axes[0, 1].plot(steps, values, color=COLOURS[row["name"]], linewidth=1.2, alpha=0.8)
    for bound in (-0.2, 0.2):
        axes[0, 1].axhline(bound, color="0.6", linestyle=":", linewidth=0.9)
    axes[0, 1].set(
        xlabel=f"generator's steps, {DISCRIMINATOR_STEPS} discriminator steps each",
        ylabel="slope a layer, towards the input",
    )
    axes[0, 1].set_title("dotted: the band of the penalty, ±0.2", fontsize=8)
    for ax, name in zip(axes[0, 2:], WINDOWS, strict=True):
        row = next(row for row in numbers["rows"] if (row["name"], row["seed"]) == (name, 0))
        counts = np.array(row["histogram"], float)
        edges = np.linspace(-WINDOWS[name], WINDOWS[name], len(counts) + 1)
        ax.stairs(counts / counts.sum(), edges, color=COLOURS[name], fill=True, alpha=0.6)
        ax.set(xlabel="weight", ylabel="share of the hidden kernels' weights")
        ax.set_title(f"{'clipping, ' * (name != 'penalty')}{name}: at the end, seed 0", fontsize=8)
    return drawing


def of_width(bound: float) -> str:
    """What weights of +-bound would do to a gradient, trained or not."""
    return f"log10(c sqrt(width / 2)) is {np.log10(bound * np.sqrt(WIDTH / 2)):.2f}: so from the first step on"


def slope(norms: list) -> float:
    """The slope a hidden layer, from the output to the input, of the mean of the last quarter of the looks."""
    return _slope(_late(norms))


def _slope(norms: np.ndarray) -> float:
    return float(-np.polyfit(np.arange(DEPTH), norms[:DEPTH], 1)[0])


def _late(norms: list) -> np.ndarray:
    """Logarithms of layers 1, ..., 13."""
    return np.array(norms)[-max(1, len(norms) // 4) :].mean(0)


# ------------------------------------------------------------------------------------------------------------ the training


def log_norms(params, samples):
    """``log10`` of the root of the mean square over samples of ``|d f / d activations|``, layers 1, ..., 13, ``[13]``."""
    import jax
    import jax.numpy as jnp

    hidden, head = params["params"]["hidden"], params["params"]["head"]["score"]

    def score(moved, x):
        for i in range(DEPTH):
            layer = hidden[f"dense_{i}"]
            x = jax.nn.relu(x @ layer["kernel"] + layer["bias"]) + moved[i]
        return (x @ head["kernel"] + head["bias"])[0]

    zero = [jnp.zeros(WIDTH)] * DEPTH
    gradients = jax.vmap(lambda x: jax.grad(score)(zero, x))(samples)
    # Squares of 1e-25 are below float32's range, so each layer is measured in units of its largest.
    units = [jnp.maximum(jnp.max(jnp.abs(layer)), 1e-37) for layer in gradients]
    mean = [
        jnp.mean(jnp.sum(jnp.square(layer / unit), 1))
        for layer, unit in zip(gradients, units, strict=True)
    ]
    found = [jnp.log10(unit) + jnp.log10(of) / 2 for unit, of in zip(units, mean, strict=True)]
    return jnp.stack([*found, jnp.zeros(())])


def rows(
    bounds: tuple[float | None, ...], seeds: tuple[int, ...], steps: int, looks: int
) -> list[dict]:
    """A row a bound (None: the penalty) and seed, trained as one program: norms at each look, and the weights at the end."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax import data
    from gan_jax.game import adversarial
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.training import alternating, init_state, optimizers

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
    adam = optax.adam(1e-4, b1=0.5, b2=0.9)

    tick = reproduction.progress_callback(steps, steps // looks)

    def trained(key, bound=None):
        terms = {"wasserstein": losses.wasserstein()}
        generator_optimizer = discriminator_optimizer = adam
        if bound is None:
            terms["penalty"] = penalties.gradient_penalty(PENALTY)
        else:
            # TensorFlow's: it starts the mean square at 1.
            generator_optimizer = optax.rmsprop(5e-5, decay=0.9, eps=1e-10, initial_scale=1.0)
            discriminator_optimizer = optax.chain(
                generator_optimizer, optimizers.clip_weights(bound)
            )
        train_step = alternating(
            adversarial(networks, terms), generator_optimizer, discriminator_optimizer
        )
        first, draw, run = jax.random.split(key, 3)

        def step(state, _):
            at = jax.random.randint(
                jax.random.fold_in(draw, state.step), (DISCRIMINATOR_STEPS, BATCH), 0, POOL
            )
            return train_step(state, {"real": pool[at]}, run)[0], None

        def look(state, _):
            tick()
            state, _ = jax.lax.scan(step, state, length=steps // looks)
            latents = networks.latent(jax.random.fold_in(draw, state.step + steps), BATCH)
            shown = jnp.concatenate(
                [pool[:BATCH], networks.generate(state.generator.params, latents)]
            )
            return state, log_norms(state.discriminator.params, shown)

        state = init_state(networks, generator_optimizer, discriminator_optimizer, first)
        state, norms = jax.lax.scan(look, state, length=looks)
        hidden = jax.tree.leaves(state.discriminator.params["params"]["hidden"])
        return norms, jnp.concatenate([leaf.ravel() for leaf in hidden if leaf.ndim == 2])

    keys, found = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32)), []
    if bounds == (None,):
        every = jax.tree.map(lambda leaf: leaf[None], jax.jit(jax.vmap(trained))(keys))
    else:
        every = jax.jit(jax.vmap(lambda bound: jax.vmap(lambda key: trained(key, bound))(keys)))(
            jnp.array(bounds)
        )
    for at, bound in enumerate(bounds):
        name, (norms, weights) = (
            f"c = {bound:g}" if bound else "penalty",
            jax.tree.map(lambda leaf, at=at: leaf[at], every),
        )
        for i, seed in enumerate(seeds):
            own = np.asarray(weights[i], float)
            row = {
                "name": name, "seed": seed, "steps": list(range(steps // looks, steps + 1, steps // looks)),
                "norms": [to_json_value(np.asarray(look, float), 5) for look in norms[i]], "spread": float(own.std()),
                "bound": float(np.mean(np.abs(own) >= bound * (1 - 1e-6))) if bound else None,
            }  # fmt: skip
            if seed == seeds[0] and name in WINDOWS:
                edges = np.linspace(-WINDOWS[name], WINDOWS[name], 61)
                row["histogram"] = np.histogram(own, edges)[0].tolist()
            found.append(row)
    return found
