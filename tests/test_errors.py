"""Messages of errors caused by bad input."""

import pickle

import pytest

from gan_jax.errors import UserError, did_you_mean, first_line


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain text with ümläuts, 'quotes' and \\n as typed", None),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("an undecodable \udcff byte", r"an undecodable \udcff byte"),
    ],
)
def test_a_message_is_one_line_of_printable_characters(message, shown):
    error = UserError(message)
    assert str(error) == (message if shown is None else shown) and str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_similar_names_are_suggested_and_otherwise_all_are_listed():
    assert did_you_mean("hing", ["hinge", "wasserstein"]) == "did you mean hinge?"
    assert did_you_mean("q", ["hinge", "wasserstein"]) == "known: hinge, wasserstein"


def test_the_first_line_of_an_error_is_its_type_if_it_has_no_message():
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError()"
