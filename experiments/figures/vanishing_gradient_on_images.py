"""A DCGAN's generator gets less and less gradient from a discriminator that is trained on.

    python experiments/reproduce.py vanishing_gradient_on_images                          # 3 hours
    python experiments/reproduce.py vanishing_gradient_on_images --scale=short --seeds=1  # 15 min

Times are of 2 CPU cores. It can be stopped and resumed, and --seeds=N with a larger N adds seeds.
The short form trains the DCGAN for 1 epoch, and lacks those after 10 and 25.

Source: Arjovsky and Bottou, "Towards Principled Methods for Training GANs" (2017), figures 2 and 3.
A DCGAN is trained for 1, 10 and 25 epochs; its generator is kept as it is, and a discriminator is
trained from scratch against it. The norm of the generator's gradient of E log(1 - D) decays by up
to 5 orders of magnitude in 4,000 steps, "in the best case"; that of -E log D grows and scatters.
Here: configs/fashion_mnist.py:dcgan, 938 steps an epoch; the fresh discriminator has the DCGAN's
form and optimizer, and 4,000 steps. Beside them the gradient of a fresh critic, trained with a
gradient penalty (LayerNorm, Adam 1e-4 with b1 = 0.5 and b2 = 0.9), which is not in the paper.

The norms are of the generator's parameters without its moving average, over one batch of 256
latents that stays the same. "At the end" is the median of the last 10 of 80 measurements.

To be met, set before any run, of each seed and number of epochs: the norm of log(1 - D) falls by 3
orders of magnitude or more; that of -log D at the end is not below a tenth of the first one; that
of the critic stays within a factor of 10 from the 10th measurement on.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import _image_runs as images
import numpy as np

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    import optax
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun
    from gan_jax.game import Array, Metrics, Params, PRNGKey, Term

EPOCH, EPOCHS = 938, (1, 10, 25)
STEPS, MEASUREMENTS, BATCH, LATENTS = 4_000, 80, 64, 256
NAMES = {
    "minimax": "log(1 - D), saturating",
    "non_saturating": "-log D",
    "wasserstein": "critic, WGAN-GP",
}
_COLOURS = {"minimax": page.VERMILLION, "non_saturating": page.BLUE, "wasserstein": page.PURPLE}
UNSCORED = ("metrics=", "health=false", "steps_per_call=14", f"keep_checkpoints={EPOCHS[-1]}")
INTERVALS = tuple(
    f"{name}={EPOCH}"
    for name in ("log_every", "checkpoint_every", "sample_every", "evaluate_every")
)
RUNS = {
    "DCGAN": Run(
        "configs/fashion_mnist.py:dcgan", (*UNSCORED, *INTERVALS, f"steps={EPOCHS[-1] * EPOCH}")
    )
}
SEEDS = 3
SHORT = (f"steps={EPOCH}",)
NOT_RUN_SHORT = "the DCGANs after 10 and 25 epochs"
SMOKE_RUNS, SMOKE_SEEDS, SMOKE = ("DCGAN",), 1, images.SMOKE
NOT_RUN = "all steps but 4 of the DCGAN and of the discriminators: this only shows that it works"

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the norms of the generator's gradients by epoch and seed, and strips of samples."""
    from gan_jax.experiment.loading import load

    steps, measurements = (4, 2) if smoke else (STEPS, MEASUREMENTS)
    rows = []
    for seed, directory in runs["DCGAN"].items():
        row = images.row_of("DCGAN", seed, directory, ())
        epochs = () if row["diverged"] else [n for n in EPOCHS if n * EPOCH <= row["steps"]]
        for epoch in (0,) if smoke else epochs:
            run = load(directory, epoch * EPOCH if epoch else row["steps"])
            norms = cached(
                directory / f"norms_after_{epoch}_epochs.json",
                {"step": run.step, "steps": steps, "measurements": measurements},
                lambda run=run, seed=seed: norms_of(run, seed, steps, measurements),
            )
            row.setdefault("norms", {})[str(epoch)] = norms
            if seed == 0:
                picture = images.side_by_side(images.pixels(run.sample(12)))
                row.setdefault("strips", {})[str(epoch)] = images.to_png(picture)
            print(f"seed {seed}, {epoch} epochs: measured", flush=True)
        rows.append(row)
    at = list(range(0, steps, steps // measurements))
    numbers: dict[str, Any] = to_json_value({"rows": rows, "steps": at}, 5)
    return numbers


class Game(NamedTuple):
    """A game whose discriminator is trained from scratch.

    Attributes:
      terms: of the discriminator's loss.
      norm: of the discriminator, as `networks.dcgan` names it.
      optimizer: the discriminator's.
      losses: the generator's, whose gradients are measured, by the names of `NAMES`.
    """

    terms: "Term"
    norm: str
    optimizer: "optax.GradientTransformation"
    losses: "Mapping[str, Term]"


def games() -> tuple[Game, Game]:
    """Returns the GAN, whose discriminator serves both of its losses, and WGAN-GP."""
    import optax

    from gan_jax.objectives import losses, penalties

    minimax, non_saturating, wasserstein = (getattr(losses, name)() for name in NAMES)
    gan = Game(
        non_saturating,
        "batch",
        optax.adam(2e-4, b1=0.5),
        {"minimax": minimax, "non_saturating": non_saturating},
    )
    wgan_gp = Game(
        wasserstein + penalties.gradient_penalty(10.0),
        "layer",
        optax.adam(1e-4, b1=0.5, b2=0.9),
        {"wasserstein": wasserstein},
    )
    return gan, wgan_gp


def norms_of(run: "LoadedRun", seed: int, steps: int, measurements: int) -> dict[str, list[float]]:
    """Returns the norms of the generator's gradients while discriminators are trained against it.

    Args:
      run: the DCGAN.
      seed: of the discriminators and their batches.
      steps: of each discriminator.
      measurements: how often the norms are taken, before steps at even intervals from 0 on.

    Returns:
      The norms by the names of `NAMES`.
    """
    import jax

    arrays = run.dataset.arrays
    assert arrays is not None
    pixels, generator = arrays["real"][:], run.state.generator.params
    found: dict[str, list[float]] = {}
    for game in games():
        train = trainer(game, run.dataset.shape, steps, measurements)
        for name, norms in jax.jit(train)(generator, pixels, jax.random.key(seed)).items():
            found[name] = to_json_value(np.asarray(norms), 5)
    return found


def trainer(
    game: Game, shape: tuple[int, ...], steps: int, measurements: int
) -> "Callable[[Params, Array, PRNGKey], Metrics]":
    """Returns what trains a game's discriminator: generator, images, key -> norms by loss."""
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax import data, networks
    from gan_jax.game import Player, adversarial
    from gan_jax.theory.fixed_generator import fit_discriminator

    pair = networks.dcgan(shape, width=32, discriminator_norm=game.norm)
    objectives = {name: adversarial(pair, term) for name, term in game.losses.items()}
    batch = {"real": jnp.zeros((LATENTS, *shape))}  # only its size matters to the generator
    latents = jax.random.key(0)

    def train(generator: "Params", pixels: "Array", key: "PRNGKey") -> "Metrics":
        def real(key: "PRNGKey", n: int) -> "Array":
            chosen = jax.random.randint(key, (n,), 0, len(pixels))
            return data.decode({"real": pixels[chosen]})["real"]

        def norm(name: str, discriminator: "Params") -> "Array":
            def loss(generator: "Params") -> "Array":
                player = Player(discriminator)
                return objectives[name].generator(generator, player, batch, latents)[0]

            return optax.global_norm(jax.grad(loss)(generator))

        init_key, train_key = jax.random.split(key)
        _, history = fit_discriminator(
            adversarial(pair, game.terms),
            game.optimizer,
            pair.init(init_key)[1],
            generator,
            real,
            train_key,
            batch_size=BATCH,
            steps=steps,
            measure=lambda params, _: {name: norm(name, params) for name in objectives},
            measure_every=steps // measurements,
        )
        return {name: history[name] for name in objectives}

    return train


# ------------------------------------------------------------------------------------------ claims


def orders_fallen(norms: Sequence[float]) -> float:
    """Returns by how many orders of magnitude the norm has fallen at the end."""
    return float(np.log10(norms[0] / np.median(norms[-10:])))


def spread(norms: Sequence[float]) -> float:
    """Returns the largest norm over the least, from the 10th measurement on."""
    late = norms[9:] if len(norms) > 9 else norms
    return float(max(late) / min(late))


def claims(numbers: Numbers) -> list[Claim]:
    """Returns for each number of epochs how far the gradients fall, or how far they scatter."""
    made = []
    for epoch in _epochs(numbers):
        norms = {name: _of_epoch(numbers, epoch, name) for name in NAMES}
        after = _after(epoch)
        made += [
            Claim(
                f"{after}: log(1 - D), orders of magnitude fallen",
                tuple(map(orders_fallen, norms["minimax"])),
                "up to 5, in the best case; asked >= 3",
                3,
                None,
            ),
            Claim(
                f"{after}: -log D, orders of magnitude fallen",
                tuple(map(orders_fallen, norms["non_saturating"])),
                "grows; asked <= 1",
                None,
                1,
            ),
            Claim(
                f"{after}: critic, largest over least norm",
                tuple(map(spread, norms["wasserstein"])),
                "asked <= 10",
                None,
                10,
            ),
        ]
    return made


def _after(epoch: str) -> str:
    return f"after {epoch} epoch" if epoch == "1" else f"after {epoch} epochs"


def _epochs(numbers: Numbers) -> list[str]:
    """Returns after which numbers of epochs norms were measured."""
    return list(dict.fromkeys(epoch for row in numbers["rows"] for epoch in row.get("norms", {})))


def _of_epoch(numbers: Numbers, epoch: str, name: str) -> list[Sequence[float]]:
    """Returns the norms of one loss, of each seed."""
    return [row["norms"][epoch][name] for row in numbers["rows"] if epoch in row.get("norms", {})]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the norms over the discriminator's steps, a panel for each number of epochs."""
    epochs = _epochs(numbers)
    figure = page.canvas(3.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 0.2 + 0.12 * len(epochs)))
    axes = upper.subplots(1, len(epochs), sharey=True, squeeze=False)[0]
    for ax, epoch in zip(axes, epochs, strict=True):
        _draw_norms(ax, numbers, epoch)
    axes[0].set_ylabel("norm of the generator's gradient")
    upper.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    strips = lower.subplots()
    pictures = numbers["rows"][0].get("strips", {})
    images.draw_pictures(strips, {_after(epoch): text for epoch, text in pictures.items()})
    strips.set_title("the first samples of the DCGAN of seed 0")
    page.letter([*axes, strips])
    return figure


def _draw_norms(ax: "Axes", numbers: Numbers, epoch: str) -> None:
    for name, label in NAMES.items():
        for norms in _of_epoch(numbers, epoch, name):
            ax.semilogy(numbers["steps"], norms, color=_COLOURS[name], linewidth=0.8, alpha=0.8)
        ax.plot([], [], color=_COLOURS[name], label=label)
    ax.set(xlabel="discriminator steps")
    ax.set_title(f"DCGAN {_after(epoch)}")
