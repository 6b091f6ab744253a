"""The paper figures of networks in two dimensions: their numbers in closed form and by other means, their verdicts and runs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
from conftest import ROOT

from gan_jax.experiment import config as configs
from gan_jax.game import Player, adversarial
from gan_jax.objectives import penalties
from gan_jax.objectives.losses import minimax
from gan_jax.reproduction import load_figure


def load(name):
    """The module of a figure."""
    return load_figure(ROOT / "experiments" / "figures", name).module


def verdicts(claims):
    return {claim.name: claim.verdict(shortened=False) for claim in claims}


# --- label_bias


def test_the_mmd_of_a_class_is_that_of_kernel_sums():
    """The Gaussian's expectations by quadrature, which is exact for polynomials; the samples' by all pairs."""
    points = np.random.default_rng(0).normal([3.0, 0.5], [1.5, 2.5], size=(40, 2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    grid = np.stack(np.meshgrid(3.5 + 2 * nodes, 2 * nodes, indexing="ij"), -1).reshape(-1, 2)
    mass = np.outer(weights, weights).ravel() / (2 * np.pi)
    kernel = lambda a, b: (a @ b.T / 2 + 1) ** 2
    pairs = kernel(points, points)
    among = (pairs.sum() - np.trace(pairs)) / (40 * 39)
    expected = among - 2 * np.mean(kernel(points, grid) @ mass) + mass @ kernel(grid, grid) @ mass
    assert load("label_bias").squared_mmd(points, 3.5, 2.0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("switches", [(1, 0, 0), (0, 0, 1), (1, 1, 0), (0, 0, 0)])
def test_the_losses_of_label_bias_are_the_scripts(switches):
    """Written out on the heads: binary and categorical cross-entropies, on batches of 384 and 256."""
    case, key, rng = load("label_bias"), jax.random.key(3), jax.random.key(4)
    generator, discriminator = case._init(key)
    label = jnp.repeat(jnp.arange(3), case.REAL)
    real = jax.random.normal(key, (len(label), 2)) + label[:, None]
    objective = case._objective(*switches)
    batch = {"real": real, "label": label}
    loss_d = objective.discriminator(discriminator, Player(generator), batch, rng)[0]
    loss_g = objective.generator(generator, Player(discriminator), batch, rng)[0]

    draw, choose = jax.random.split(rng)
    chosen = np.asarray(jax.random.randint(choose, (case.FAKE,), 0, 3))
    dense = lambda x, layer: x @ np.asarray(layer[0], float) + np.asarray(layer[1], float)

    def through(x, layers):
        for i, layer in enumerate(layers):
            x = dense(x, layer)
            x = np.tanh(x) if i < 2 else x
        return x

    latents = np.asarray(jax.random.normal(draw, (case.FAKE, 2)), float)
    fake = through(
        np.concatenate([latents, np.asarray(generator["embedding"])[chosen]], 1),
        generator["layers"],
    )
    aid, twin, projection = switches

    def seen(x, of):
        h = through(x, discriminator["layers"])
        heads = {name: dense(h, layer) for name, layer in discriminator["heads"].items()}
        score = heads["score"][:, 0] + projection * np.sum(
            np.asarray(discriminator["projection"])[of] * h, 1
        )
        return 1 / (1 + np.exp(-score)), heads

    def error(logits, of):
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return -np.mean(np.log(shares[np.arange(len(of)), of]))

    (real_d, real_heads), (fake_d, fake_heads) = (
        seen(np.asarray(real, float), np.asarray(label)),
        seen(fake, chosen),
    )
    expected_d = -np.mean(np.log(real_d)) - np.mean(np.log(1 - fake_d))
    expected_d += aid * error(real_heads["class"], np.asarray(label)) + twin * error(
        fake_heads["twin"], chosen
    )
    expected_g = (
        -np.mean(np.log(fake_d))
        + aid * error(fake_heads["class"], chosen)
        - twin * error(fake_heads["twin"], chosen)
    )
    np.testing.assert_allclose([loss_d, loss_g], [expected_d, expected_g], rtol=2e-5)


def test_the_verdict_on_label_bias():
    case = load("label_bias")
    truth = {"mean": [[0, 0], [3.5, 0], [7, 0]], "std": [[1, 1], [2, 2], [3, 3]], "mmd": [0.01] * 3}
    biased = {
        "mean": [[-0.2, 0], [3.3, 0], [8.8, 0]],
        "std": [[0.9, 1], [1.2, 2], [2.2, 3]],
        "mmd": [0.1, 0.1, 5.0],
    }
    mixed = {"mean": [[3.5, 0]] * 3, "std": [[3, 3]] * 3, "mmd": [2.0] * 3}
    of = {"acgan": biased, "projection": truth, "tac": truth, "none": mixed}
    rows = [{"method": name, "seed": seed} | row for name, row in of.items() for seed in range(10)]
    assert set(verdicts(case.claims({"rows": rows})).values()) == {"pass"}
    # Two of ten seeds without the bias are one too many.
    fair = [row | (truth if row["method"] == "acgan" and row["seed"] < 2 else {}) for row in rows]
    assert list(verdicts(case.claims({"rows": fair})).values()).count("miss") == 2


# --- value_surfaces


def test_transport_of_a_shift():
    points = np.random.default_rng(0).normal(size=(60, 2))
    found = load("value_surfaces").transport(points, points + [0.3, -0.4], 20, 3)
    np.testing.assert_allclose(found, [0.5] * 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "mean", "variance"), [("8 Gaussians", 0, 1), ("25 Gaussians", 0, 1)]
)
def test_the_samples_of_value_surfaces(name, mean, variance):
    """Both mixtures are scaled to a variance near 1 in each coordinate, and the generated ones have one more."""
    real, fake = load("value_surfaces").samples(name, 20_000, 0)
    np.testing.assert_allclose(real.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(real.var(0), variance, atol=0.03)
    np.testing.assert_allclose(fake.var(0), variance + 1, atol=0.06)


# --- deep_critic_gradients


@pytest.mark.parametrize("bound", [None, 1e-3])
def test_the_gradients_by_activations(bound):
    """The chain rule written out in float64; with weights of 0.001 they are far below what a float32 can square."""
    from gan_jax.networks import mlp

    case = load("deep_critic_gradients")
    widths = (case.WIDTH,) * case.DEPTH
    networks = mlp(
        (2,), latent_size=2, discriminator_widths=widths, init="he_uniform", input_scale=1.0
    )
    params = networks.init(jax.random.key(0))[1]
    if bound:
        params = jax.tree.map(lambda leaf: jnp.clip(leaf, -bound, bound), params)
    samples = jax.random.normal(jax.random.key(1), (16, 2))
    found = np.asarray(jax.jit(case.log_norms)(params, samples))

    hidden, head = (
        params["params"]["hidden"],
        np.asarray(params["params"]["head"]["score"]["kernel"], float)[:, 0],
    )
    kernels = [np.asarray(hidden[f"dense_{i}"]["kernel"], float) for i in range(case.DEPTH)]
    x, masks = np.asarray(samples, float), []
    for kernel in kernels:  # biases are 0 at the start
        x = x @ kernel
        masks.append(x > 0)
        x = np.maximum(x, 0)
    np.testing.assert_allclose(x @ head, networks.score(params, samples), rtol=1e-4, atol=1e-30)
    gradient, expected = np.tile(head, (16, 1)), []
    for i in reversed(range(case.DEPTH)):
        expected.append(np.log10(np.sqrt(np.mean(np.sum(gradient**2, 1)))))
        gradient = (gradient * masks[i]) @ kernels[i].T
    np.testing.assert_allclose(found, [*expected[::-1], 0], atol=2e-3)
    assert bound is None or found[0] < -20


def test_the_slope_of_a_line():
    case = load("deep_critic_gradients")
    line = [[(case.DEPTH + 1 - layer) * 0.7 for layer in range(1, case.DEPTH + 2)]]
    assert case.slope([[0.0] * 13, *line]) == pytest.approx(0.7)


# --- gradient_regularised_ring


def test_the_regularised_loss_by_central_differences(float64):
    """V(theta_D) probed in every direction of the discriminator's parameters, without its gradient."""
    nets, batch, key, h = tiny.networks(), tiny.batch(), jax.random.key(2), 1e-6
    game = adversarial(nets, {"minimax": minimax()})
    generator, params = nets.init(jax.random.key(1))
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    value = jax.jit(
        lambda flat: game.discriminator(unflatten(flat), Player(generator), batch, key)[0]
    )
    steps = h * np.eye(flat.size)
    gradient = np.array([(value(flat + step) - value(flat - step)) / (2 * h) for step in steps])
    loss, metrics = penalties.gradient_regularised(game, 0.5).generator(
        generator, Player(params), batch, key
    )
    plain = game.generator(generator, Player(params), batch, key)[0]
    np.testing.assert_allclose(loss - plain, 0.5 * np.sum(gradient**2), rtol=1e-6)
    assert metrics["generator/loss"] == loss and optax.global_norm(gradient) > 1e-3


