"""Checkpoints: exact, atomic, checked, and never the wrong one."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.checkpoint_reading import checksums


def state_of(step: int):
    params = {"w": jnp.arange(600.0).reshape(20, 30) + step, "b": jnp.ones(3, jnp.bfloat16)}
    return {"step": jnp.int32(step), "params": params, "opt": optax.adam(1e-3).init(params)}


LIKE = jax.eval_shape(lambda: state_of(0))


def same(a, b) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and checksums(a) == checksums(b)


def test_the_newest_comes_back_bit_for_bit(tmp_path):
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore(LIKE) is None
        for step in (5, 10):
            checkpoints.save(step, state_of(step))
    with Checkpoints(tmp_path / "c") as checkpoints:
        step, state = checkpoints.restore(LIKE)
        assert step == 10 and same(state, state_of(10))
        assert same(checkpoints.restore(LIKE, 5)[1], state_of(5))
        with pytest.raises(UserError, match=r"no checkpoint of step 7.*there are 5, 10"):
            checkpoints.restore(LIKE, 7)


def test_relative_directories_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Checkpoints("relative") as checkpoints:
        checkpoints.save(1, state_of(1))
    assert (tmp_path / "relative" / "1").is_dir()


@pytest.mark.parametrize("maximize", [False, True])
def test_the_latest_and_the_best_are_kept(tmp_path, maximize):
    sign = -1 if maximize else 1
    scores = {10: 5.0, 20: 1.0, 30: float("nan"), 40: 7.0, 50: 8.0, 60: float("-inf") * sign}
    with Checkpoints(tmp_path / "c", keep=2, best="fid", maximize=maximize) as checkpoints:
        for step, score in scores.items():
            checkpoints.save(step, state_of(step), {"fid": sign * score, "other": 1.0})
    with Checkpoints(tmp_path / "c", keep=2, best="fid", maximize=maximize) as checkpoints:
        assert checkpoints.steps() == [20, 50, 60]
        assert checkpoints.best_step() == 20
        assert checkpoints.restore(LIKE)[0] == 60


def test_the_best_of_an_earlier_process_is_kept(tmp_path):
    for step, score in {1: 1.0, 2: 5.0, 3: 4.0, 4: 3.0}.items():
        with Checkpoints(tmp_path / "c", keep=1, best="fid") as checkpoints:
            checkpoints.save(step, state_of(step), {"fid": score})
    with Checkpoints(tmp_path / "c", keep=1, best="fid") as checkpoints:
        assert (checkpoints.steps(), checkpoints.best_step()) == ([1, 4], 1)


def test_a_metric_that_is_missing_never_counts_as_best(tmp_path):
    with Checkpoints(tmp_path / "c", keep=1, best="fid") as checkpoints:
        checkpoints.save(1, state_of(1), {"fid": 3.0})
        checkpoints.save(2, state_of(2), {})
        checkpoints.save(3, state_of(3))
    with Checkpoints(tmp_path / "c", keep=1, best="fid") as checkpoints:
        assert checkpoints.steps() == [1, 3] and checkpoints.best_step() == 1


def flip_a_bit(folder) -> None:
    """In the middle of the largest file, where the arrays are."""
    file = max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def test_a_flipped_bit_is_noticed_and_the_one_before_is_taken(tmp_path, capfd):
    with Checkpoints(tmp_path / "c") as checkpoints:
        for step in (1, 2):
            key = jax.random.key(step)
            checkpoints.save(
                step, {"w": jax.random.normal(key, (64, 1024))}
            )  # random bits do not compress
    like = {"w": jax.ShapeDtypeStruct((64, 1024), jnp.float32)}
    flip_a_bit(tmp_path / "c" / "2" / "state")
    with Checkpoints(tmp_path / "c") as checkpoints:
        step, state = checkpoints.restore(like)
        assert step == 1
        np.testing.assert_array_equal(state["w"], jax.random.normal(jax.random.key(1), (64, 1024)))
        assert "2 is damaged" in capfd.readouterr().out
        with pytest.raises(UserError, match="damaged"):
            checkpoints.restore(like, 2)


@pytest.mark.parametrize("harm", ["empty", "truncated", "no metadata"])
def test_a_broken_newest_checkpoint_is_passed_over(tmp_path, harm):
    with Checkpoints(tmp_path / "c") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(step))
    if harm == "empty":
        (tmp_path / "c" / "7").mkdir()
    elif harm == "truncated":
        for file in (tmp_path / "c" / "2" / "state").rglob("*"):
            if file.is_file():
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        for file in (tmp_path / "c" / "2" / "state").glob("manifest*"):
            file.unlink()
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore(LIKE)[0] == (2 if harm == "empty" else 1)


def test_all_damaged_is_an_error_not_a_fresh_start(tmp_path):
    with Checkpoints(tmp_path / "c") as checkpoints:
        checkpoints.save(1, state_of(1))
    for file in (tmp_path / "c" / "1" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with (
        Checkpoints(tmp_path / "c") as checkpoints,
        pytest.raises(UserError, match="all checkpoints are damaged"),
    ):
        checkpoints.restore(LIKE)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state["params"].update(w=jnp.zeros((20, 31))), "params/w"),
        (lambda state: state["params"].update(more=jnp.zeros(1)), "params/more"),
        (lambda state: state["params"].pop("b"), "params/b"),
        (lambda state: state.update(step=jnp.float32(0)), "step is"),
    ],
)
def test_another_structure_is_named(tmp_path, change, says):
    with Checkpoints(tmp_path / "c") as checkpoints:
        checkpoints.save(1, state_of(1))
    other = state_of(0)
    change(other)
    with (
        Checkpoints(tmp_path / "c") as checkpoints,
        pytest.raises(UserError, match="of another state") as caught,
    ):
        checkpoints.restore(jax.eval_shape(lambda: other))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_donated_state_was_saved_whole(tmp_path):
    state = state_of(1)
    step = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    with Checkpoints(tmp_path / "c") as checkpoints:
        checkpoints.save(1, state)
        jax.block_until_ready(step(state))
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert same(checkpoints.restore(LIKE)[1], state_of(1))


def test_a_damaged_checkpoint_does_not_count_as_one_that_is_kept(tmp_path):
    """Else the only sound one would be removed for it."""
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        checkpoints.save(10, state_of(10))
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        checkpoints.save(20, state_of(20))
    shutil.rmtree(tmp_path / "c" / "20" / "state")
    shutil.copytree(tmp_path / "c", tmp_path / "other interval")
    with Checkpoints(tmp_path / "other interval", keep=2) as checkpoints:
        assert checkpoints.restore(LIKE)[0] == 10
        checkpoints.save(25, state_of(25))
        assert checkpoints.steps() == [10, 20, 25]
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        assert checkpoints.restore(LIKE)[0] == 10
        checkpoints.save(15, state_of(15))
        assert checkpoints.steps() == [15, 20]
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        assert checkpoints.restore(LIKE)[0] == 15
        checkpoints.save(20, state_of(20))
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.steps() == [20] and same(checkpoints.restore(LIKE)[1], state_of(20))


def test_a_checkpoint_ahead_of_a_run_that_fell_back_is_not_its_newest(tmp_path):
    """As for a member of a population, which goes back to where all the others are."""
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        for step in (10, 20):
            checkpoints.save(step, state_of(step))
    with Checkpoints(tmp_path / "c", keep=1) as checkpoints:
        assert checkpoints.restore(LIKE, 10)[0] == 10
        checkpoints.save(15, state_of(15))
        assert checkpoints.steps() == [15, 20]
        checkpoints.save(25, state_of(25))
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["25"]
