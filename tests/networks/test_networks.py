"""What holds for every network: labels, derivatives, and independence of a sample's neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import BATCH, CASES, build, compiled, jittered, labels_of

from gan_jax import networks
from gan_jax.distributed.collectives import batch_axis
from gan_jax.errors import UserError
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses

SLOW = ("resnet large", "dcgan odd", "stylegan2")
"""Whose programs take 10 seconds or more to compile."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in CASES],
)
def test_shapes_labels_and_second_order_gradients(case):
    nets, shape, label = build(case), CASES[case][1], labels_of(case)

    @compiled
    def play(rng):
        generator, discriminator = jittered(nets.init(rng))
        # Samples 0 and 1 differ in nothing but the label.
        latents = jnp.repeat(nets.latent(rng, 2), 2, 0)

        def slopes(samples, discriminator):
            gradient = jax.grad(lambda x: jnp.sum(nets.score(discriminator, x, **label)))(samples)
            return jnp.sqrt(jnp.sum(jnp.square(gradient), tuple(range(1, gradient.ndim))) + 1e-12)

        def loss(generator, discriminator):
            samples = nets.generate(generator, latents, **label)
            scores = nets.score(discriminator, samples, **label)
            penalty = jnp.mean(jnp.square(slopes(samples, discriminator) - 1))
            return jnp.mean(jax.nn.softplus(scores)) + penalty, (samples, scores)

        gradients, (samples, scores) = jax.grad(loss, (0, 1), has_aux=True)(
            generator, discriminator
        )
        same = jnp.broadcast_to(samples[:1], samples.shape)
        same_scores = nets.score(discriminator, same, **label)
        logits = nets.classify(discriminator, same) if nets.classify else None
        return gradients, samples, scores, same_scores, logits

    gradients, samples, scores, same_scores, logits = play(jax.random.key(0))
    assert samples.shape == (BATCH, *shape) and samples.dtype == jnp.float32
    assert scores.shape == (BATCH,) and scores.dtype == jnp.float32
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    unused = ("to_image_4",) if case == "progan" else ()  # used only in a fade
    if case == "mlp maxout":  # before BatchNorm biases cancel: what is left of them is rounding
        for dense in ("dense_0", "dense_1"):
            del gradients[0]["params"]["hidden"][dense]["bias"]
    for name, layer in gradients[0]["params"].items():
        assert name in unused or all(leaf.any() for leaf in jax.tree.leaves(layer)), name
    if "spectral" in gradients[1]:
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradients[1]["spectral"]))
    if label:
        assert jnp.abs(samples[0] - samples[1]).max() > 1e-4
        assert (jnp.ptp(same_scores) > 1e-4) == (logits is None)
        assert logits is None or (logits.shape == (BATCH, 3) and logits.dtype == jnp.float32)
    else:
        assert jnp.abs(samples[0] - samples[1]).max() < 1e-5 and logits is None


@pytest.mark.parametrize("case", ["mlp maxout", "dcgan spectral", "resnet"])
def test_with_standing_statistics_a_sample_does_not_depend_on_its_neighbours(case):
    nets, label = build(case), labels_of(case)
    many_labels = {name: jnp.tile(value, 40) for name, value in label.items()}

    @compiled
    def play(rng):
        generator, _ = nets.init(rng)
        generator = jittered(generator)
        standing = nets.standing(generator, nets.latent(jax.random.key(1), 160), **many_labels)
        latents = nets.latent(jax.random.key(2), BATCH)
        first_label = {name: value[:1] for name, value in label.items()}
        return (
            nets.generate(standing, latents, **label)[0],
            nets.generate(standing, latents[:1], **first_label)[0],
            nets.generate(generator, latents, **label)[0],
            standing,
        )

    in_batch, alone, without_standing, standing = play(jax.random.key(0))
    np.testing.assert_allclose(in_batch, alone, rtol=1e-4, atol=1e-5)
    assert jnp.abs(in_batch - without_standing).max() > 1e-3
    assert "statistics" in standing and "params" in standing


@pytest.mark.parametrize("case", ["mlp", "progan", "r3gan"])
def test_networks_without_batch_norm_have_no_standing_statistics(case):
    assert build(case).standing is None


def test_a_generator_with_layer_norm_has_no_standing_statistics():
    assert build("dcgan concatenation", norm="layer").standing is None