def test_the_verdict_on_the_regularised_ring():
    case, ring = load("gradient_regularised_ring"), np.eye(8, dtype=int) * 100

    def row(run, seed, all_modes, norm, leading=0):
        one = (
            {"covered": 8, "high_quality": 0.8, "near": 8}
            if all_modes
            else {"covered": 0, "high_quality": 0.0, "near": 1}
        )
        nearest = lambda i: [300 + leading] + [300] * 7 if all_modes else ring[i % 8].tolist()
        looks = [one | {"step": i, "nearest": nearest(i)} for i in range(10)]
        norms = {
            "norms": {"step": list(range(20)), "value": [norm] * 20},
            "final": {"mean": norm / 2, "batches": norm},
        }
        return {"run": run, "seed": seed, "diverged": False, "checkpoints": looks} | norms

    rows = [row("regularised", seed, True, 0.01) for seed in range(5)] + [
        row("plain", seed, False, 0.4) for seed in range(5)
    ]
    found = verdicts(case.claims({"rows": rows}))
    turns = "regularised: changes of a leading mode"  # none leads, so none could change
    rest = [
        "regularised: norm of its mean over 65,536 samples, at the end",
        "regularised: share of high quality at the end",
    ]
    unjudged = dict.fromkeys([*rest, turns], "not judged")
    assert {name: verdict for name, verdict in found.items() if verdict != "pass"} == unjudged
    assert len(found) == 9
    led = [row("regularised", seed, True, 0.01, leading=9000) for seed in range(5)] + rows[5:]
    assert verdicts(case.claims({"rows": led}))[turns] == "pass"
    collapsed = [row(one["run"], one["seed"], False, 0.4) for one in rows]
    assert list(verdicts(case.claims({"rows": collapsed})).values()).count("miss") == 5


