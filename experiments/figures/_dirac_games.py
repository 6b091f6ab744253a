"""The Dirac-GAN's fields by other means than the formulas, and the bilinear game."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from gan_jax.reproduction import to_json_value
from gan_jax.theory import games

if TYPE_CHECKING:
    import optax

    from gan_jax.game import Networks, Term


def published_consensus(theta: float, psi: float) -> tuple[float, float]:
    """The consensus field of the authors' notebook.

    One summand of the gradient of the regulariser is halved in it.
    """
    slope = expit(-theta * psi)
    common = 0.5 * (theta**2 + psi**2) * slope * -slope * expit(theta * psi)
    return (
        -psi * slope - (theta * slope**2 + common * psi),
        theta * slope - (psi * slope**2 + common * theta),
    )


def noisy_field(rng: np.random.Generator, noise: float, draws: int) -> games.Field:
    """Returns the field with instance noise as published: new draws at every evaluation."""

    def field(theta: float, psi: float) -> tuple[float, float]:
        fake, real = theta + noise * rng.normal(size=draws), noise * rng.normal(size=draws)
        answers = expit(-psi * fake)
        return (
            -psi * float(answers.mean()),
            float(np.mean(fake * answers) - np.mean(real * expit(psi * real))),
        )

    return field


def _networks() -> "Networks":
    """A generator and a discriminator of one number each; the sign of the score is the paper's."""
    import jax.numpy as jnp

    from gan_jax.game import Networks

    return Networks(
        init=lambda rng: (jnp.ones(()), jnp.ones(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda theta, latents: theta * jnp.ones_like(latents),
        score=lambda psi, samples: -psi * samples[:, 0],
    )


def _terms(objective: str, weight: float) -> "dict[str, Term]":
    from gan_jax.objectives import losses, penalties

    if objective == "gradient_penalty":
        penalty = penalties.gradient_penalty(weight / 2)
        return {"wasserstein": losses.wasserstein(), "penalty": penalty}
    if objective == "wasserstein":
        return {"wasserstein": losses.wasserstein()}
    if objective == "consensus":
        return {"minimax": losses.minimax()}
    saturating = objective == "minimax"
    terms = {objective: losses.minimax() if saturating else losses.non_saturating()}
    if weight:
        terms["r1"] = penalties.r1(weight)
    return terms


def field_of_losses(objective: str, weight: float) -> games.Field:
    """Returns the field that gan_jax's own losses and penalties give, in float64."""
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Player, adversarial

    with jax.enable_x64(True):
        game = adversarial(_networks(), _terms(objective, weight))
        batch, key = {"real": jnp.zeros((1, 1))}, jax.random.key(0)

    def descent(point: jax.Array) -> jax.Array:
        theta, psi = point

        def generator_loss(theta: jax.Array) -> jax.Array:
            return game.generator(theta, Player(psi), batch, key)[0]

        def discriminator_loss(psi: jax.Array) -> jax.Array:
            return game.discriminator(psi, Player(theta), batch, key)[0]

        return jnp.stack([-jax.grad(generator_loss)(theta), -jax.grad(discriminator_loss)(psi)])

    def consensus(point: jax.Array) -> jax.Array:
        v, pull_back = jax.vjp(descent, point)
        return v - weight * pull_back(v)[0]

    compiled = jax.jit(consensus if objective == "consensus" else descent)

    def field(theta: float, psi: float) -> tuple[float, float]:
        with jax.enable_x64(True):
            theta_step, psi_step = np.asarray(compiled(np.array([theta, psi])))
        return float(theta_step), float(psi_step)

    return field


def bilinear(size: float, steps: int) -> dict[str, dict[str, Any]]:
    """Plays the bilinear game by each update rule of gan_jax.

    Args:
      size: the step size.
      steps: how many steps.

    Returns:
      For each rule: the distance to the equilibrium over the steps, the factor by which a step
      multiplies it in theory (None if there is no single one), and the measured factor.
    """
    import optax

    from gan_jax import training

    sgd = optax.sgd(size)
    growth = float(np.sqrt(1 + size**2))
    extragradient = float(np.sqrt((1 - size**2) ** 2 + size**2))
    damped = float(np.sqrt((1 - 2 * size) ** 2 + size**2))
    optimistic = optax.optimistic_gradient_descent(size)
    rules: dict[str, tuple[Callable[..., Any], optax.GradientTransformation, float | None]] = {
        "simultaneous": (training.simultaneous, sgd, growth),
        "alternating": (training.alternating, sgd, None),
        "extragradient": (training.extragradient, sgd, extragradient),
        "optimistic": (training.simultaneous, optimistic, None),
        "consensus, 2": (functools.partial(training.consensus, weight=2.0), sgd, damped),
        "symplectic, 2": (functools.partial(training.symplectic, weight=2.0), sgd, damped),
    }
    games = {}
    for name, (make_step, optimizer, factor) in rules.items():
        radius = _bilinear_radius(make_step, optimizer, steps)
        measured = float((radius[-1] / radius[0]) ** (1 / steps))
        games[name] = {
            "radius": to_json_value(radius, 5),
            "factor": factor,
            "measured": measured,
        }
    return games


def _bilinear_radius(
    make_step: Callable[..., Any], optimizer: "optax.GradientTransformation", steps: int
) -> np.ndarray:
    """Returns the distance to the equilibrium ``[1 + steps]``, in float64."""
    import jax
    import jax.numpy as jnp

    from gan_jax import training
    from gan_jax.game import adversarial
    from gan_jax.objectives import losses

    with jax.enable_x64(True):
        objective = adversarial(_networks(), {"wasserstein": losses.wasserstein()})
        step = make_step(objective, optimizer, optimizer)

        def record(state: Any, batch: Any, rng: jax.Array) -> Any:
            state, _ = step(state, batch, rng)
            radius = jnp.hypot(state.generator.params, state.discriminator.params)
            return state, {"radius": radius}

        state = training.init_state(_networks(), optimizer, optimizer, jax.random.key(0))
        batches = {"real": jnp.zeros((steps, 1, 1, 1))}
        _, metrics = jax.jit(training.fused(record))(state, batches, jax.random.key(0))
        return np.concatenate([[np.sqrt(2)], np.asarray(metrics["radius"])])
