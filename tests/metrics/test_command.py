"""The commands of the package refuse bad input in one line."""

import pytest

from gan_jax.metrics import inception, lenet


@pytest.mark.parametrize("main", [inception.main, lenet.main], ids=["inception", "lenet"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["missing", "target.npz"], "missing"),
        (["missing"], "required: target"),
        (["missing", "target.npz", "--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(main, arguments, message, capsys):
    pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    with pytest.raises(SystemExit) as end:
        main(arguments)
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