# --- objective_sensitivity


def test_the_expected_best_of_n_draws_is_the_mean_over_all_choices():
    scores = np.random.default_rng(0).exponential(size=6)
    expected = [
        np.mean([min(choice) for choice in itertools.combinations(scores, n)]) for n in range(1, 7)
    ]
    np.testing.assert_allclose(
        load("objective_sensitivity").expected_best(scores), expected, rtol=1e-12
    )


RANGES = {"learning_rate": (1e-5, 1e-2), "b1": (0, 1), "bound": (1e-3, 1), "weight": (0.1, 100)}


def test_draws_are_within_the_ranges_and_reach_the_members():
    from gan_jax.experiment import population
    from gan_jax.experiment.builder import build

    case = load("objective_sensitivity")
    for name, run in case.RUNS.items():
        config = configs.to_dict(configs.load(str(ROOT / run.config), run.overrides))
        assert build(config).dataset.shape == (2,) and all(
            len(values) == 50 for values in run.numbers.values()
        )
        for path, values in run.numbers.items():
            low, high = RANGES[path.split(".")[-1]]
            assert low <= min(values) < low + (high - low) / 10 and max(values) <= high
            made = population.with_numbers(config, {path: values[3]})
            assert set(configs.differences(config, made)) == {path}
        assert config["discriminator_steps"] == (5 if name.endswith("5") else 1)
    rates = [run.numbers["generator_optimizer.adam.learning_rate"] for run in case.RUNS.values()]
    assert len(set(itertools.chain(*rates))) == 14 * 50  # no draw twice


