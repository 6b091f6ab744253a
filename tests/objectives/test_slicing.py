"""SAN against PyTorch with detached parts, and its look-ahead against finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses, regularisers
from gan_jax.objectives.slicing import san, unit_directions
from gan_jax.objectives.unrolling import unrolled

KEY = jax.random.key(0)


def nets(classes: int = 0):
    return networks.san(
        (2,), classes, networks=lambda shape, classes=0: tiny.networks()._replace(classify=None)
    )


def wide(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tree)


@pytest.mark.parametrize("classes", [0, 3])
def test_gradients_are_those_of_detached_parts_in_pytorch(float64, classes):
    torch = pytest.importorskip("torch")
    made = nets(classes)
    generator, discriminator = wide(made.init(KEY))
    batch = tiny.batch(labels=bool(classes))
    objective = adversarial(made, san(losses.hinge(), weight=0.7))
    batch = objective.generate_fakes(generator, batch, KEY)

    def loss(params):
        return objective.discriminator(params, Player(generator), batch, KEY)[0]

    value, gradient = jax.value_and_grad(loss)(discriminator)

    def tensor(array):
        return torch.tensor(np.array(array), requires_grad=True)

    first = {name: tensor(leaf) for name, leaf in discriminator["in"].items()}
    rows = tensor(discriminator["direction"])
    chosen = torch.tensor(np.array(batch["label"])) if classes else torch.zeros(5, dtype=int)
    omega = torch.nn.functional.normalize(rows, dim=1)[chosen]

    def parts(samples):
        h = torch.tanh(torch.tensor(np.array(samples)) @ first["w"] + first["b"])
        return (h * omega.detach()).sum(1), (h.detach() * omega).sum(1)

    (real, real_direction), (fake, fake_direction) = parts(batch["real"]), parts(batch["fake"])
    expected = (1 - real).relu().mean() + (1 + fake).relu().mean()
    expected = expected + 0.7 * (fake_direction.mean() - real_direction.mean())
    expected.backward()
    np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient["direction"], rows.grad, rtol=1e-10, atol=1e-14)
    for name, leaf in first.items():
        np.testing.assert_allclose(gradient["in"][name], leaf.grad, rtol=1e-10, atol=1e-14)
    assert np.abs(gradient["direction"]).max() > 1e-3
    assert not np.abs(gradient["score"]["w"]).any()  # the other networks' own last layer


@pytest.mark.parametrize("steps", [0, 2])
def test_the_generator_learns_through_both_parts(float64, steps):
    """Finite differences of its loss, two updates of the discriminator ahead."""
    made, sgd = nets(), optax.sgd(0.3)
    generator, discriminator = wide(made.init(KEY))
    objective = unrolled(adversarial(made, san(losses.non_saturating())), steps, sgd)
    opponent = Player(discriminator, sgd.init(discriminator))

    def loss(params):
        return objective.generator(params, opponent, tiny.batch(), KEY)[0]

    towards = tiny.direction(generator)
    slope = tiny.dot(jax.grad(loss)(generator), towards)
    np.testing.assert_allclose(slope, tiny.slope_along(loss, generator, towards), rtol=1e-6)


def test_scores_are_of_unit_directions_and_the_score_of_the_loss():
    made = nets(3)
    _, discriminator = made.init(KEY)
    batch = tiny.batch(labels=True)
    omega = unit_directions(discriminator, batch["label"])
    np.testing.assert_allclose(np.linalg.norm(omega, axis=1), 1, rtol=1e-6)
    scores = made.score(discriminator, batch["real"], label=batch["label"])
    longer = discriminator | {"direction": 5 * discriminator["direction"]}
    again = made.score(longer, batch["real"], label=batch["label"])
    np.testing.assert_allclose(scores, again, rtol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"san takes a loss of scores, such as hinge\(\)"):
        san(regularisers.lecam())
    objective = adversarial(tiny.networks(), san(losses.hinge()))
    generator, discriminator = tiny.networks().init(KEY)
    with pytest.raises(UserError, match=r"ends in a direction: san\(networks=\.\.\.\)"):
        objective.discriminator(discriminator, Player(generator), tiny.batch(), KEY)
    classifying = functools.partial(networks.mlp, labels="auxiliary")
    with pytest.raises(UserError, match="without a classifier"):
        networks.san((2,), 3, networks=classifying)
