"""What the generator minimises, as a function of the discriminator's answer, and how hard it is pushed there.

    python experiments/reproduce.py generator_losses             # 5 seconds

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), section 3; Goodfellow, "NIPS 2016 Tutorial" (2016), figure 16
and eqs. 10, 13 and 14: the minimax loss log(1 - D), the non-saturating -log D, and the maximum likelihood loss -D / (1 - D).
Wasserstein's -f is drawn beside them.

To be met: the gradients by the score s, D = sigmoid(s), which gan_jax's losses have: -D, D - 1, -exp(s) and -1. Where a sample
is surely taken for generated, D = 0.001, the first has all but vanished and the second has not; the third vanishes as well,
and is as large as 999 where D = 0.999: a few good samples rule it.
"""

import numpy as np

from gan_jax.loggers import plots
from gan_jax.reproduction import Claim, to_json_value

# Name -> the gradient by the score, in closed form, of the answer D.
SLOPES = {
    "minimax": lambda d: -d,
    "non-saturating": lambda d: d - 1,
    "maximum likelihood": lambda d: -d / (1 - d),
    "Wasserstein": lambda d: -np.ones_like(d),
}
SHOWN = (0.001, 0.5, 0.999)


def measure(smoke: bool) -> dict:
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Networks, Player, Term, adversarial
    from gan_jax.objectives import losses

    terms = {
        "minimax": losses.minimax(),
        "non-saturating": losses.non_saturating(),
        # The tutorial's eq. 14, which gan_jax has no use for but here.
        "maximum likelihood": Term(
            discriminator=losses.minimax().discriminator,
            generator=lambda round: -jnp.mean(jnp.exp(round.fake_scores)),
        ),
        "Wasserstein": losses.wasserstein(),
    }
    networks = (
        Networks(  # the generator is its one sample, the discriminator's score is that sample
            init=lambda rng: (jnp.zeros(()), ()),
            latent=lambda rng, n: jnp.zeros((n, 1)),
            generate=lambda params, latents: params + jnp.zeros_like(latents),
            score=lambda params, samples: samples[:, 0],
        )
    )
    answers = np.concatenate([np.linspace(0.001, 0.999, 41 if smoke else 399), SHOWN])
    with jax.enable_x64(True):
        scores, found = jnp.log(answers) - jnp.log1p(-answers), {}
        for name, term in terms.items():
            objective = adversarial(networks, {"term": term})
            # minimax has a real half, which no gradient comes from: softplus(-0) = log 2 at a score of 0.
            loss = lambda s, o=objective: o.generator(
                s, Player(()), {"real": jnp.zeros((1, 1))}, jax.random.key(0)
            )[0]
            values, slopes = jax.jit(jax.vmap(jax.value_and_grad(loss)))(scores)
            values = values + np.log(2) if name == "minimax" else values
            found[name] = {
                "loss": to_json_value(np.asarray(values), 9),
                "slope": to_json_value(np.asarray(slopes), 12),
            }
    return {"answers": answers, "losses": found}


def claims(numbers: dict) -> list[Claim]:
    found, answers = [], np.array(numbers["answers"])
    for name, exact in SLOPES.items():
        slopes = np.array(numbers["losses"][name]["slope"])
        worst = float(np.abs(slopes / exact(answers) - 1).max())
        found.append(
            Claim(f"{name}: gradient off the formula, relative", (worst,), "0", 0, 1e-9, smoke=True)
        )
        for i, answer in enumerate(SHOWN):
            expected = float(exact(np.array(answer)))
            text = f"{expected:g}"
            value = slopes[len(slopes) - len(SHOWN) + i]
            found.append(
                Claim.close_to(
                    f"{name}: gradient at D = {answer}",
                    value,
                    expected,
                    1e-9 * abs(expected),
                    text,
                    smoke=True,
                )
            )
    return found


def draw(numbers: dict):
    drawing, axes = plots.figure(1, 2, (5.2, 3.8))
    left, right = axes[0]
    order = np.argsort(numbers["answers"])
    answers = np.array(numbers["answers"])[order]
    formulas = {
        "minimax": "log(1 - D)",
        "non-saturating": "-log D",
        "maximum likelihood": "-D / (1 - D)",
        "Wasserstein": "-s",
    }
    for name, found in numbers["losses"].items():
        left.plot(answers, np.array(found["loss"])[order], label=f"{name}: {formulas[name]}")
        right.semilogy(answers, np.abs(np.array(found["slope"]))[order], label=name)
    left.set(xlabel="D(G(z))", ylabel="generator's loss", ylim=(-12, 8), xlim=(0, 1))
    left.legend(fontsize=8, loc="lower left")
    right.set(
        xlabel="D(G(z))", ylabel="|d loss / d s|, D = sigmoid(s)", xlim=(0, 1), ylim=(5e-4, 2e3)
    )
    right.legend(fontsize=8, loc="upper left")
    return drawing