def test_the_verdict_on_sensitivity():
    case = load("objective_sensitivity")
    numbers = {"generator_optimizer.adam.learning_rate": 1e-3, "generator_optimizer.adam.b1": 0.5}

    def row(objective, draw, distance, covered):
        of = {
            "objective": objective,
            "discriminator_steps": 1 + 4 * (draw % 2),
            "draw": draw,
            "numbers": numbers,
        }
        return of | {
            "diverged": distance is None,
            "distance": distance,
            "covered": covered,
            "high_quality": 0.5,
        }

    rows = [
        row(name, i, 0.1 + 0.02 * i * luck, 8 if i < 3 else 2)
        for luck, name in ((1, "a"), (3, "b"))
        for i in range(10)
    ]
    rows += [row("b", 10, None, 0), row("b", 11, 50.0, 0)]
    found = case.claims({"rows": rows})
    assert [claim.verdict(False) for claim in found] == ["pass", "not judged", "not judged", "pass"]
    assert (
        found[0].measured == (8, 8)
        and "1 of 12 diverged" in found[2].note
        and "9% above 2" in found[2].note
    )
    assert found[1].measured == found[2].measured == (0.1,)
    poor = [
        one | {"distance": 5 * one["distance"] if one["objective"] == "b" else 0.1, "covered": 7}
        for one in rows[:20]
    ]
    assert [claim.verdict(False) for claim in case.claims({"rows": poor})] == [
        "miss",
        "not judged",
        "not judged",
        "miss",
    ]


def test_the_gains_of_budget_and_algorithm():
    """Scores 1 (n - 1 times) and 1/e: the expected best of 5 of n holds the 1/e with probability 5 / n."""
    case = load("objective_sensitivity")
    lucky, even = np.array([1.0] * 19 + [np.exp(-1)]), np.ones(20)
    few = 1 + 5 / 20 * (np.exp(-1) - 1)
    np.testing.assert_allclose(case.gains([lucky, even, even]), (0, 1), atol=1e-12)
    np.testing.assert_allclose(case.gains([lucky, lucky, even]), (np.log(few) + 1, 0), atol=1e-12)


# --- loss_penalty_unroll_rule


def test_variance_explained_is_that_of_an_analysis_of_variance():
    """Additive parts and products of centred parts are orthogonal: each one's share is its own mean square."""
    case, rng = load("loss_penalty_unroll_rule"), np.random.default_rng(0)
    a, b, c, d = (part - part.mean() for part in (rng.normal(size=n) for n in (5, 3, 2, 3)))
    a, b, c = a[:, None, None, None], b[:, None, None], c[:, None]
    parts = {
        "objective": a,
        "penalty": 2 * b,
        "objective x unroll": 3 * a * c,
        "penalty x unroll x rule": b * c * d,
    }
    expected = {
        name: np.mean(np.broadcast_to(part, (5, 3, 2, 3)) ** 2) for name, part in parts.items()
    }
    found = case.explained((0.3 + sum(parts.values()))[..., None])
    assert sum(found.shares.values()) == pytest.approx(1) and len(found.shares) == 15
    for name, share in found.shares.items():
        assert (
            share == pytest.approx(expected.get(name, 0) / sum(expected.values()), abs=1e-12)
            and found.error(name) == 0
        )
    assert set(case.explained(rng.normal(size=(2, 1, 1, 3, 1))).shares) == {
        "objective",
        "rule",
        "objective x rule",
    }
    assert set(case.explained(np.ones((2, 2, 1, 1, 3))).shares.values()) == {0}


