"""Seeds and classes from the text of flags."""

import pytest

from gan_jax.errors import UserError
from gan_jax.experiment.sample_choice import parse_classes, parse_seeds

NAMES = ("T-shirt/top", "Bag", "Ankle boot", "one, two")


def test_seeds_are_numbers_and_ranges():
    assert parse_seeds("0-3,9") == [0, 1, 2, 3, 9]
    assert parse_seeds(" 7 , 2-2 ") == [7, 2]


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1,,2", "2147483648", "0-100000", "1-2-3"])
def test_other_seeds_are_refused_in_one_line(text):
    with pytest.raises(UserError, match="--seeds takes"):
        parse_seeds(text)


def test_classes_are_names_or_numbers_in_turn():
    assert parse_classes("Bag,0", 4, NAMES).tolist() == [1, 0]
    assert parse_classes("ankle BOOT", 4, NAMES).tolist() == [2]
    assert parse_classes("one, two", 4, NAMES).tolist() == [3]
    assert parse_classes("all", 3).tolist() == [0, 1, 2]
    assert parse_classes("2", 3).tolist() == [2]


@pytest.mark.parametrize(
    ("text", "classes", "names", "says"),
    [
        ("0", 0, (), "needs networks that take labels"),
        ("3", 3, (), "from 0 to 2 for this run, not '3'"),
        ("-1", 3, (), "not '-1'"),
        ("Bagg", 4, NAMES, "did you mean Bag?"),
    ],
)
def test_other_classes_are_refused_in_one_line(text, classes, names, says):
    with pytest.raises(UserError, match=says) as refused:
        parse_classes(text, classes, names)
    assert "\n" not in str(refused.value)
