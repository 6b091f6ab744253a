"""The Dirac-GAN's fields by other means than the formulas, and the bilinear game: what figure dirac_gan compares."""

import numpy as np
from scipy.special import expit

from gan_jax.reproduction import to_json_value
from gan_jax.theory import games


def published_consensus(theta: float, psi: float) -> tuple[float, float]:
    """The consensus field as the authors' notebook has it: one summand of the regulariser's gradient is halved."""
    slope = expit(-theta * psi)
    common = 0.5 * (theta**2 + psi**2) * slope * -slope * expit(theta * psi)
    return -psi * slope - (theta * slope**2 + common * psi), theta * slope - (
        psi * slope**2 + common * theta
    )


def sampled(rng: np.random.Generator, noise: float, draws: int) -> games.Field:
    """Instance noise as published: new draws at every evaluation."""

    def field(theta: float, psi: float) -> tuple[float, float]:
        fake, real = theta + noise * rng.normal(size=draws), noise * rng.normal(size=draws)
        answers = expit(-psi * fake)
        return -psi * float(answers.mean()), float(
            np.mean(fake * answers) - np.mean(real * expit(psi * real))
        )

    return field


def _networks():
    """One number each; the score's sign is the paper's."""
    import jax.numpy as jnp

    from gan_jax.game import Networks

    return Networks(
        init=lambda rng: (jnp.ones(()), jnp.ones(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda theta, latents: theta * jnp.ones_like(latents),
        score=lambda psi, samples: -psi * samples[:, 0],
    )


def field_of_losses(objective: str, weight: float) -> games.Field:
    """The field as gan_jax's own losses and penalties give it, in float64."""
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Player, adversarial
    from gan_jax.objectives import losses, penalties

    terms = {
        "minimax": {"minimax": losses.minimax()},
        "non_saturating": {"non_saturating": losses.non_saturating()},
        "wasserstein": {"wasserstein": losses.wasserstein()},
        "gradient_penalty": {
            "wasserstein": losses.wasserstein(),
            "penalty": penalties.gradient_penalty(weight / 2),
        },
        "consensus": {"minimax": losses.minimax()},
    }[objective]
    if weight and objective in ("minimax", "non_saturating"):
        terms |= {"r1": penalties.r1(weight)}
    with jax.enable_x64(True):
        game, batch, key = (
            adversarial(_networks(), terms),
            {"real": jnp.zeros((1, 1))},
            jax.random.key(0),
        )

    def plain(at):
        theta, psi = at
        down = jax.grad(lambda t: game.generator(t, Player(psi), batch, key)[0])(theta)
        return jnp.stack(
            [-down, -jax.grad(lambda p: game.discriminator(p, Player(theta), batch, key)[0])(psi)]
        )

    def whole(at):
        if objective != "consensus":
            return plain(at)
        v, back = jax.vjp(plain, at)
        return v - weight * back(v)[0]

    compiled = jax.jit(whole)

    def field(theta: float, psi: float) -> tuple[float, float]:
        with jax.enable_x64(True):
            a, b = np.asarray(compiled(np.array([theta, psi])))
        return float(a), float(b)

    return field


def bilinear(size: float, steps: int) -> dict:
    """Radii of the bilinear game under each play of gan_jax, steps of ``size``, and what a step multiplies them by."""
    import functools

    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax import training
    from gan_jax.game import adversarial
    from gan_jax.objectives import losses

    damped = float(np.sqrt((1 - 2 * size) ** 2 + size**2))
    plays = {
        "simultaneous": (training.simultaneous, optax.sgd(size), float(np.sqrt(1 + size**2))),
        "alternating": (training.alternating, optax.sgd(size), None),
        "extragradient": (
            training.extragradient,
            optax.sgd(size),
            float(np.sqrt((1 - size**2) ** 2 + size**2)),
        ),
        "optimistic": (training.simultaneous, optax.optimistic_gradient_descent(size), None),
        "consensus, 2": (
            functools.partial(training.consensus, weight=2.0),
            optax.sgd(size),
            damped,
        ),
        "symplectic, 2": (
            functools.partial(training.symplectic, weight=2.0),
            optax.sgd(size),
            damped,
        ),
    }
    found = {}
    with jax.enable_x64(True):
        for name, (make, optimizer, factor) in plays.items():
            step = make(
                adversarial(_networks(), {"wasserstein": losses.wasserstein()}),
                optimizer,
                optimizer,
            )

            def record(state, batch, rng, step=step):
                state, _ = step(state, batch, rng)
                return state, {
                    "radius": jnp.hypot(state.generator.params, state.discriminator.params)
                }

            state = training.init_state(_networks(), optimizer, optimizer, jax.random.key(0))
            batches = {"real": jnp.zeros((steps, 1, 1, 1))}
            _, metrics = jax.jit(training.fused(record))(state, batches, jax.random.key(0))
            radius = np.concatenate([[np.sqrt(2)], np.asarray(metrics["radius"])])
            measured = float((radius[-1] / radius[0]) ** (1 / steps))
            found[name] = {
                "radius": to_json_value(radius, 5),
                "factor": factor,
                "measured": measured,
            }
    return found
