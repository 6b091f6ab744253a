"""The figures after Gulrajani et al.: value_surfaces, deep_critic_gradients and toy_generators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from figure_modules import FIGURES, load, verdicts

from gan_jax.experiment.config_files import load_settings
from gan_jax.networks import mlp
from gan_jax.reproduction import load_figure


def test_the_exact_distance_of_a_shift_is_its_length():
    points = np.random.default_rng(0).normal(size=(60, 2))
    distances = load("value_surfaces").exact_distances(points, points + [0.3, -0.4], 20, 3)
    np.testing.assert_allclose(distances, [0.5] * 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "mean", "variance"), [("8 Gaussians", 0, 1), ("25 Gaussians", 0, 1)]
)
def test_mixtures_have_a_variance_near_1_and_generated_samples_one_more(name, mean, variance):
    real, fake = load("value_surfaces").draw_samples(name, 20_000, 0)
    np.testing.assert_allclose(real.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(real.var(0), variance, atol=0.03)
    np.testing.assert_allclose(fake.var(0), variance + 1, atol=0.06)


@pytest.mark.parametrize("bound", [None, 1e-3])
def test_the_gradients_by_activations_are_those_of_the_chain_rule(bound):
    """Writes the chain rule out in float64.

    With weights of 0.001 the gradients are far below what a float32 can square.
    """
    figure = load("deep_critic_gradients")
    widths = (figure.WIDTH,) * figure.DEPTH
    networks = mlp(
        (2,), latent_size=2, discriminator_widths=widths, init="he_uniform", input_scale=1.0
    )
    params = networks.init(jax.random.key(0))[1]
    if bound:
        params = jax.tree.map(lambda leaf: jnp.clip(leaf, -bound, bound), params)
    samples = jax.random.normal(jax.random.key(1), (16, 2))
    log_norms = np.asarray(jax.jit(figure.log_norms)(params, samples))

    hidden = params["params"]["hidden"]
    head = np.asarray(params["params"]["head"]["score"]["kernel"], float)[:, 0]
    kernels = [np.asarray(hidden[f"dense_{i}"]["kernel"], float) for i in range(figure.DEPTH)]
    x, masks = np.asarray(samples, float), []
    for kernel in kernels:  # biases are 0 at the start
        x = x @ kernel
        masks.append(x > 0)
        x = np.maximum(x, 0)
    np.testing.assert_allclose(x @ head, networks.score(params, samples), rtol=1e-4, atol=1e-30)
    gradient, expected = np.tile(head, (16, 1)), []
    for i in reversed(range(figure.DEPTH)):
        expected.append(np.log10(np.sqrt(np.mean(np.sum(gradient**2, 1)))))
        gradient = (gradient * masks[i]) @ kernels[i].T
    np.testing.assert_allclose(log_norms, [*expected[::-1], 0], atol=2e-3)
    assert bound is None or log_norms[0] < -20


def test_the_initial_weights_that_a_claim_starts_from_are_those_of_the_network():
    """Counts the weights of 20 critics; the bands are 5 standard errors."""
    load("deep_critic_gradients")  # puts the modules that figures share on the path
    from _he_uniform import share_beyond, spread

    widths = (2, 64, 64, 64)
    networks = mlp(
        (2,), latent_size=2, discriminator_widths=widths[1:], init="he_uniform", input_scale=1.0
    )
    params = jax.vmap(lambda key: networks.init(key)[1])(jax.random.split(jax.random.key(0), 20))
    kernels = [layer["kernel"] for layer in params["params"]["hidden"].values()]
    weights = np.concatenate([np.ravel(kernel) for kernel in kernels])
    share = share_beyond(0.1, widths)
    error = np.sqrt(share * (1 - share) / len(weights))
    assert abs(np.mean(np.abs(weights) > 0.1) - share) < 5 * error
    assert weights.std() == pytest.approx(spread(widths), rel=5 / np.sqrt(2 * len(weights)))


def test_shares_of_weights_at_the_bounds_are_judged_by_what_training_adds():
    figure = load("value_surfaces")

    def verdict_of(share):
        rows = [
            {
                "data": "8 Gaussians",
                "method": method,
                "gap": 1,
                "slope": 1,
                "bound": share,
                "used": 1,
            }
            for method in figure.METHODS
        ]
        claims = figure.claims({"truth": {"8 Gaussians": [1.0]}, "rows": rows})
        return next(
            verdict for name, verdict in verdicts(claims).items() if "initial weights" in name
        )

    assert verdict_of(0.95) == "pass"
    assert verdict_of(0.908) == "miss"  # as many as before any training


def test_the_slope_of_a_line_is_its_slope_in_the_last_quarter():
    figure = load("deep_critic_gradients")
    line = [[(figure.DEPTH + 1 - layer) * 0.7 for layer in range(1, figure.DEPTH + 2)]]
    assert figure.late_slope([[0.0] * 13, *line]) == pytest.approx(0.7)


def test_generators_that_cover_all_modes_near_the_data_pass():
    figure = load("toy_generators")

    def look(distance, modes):
        return {"step": 100_000, "distance": distance, "modes": modes, "high_quality": 0.5}

    looks = {"clipping": look(0.4, 3), "weight 10": look(0.1, 8), "weight 0.1": look(0.1, 8)}
    rows = [
        {
            "data": "8 Gaussians",
            "method": method,
            "seed": seed,
            "diverged": False,
            "looks": [last],
        }
        for method, last in looks.items()
        for seed in range(3)
    ]
    numbers = {"rows": rows, "floor": {"8 Gaussians": 0.05}}
    by_name = verdicts(figure.claims(numbers))
    without_band = {
        "8 Gaussians, clipping: modes of 8",
        "8 Gaussians, weight 10: modes of 8",
        "8 Gaussians, clipping: W1 over that of real samples",
    }
    not_passed = {name: verdict for name, verdict in by_name.items() if verdict != "pass"}
    assert not_passed == dict.fromkeys(without_band, "not judged") and len(by_name) == 7
    rows[-1] = rows[-1] | {"diverged": True}
    assert list(verdicts(figure.claims(numbers)).values()).count("miss") == 2


def test_the_short_form_of_the_generators_has_the_weight_of_the_code_alone():
    figure = load_figure(FIGURES, "toy_generators")
    runs = figure.runs("short")
    assert list(runs) == [f"{data}, weight 0.1" for data in figure.module.DATA]
    run = runs["Swiss roll, weight 0.1"]
    assert load_settings(str(ROOT / run.config), run.overrides).steps == 20_000
    rng = np.random.default_rng(0)
    looks = [{"step": step, "distance": 0.1, "modes": 8, "high_quality": 0.5} for step in (1, 2)]
    rows = [
        {
            "data": data,
            "method": "weight 0.1",
            "seed": 0,
            "diverged": False,
            "looks": looks,
            "samples": rng.normal(size=(20, 2)),
        }
        for data in figure.module.DATA
    ]
    numbers = {
        "rows": rows,
        "floor": dict.fromkeys(figure.module.DATA, 0.05),
        "real": {data: rng.normal(size=(20, 2)) for data in figure.module.DATA},
    }
    assert all("weight 0.1" in claim.name for claim in figure.claims(numbers))
    drawing = figure.draw(numbers)
    assert sum(len(part.axes) for part in drawing.subfigs) == 6
