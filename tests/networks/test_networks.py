"""Every network: shapes, counts against the papers, labels, derivatives, and independence of a sample's neighbours."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.distributed.collectives import batch_axis
from gan_jax.errors import UserError
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses

BATCH = 4

CASES = {
    "mlp": (
        "mlp",
        (2,),
        0,
        {"latent_size": 3, "generator_widths": (8,), "discriminator_widths": (8,)},
    ),
    "mlp maxout": (
        "mlp",
        (2,),
        0,
        {"norm": "batch", "pieces": 3, "latent_size": 2, "generator_widths": (6, 6)},
    ),
    "mlp image": ("mlp", (4, 4, 1), 3, {"latent_size": 3, "minibatch": "discrimination"}),
    "mlp auxiliary": (
        "mlp",
        (2,),
        3,
        {"labels": "auxiliary", "embedding_size": 2, "activation": "tanh"},
    ),
    "dcgan concatenation": ("dcgan", (8, 8, 1), 3, {"width": 2, "latent_size": 3}),
    "dcgan": (
        "dcgan",
        (8, 8, 3),
        3,
        {"width": 2, "labels": "auxiliary", "minibatch": "std", "first_norm": True},
    ),
    "dcgan spectral": (
        "dcgan",
        (8, 8, 1),
        3,
        {"width": 2, "discriminator_norm": "spectral", "labels": "projection"},
    ),
    "dcgan odd": (
        "dcgan",
        (7, 7, 1),
        0,
        {"width": 2, "depth": 1, "kernel": 3, "final_conv": True, "first_norm": True},
    ),
    "infogan": (
        "infogan",
        (8, 8, 1),
        0,
        {"width": 2, "depth": 1, "hidden": 8, "discriminator_norm": "instance"},
    ),
    "resnet": (
        "resnet",
        (8, 8, 3),
        3,
        {"generator_widths": (4, 4), "discriminator_widths": (4, 6), "downs": 1},
    ),
    "resnet large": (
        "resnet",
        (8, 8, 3),
        0,
        {
            "generator_widths": (6, 4),
            "discriminator_widths": (4,),
            "downs": 1,
            "stem": 4,
            "pooling": "flatten",
            "discriminator_norm": "layer",
        },
    ),
    "sngan": (
        "sngan",
        (8, 8, 3),
        3,
        {"generator_widths": (4, 4), "discriminator_widths": (4, 4), "downs": 1},
    ),
    "progan": ("progan", (8, 8, 1), 3, {"fmap_base": 16, "fmap_max": 6, "latent_size": 4}),
    "r3gan": ("r3gan", (8, 8, 1), 3, {"width": 4, "group_width": 4, "blocks": 1, "latent_size": 4}),
    "packed": ("packed", (2,), 0, {"networks": partial(networks.mlp, latent_size=3), "m": 2}),
}


@cache
def quick():
    """A compiler option that halves the time to compile, where this XLA knows it."""
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def compiled(function):
    """Compiled quickly, for small programs that run once."""
    return jax.jit(function, compiler_options=quick())


def jittered(params):
    """Some layers start at zero, with which nothing could be told apart."""
    return jax.tree.map(
        lambda leaf: (
            leaf + 0.1 * jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape)
        ),
        params,
    )


def build(case, **changes):
    name, shape, classes, settings = CASES[case]
    return getattr(networks, name)(shape, classes, **settings | changes)


def labels_of(case):
    return {"label": jnp.arange(BATCH) % CASES[case][2]} if CASES[case][2] else {}


def count(params):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params["params"]))


def abstract(name, shape, classes=0, **settings):
    return jax.eval_shape(
        getattr(networks, name)(shape, classes, **settings).init, jax.random.key(0)
    )


@pytest.mark.parametrize("case", CASES)
def test_shapes_labels_and_second_order_gradients(case):
    net, shape, label = build(case), CASES[case][1], labels_of(case)

    @compiled
    def play(rng):
        generator, discriminator = jittered(net.init(rng))
        latents = jnp.repeat(
            net.latent(rng, 2), 2, 0
        )  # rows 0 and 1 differ in nothing but the label

        def slopes(samples, discriminator):
            gradient = jax.grad(lambda x: jnp.sum(net.score(discriminator, x, **label)))(samples)
            return jnp.sqrt(jnp.sum(jnp.square(gradient), tuple(range(1, gradient.ndim))) + 1e-12)

        def loss(generator, discriminator):
            samples = net.generate(generator, latents, **label)
            scores = net.score(discriminator, samples, **label)
            total = jnp.mean(jax.nn.softplus(scores)) + jnp.mean(
                jnp.square(slopes(samples, discriminator) - 1)
            )
            return total, (samples, scores)

        gradients, (samples, scores) = jax.grad(loss, (0, 1), has_aux=True)(
            generator, discriminator
        )
        same = jnp.broadcast_to(samples[:1], samples.shape)
        same_scores = net.score(discriminator, same, **label)
        logits = net.classify(discriminator, same) if net.classify else None
        return gradients, samples, scores, same_scores, logits

    gradients, samples, scores, same_scores, logits = play(jax.random.key(0))
    assert samples.shape == (BATCH, *shape) and samples.dtype == jnp.float32
    assert scores.shape == (BATCH,) and scores.dtype == jnp.float32
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    unused = ("to_image_4",) if case == "progan" else ()  # it plays a part in a fade alone
    assert all(
        leaf.any()
        for name, part in gradients[0]["params"].items()
        if name not in unused
        for leaf in jax.tree.leaves(part)
    )
    if "spectral" in gradients[1]:
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradients[1]["spectral"]))
    if label:
        assert jnp.abs(samples[0] - samples[1]).max() > 1e-4
        assert (jnp.ptp(same_scores) > 1e-4) == (logits is None)
        assert logits is None or (logits.shape == (BATCH, 3) and logits.dtype == jnp.float32)
    else:
        assert jnp.abs(samples[0] - samples[1]).max() < 1e-5 and logits is None


def test_parameter_counts_of_the_papers():
    generator, discriminator = abstract("mlp", (2,))
    assert count(generator) == 257 * 128 + 129 * 128 + 129 * 2
    assert count(discriminator) == 3 * 128 + 129

    generator, discriminator = abstract("progan", (1024, 1024, 3))  # table 2: 23.1M each
    assert round(count(generator) / 1e6, 1) == 23.1 and round(count(discriminator) / 1e6, 1) == 23.1

    # Figure 1 of DCGAN: 100 -> 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3, kernels of 5, norms with 2 a channel.
    generator, discriminator = abstract("dcgan", (64, 64, 3))
    ups = [(1024, 512), (512, 256), (256, 128)]
    expected = 100 * 16384 + 2 * 16384 + sum(25 * a * b + 2 * b for a, b in ups) + 25 * 128 * 3 + 3
    assert count(generator) == expected
    assert (
        count(discriminator)
        == 25 * 3 * 128 + 128 + sum(25 * a * b + 2 * a for a, b in ups) + 16 * 1024 + 1
    )

    # WGAN-GP's CIFAR-10 networks, width 128 throughout.
    generator, discriminator = abstract("resnet", (32, 32, 3))
    conv, norm = 9 * 128 * 128 + 128, 2 * 128
    up = 2 * conv + 2 * norm + 128 * 128 + 128
    assert count(generator) == 129 * 2048 + 3 * up + norm + 9 * 128 * 3 + 3
    first = 9 * 3 * 128 + 128 + conv + 3 * 128 + 128
    assert count(discriminator) == first + (2 * conv + 128 * 128 + 128) + 2 * 2 * conv + 129

    # SNGAN's table 4: 256 in the generator, 128 in the discriminator.
    generator, discriminator = abstract("sngan", (32, 32, 3), 10)
    conv = 9 * 256 * 256 + 256
    up = 2 * conv + 2 * 10 * 2 * 256 + 256 * 256 + 256
    assert count(generator) == 129 * 4096 + 3 * up + 2 * 256 + 9 * 256 * 3 + 3
    conv = 9 * 128 * 128 + 128
    assert (
        count(discriminator) == first + (2 * conv + 128 * 128 + 128) + 2 * 2 * conv + 129 + 10 * 128
    )


@pytest.mark.slow
def test_every_promised_resolution_is_made():
    for name, sides in {
        "dcgan": (28, 32, 64, 128),
        "resnet": (28, 32, 64, 128),
        "sngan": (64, 128),
    }.items():
        for side in sides:
            check(getattr(networks, name)((side, side, 3)), (side, side, 3))
    for largest, side in ((64, 4), (64, 8), (64, 64), (1024, 1024)):
        check(networks.progan((largest, largest, 3), resolution=side), (side, side, 3))
    check(networks.r3gan((28, 28, 1)), (28, 28, 1))


def check(net, shape):
    generator, discriminator = jax.eval_shape(net.init, jax.random.key(0))
    samples = jax.eval_shape(
        lambda g, key: net.generate(g, net.latent(key, BATCH)), generator, jax.random.key(0)
    )
    assert samples.shape == (BATCH, *shape)
    assert jax.eval_shape(net.score, discriminator, samples).shape == (BATCH,)


def test_layer_counts_of_the_papers():
    def kernels(params):
        return sum(
            path[-1].key == "kernel"
            for path, _ in jax.tree_util.tree_flatten_with_path(params["params"])[0]
        )

    assert [kernels(p) for p in abstract("dcgan", (64, 64, 3))] == [5, 5]
    assert [kernels(p) for p in abstract("sngan", (32, 32, 3))] == [
        1 + 3 * 3 + 1,
        3 + 3 + 2 + 2 + 1,
    ]
    # ProGAN: two layers a resolution and the images' own 1x1 layers at each of the nine.
    assert [kernels(p) for p in abstract("progan", (1024, 1024, 3))] == [2 * 9 + 9, 2 * 9 + 9 + 1]


@pytest.mark.parametrize("case", ["mlp maxout", "dcgan spectral", "resnet"])
def test_standing_statistics_free_a_sample_of_its_neighbours(case):
    net, label = build(case), labels_of(case)
    many = {name: jnp.tile(value, 40) for name, value in label.items()}

    @compiled
    def play(rng):
        generator, _ = net.init(rng)
        generator = jittered(generator)
        standing = net.standing(generator, net.latent(jax.random.key(1), 160), **many)
        latents = net.latent(jax.random.key(2), BATCH)
        alone = {name: value[:1] for name, value in label.items()}
        return (
            net.generate(standing, latents, **label)[0],
            net.generate(standing, latents[:1], **alone)[0],
            net.generate(generator, latents, **label)[0],
            standing,
        )

    together, alone, trained, standing = play(jax.random.key(0))
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert jnp.abs(together - trained).max() > 1e-3
    assert "statistics" in standing and "params" in standing


def test_networks_without_batch_norm_have_no_standing_statistics():
    assert (
        build("mlp").standing is None
        and build("progan").standing is None
        and build("r3gan").standing is None
    )
    assert build("dcgan concatenation", norm="layer").standing is None


@pytest.mark.parametrize("case", CASES)
def test_one_pass_scores_real_and_fake_only_where_no_layer_compares_samples(case):
    net, shape, label = build(case), CASES[case][1], labels_of(case)
    params = jittered(net.init(jax.random.key(0))[1])
    samples = jax.random.normal(jax.random.key(1), (2, BATCH, *shape))
    alone = net.score(params, samples[0], **label)
    both = {name: jnp.tile(value, 2) for name, value in label.items()}
    beside = net.score(params, jnp.concatenate([samples[0], 3 * samples[1]]), **both)[:BATCH]
    if net.independent_scores:
        np.testing.assert_allclose(alone, beside, rtol=1e-4, atol=1e-6)
    elif case not in (
        "packed",
        "dcgan concatenation",
    ):  # whose packs are the same here; too small for BatchNorm
        assert np.abs(alone - beside).max() > 1e-3
    assert net.independent_scores == (
        case not in ("mlp image", "dcgan concatenation", "dcgan", "dcgan odd", "progan", "packed")
    )


def test_the_discriminator_sees_real_and_fake_in_one_pass():
    """The same loss and gradients as with two, from half as many products of matrices."""
    net = build("mlp")
    params, data = (
        net.init(jax.random.key(0)),
        {"real": jax.random.normal(jax.random.key(1), (1, BATCH, 2))[0]},
    )
    found = {}
    for independent_scores in (True, False):
        game = adversarial(
            net._replace(independent_scores=independent_scores), {"minimax": losses.minimax()}
        )

        def gradient(own, game=game):
            return jax.value_and_grad(game.discriminator, has_aux=True)(
                own, Player(params[0]), data, jax.random.key(2)
            )

        text = str(jax.make_jaxpr(gradient)(params[1]))
        found[independent_scores] = (
            jax.tree.leaves(jax.jit(gradient)(params[1])),
            text.count("dot_general"),
        )
    np.testing.assert_equal(len(found[True][0]), len(found[False][0]))
    for one, two in zip(found[True][0], found[False][0], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    layers, generator = (
        2,
        2,
    )  # of either network: the discriminator's have a forward and a kernel's product, one an input's
    assert (
        found[False][1] - found[True][1] == 3 * layers - 1
        and found[True][1] == 3 * layers - 1 + generator
    )


@pytest.mark.parametrize("case", ["mlp image", "dcgan"])
def test_layers_that_compare_samples_see_the_batch_of_all_devices(case):
    net, label = build(case), {"label": jnp.arange(8) % 3}
    if len(jax.devices()) < 4:
        pytest.skip("needs 4 devices")
    generator, discriminator = net.init(jax.random.key(0))
    latents = net.latent(jax.random.key(1), 8)

    def loss(players, latents, label):
        samples = net.generate(players[0], latents, label=label)
        return jnp.mean(jax.nn.softplus(net.score(players[1], samples, label=label)))

    def part(latents, label):
        with batch_axis("devices"):
            gradient = jax.grad(loss)((generator, discriminator), latents, label)
        return jax.lax.pmean(gradient, "devices")

    whole = compiled(jax.grad(loss))((generator, discriminator), latents, label["label"])
    parts = jax.pmap(part, "devices", devices=jax.devices()[:4])(
        latents.reshape(4, 2, -1), label["label"].reshape(4, 2)
    )
    for ours, theirs in zip(jax.tree.leaves(parts), jax.tree.leaves(whole), strict=True):
        scale = jnp.abs(theirs).max() + 1e-3
        np.testing.assert_allclose(ours[0] / scale, theirs / scale, atol=1e-4)


@pytest.mark.parametrize("case", ["dcgan concatenation", "resnet", "progan"])
def test_gradient_penalty_against_finite_differences(case, float64):
    changes = {"dtype": "float64"} | (
        {"labels": "projection", "group": 2} if case == "progan" else {}
    )
    net, label = build(case, **changes), labels_of(case)
    rng = jax.random.key(0)

    @compiled
    def start(rng):
        discriminator = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), net.init(rng)[1])
        move = jax.tree.map(
            lambda leaf: jax.random.normal(rng, leaf.shape, jnp.float64), discriminator["params"]
        )
        return discriminator, move, jax.random.normal(rng, (BATCH, *CASES[case][1]), jnp.float64)

    discriminator, move, samples = start(rng)

    def penalty(step):
        params = jax.tree.map(lambda leaf, d: leaf + step * d, discriminator["params"], move)
        gradient = jax.grad(lambda x: jnp.sum(net.score({"params": params}, x, **label)))(samples)
        return jnp.mean(jnp.square(jnp.sqrt(jnp.sum(jnp.square(gradient), (1, 2, 3))) - 1))

    # So small a step that no unit crosses its kink, where the penalty jumps.
    exact, above, below = compiled(
        lambda: (jax.grad(penalty)(0.0), penalty(1e-9), penalty(-1e-9))
    )()
    np.testing.assert_allclose(exact, (above - below) / 2e-9, rtol=1e-4, atol=1e-4)


def test_members_of_a_population_are_single_networks():
    net = build("dcgan spectral")
    keys = jax.random.split(jax.random.key(0), 2)
    label = jnp.arange(BATCH) % 3

    def play(key):
        generator, discriminator = net.init(key)
        return net.score(
            discriminator, net.generate(generator, net.latent(key, BATCH), label=label), label=label
        )

    np.testing.assert_allclose(
        compiled(jax.vmap(play))(keys)[1], compiled(play)(keys[1]), rtol=1e-4, atol=1e-6
    )


def test_bfloat16_keeps_parameters_and_scores_in_float32():
    for case in ("dcgan concatenation", "progan", "mlp"):
        net, label = build(case, dtype="bfloat16"), labels_of(case)

        def play(rng, net=net, label=label):
            players = net.init(rng)
            samples = net.generate(players[0], net.latent(rng, BATCH), **label)
            return players, samples, net.score(players[1], samples, **label)

        assert all(
            leaf.dtype == jnp.float32
            for leaf in jax.tree.leaves(jax.eval_shape(play, jax.random.key(0)))
        )


WRONG = {
    "no such norm": lambda: networks.dcgan((32, 32, 3), norm="weight"),
    "no such activation": lambda: networks.mlp((2,), activation="rely"),
    "no such initialiser": lambda: networks.mlp((2,), init="xavier"),
    "no such latent": lambda: networks.mlp((2,), latent="cauchy"),
    "no such way with labels": lambda: networks.mlp((2,), 3, labels="beside"),
    "labels without classes": lambda: networks.dcgan((32, 32, 3), labels="auxiliary"),
    "too small": lambda: networks.dcgan((8, 8, 3), depth=5),
    "no image": lambda: networks.resnet((2,)),
    "odd image": lambda: networks.resnet((30, 30, 3), generator_widths=(8, 8, 8)),
    "not a power of two": lambda: networks.progan((28, 28, 1)),
    "no such phase": lambda: networks.progan((32, 32, 1), resolution=64),
    "groups that do not fit": lambda: networks.r3gan((32, 32, 3), width=6),
    "layers without activations": lambda: networks.mlp((2,), activation=("tanh", "relu")),
    "labels of packs": lambda: networks.packed((2,), 3, networks=networks.mlp),
    "labels beside a code": lambda: networks.latent_code((8, 8, 1), 3, networks=networks.dcgan),
    "no code": lambda: networks.latent_code((8, 8, 1), categories=1, networks=networks.dcgan),
    "code without a classifier": lambda: networks.latent_code((2,), networks=networks.mlp),
    "label given": lambda: networks.mlp((2,)).score({}, jnp.zeros((1, 2)), label=jnp.zeros(1, int)),
    "label missing": lambda: networks.mlp((2,), 3).generate({}, jnp.zeros((1, 2))),
    "fade given": lambda: networks.mlp((2,)).generate({}, jnp.zeros((1, 2)), fade=jnp.zeros(1)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_is_refused_in_one_line(wrong):
    with pytest.raises(UserError) as error:
        WRONG[wrong]()
    assert "\n" not in str(error.value)


def test_a_code_is_the_generators_label_and_the_classifiers_guess():
    inner = partial(
        networks.mlp,
        latent_size=4,
        generator_widths=(8,),
        discriminator_widths=(8,),
        labels="auxiliary",
    )
    net = networks.latent_code((2,), categories=3, continuous=1, networks=inner)
    latents = net.latent(jax.random.key(0), 6)
    assert latents.shape == (6, 3 + 4)
    np.testing.assert_array_equal(latents[:, :3].sum(1), 1)
    generator, discriminator = net.init(jax.random.key(1))
    samples = net.generate(generator, latents)
    assert net.classify(discriminator, samples).shape == (6, 3 + 1) and net.score(
        discriminator, samples
    ).shape == (6,)
    other = net.generate(generator, latents.at[:, :3].set(jnp.roll(latents[:, :3], 1, 1)))
    assert np.all(np.any(np.asarray(samples != other), 1))  # the category reaches the generator
    # The term that learns the code takes these networks as they are.
    terms = {
        "minimax": losses.minimax(),
        "information": losses.mutual_information(categories=3, continuous=1),
    }
    loss, metrics = adversarial(net, terms).generator(
        generator, Player(discriminator), {"real": jnp.zeros((6, 2))}, jax.random.key(2)
    )
    assert np.isfinite(loss) and metrics["generator/information"] > 0


def test_packs_share_their_score():
    net = build("packed")
    generator, discriminator = net.init(jax.random.key(0))
    samples = net.generate(generator, net.latent(jax.random.key(1), 4))
    scores = net.score(discriminator, samples)
    assert scores[0] == scores[1] and scores[2] == scores[3] and scores[0] != scores[2]
    swapped = net.score(discriminator, samples[jnp.array([0, 2, 1, 3])])
    assert swapped[0] != scores[0]
    with pytest.raises(ValueError, match="multiple of 2"):
        net.score(discriminator, samples[:3])


def test_latents():
    draw = {
        name: networks.latents.latent_distribution(name, 64)(jax.random.key(0), 500)
        for name in networks.latents.LATENTS
    }
    assert all(z.shape == (500, 64) for z in draw.values())
    assert abs(draw["uniform"]).max() <= 1 and abs(draw["standard_uniform"].std() - 1) < 0.02
    np.testing.assert_allclose(jnp.sqrt(jnp.sum(draw["spherical"] ** 2, -1)), 8.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "dcgan", "r3gan"])
def test_features_are_what_the_head_weighs(name):
    nets = getattr(networks, name)(
        (8, 8, 1), **{"mlp": {}, "dcgan": {"width": 4}, "r3gan": {"width": 16}}[name]
    )
    discriminator = nets.init(jax.random.key(0))[1]
    samples = jax.random.normal(jax.random.key(1), (3, 8, 8, 1))
    features = nets.features(discriminator, samples)
    head = discriminator["params"]["head"]["score"]
    scores = features @ head["kernel"][:, 0] + head.get("bias", jnp.zeros(1))[0]
    np.testing.assert_allclose(scores, nets.score(discriminator, samples), rtol=1e-4, atol=1e-5)


def test_maxout_is_the_largest_piece_and_learns_through_it_alone():
    """By NumPy's maximum over the dense layers that the kernel holds side by side, and the winners' gradients."""
    from gan_jax.networks.weights import Maxout

    rng = np.random.default_rng(0)
    layer, x = (
        Maxout(4, 3, jax.nn.initializers.normal()),
        rng.normal(size=(5, 2)).astype(np.float32),
    )
    kernel, bias = (
        rng.normal(size=(2, 12)).astype(np.float32),
        rng.normal(size=12).astype(np.float32),
    )
    params = {"params": {"pieces": {"kernel": kernel, "bias": bias}}}
    pieces = np.stack(
        [x @ kernel[:, 4 * i : 4 * i + 4] + bias[4 * i : 4 * i + 4] for i in range(3)]
    )
    np.testing.assert_allclose(layer.apply(params, x), pieces.max(0), rtol=1e-5)
    gradient = jax.grad(lambda params: jnp.sum(layer.apply(params, x)))(params)["params"]["pieces"]
    won = pieces.argmax(0)[None] == np.arange(3)[:, None, None]  # [pieces, batch, features]
    np.testing.assert_allclose(gradient["bias"], won.sum(1).ravel(), rtol=1e-6)
    np.testing.assert_allclose(
        gradient["kernel"], np.einsum("bi,pbf->ipf", x, won).reshape(2, 12), rtol=1e-4, atol=1e-5
    )
