"""Members of a population and the same runs alone: how rounding grows while they train.

    python experiments/reproduce.py population_members           # 1 minute

Source: ours. A population is one program for all its members, and may round otherwise than the
program of one run. Each of 8 seeds of a small vanilla GAN on the ring is trained for 500 steps as a
member of a population of all, alone, and alone once more from weights of the generator that are
larger by their last bit: the least change that there is. What is compared is the largest difference
of any parameter of the generator from the run alone. Layers of 64, Adam 3e-4, batches of 16.

To be met, set before the first run: up to step 100 a member differs from the run alone by at most
1e-6; and at step 500 the median member differs at most ten times as much as the median run that was
changed by a bit.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_jax.experiment.executors import Executor
    from gan_jax.training import TrainState

SEEDS, STEPS, EVERY, EARLY = 8, 500, 10, 100
SETTINGS = (
    "networks=mlp(latent_size=8, generator_widths=(64, 64), discriminator_widths=(64, 64))",
    "generator_optimizer=adam(learning_rate=3e-4, b1=0.5)",
    "discriminator_optimizer=adam(learning_rate=3e-4, b1=0.5)",
    "batch_size=16",
    *(f"{name}={EVERY}" for name in ("steps_per_call", "log_every", "checkpoint_every")),
    *("sample_every=10", "evaluate_every=10", "health=false", "metrics="),
)
"""Changes to ``configs/ring.py:vanilla``."""

Numbers = Mapping[str, Any]


def measure(smoke: bool) -> dict[str, Any]:
    """Trains the runs, and compares their generators every 10 steps."""
    seeds, steps = (2, 50) if smoke else (SEEDS, STEPS)
    together = _train([f"population.seed=range({seeds})"], steps)
    differences: dict[str, list[Any]] = {"member": [], "bit": []}
    for seed in range(seeds):
        (alone,) = _train([f"seed={seed}"], steps)
        (changed,) = _train([f"seed={seed}"], steps, change=True)
        differences["member"].append(np.abs(together[seed] - alone).max(1))
        differences["bit"].append(np.abs(changed - alone).max(1))
    numbers: dict[str, Any] = to_json_value(
        {"steps": np.arange(EVERY, steps + 1, EVERY), **differences}, 5
    )
    return numbers


def _train(overrides: list[str], steps: int, change: bool = False) -> list[np.ndarray]:
    """Returns each member's generator after every 10 steps, ``[steps / 10, parameters]``."""
    from gan_jax.experiment.config_files import load_settings
    from gan_jax.experiment.executors import make_executor

    settings = load_settings("configs/ring.py:vanilla", [*SETTINGS, f"steps={steps}", *overrides])
    executor = make_executor(settings)
    state = executor.init()
    if change:
        state = _by_its_last_bit(state)
    found: list[list[np.ndarray]] = [[] for _ in executor.members]
    for chunk in executor.experiment.chunks(0, steps):
        state, _ = executor.step(chunk, state, executor.batch(chunk))
        for values, parameters in zip(found, _generators(executor, state)):
            values.append(parameters)
    return [np.array(values) for values in found]


def _by_its_last_bit(state: "TrainState") -> "TrainState":
    """Returns the state with the generator's parameters, but zeros, larger by their last bit."""
    import jax
    import jax.numpy as jnp

    generator = state.generator
    moved = jax.tree.map(
        lambda x: jnp.where(x == 0, x, jnp.nextafter(x, jnp.copysign(jnp.inf, x))),
        generator.params,
    )
    return state._replace(generator=generator._replace(params=moved))


def _generators(executor: "Executor", state: "TrainState") -> list[np.ndarray]:
    """Returns the parameters of each member's generator as one vector."""
    import jax

    host = executor.to_host(state)
    return [
        np.concatenate(
            [
                np.asarray(leaf).ravel()
                for leaf in jax.tree.leaves(executor.member(host, member).generator.params)
            ]
        )
        for member in range(len(executor.members))
    ]


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about the first steps and the last one."""
    member, bit = np.array(numbers["member"]), np.array(numbers["bit"])
    early = member[:, np.array(numbers["steps"]) <= EARLY].max(1)
    return [
        Claim(
            f"largest difference of a member from the run alone, up to step {EARLY}",
            measured=tuple(early),
            published="rounding alone; asked at most 1e-6",
            low=0,
            high=1e-6,
        ),
        Claim(
            "at the last step: median member over median run changed by a bit",
            measured=(float(np.median(member[:, -1]) / np.median(bit[:, -1])),),
            published="training lets both grow alike; asked at most 10",
            low=0,
            high=10,
        ),
    ]


def draw(numbers: Numbers) -> "Figure":
    """Draws the differences over the steps, one line per seed."""
    figure, axes = page.panels(1, 2, 2.3, sharey=True)
    titles = ("a member of a population", "one bit changed at the start")
    for ax, name, title in zip(axes[0], ("member", "bit"), titles):
        for values in numbers[name]:
            ax.plot(numbers["steps"], np.maximum(values, 1e-9), color=page.BLUE, linewidth=0.7)
        ax.set(yscale="log", xlabel="step")
        ax.set_title(title)
    axes[0, 0].set_ylabel("difference from the run alone")
    page.letter(axes[0])
    return figure
