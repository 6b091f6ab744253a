"""A GAN on the line, in four stages: D partly trained, D near D*, G after it, and p_g = p.

    python experiments/reproduce.py gan_in_one_dimension         # 1 minute

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), figure 1 (a) to (d), theorem 1 and
proposition 2; their picture is a drawing, here it is trained. Data are N(1, 0.5^2), latents
N(0, 1), both networks have two layers of 32 tanh, Adam 1e-3 (0.5, 0.999), batches of 512, the
minimax loss.

(a) The discriminator after 20 updates against the generator's initial weights; (b) after 1,000
more; (c) the generator after 40 updates against that discriminator; (d) both after 4,000
alternating updates, with R1 of weight 0.1, without which two players may go round the equilibrium.

To be met, set before the first run, 5 seeds: the value V is larger at (b) than at (a); the mean of
the generator's samples is nearer the data's at (c) than at (b); and at (d) generator and data
agree, p_g = p: V within 0.02 of -log 4, |D - 1/2| at most 0.1 over the data's central 95%, and a
Wasserstein-1 distance of at most 0.05 between 4,096 samples of each.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    import jax
    from matplotlib.figure import Figure

MEAN, STD = 1.0, 0.5
WIDTHS, RATE, BATCH, R1_WEIGHT = (32, 32), 1e-3, 512, 0.1
PARTLY, INNER, AFTER, JOINT = 20, 1_000, 40, 4_000
"""Updates of D until (a) and from (a) to (b), of G from (b) to (c), and of both from (c) to (d)."""

SEEDS, SAMPLES, SHOWN = 5, 4_096, 161
STAGES = ("D partly trained", "D near D*", "G follows D", "p_g = p, D = 1/2")

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Trains one GAN per seed, and measures each at the four stages."""
    import jax
    import jax.numpy as jnp

    seeds = 1 if smoke else SEEDS
    x = np.linspace(-2, 3, SHOWN)
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    train = _training(jnp.asarray(x, jnp.float32), 20 if smoke else 1)
    stages = {
        key: np.asarray(value, float) for key, value in jax.jit(jax.vmap(train))(keys).items()
    }
    rng = np.random.default_rng(0)
    real = np.sort(rng.normal(MEAN, STD, SAMPLES))
    fake = np.sort(stages["fake"], -1)
    central = np.abs(x - MEAN) <= 1.96 * STD
    rows = [
        {
            "seed": seed,
            "value": stages["value"][seed],
            "mean": fake[seed].mean(-1),
            "distance": np.abs(fake[seed] - real).mean(-1),
            "from_half": np.abs(stages["answers"][seed][:, central] - 0.5).max(-1),
        }
        for seed in range(seeds)
    ]
    edges = np.linspace(-2, 3, 61)
    shown = {
        "x": x,
        "answers": stages["answers"][0],
        "edges": edges,
        "density": [np.histogram(samples, edges, density=True)[0] for samples in fake[0]],
        "latents": np.linspace(-2, 2, 17),
        "arrows": stages["arrows"][0],
    }
    numbers: dict[str, Any] = to_json_value({"rows": rows, "shown": shown}, 5)
    return numbers