def test_the_seeds_scatter_explains_nothing():
    """Shares of a main effect that is known, over many tables with noise: right on average, and as far off as they say."""
    case, rng = load("loss_penalty_unroll_rule"), np.random.default_rng(0)
    level = np.array([-1.0, 0.0, 1.0])[None, :, None, None, None]  # mean square 2/3
    other = np.array([-0.5, 0.5])[None, None, :, None, None]  # 1/4
    tables = [case.explained(level + other + rng.normal(size=(5, 3, 2, 3, 2))) for _ in range(100)]
    shares = {name: np.array([one.shares[name] for one in tables]) for name in tables[0].shares}
    truth = {"penalty": (2 / 3) / (2 / 3 + 1 / 4), "unroll": (1 / 4) / (2 / 3 + 1 / 4)}
    for name, values in shares.items():
        error = values.std(ddof=1)
        assert abs(values.mean() - truth.get(name, 0)) < 4 * error / np.sqrt(len(values)) + 0.01, (
            name
        )
        # Of what is nothing the error is too large, as a share below 0 is taken for 0.
        assert (
            0.7
            < np.mean([one.error(name) for one in tables]) / error
            < (1.4 if name in truth else 1.8)
        ), name
    apart = (shares["penalty"] - shares["unroll"]).std(ddof=1)
    assert 0.7 < np.mean([one.error("penalty", "unroll") for one in tables]) / apart < 1.4


def test_every_cell_of_the_table_is_a_config_that_says_its_choices():
    from gan_jax.experiment.builder import build

    case, seen = load("loss_penalty_unroll_rule"), set()
    for name, run in case.RUNS.items():
        config = configs.to_dict(configs.load(str(ROOT / run.config), run.overrides))
        data, _, penalty, unroll, rule = name.split("; ")
        assert len(build(config).dataset.centres) == case.MODES[data]
        assert config["unroll"] == int(unroll[-1])
        assert rule in config["update_rule"] and (penalty == "no penalty") == (
            len(config["objective"]) == 1
        )
        seen.add(repr([config[key] for key in ("dataset", "objective", "unroll", "update_rule")]))
    assert len(seen) == len(case.RUNS) == 180


def test_the_verdict_on_the_table():
    case = load("loss_penalty_unroll_rule")
    levels = {"objective": "ab", "penalty": "pq", "unroll": ("K = 0", "K = 5"), "rule": "r"}

    def numbers(cover, scatter=0.1):
        rows = []
        for cell in itertools.product(*levels.values()):
            for seed in range(3):
                at = dict(zip(levels, cell, strict=True))
                at |= {"data": "ring", "seed": seed, "covered": cover(**at) - (seed == 2) * scatter}
                rows.append(at | {"diverged": False, "high_quality": 0.5})
        return {"rows": rows}

    good = lambda objective, penalty, unroll, rule: (
        2 + (objective == "a") + 2 * (penalty == "q") + 3 * (unroll == "K = 5")
    )
    found = case.claims(numbers(good))
    assert [claim.verdict(False) for claim in found] == ["pass", "pass", "not judged"]
    # 24 values with a variance of 0.1^2 / 3 within cells, all divided by 8.
    assert found[1].measured == pytest.approx((3 / (2 * np.sqrt(0.01 / 3 / 24)),))
    assert (
        "all modes with every seed: 0 of 8 cells; 0.0% of runs diverged; first: a, q, K = 5, r"
        in found[2].note
    )
    bad = lambda objective, penalty, unroll, rule: (
        5 + 2 * (objective == "a") + (penalty == "q") - (unroll == "K = 5")
    )
    assert [claim.verdict(False) for claim in case.claims(numbers(bad))] == [
        "miss",
        "miss",
        "not judged",
    ]
    # Without any scatter nothing says how sure the differences are.
    assert [claim.verdict(False) for claim in case.claims(numbers(good, 0))] == ["not judged"] * 3


# --- runs


