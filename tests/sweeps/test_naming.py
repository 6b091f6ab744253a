"""Names of trials."""

from sweep_cases import make_plan

from gan_jax.sweeps import naming


def test_the_names_of_trials_are_safe_as_names_of_folders(tmp_path):
    values = ["minimax", "wasserstein + gradient_penalty(weight=10)"]
    sweep_plan = make_plan(tmp_path, {"config.objective": {"values": values}})
    assert [trial.name for trial in sweep_plan.trials] == [
        "objective=minimax",
        "objective=wasserstein-+-gradient_penalty-weight=10",
    ]


def test_long_names_are_cut_and_stay_different():
    many = {f"config.x.{i}": "y" * 20 for i in range(9)}
    first, second = (naming.trial_name(many | {"config.z": z}, None) for z in (1, 2))
    assert len(first) == len(second) == naming.LONGEST_NAME
    assert first != second
