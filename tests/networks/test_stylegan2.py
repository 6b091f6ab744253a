"""StyleGAN2's networks: against PyTorch, demodulation, noise, style mixing and truncation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import compiled, jittered

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Context, Player, adversarial, initial_memory
from gan_jax.networks.stylegan2.layers import modulated_conv
from gan_jax.objectives import losses, regularisers

BATCH, SIDE, CLASSES = 4, 8, 3
SMALL = {
    "latent_size": 4,
    "style_size": 5,
    "mapping_layers": 2,
    "channel_base": 32,
    "channel_max": 6,
    "group": 2,
}
LABEL = jnp.arange(BATCH) % CLASSES


def build(classes=0, **changes):
    return networks.stylegan2((SIDE, SIDE, 2), classes, **SMALL | changes)


def keys(seed=3):
    return jax.random.split(jax.random.key(seed), BATCH)


def players(nets, seed=0):
    return tuple(map(jittered, nets.init(jax.random.key(seed))))


@pytest.mark.slow
@pytest.mark.parametrize("classes", [0, CLASSES])
def test_samples_equal_those_of_a_torch_implementation(classes):
    torch = pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    import torch_stylegan2 as reference

    nets = build(classes)
    label = {"label": LABEL} if classes else {}
    generator, _ = players(nets)
    latents = nets.latent(jax.random.key(1), BATCH)
    styles = compiled(nets.styles)(generator, latents, **label)
    samples = compiled(nets.generate)(generator, latents, rng=keys(), **label)
    mixed = compiled(nets.styles)(generator, latents, rng=keys(), **label)
    params = generator["params"]
    with torch.no_grad():
        one_hot = torch.eye(CLASSES)[np.asarray(LABEL)] if classes else None
        of_torch = reference.mapping(params["mapping"], reference.tensor(latents), one_hot)
        noises = [noise(layer, side) for layer, side in enumerate((4, 8, 8))]
        made = reference.synthesis(params["synthesis"], reference.tensor(mixed), SIDE, noises)
    np.testing.assert_allclose(styles, of_torch[:, None].expand(-1, 4, -1), rtol=1e-5, atol=1e-6)
    expected = made.permute(0, 2, 3, 1).numpy()
    assert samples.shape == (BATCH, SIDE, SIDE, 2)
    np.testing.assert_allclose(samples, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def noise(layer, side):
    """Each sample's noise in a layer, from its own key."""
    import torch

    def draw(key):
        key = jax.random.fold_in(jax.random.fold_in(key, 0), layer)
        return jax.random.normal(key, (side, side, 1))

    return torch.tensor(np.asarray(jax.vmap(draw)(keys()))).permute(0, 3, 1, 2)