@pytest.mark.parametrize("form", ["paper", "short", "smoke"])
@pytest.mark.parametrize("name", ["gradient_regularised_ring", "ring_and_grid", "toy_generators"])
def test_runs_are_configs_that_build(name, form):
    from gan_jax.experiment.builder import build

    case = load(name)
    changes = {"paper": (), "short": case.SHORT, "smoke": case.SMOKE}[form]
    for run in case.RUNS.values():
        config = configs.to_dict(configs.load(str(ROOT / run.config), (*run.overrides, *changes)))
        assert build(config).dataset.shape == (2,)
        assert (
            config["steps"] % config["sample_every"]
            == 0
            == config["steps"] % config["checkpoint_every"]
        )
        if form == "paper":
            assert config["steps"] == (400_000 if name == "ring_and_grid" else 100_000)
    if name == "toy_generators" and form == "paper":
        made = [
            configs.to_dict(configs.load(str(ROOT / run.config), run.overrides))
            for run in case.RUNS.values()
        ]
        assert [len(one["discriminator_optimizer"]) for one in made] == [2, 1, 1] * 3
        assert (
            made[1]["objective"]["gradient_penalty"] == {"weight": 10}
            and made[2]["discriminator_steps"] == 5
        )


def test_a_run_that_diverged_covers_nothing_in_the_tables():
    case = load("ring_and_grid")

    def row(seed, modes, kl=0.1):
        of = {"modes/covered": modes, "modes/high_quality": modes and 0.9, "modes/reverse_kl": kl}
        return {"run": "ring, GAN", "seed": seed, "diverged": modes is None, "step": 400_000} | of

    rows = [
        row(0, 8.0),
        row(1, 8.0, None),
        row(2, None, None),
        row(3, 8.0),
    ]  # near no mode there is no divergence
    modes, quality, divergence = case.claims({"rows": rows})
    assert (
        modes.measured == (6.0,)
        and modes.verdict(False) == "pass"
        and "standard error 2 of 4 seeds" in modes.note
    )
    assert "1 diverged" in modes.note and quality.measured == pytest.approx((0.675,))
    assert divergence.measured == pytest.approx((0.1,)) and divergence.note.startswith(
        "2 of 4 seeds"
    )
    lost = [
        claim.verdict(False)
        for claim in case.claims({"rows": [row(seed, None, None) for seed in range(2)]})
    ]
    assert lost == ["miss", "not judged", "not judged"]
    alone = case.claims({"rows": rows[:1]})[0]
    assert alone.note == "" and case.draw({"rows": rows}) and case.draw({"rows": rows[2:3]})


def test_a_figure_of_seeds_that_all_diverged_is_drawn():
    case = load("unrolled_ring")
    looks = [
        {"step": step, "covered": 8, "high_quality": 0.9, "near": 8, "nearest": [1] * 8}
        for step in (1, 2)
    ]
    row = {"run": "full, K = 1", "seed": 0, "modes": 8, "diverged": False, "checkpoints": looks}
    lost = row | {"run": "K = 0", "diverged": True, "checkpoints": []}
    assert case.draw({"rows": [row, lost], "pictures": {}, "steps": 2})
    low, high = case.interval(3, 3)
    assert (
        low == pytest.approx(0.025 ** (1 / 3)) and high == 1
    )  # Clopper and Pearson's, where all were seen


def test_the_verdict_on_toy_generators():
    case = load("toy_generators")
    look = lambda distance, modes: {
        "step": 100_000,
        "distance": distance,
        "modes": modes,
        "high_quality": 0.5,
    }
    of = {"clipping": look(0.4, 3), "weight 10": look(0.1, 8), "weight 0.1": look(0.1, 8)}
    rows = [{"data": "8 Gaussians", "method": method, "seed": seed, "diverged": False, "looks": [one]}
            for method, one in of.items() for seed in range(3)]  # fmt: skip
    found = verdicts(case.claims({"rows": rows, "floor": {"8 Gaussians": 0.05}}))
    open_ended = {
        f"8 Gaussians, {method}: modes of 8" for method in ("clipping", "weight 10")
    }  # no band
    open_ended |= {"8 Gaussians, clipping: W1 over that of real samples"}
    assert {name: verdict for name, verdict in found.items() if verdict != "pass"} == dict.fromkeys(
        open_ended, "not judged"
    )
    assert len(found) == 7
    rows[-1] = rows[-1] | {"diverged": True}
    assert (
        list(verdicts(case.claims({"rows": rows, "floor": {"8 Gaussians": 0.05}})).values()).count(
            "miss"
        )
        == 2
    )
