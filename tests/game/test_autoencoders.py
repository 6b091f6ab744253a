"""Generators that are given the real samples, and that report more than samples."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Context, Player, Term, adversarial
from gan_jax.objectives import accumulated, losses, unrolled
from gan_jax.objectives.autoencoding import commitment, generator_output
from gan_jax.objectives.reconstruction import reconstruction

KEY, SGD = jax.random.key(3), optax.sgd(0.05)


def autoencoder():
    """Points through one hidden unit, with the square of the code as an output."""
    nets = tiny.networks()

    def outputs(params, latents, real, **_):
        assert latents is None
        code = jnp.tanh(real @ params["in"]["w"][:, :1])
        samples = code @ params["out"]["w"][:1] + params["out"]["b"][None]
        return samples, {"commitment": jnp.square(code), "codes": jnp.argmax(real, 1)}

    return nets._replace(
        latent=None,
        generate=lambda *args, **conditions: outputs(*args, **conditions)[0],
        outputs=outputs,
        autoencoder=True,
    )


def terms():
    return losses.non_saturating() + reconstruction(2.0, "l2") + commitment(0.3)


def value(objective, generator, batch):
    params, discriminator = autoencoder().init(KEY)
    opponent = Player(discriminator, SGD.init(discriminator))
    return objective.generator(generator or params, opponent, batch, Context(KEY))


def test_the_loss_is_that_of_the_reconstructions(float64):
    nets, batch = autoencoder(), tiny.batch(6)
    params, discriminator = nets.init(KEY)
    real, weights = np.asarray(batch["real"]), jax.tree.map(np.asarray, params)
    code = np.tanh(real @ weights["in"]["w"][:, :1])
    fake = code @ weights["out"]["w"][:1] + weights["out"]["b"]
    scores = nets.score(discriminator, jnp.asarray(fake))
    expected = (
        np.mean(np.log1p(np.exp(-scores)))
        + 2 * np.mean((fake - real) ** 2)
        + 0.3 * np.mean(code**2)
    )
    loss, (metrics, _) = value(adversarial(nets, terms()), None, batch)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    assert set(metrics) == {
        f"generator/{name}" for name in ("non_saturating", "reconstruction", "commitment", "loss")
    }


@pytest.mark.parametrize("steps", [0, 2])
def test_gradients_match_finite_differences_and_accumulate(float64, steps):
    nets, batch = autoencoder(), tiny.batch(6)
    params, _ = nets.init(KEY)
    whole = unrolled(adversarial(nets, terms()), steps, SGD)
    parts = unrolled(accumulated(adversarial(nets, terms()), 3), steps, SGD)
    loss = jax.jit(lambda params: value(whole, params, batch)[0])
    gradient, towards = jax.grad(loss)(params), tiny.direction(params)
    slope = tiny.slope_along(loss, params, towards)
    np.testing.assert_allclose(tiny.dot(gradient, towards), slope, rtol=1e-6)
    of_parts = jax.jit(jax.grad(lambda params: value(parts, params, batch)[0]))(params)
    tiny.assert_trees_close(gradient, of_parts, rtol=1e-8, atol=1e-12)


def test_the_discriminator_does_not_get_the_real_samples_as_a_condition():
    nets = autoencoder()

    def score(params, samples, /, **conditions):
        assert not conditions
        return samples[:, 0]

    generator, discriminator = nets.init(KEY)
    objective = adversarial(nets._replace(score=score), terms())
    objective.discriminator(discriminator, Player(generator), tiny.batch(), KEY)


def test_what_is_missing_is_named():
    batch = tiny.batch()
    wrong = losses.non_saturating() + generator_output("commitments")
    with pytest.raises(UserError, match="no output 'commitments': did you mean commitment"):
        value(adversarial(autoencoder(), wrong), None, batch)
    plain = autoencoder()._replace(outputs=None)
    with pytest.raises(UserError, match=r"needs networks that have such an output, such as vqgan"):
        value(adversarial(plain, terms()), None, batch)


def test_a_term_may_generate_again(float64):
    """``round.generate`` of an autoencoder makes the same reconstructions."""

    def difference(round):
        return jnp.max(jnp.abs(round.generate() - round.fake))

    again = losses.non_saturating() + Term(name="again", generator=difference)
    _, (metrics, _) = value(adversarial(autoencoder(), again), None, tiny.batch())
    assert metrics["generator/again"] == 0
