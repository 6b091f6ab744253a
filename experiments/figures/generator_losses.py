"""The generator's losses as functions of the discriminator's answer, and their gradients.

    python experiments/reproduce.py generator_losses             # 5 seconds

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), section 3; Goodfellow, "NIPS 2016
Tutorial" (2016), figure 16 and eqs. 10, 13 and 14: the minimax loss log(1 - D), the non-saturating
loss -log D, and the maximum likelihood loss -D / (1 - D). Wasserstein's -f is drawn with them.

To be met: the gradients by the score s, D = sigmoid(s), of gan_jax's losses: -D, D - 1, -exp(s) and
-1. If a sample is recognised as generated with certainty, D = 0.001, the first has all but vanished
and the second has not; the third vanishes as well, and is as large as 999 at D = 0.999: it depends
on a few good samples.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_jax.game import Networks, Term

GRADIENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "minimax": lambda d: -d,
    "non-saturating": lambda d: d - 1,
    "maximum likelihood": lambda d: -d / (1 - d),
    "Wasserstein": lambda d: -np.ones_like(d),
}
"""The gradient by the score, in closed form, at the answer D."""

FORMULAS = {
    "minimax": "log(1 - D)",
    "non-saturating": "-log D",
    "maximum likelihood": "-D / (1 - D)",
    "Wasserstein": "-s",
}
SHOWN = (0.001, 0.5, 0.999)

Numbers = Mapping[str, Any]


def measure(smoke: bool) -> dict[str, Any]:
    """Evaluates the losses and their gradients by the score, in float64."""
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Player, adversarial

    answers = np.concatenate([np.linspace(0.001, 0.999, 41 if smoke else 399), SHOWN])
    numbers = {}
    with jax.enable_x64(True):
        scores = jnp.log(answers) - jnp.log1p(-answers)
        for name, term in _terms().items():
            objective = adversarial(_networks(), {"term": term})
            batch, key = {"real": jnp.zeros((1, 1))}, jax.random.key(0)

            def loss(
                score: jax.Array, objective: Any = objective, batch: Any = batch, key: Any = key
            ) -> jax.Array:
                return objective.generator(score, Player(()), batch, key)[0]

            values, gradients = jax.jit(jax.vmap(jax.value_and_grad(loss)))(scores)
            if name == "minimax":
                # Its real half has no gradient: softplus(-0) = log 2 at a score of 0.
                values = values + np.log(2)
            numbers[name] = {
                "loss": to_json_value(np.asarray(values), 9),
                "slope": to_json_value(np.asarray(gradients), 12),
            }
    return {"answers": answers, "losses": numbers}


def _terms() -> "dict[str, Term]":
    import jax.numpy as jnp

    from gan_jax.game import Round, Term
    from gan_jax.objectives import losses

    def maximum_likelihood(round: Round) -> Any:
        """The tutorial's eq. 14, which gan_jax does not have."""
        return -jnp.mean(jnp.exp(round.fake_scores))

    return {
        "minimax": losses.minimax(),
        "non-saturating": losses.non_saturating(),
        "maximum likelihood": Term(
            discriminator=losses.minimax().discriminator, generator=maximum_likelihood
        ),
        "Wasserstein": losses.wasserstein(),
    }


def _networks() -> "Networks":
    """A generator that is its one sample, and a discriminator whose score is that sample."""
    import jax.numpy as jnp

    from gan_jax.game import Networks

    return Networks(
        init=lambda rng: (jnp.zeros(()), ()),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda params, latents: params + jnp.zeros_like(latents),
        score=lambda params, samples: samples[:, 0],
    )


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about the gradients."""
    claims, answers = [], np.array(numbers["answers"])
    for name, exact in GRADIENTS.items():
        gradients = np.array(numbers["losses"][name]["slope"])
        deviation = float(np.abs(gradients / exact(answers) - 1).max())
        claims.append(
            Claim(
                f"{name}: gradient, relative deviation from the formula",
                measured=(deviation,),
                published="0",
                low=0,
                high=1e-9,
                smoke=True,
                kind="exact",
            )
        )
        for answer, gradient in zip(SHOWN, gradients[-len(SHOWN) :], strict=True):
            expected = float(exact(np.array(answer)))
            claims.append(
                Claim.close_to(
                    f"{name}: gradient at D = {answer}",
                    gradient,
                    expected,
                    tolerance=1e-9 * abs(expected),
                    published=f"{expected:g}",
                    smoke=True,
                    kind="exact",
                )
            )
    return claims


def draw(numbers: Numbers) -> "Figure":
    """Draws the losses and the magnitudes of their gradients."""
    figure, axes = page.panels(2, 1, 3.9, page.COLUMN, sharex=True, height_ratios=(1.3, 1))
    upper, lower = axes[:, 0]
    order = np.argsort(numbers["answers"])
    answers = np.array(numbers["answers"])[order]
    for name, curves in numbers["losses"].items():
        upper.plot(answers, np.array(curves["loss"])[order], label=f"{name}: {FORMULAS[name]}")
        lower.semilogy(answers, np.abs(np.array(curves["slope"]))[order])
    upper.set(ylabel="generator's loss", ylim=(-12, 8), xlim=(0, 1))
    upper.legend(loc="lower left")
    upper.set_title("losses, D = sigmoid(s)")
    lower.set(xlabel="D(G(z))", ylabel="|d loss / d s|", ylim=(5e-4, 2e3))
    lower.set_title("their slopes with respect to the score s")
    page.letter([upper, lower])
    return figure
