"""The figure gradient_regularised_ring: its loss and its verdicts."""

import jax
import numpy as np
import optax
import tiny
from figure_modules import load, verdicts

from gan_jax.game import Player, adversarial
from gan_jax.objectives import penalties
from gan_jax.objectives.losses import minimax


def test_the_regularised_loss_agrees_with_central_differences(float64):
    """Probes V(theta_D) in every direction of the discriminator's parameters."""
    networks, batch, key, h = tiny.networks(), tiny.batch(), jax.random.key(2), 1e-6
    objective = adversarial(networks, {"minimax": minimax()})
    generator, params = networks.init(jax.random.key(1))
    flat, unflatten = jax.flatten_util.ravel_pytree(params)

    @jax.jit
    def value(flat):
        return objective.discriminator(unflatten(flat), Player(generator), batch, key)[0]

    steps = h * np.eye(flat.size)
    gradient = np.array([(value(flat + step) - value(flat - step)) / (2 * h) for step in steps])
    regularised = penalties.gradient_regularised(objective, 0.5)
    loss, (metrics, _) = regularised.generator(generator, Player(params), batch, key)
    plain_loss, _ = objective.generator(generator, Player(params), batch, key)
    np.testing.assert_allclose(loss - plain_loss, 0.5 * np.sum(gradient**2), rtol=1e-6)
    assert metrics["generator/loss"] == loss and optax.global_norm(gradient) > 1e-3


def test_generators_that_cover_all_modes_without_rotation_pass():
    figure, ring = load("gradient_regularised_ring"), np.eye(8, dtype=int) * 100

    def row(run, seed, all_modes, norm, leading=0):
        state = {"covered": 0, "high_quality": 0.0, "near": 1}
        if all_modes:
            state = {"covered": 8, "high_quality": 0.8, "near": 8}

        def nearest(i):
            return [300 + leading] + [300] * 7 if all_modes else ring[i % 8].tolist()

        return {
            "run": run,
            "seed": seed,
            "diverged": False,
            "checkpoints": [state | {"step": i, "nearest": nearest(i)} for i in range(10)],
            "norms": {"step": list(range(20)), "value": [norm] * 20},
            "final": {"mean": norm / 2, "batches": norm},
        }

    rows = [row("regularised", seed, True, 0.01) for seed in range(5)]
    rows += [row("plain", seed, False, 0.4) for seed in range(5)]
    by_name = verdicts(figure.claims({"rows": rows}))
    changes = "regularised: changes of a leading mode"  # no mode leads, so none could change
    not_judged = {
        changes,
        "regularised: norm of its mean over 65,536 samples, at the end",
        "regularised: share of high quality at the end",
    }
    not_passed = {name: verdict for name, verdict in by_name.items() if verdict != "pass"}
    assert not_passed == dict.fromkeys(not_judged, "not judged") and len(by_name) == 9
    with_leader = [row("regularised", seed, True, 0.01, leading=9000) for seed in range(5)]
    assert verdicts(figure.claims({"rows": with_leader + rows[5:]}))[changes] == "pass"
    collapsed = [row(other["run"], other["seed"], False, 0.4) for other in rows]
    assert list(verdicts(figure.claims({"rows": collapsed})).values()).count("miss") == 5