def _training(x: "jax.Array", shorten: int) -> "Callable[[jax.Array], dict[str, jax.Array]]":
    """Returns ``key -> what the GAN is at the four stages``; ``shorten`` divides the updates."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.game import adversarial, update
    from gan_jax.networks import mlp
    from gan_jax.objectives import losses, penalties
    from gan_jax.training import alternating, init_state

    networks = mlp(
        (1,),
        latent_size=1,
        generator_widths=WIDTHS,
        discriminator_widths=WIDTHS,
        activation="tanh",
        input_scale=1.0,
    )
    adam = optax.adam(RATE, b1=0.5)
    terms = {"minimax": losses.minimax()}
    plain = adversarial(networks, terms)
    train_step = alternating(
        adversarial(networks, terms | {"r1": penalties.r1(R1_WEIGHT)}), adam, adam
    )

    def real(key: jax.Array, n: int) -> jax.Array:
        return MEAN + STD * jax.random.normal(key, (n, 1))

    def discriminator_step(state: Any, key: jax.Array) -> Any:
        batch = {"real": real(key, BATCH)}
        moved, _, _ = update(
            plain.discriminator, adam, state.discriminator, state.generator, batch, key
        )
        return state._replace(discriminator=moved), None

    def generator_step(state: Any, key: jax.Array) -> Any:
        batch = {"real": real(key, BATCH)}
        moved, _, _ = update(
            plain.generator, adam, state.generator, state.discriminator, batch, key
        )
        return state._replace(generator=moved), None

    def joint_step(state: Any, key: jax.Array) -> Any:
        return train_step(state, {"real": real(key, BATCH)[None]}, key)[0], None

    def measured(state: Any, key: jax.Array) -> dict[str, jax.Array]:
        real_key, fake_key = jax.random.split(key)
        generator, discriminator = state.generator.params, state.discriminator.params
        fake = networks.generate(generator, networks.latent(fake_key, SAMPLES))
        scores = networks.score(discriminator, real(real_key, SAMPLES))
        fake_scores = networks.score(discriminator, fake)
        value = jnp.mean(jax.nn.log_sigmoid(scores)) + jnp.mean(jax.nn.log_sigmoid(-fake_scores))
        return {
            "value": value,
            "fake": fake[:, 0],
            "answers": jax.nn.sigmoid(networks.score(discriminator, x[:, None])),
            "arrows": networks.generate(generator, jnp.linspace(-2, 2, 17)[:, None])[:, 0],
        }

    def train(key: jax.Array) -> dict[str, jax.Array]:
        init_key, *keys = jax.random.split(key, 6)
        state = init_state(networks, adam, adam, init_key)
        steps = (discriminator_step, discriminator_step, generator_step, joint_step)
        stages = []
        for step, count, stage_key in zip(steps, (PARTLY, INNER, AFTER, JOINT), keys, strict=False):
            state, _ = jax.lax.scan(step, state, jax.random.split(stage_key, count // shorten))
            stages.append(measured(state, keys[-1]))
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *stages)

    return train


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about the value, the generator's first updates, and the equilibrium."""
    rows = numbers["rows"]
    values, means = (np.array([row[key] for row in rows]) for key in ("value", "mean"))
    nearer = np.abs(means[:, 1] - MEAN) - np.abs(means[:, 2] - MEAN)
    return [
        Claim(
            "(b): value, minus that of (a)",
            measured=tuple(values[:, 1] - values[:, 0]),
            published="D is trained to discriminate; asked > 0",
            low=0,
            high=None,
        ),
        Claim(
            "(c): how much nearer the generated mean is to the data's than at (b)",
            measured=tuple(nearer),
            published="D's gradient guides G; asked > 0",
            low=0,
            high=None,
        ),
        Claim.close_to("(d): value", values[:, 3], -np.log(4), 0.02, published="-log 4 = -1.386"),
        Claim(
            "(d): largest |D - 1/2| over the data's central 95%",
            measured=tuple(row["from_half"][3] for row in rows),
            published="D = 1/2; asked < 0.1",
            low=0,
            high=0.1,
        ),
        Claim(
            "(d): Wasserstein-1 distance of generated and real samples",
            measured=tuple(row["distance"][3] for row in rows),
            published="p_g = p; asked < 0.05",
            low=0,
            high=0.05,
        ),
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws densities, D, and the arrows from latents to samples, at the four stages of seed 0."""
    figure, axes = page.panels(2, 4, 2.9, height_ratios=(3, 1), sharex=True)
    shown = numbers["shown"]
    x = np.array(shown["x"])
    for column, title in enumerate(STAGES):
        ax, below = axes[:, column]
        data = np.exp(theory.gaussian(MEAN, STD)(x))
        ax.plot(x, data, ":", color=page.BLACK, label="data p")
        ax.stairs(shown["density"][column], shown["edges"], color=page.GREEN, label="generated p_g")
        ax.plot(x, shown["answers"][column], "--", color=page.BLUE, label="D")
        ax.set(ylim=(0, 2.2))  # the peak of p_g is higher
        ax.set_title(title)
        for latent, sample in zip(shown["latents"], shown["arrows"][column], strict=True):
            below.plot([latent, sample], [0, 1], color="0.3", linewidth=0.5)
        below.set(yticks=(0, 1), xlim=(-2, 3), xlabel="z, x")
        below.set_yticklabels(["z", "x"])
    axes[0, 0].set_ylabel("D, density")
    for ax in axes[0, 1:]:
        ax.set_yticklabels([])
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    page.letter(axes[0])
    return figure
