"""Augmentations of single images, the game seen through them, and the strength that adapts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Context, Player, adversarial, initial_memory, per_sample
from gan_jax.objectives import augmentation as augment
from gan_jax.objectives.losses import minimax
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import alternating, fused, init_state

IMAGE = jax.random.uniform(jax.random.key(0), (8, 10, 3), minval=-1.0)


def many(augmentation, image=IMAGE, n=400):
    return np.asarray(
        jax.jit(lambda rng: per_sample(rng, jnp.arange(n), lambda key: augmentation(key, image)))(
            jax.random.key(1)
        )
    )


def noting(game, seen):
    """The game that notes each batch which its discriminator sees."""

    def discriminator(own, other, batch, rng):
        seen.append(batch)
        return game.discriminator(own, other, batch, rng)

    return game._replace(discriminator=discriminator)


def test_instance_noise():
    noise = many(augment.instance_noise(0.3)) - np.asarray(IMAGE)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 0.3], atol=3e-3)


def test_flip():
    flipped = many(augment.flip())
    is_same, is_mirror = (
        (flipped == np.asarray(image)).all((1, 2, 3)) for image in (IMAGE, IMAGE[:, ::-1])
    )
    assert (is_same ^ is_mirror).all() and 0.4 < is_mirror.mean() < 0.6


def test_translation_shifts_by_whole_pixels_and_fills_with_zeros():
    index = jnp.arange(1, 81, dtype=jnp.float32).reshape(8, 10, 1)
    shifted = many(augment.translation(), index)
    seen = set()
    for image in shifted[..., 0]:
        row, column = np.argwhere(image)[len(np.argwhere(image)) // 2]
        at = np.argwhere(np.asarray(index[..., 0]) == image[row, column])[0]
        dy, dx = int(row - at[0]), int(column - at[1])
        expected = np.zeros((8, 10))
        ys, xs = np.mgrid[:8, :10]
        inside = (ys - dy >= 0) & (ys - dy < 8) & (xs - dx >= 0) & (xs - dx < 10)
        expected[inside] = np.asarray(index)[(ys - dy)[inside], (xs - dx)[inside], 0]
        np.testing.assert_array_equal(image, expected)
        seen.add((dy, dx))
    assert seen == {
        (dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)
    }  # an eighth of 8 and of 10, rounded
    assert (many(augment.translation(pixels=7), index, 20) != 0).any()


def test_cutout_removes_half_of_each_side():
    cut = many(augment.cutout(), jnp.ones((8, 10, 1)))[..., 0] == 0
    sizes = [(hole.any(1).sum(), hole.any(0).sum()) for hole in cut]
    assert all(hole.sum() == h * w for hole, (h, w) in zip(cut, sizes, strict=True))  # a rectangle
    assert max(h for h, _ in sizes) == 4 and max(w for _, w in sizes) == 5
    assert (
        min(h for h, _ in sizes) == 2 and min(w for _, w in sizes) == 3
    )  # half of it is outside at the border
    np.testing.assert_allclose(
        cut.mean((0, 1)), cut.mean((0, 1))[::-1], atol=0.1
    )  # no side is preferred


def test_color_keeps_what_it_should():
    changed = many(augment.color())
    brightness = changed.mean((1, 2, 3)) - np.asarray(IMAGE).mean()
    assert brightness.min() >= -0.5 and brightness.max() <= 0.5 and np.ptp(brightness) > 0.9
    grey = jnp.broadcast_to(IMAGE[..., :1], IMAGE.shape)
    np.testing.assert_allclose(
        np.ptp(many(augment.color(), grey), -1), 0, atol=1e-5
    )  # grey stays grey


def test_policies_are_differentiable_and_named():
    policy = augment.diff_augment(("color", "translation", "cutout", "flip"))
    gradient = jax.grad(lambda image: jnp.sum(policy(jax.random.key(3), image) ** 2))(IMAGE)
    assert np.isfinite(gradient).all() and np.abs(gradient).sum() > 0
    with pytest.raises(UserError, match="no augmentation policy is named 'zoom'"):
        augment.diff_augment(("zoom",))
    with pytest.raises(ValueError, match="is for images"):
        augment.flip()(jax.random.key(0), jnp.ones(3))


def test_augmented_sees_both_kinds_through_it_and_the_generator_learns_through_it(float64):
    nets, batch, key = tiny.networks(), tiny.batch(), jax.random.key(2)
    game = adversarial(nets, {"minimax": minimax()})
    doubled = augment.augmented(game, lambda rng, sample: 2 * sample)
    wide = adversarial(
        nets._replace(generate=lambda *a, **k: 2 * nets.generate(*a, **k)), {"minimax": minimax()}
    )
    generator, discriminator = nets.init(key)
    twice = batch | {"real": 2 * batch["real"]}
    for side, own, other in (
        ("generator", generator, discriminator),
        ("discriminator", discriminator, generator),
    ):
        a, b = (
            jax.grad(
                lambda p, g=g, on=on: getattr(g, side)(p, Player(other), on, key)[0]  # noqa: B023
            )(own)
            for g, on in ((doubled, batch), (wide, twice))
        )
        tiny.assert_trees_close(a, b, rtol=1e-12)
    seen = doubled.generate_fakes(generator, batch, key)
    a, b = (doubled.generator(generator, Player(discriminator), on, key)[0] for on in (batch, seen))
    assert a == b  # what generate_fakes made is augmented once, as unrolling needs
    with pytest.raises(ValueError, match="needs objective"):
        augment.augmented(game._replace(generate_fakes=None), lambda rng, sample: sample)


def test_augmentation_is_drawn_by_sample_index_and_differs_between_real_and_generated(float64):
    nets, key = tiny.networks(), jax.random.key(2)
    game = adversarial(nets, {"minimax": minimax()})
    seen = []
    spy = noting(game, seen)
    noisy = augment.augmented(spy, augment.instance_noise(1.0))
    generator, discriminator = nets.init(key)
    batch = tiny.batch() | {"sample_index": jnp.arange(5), "fake": tiny.batch()["real"]}
    part = jax.tree.map(lambda leaf: leaf[3:], batch)
    for on in (batch, part):
        noisy.discriminator(discriminator, Player(generator), on, key)
    np.testing.assert_allclose(seen[1]["real"], seen[0]["real"][3:], rtol=1e-13)
    noise = np.asarray(seen[0]["real"] - batch["real"]), np.asarray(seen[0]["fake"] - batch["fake"])
    assert np.abs(noise[0] - noise[1]).min() > 1e-6


def adaptive_game(start, target, step=0.01):
    game = augment.adaptive(
        adversarial(tiny.networks(), {"minimax": minimax()}),
        [augment.instance_noise(0.5)],
        target,
        step,
        start,
    )
    return tiny.networks(), game, optax.sgd(0.05)


def test_strength_follows_the_sign_statistic():
    """It moves by one step per discriminator update towards less overfitting, within [0, 1]."""
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), tiny.batch(discriminator_steps=2))

    @jax.jit
    def played(start, target):  # both may be traced
        nets, game, sgd = adaptive_game(start, target)
        state = init_state(nets, sgd, sgd, jax.random.key(0), game)
        return fused(alternating(game, sgd, sgd))(state, batch, tiny.key(1))

    for start, target, expected in [
        (0.5, -2.0, 0.56),
        (0.5, 2.0, 0.44),
        (0.98, -2.0, 1.0),
        (0.02, 2.0, 0.0),
    ]:
        state, metrics = played(start, target)
        np.testing.assert_allclose(state.memory[augment.STRENGTH], expected, rtol=1e-5, atol=1e-6)
        assert metrics["augmentation/strength"].shape == (3,)


def test_at_strength_0_nothing_is_augmented(float64):
    nets, game, _ = adaptive_game(0.0, 0.6)
    generator, discriminator = nets.init(jax.random.key(0))
    plain = adversarial(nets, {"minimax": minimax()})
    args = Player(generator), tiny.batch(), Context(jax.random.key(1), 0, initial_memory(game))
    (loss, _), gradient = jax.value_and_grad(game.discriminator, has_aux=True)(discriminator, *args)
    (expected, _), by = jax.value_and_grad(plain.discriminator, has_aux=True)(discriminator, *args)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    tiny.assert_trees_close(gradient, by, rtol=1e-12)


def test_strength_is_the_share_that_is_augmented():
    nets = tiny.networks()
    generator, discriminator = nets.init(jax.random.key(0))
    seen = []
    spy = noting(adversarial(nets, {"minimax": minimax()}), seen)
    batch = {"real": jnp.ones((2000, 2)), "fake": jnp.ones((2000, 2))}
    game = augment.adaptive(spy, [augment.instance_noise(0.5)], strength=0.3)
    game.discriminator(
        jax.tree.map(jnp.zeros_like, discriminator),
        Player(generator),
        batch,
        Context(jax.random.key(1), 0, initial_memory(game)),
    )
    for kind in ("real", "fake"):
        assert abs(float(jnp.mean(jnp.any(seen[0][kind] != 1, 1))) - 0.3) < 0.04


def test_an_adaptive_game_can_be_unrolled():
    """Looking ahead leaves the strength as it is: it moves once for each discriminator update."""
    nets, game, sgd = adaptive_game(0.2, -2.0)
    state = init_state(nets, sgd, sgd, jax.random.key(0), game)
    step = alternating(unrolled(game, 2, sgd), sgd, sgd)
    after, metrics = jax.jit(step)(state, tiny.batch(discriminator_steps=1), tiny.key(0))
    assert "augmentation/strength" in metrics
    np.testing.assert_allclose(after.memory[augment.STRENGTH], 0.21, rtol=1e-5)


def test_an_adaptive_game_is_not_made_adaptive_again():
    _, game, _ = adaptive_game(0.2, 0.6)
    with pytest.raises(ValueError, match="adaptive already"):
        augment.adaptive(game, [augment.flip()])