COMPARING = (
    "mlp image",
    "dcgan concatenation",
    "dcgan",
    "dcgan odd",
    "progan",
    "stylegan2",
    "packed",
)
"""Cases whose discriminators compare samples: by BatchNorm, minibatch layers or packs."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case == "stylegan2" else ()) for case in CASES],
)
def test_scores_are_independent_unless_a_layer_compares_samples(case):
    nets, shape, label = build(case), CASES[case][1], labels_of(case)
    params = jittered(nets.init(jax.random.key(0))[1])
    real, fake = jax.random.normal(jax.random.key(1), (2, BATCH, *shape))
    alone = nets.score(params, real, **label)
    both_labels = {name: jnp.tile(value, 2) for name, value in label.items()}
    with_fakes = nets.score(params, jnp.concatenate([real, 3 * fake]), **both_labels)[:BATCH]
    assert nets.independent_scores == (case not in COMPARING)
    if nets.independent_scores:
        np.testing.assert_allclose(alone, with_fakes, rtol=1e-4, atol=1e-6)
    # The packs are the same ones here; the images are too small for BatchNorm to show.
    elif case not in ("packed", "dcgan concatenation"):
        assert np.abs(alone - with_fakes).max() > 1e-3


def test_the_discriminator_sees_real_and_fake_in_one_pass():
    """The same loss and gradients as in two passes, from half as many matrix products."""
    nets = build("mlp")
    generator, discriminator = nets.init(jax.random.key(0))
    batch = {"real": jax.random.normal(jax.random.key(1), (BATCH, 2))}

    def gradients_and_products(independent_scores):
        game = adversarial(
            nets._replace(independent_scores=independent_scores), {"minimax": losses.minimax()}
        )

        def gradient(params):
            return jax.value_and_grad(game.discriminator, has_aux=True)(
                params, Player(generator), batch, jax.random.key(2)
            )

        program = str(jax.make_jaxpr(gradient)(discriminator))
        return jax.tree.leaves(jax.jit(gradient)(discriminator)), program.count("dot_general")

    one_pass, products_of_one = gradients_and_products(True)
    two_passes, products_of_two = gradients_and_products(False)
    for one, two in zip(one_pass, two_passes, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    # Per layer of the discriminator: forward, the kernel's gradient, and the input's, of which the
    # first layer needs none.
    layers, generator_layers = 2, 2
    assert products_of_two - products_of_one == 3 * layers - 1
    assert products_of_one == 3 * layers - 1 + generator_layers


@pytest.mark.parametrize("case", ["mlp image", "dcgan"])
def test_layers_that_compare_samples_see_the_batch_of_all_devices(case):
    nets, label = build(case), jnp.arange(8) % 3
    if len(jax.devices()) < 4:
        pytest.skip("needs 4 devices")
    players = nets.init(jax.random.key(0))
    latents = nets.latent(jax.random.key(1), 8)

    def loss(players, latents, label):
        samples = nets.generate(players[0], latents, label=label)
        return jnp.mean(jax.nn.softplus(nets.score(players[1], samples, label=label)))

    def gradient_of_part(latents, label):
        with batch_axis("devices"):
            gradient = jax.grad(loss)(players, latents, label)
        return jax.lax.pmean(gradient, "devices")

    whole = compiled(jax.grad(loss))(players, latents, label)
    parts = jax.pmap(gradient_of_part, "devices", devices=jax.devices()[:4])(
        latents.reshape(4, 2, -1), label.reshape(4, 2)
    )
    for of_parts, of_whole in zip(jax.tree.leaves(parts), jax.tree.leaves(whole), strict=True):
        scale = jnp.abs(of_whole).max() + 1e-3
        np.testing.assert_allclose(of_parts[0] / scale, of_whole / scale, atol=1e-4)


@pytest.mark.parametrize(
    "case",
    ["dcgan concatenation", "resnet", pytest.param("progan", marks=pytest.mark.slow)],
)
def test_gradient_penalty_against_finite_differences(case, float64):
    changes = {"dtype": "float64"}
    if case == "progan":
        changes |= {"labels": "projection", "group": 2}
    nets, label = build(case, **changes), labels_of(case)

    @compiled
    def start(rng):
        discriminator = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), nets.init(rng)[1])
        direction = jax.tree.map(
            lambda leaf: jax.random.normal(rng, leaf.shape, jnp.float64), discriminator["params"]
        )
        samples = jax.random.normal(rng, (BATCH, *CASES[case][1]), jnp.float64)
        return discriminator, direction, samples

    discriminator, direction, samples = start(jax.random.key(0))

    def penalty(distance):
        params = jax.tree.map(
            lambda leaf, towards: leaf + distance * towards, discriminator["params"], direction
        )
        score = lambda x: jnp.sum(nets.score({"params": params}, x, **label))
        gradient = jax.grad(score)(samples)
        return jnp.mean(jnp.square(jnp.sqrt(jnp.sum(jnp.square(gradient), (1, 2, 3))) - 1))

    # So small a step that no unit crosses its kink, where the penalty jumps.
    exact, above, below = compiled(
        lambda: (jax.grad(penalty)(0.0), penalty(1e-9), penalty(-1e-9))
    )()
    np.testing.assert_allclose(exact, (above - below) / 2e-9, rtol=1e-4, atol=1e-4)


def test_members_of_a_population_are_single_networks():
    nets = build("dcgan spectral")
    keys = jax.random.split(jax.random.key(0), 2)
    label = jnp.arange(BATCH) % 3

    def play(key):
        generator, discriminator = nets.init(key)
        samples = nets.generate(generator, nets.latent(key, BATCH), label=label)
        return nets.score(discriminator, samples, label=label)

    member, single = compiled(jax.vmap(play))(keys)[1], compiled(play)(keys[1])
    np.testing.assert_allclose(member, single, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", ["dcgan concatenation", "progan", "mlp"])
def test_bfloat16_keeps_parameters_samples_and_scores_in_float32(case):
    nets, label = build(case, dtype="bfloat16"), labels_of(case)

    def play(rng):
        players = nets.init(rng)
        samples = nets.generate(players[0], nets.latent(rng, BATCH), **label)
        return players, samples, nets.score(players[1], samples, **label)

    leaves = jax.tree.leaves(jax.eval_shape(play, jax.random.key(0)))
    assert all(leaf.dtype == jnp.float32 for leaf in leaves)
    assert "bf16" in str(jax.make_jaxpr(play)(jax.random.key(0)))


FEATURES = {
    "mlp": lambda: networks.mlp((8, 8, 1)),
    "dcgan": lambda: networks.dcgan((8, 8, 1), width=4),
    "r3gan": lambda: networks.r3gan((8, 8, 1), width=16),
}


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_the_input_of_the_head(name):
    nets = FEATURES[name]()
    discriminator = nets.init(jax.random.key(0))[1]
    samples = jax.random.normal(jax.random.key(1), (3, 8, 8, 1))
    features = nets.features(discriminator, samples)
    head = discriminator["params"]["head"]["score"]
    scores = features @ head["kernel"][:, 0] + head.get("bias", jnp.zeros(1))[0]
    np.testing.assert_allclose(scores, nets.score(discriminator, samples), rtol=1e-4, atol=1e-5)


LABEL, FADE = jnp.zeros(1, int), jnp.zeros(1)
REFUSED = {
    "an unknown norm": (lambda: networks.dcgan((32, 32, 3), norm="weight"), "norm"),
    "a spectral generator": (lambda: networks.dcgan((32, 32, 3), norm="spectral"), "norm"),
    "an unknown activation": (lambda: networks.mlp((2,), activation="rely"), "rely"),
    "an unknown initializer": (lambda: networks.mlp((2,), init="xavier"), "xavier"),
    "an unknown latent": (lambda: networks.mlp((2,), latent="cauchy"), "cauchy"),
    "an unknown minibatch layer": (lambda: networks.mlp((2,), minibatch="mean"), "minibatch"),
    "an unknown use of labels": (lambda: networks.mlp((2,), 3, labels="beside"), "beside"),
    "labels without classes": (
        lambda: networks.dcgan((32, 32, 3), labels="auxiliary"),
        "classes=0",
    ),
    "a small image": (lambda: networks.dcgan((8, 8, 3), depth=5), "halved 5 times"),
    "no image": (lambda: networks.resnet((2,)), "images"),
    "sides that widths cannot make": (
        lambda: networks.resnet((30, 30, 3), generator_widths=(8, 8, 8)),
        "multiples of 4",
    ),
    "no power of two": (lambda: networks.progan((28, 28, 1)), "square images"),
    "an unknown phase": (lambda: networks.progan((32, 32, 1), resolution=64), "resolution"),
    "a share above 1": (lambda: networks.stylegan2((8, 8, 1), mixing=1.5), "mixing"),
    "groups that do not fit": (lambda: networks.r3gan((32, 32, 3), width=6), "group_width"),
    "a label given": (
        lambda: networks.mlp((2,)).score({}, jnp.zeros((1, 2)), label=LABEL),
        "unconditional",
    ),
    "a label missing": (
        lambda: networks.mlp((2,), 3).generate({}, jnp.zeros((1, 2))),
        "give label",
    ),
    "a fade given": (
        lambda: networks.mlp((2,)).generate({}, jnp.zeros((1, 2)), fade=FADE),
        "cannot use fade",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_settings_and_conditions_are_refused_in_one_line(case):
    make, message = REFUSED[case]
    with pytest.raises(UserError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
