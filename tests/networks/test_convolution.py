"""Our convolutions against XLA's own, in value and in derivatives of every order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gan_jax import networks
from gan_jax.networks import convolution
from gan_jax.networks.convolution import (
    conv,
    conv_downsample,
    downsample,
    transposed_conv,
    upsample,
    upsample_conv,
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def _forms_for_all_sizes(monkeypatch):
    """Uses the forms of large convolutions at sizes that a test can afford."""
    monkeypatch.setattr(convolution, "CHEAP_MULTIPLICATIONS", 0)


@pytest.fixture(params=["few channels and samples", "many"])
def form(request, monkeypatch):
    """Uses the forms for few channels, and those for many, at the same small sizes."""
    if request.param == "many":
        monkeypatch.setattr(convolution, "FEW_CHANNELS", 0)
        monkeypatch.setattr(convolution, "MANY_SAMPLES", 1)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def close(ours, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), ours, theirs)


def reference(x, kernel, stride=1, groups=1):
    low = (kernel.shape[0] - 1) // 2
    high = (-(-x.shape[1] // stride) - 1) * stride + kernel.shape[0] - x.shape[1] - low
    numbers = ("NHWC", "HWIO", "NHWC")
    pads = ((low, high),) * 2
    return lax.conv_general_dilated(
        x, kernel, (stride,) * 2, pads, dimension_numbers=numbers, feature_group_count=groups
    )


def penalised(function, x, kernel):
    """A loss with a gradient penalty: its gradient takes the derivative of a derivative."""

    def score(x, kernel):
        return jnp.sum(jnp.tanh(function(x, kernel)))

    gradient = jax.grad(score)(x, kernel)
    return score(x, kernel) + jnp.sum(jnp.square(gradient) * jnp.tanh(gradient))


def all_orders(function):
    """Value, and the gradients of a loss with a gradient penalty, in one program."""
    return jax.jit(
        lambda x, w: (
            function(x, w),
            jax.grad(lambda x, w: penalised(function, x, w), (0, 1))(x, w),
        )
    )


# Size, taps, stride, groups, channels. Images that are smaller than the kernel, larger images and
# single taps each have their own form.
GEOMETRIES = [
    (8, 5, 2, 1, 4), (7, 3, 2, 1, 4), (5, 4, 1, 2, 4), (8, 3, 2, 4, 4), (4, 5, 1, 1, 4),
    (2, 4, 2, 1, 4), (6, 1, 2, 1, 4), (12, 5, 2, 1, 2), (11, 4, 2, 1, 2), (13, 2, 3, 1, 2),
    (16, 5, 3, 1, 2), (6, 5, 1, 1, 2), (5, 1, 1, 1, 4), (7, 3, 1, 1, 4),
]  # fmt: skip


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("size", "taps", "stride", "groups", "channels"), GEOMETRIES)
def test_conv_and_its_derivatives_are_those_of_lax(size, taps, stride, groups, channels):
    x = normal(0, 2, size, size, channels)
    kernel = normal(1, taps, taps, channels // groups, 2 * channels)

    def ours(x, kernel):
        return conv(x, kernel, stride, groups)

    def theirs(x, kernel):
        return reference(x, kernel, stride, groups)

    close(all_orders(ours)(x, kernel), all_orders(theirs)(x, kernel))
    side = -(-size // stride)
    assert jax.eval_shape(ours, x, kernel).shape == (2, side, side, 2 * channels)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("size", "taps"), [(8, 5), (2, 5), (8, 1)])
def test_bfloat16_stays_bfloat16(size, taps):
    x = jnp.asarray(normal(0, 2, size, size, 3), jnp.bfloat16)
    kernel = jnp.asarray(normal(0, taps, taps, 3, 4), jnp.bfloat16)
    value, gradients = all_orders(lambda x, w: conv(x, w, 2))(x, kernel)
    assert {leaf.dtype for leaf in jax.tree.leaves((value, gradients))} == {jnp.dtype(jnp.bfloat16)}


def test_cheap_convolutions_are_left_to_xla_with_the_same_numbers(monkeypatch):
    x, kernel = normal(0, 2, 8, 8, 3), normal(1, 5, 5, 3, 4)
    ours = lambda x, w: conv(x, w, 2)
    large = all_orders(ours)(x, kernel)
    monkeypatch.setattr(convolution, "CHEAP_MULTIPLICATIONS", 2**20)
    close(all_orders(lambda x, w: ours(x, w))(x, kernel), large)
    assert slow_forms(jax.make_jaxpr(jax.grad(lambda x: jnp.sum(ours(x, kernel))))(x).jaxpr) > 0


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("size", "taps"), [(8, 4), (7, 3), (14, 5), (11, 4)])
def test_transposed_conv_and_its_derivatives_are_those_of_the_transpose(size, taps):
    x, kernel = normal(0, 2, -(-size // 2), -(-size // 2), 3), normal(1, taps, taps, 3, 5)

    def theirs(x, kernel):
        big = jax.ShapeDtypeStruct((2, size, size, 5), x.dtype)
        swapped = jnp.swapaxes(kernel, 2, 3)
        return jax.linear_transpose(lambda y: reference(y, swapped, 2), big)(x)[0]

    def ours(x, kernel):
        return transposed_conv(x, kernel, 2, (size, size))

    close(all_orders(ours)(x, kernel), all_orders(theirs)(x, kernel))


@pytest.mark.parametrize("taps", [1, 3])
def test_resampling_fused_with_a_convolution_is_exact(taps):
    x, kernel = normal(0, 2, 6, 4, 3), normal(1, taps, taps, 3, 5)
    fused = jax.jit(lambda x, w: (upsample_conv(x, w), conv_downsample(x, w)))(x, kernel)
    close(
        fused,
        jax.jit(lambda x, w: (reference(upsample(x), w), downsample(reference(x, w))))(x, kernel),
    )
    assert upsample(x)[0, :2, :2, 0].tolist() == [[x[0, 0, 0, 0]] * 2] * 2


def test_the_third_derivative_is_that_of_lax():
    x, kernel = normal(0, 1, 6, 6, 1), normal(1, 3, 3, 1, 2)

    def loss(function, t):
        return jnp.sum(jnp.sin(function(x * t, kernel * t, 2)))

    def third_derivative(function):
        return jax.jit(jax.grad(jax.grad(jax.grad(lambda t: loss(function, t)))))(1.3)

    close(third_derivative(conv), third_derivative(reference))


def test_members_of_a_population_have_the_gradients_of_single_ones():
    x, kernels = normal(0, 2, 6, 6, 1), normal(1, 3, 3, 3, 1, 2)
    gradients = jax.jit(jax.vmap(jax.grad(lambda w: penalised(conv, x, w))))(kernels)
    close(gradients[1], jax.jit(jax.grad(lambda w: penalised(reference, x, w)))(kernels[1]))


def test_forward_mode_works_within_its_context():
    x, kernel = normal(0, 1, 6, 6, 1), normal(1, 3, 3, 1, 2)

    def forward():
        return jax.jvp(lambda w: conv(x, w, 2), (kernel,), (kernel,))[1]

    if jax.default_backend() == "cpu":
        with pytest.raises(TypeError, match="forward-mode"):
            forward()
    with convolution.forward_mode():
        close(forward(), conv(x, kernel, 2))


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("size", [8, 14])
def test_no_form_is_slow_on_a_cpu(size):
    x, kernel = normal(0, 2, size, size, 3), normal(1, 5, 5, 3, 4)

    def slow(function):
        jaxpr = jax.make_jaxpr(jax.grad(lambda w: penalised(function, x, w)))(kernel)
        return slow_forms(jaxpr.jaxpr)

    assert slow(lambda x, w: reference(x, w, 2)) > 0
    if jax.default_backend() == "cpu":
        assert slow(lambda x, w: conv(x, w, 2)) == 0


def slow_forms(jaxpr):
    """Counts convolutions in groups, of dilated inputs, or by a kernel larger than the image."""
    count = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            image, kernel = equation.invars[0].aval.shape, equation.invars[1].aval.shape
            image_area = np.prod([image[axis] for axis in numbers.lhs_spec[2:]])
            kernel_area = np.prod([kernel[axis] for axis in numbers.rhs_spec[2:]])
            is_dilated = any(n > 1 for n in equation.params["lhs_dilation"])
            is_grouped = equation.params["feature_group_count"] > 1
            is_grouped |= equation.params["batch_group_count"] > 1
            count += is_dilated or is_grouped or kernel_area > image_area
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    count += slow_forms(getattr(inner, "jaxpr", inner))
    return count


PENALISED = {
    "dcgan": ((16, 16, 3), {"width": 2, "norm": "batch", "discriminator_norm": "layer"}),
    "resnet": ((8, 8, 3), {"generator_widths": (4, 4), "discriminator_widths": (4, 4), "downs": 1}),
    "progan": ((8, 8, 3), {"fmap_base": 16, "fmap_max": 4, "latent_size": 4}),
    "r3gan": ((8, 8, 3), {"width": 4, "group_width": 4, "blocks": 1}),
}


@pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="other platforms keep XLA's own derivatives"
)
@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("name", PENALISED)
def test_no_network_trains_with_a_slow_form(name):
    shape, settings = PENALISED[name]
    net = getattr(networks, name)(shape, **settings)
    with jax.enable_x64(False):
        players = jax.eval_shape(net.init, jax.random.key(0))

        def loss(generator, discriminator, latents):
            samples = net.generate(generator, latents)
            gradient = jax.grad(lambda x: jnp.sum(net.score(discriminator, x)))(samples)
            return jnp.mean(net.score(discriminator, samples)) + jnp.mean(jnp.square(gradient))

        latents = jax.eval_shape(lambda key: net.latent(key, 2), jax.random.key(0))
        jaxpr = jax.make_jaxpr(jax.grad(loss, (0, 1)))(*players, latents)
    assert slow_forms(jaxpr.jaxpr) == 0