@pytest.mark.parametrize(("classes", "residual"), [(0, True), (CLASSES, False)])
def test_scores_and_slopes_equal_those_of_a_torch_implementation(classes, residual):
    torch = pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    import torch_stylegan2 as reference

    nets = build(classes, residual=residual)
    label = {"label": LABEL} if classes else {}
    _, discriminator = players(nets)
    images = np.random.default_rng(0).normal(size=(BATCH, SIDE, SIDE, 2)).astype(np.float32)

    @compiled
    def score(params, images):
        summed = lambda x: (jnp.sum(jnp.sin(nets.score(params, x, **label))),) * 2
        slopes = jax.grad(lambda x: summed(x)[0])(images)
        return nets.score(params, images, **label), slopes

    scores, slopes = score(discriminator, images)
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    one_hot = torch.eye(CLASSES)[np.asarray(LABEL)] if classes else None
    expected = reference.discriminator(discriminator["params"], x, 2, residual, one_hot)
    torch.sin(expected).sum().backward()
    np.testing.assert_allclose(scores, expected.detach(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(slopes, x.grad.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_demodulated_outputs_of_independent_inputs_have_variance_1():
    """Whatever the kernel and the scales are."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(2, 64, 64, 4)).astype(np.float32)
    kernel = 7 * draws.normal(size=(3, 3, 4, 5)).astype(np.float32)
    scale = np.exp(draws.normal(size=(2, 4))).astype(np.float32)
    y = modulated_conv(x, kernel, scale)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(np.var(y, (1, 2)), 1.0, atol=0.12)
    plain = modulated_conv(x, kernel, scale, demodulate=False)[:, 1:-1, 1:-1]
    deviation = np.sqrt(np.einsum("ni,hwio->no", scale**2, kernel**2))
    np.testing.assert_allclose(plain, y * deviation[:, None, None], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_sample_depends_on_its_latents_and_its_key_alone():
    nets = build()
    generator, _ = players(nets)
    latents = nets.latent(jax.random.key(1), BATCH)
    generate = compiled(nets.generate)
    together = generate(generator, latents, rng=keys())
    alone = generate(generator, latents[2:3], rng=keys()[2:3])
    np.testing.assert_allclose(together[2:3], alone, rtol=1e-4, atol=1e-5)
    others = generate(generator, latents, rng=keys(4))
    assert np.abs(together - others).max() > 1e-3


@pytest.mark.slow
def test_styles_are_mixed_from_a_random_layer_on_at_the_given_share():
    nets = networks.stylegan2((32, 32, 1), **SMALL | {"channel_base": 32}, mixing=0.7)
    generator, _ = nets.init(jax.random.key(0))
    n = 2000
    latents = nets.latent(jax.random.key(1), n)
    rng = jax.random.split(jax.random.key(2), n)
    styles = compiled(nets.styles)
    mixed, own = styles(generator, latents, rng=rng), styles(generator, latents)
    assert mixed.shape == (n, 8, 5)
    other = np.asarray(jnp.any(mixed != own, -1))
    first = np.where(other.any(1), other.argmax(1), 8)
    assert (other == (np.arange(8)[None] >= first[:, None])).all()
    counts = np.bincount(first, minlength=9)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[8] / n, 0.3, atol=0.04)
    np.testing.assert_allclose(counts[1:8] / n, 0.1, atol=0.025)
    standing = nets.standing(generator, latents)
    np.testing.assert_array_equal(styles(standing, latents, rng=rng), own)


def test_truncation_scales_the_distance_from_the_mean_style():
    nets = build(CLASSES)
    generator, _ = players(nets)
    latents = nets.latent(jax.random.key(1), BATCH)
    standing = nets.standing(generator, latents, label=LABEL)
    styles = np.asarray(nets.styles(generator, latents, label=LABEL))
    mean = styles.mean((0, 1), keepdims=True)
    truncation = jnp.array([0.0, 0.5, 0.7, 1.0])
    truncated = nets.styles(standing, latents, label=LABEL, truncation=truncation)
    expected = mean + np.asarray(truncation)[:, None, None] * (styles - mean)
    np.testing.assert_allclose(truncated, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match=r"networks\.standing"):
        nets.styles(generator, latents, label=LABEL, truncation=truncation)


def test_the_mapping_network_starts_in_scale_and_learns_slowly():
    nets = networks.stylegan2((4, 4, 1), **SMALL | {"style_size": 256, "latent_size": 256})
    generator, _ = nets.init(jax.random.key(0))
    latents = nets.latent(jax.random.key(1), 64)
    layer = generator["params"]["mapping"]["dense_0"]
    np.testing.assert_allclose(jnp.std(layer["kernel"]), 100.0, rtol=0.02)
    np.testing.assert_allclose(
        jnp.mean(jnp.square(nets.styles(generator, latents))), 1.08, atol=0.15
    )


@pytest.mark.slow
def test_path_lengths_are_those_of_half_of_the_samples_whose_keys_they_have():
    """Samples 0 and 2 of the batch, in any order; the others do not matter."""
    nets = build(channel_max=2)
    generator, discriminator = players(nets)
    objective = adversarial(nets, losses.hinge() + regularisers.path_length(3.0, decay=0.0))
    context = Context(jax.random.key(5), 0, initial_memory(objective))
    loss = compiled(objective.generator)

    def mean_length(*sample_index):
        batch = {
            "real": jnp.zeros((BATCH, SIDE, SIDE, 2)),
            "sample_index": jnp.array(sample_index),
        }
        _, (_, memory) = loss(generator, Player(discriminator), batch, context)
        return memory["path_length"]

    expected = mean_length(0, 1, 2, 3)
    np.testing.assert_allclose(mean_length(2, 5, 0, 7), expected, rtol=1e-5)
    assert abs(mean_length(0, 1, 3, 2) - expected) > 1e-4


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((28, 28, 1), {}, "sides 4, 8"),
        ((8, 8, 1), {"mixing": 1.5}, "mixing is a share"),
        ((8, 8, 1), {"channel_base": 4}, "channel_base / side must be at least 1"),
        ((8, 8, 1), {"group": 0}, "group must be at least 1"),
    ],
)
def test_bad_settings_are_refused_in_one_line(shape, settings, message):
    with pytest.raises(UserError, match=message):
        networks.stylegan2(shape, **settings)
