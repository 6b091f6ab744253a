"""Messages of errors caused by bad input."""

import errno
import pickle

import pytest

from gan_jax.errors import StorageError, UserError, did_you_mean, first_line, storage_failure


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


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "x", "a\nb"), r"a\nb: No space left on device"),
        (OSError(errno.EROFS, "x"), "Read-only file system"),
        (ValueError("RESOURCE_EXHAUSTED: ... [os_error_code='28']"), "No space left on device"),
        (StorageError("checkpoint 20 cannot be saved"), "checkpoint 20 cannot be saved"),
        (FileNotFoundError(errno.ENOENT, "x", "a"), None),
        (ValueError("[os_error_code='2']"), None),
        (RuntimeError("No space left on device"), None),
    ],
)
def test_failures_of_the_disk_are_told_from_other_errors(error, says):
    assert storage_failure(error) == says
