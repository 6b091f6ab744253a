"""The runs of a figure: their seeds, and numbers that differ from seed to seed."""

import pytest
from conftest import ROOT

from gan_jax.errors import UserError
from gan_jax.experiment.overrides import flat
from gan_jax.experiment.run_directory import read_settings
from gan_jax.reproduction import load_figure, train_runs, untrained_seeds


@pytest.mark.slow
def test_each_seed_of_a_run_has_its_own_numbers(tmp_path):
    case = load_figure(ROOT / "experiments" / "figures", "objective_sensitivity").module
    run = case.RUNS["WGAN, wide, no norm, 1 per step, part 0"]
    runs = {"w": run._replace(overrides=(*run.overrides, *case.SMOKE))}
    untrained = untrained_seeds(runs, range(3, 5), tmp_path, ROOT)
    assert untrained == {"w": [3, 4]}
    directories = train_runs(runs, range(3, 5), untrained, tmp_path, ROOT)["w"]
    assert list(directories) == [3, 4]
    for seed, directory in directories.items():
        leaves = flat(read_settings(directory))
        assert leaves["seed"] == seed
        for path, values in run.numbers.items():
            assert leaves[path] == values[seed]
    assert untrained_seeds(runs, range(3, 6), tmp_path, ROOT) == {"w": [5]}
    with pytest.raises(UserError, match="w has numbers for 25 seeds, not for 26"):
        train_runs(runs, range(26), {"w": [25]}, tmp_path / "more", ROOT)
