"""What property tests share: malformed inputs, and what reading them may do."""

import contextlib
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from hypothesis.internal.conjecture import providers

EXAMPLES = {"tests": 100, "fuzz": 300}
"""How many inputs each property is tried with: in the test suite, and in a round of fuzzing."""

CPU_SECONDS = 60.0
"""What one input may take of the processor: a thousand times the usual, so that a slow machine
passes, and an endless loop does not."""

EXTRA_MEMORY = 2**31
"""What one input may add to the address space, in bytes."""

FORBIDDEN = (
    "os.chmod",
    "os.exec",
    "os.fork",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pickle.find_class",
    "shutil.",
    "socket.connect",
    "subprocess.Popen",
)
"""Audit events, or how their names begin, that reading bad input must not cause."""

tried = {"inputs": 0, "refused": 0}
"""How many inputs `malformed_input` has seen, and how many of them were refused."""

_events: list[str] | None = None  # noted while an input is read


def register_profiles() -> None:
    """Makes hypothesis try the same inputs in each run of the tests, and others when fuzzing."""
    common: dict[str, Any] = {
        "database": None,
        "deadline": None,  # the time of a single input says nothing on a busy machine
        "suppress_health_check": [
            HealthCheck.function_scoped_fixture,  # files are written anew for each input
            HealthCheck.too_slow,
        ],
    }
    settings.register_profile(
        "tests", derandomize=True, max_examples=EXAMPLES["tests"], print_blob=True, **common
    )
    settings.register_profile(
        "fuzz", derandomize=False, max_examples=EXAMPLES["fuzz"], print_blob=True, **common
    )
    settings.load_profile("tests")
    original = providers._get_local_constants

    def constants() -> providers.Constants:
        return providers.Constants() if settings.default.derandomize else original()

    # Hypothesis also tries the constants in the code of all modules that are loaded: those of a
    # test would depend on which other tests there are.
    providers._get_local_constants = constants


def inputs(share: float) -> settings:
    """Returns hypothesis settings for a property that needs more or fewer inputs than others."""
    return settings(max_examples=max(1, round(share * settings.default.max_examples)))


@contextlib.contextmanager
def malformed_input(*refusals: type[Exception]) -> Iterator[None]:
    """Checks what a block does that reads malformed input.

    It ends well or raises one of ``refusals`` with a message of one printable line. It writes no
    file, starts no program and unpickles nothing. It ends within `CPU_SECONDS`, and never asks for
    more than `EXTRA_MEMORY`.
    """
    tried["inputs"] += 1
    refusal: Exception | None = None
    with _limited() as out_of_time, _audited() as events:
        try:
            yield
        except refusals as error:
            refusal = error
    assert not out_of_time, f"it took more than {CPU_SECONDS} s of the processor"
    assert not events, f"it did more than read: {events[:4]}"
    if refusal is not None:
        tried["refused"] += 1
        _check_refusal(refusal)


def _check_refusal(error: Exception) -> None:
    message = str(error)
    assert message and message.isprintable(), f"not one printable line: {message[:500]!r}"
    cause: BaseException | None = error
    while cause is not None:
        is_memory = isinstance(cause, MemoryError) and not _is_raised_in(cause, "ast.py")
        assert not is_memory, "it asked for too much memory"
        cause = cause.__cause__ or cause.__context__


def _is_raised_in(error: BaseException, file: str) -> bool:
    """Whether an error comes from a file: Python's parser calls too deep a nesting MemoryError."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.endswith(file)


@contextlib.contextmanager
def _limited() -> Iterator[list[int]]:
    """Limits processor time and memory; the list is not empty if the time was not enough."""
    out_of_time: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        out_of_time.append(number)
        raise TimeoutError(f"more than {CPU_SECONDS} s of the processor")

    handler = signal.signal(signal.SIGPROF, end)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + EXTRA_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield out_of_time
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _audited() -> Iterator[list[str]]:
    """Notes forbidden audit events."""
    global _events
    _events = []
    try:
        yield _events
    finally:
        _events = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is None:
        return
    path = str(arguments[0]) if arguments else ""
    if "__pycache__" in path or path.startswith(str(jax.config.jax_compilation_cache_dir)):
        return
    if event == "open":
        _, mode, flags = arguments
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & 3
        )
        if writes:
            _events.append(f"open {path!r} to write")
    elif event.startswith(FORBIDDEN):
        _events.append(f"{event} {path!r}")


sys.addaudithook(_note)


@st.composite
def damaged_bytes(draw: st.DrawFn, valid: bytes) -> bytes:
    """Bytes that are ``valid`` but for a few edits: cut short, replaced, inserted, removed."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        edit = draw(st.sampled_from(("cut", "replace", "insert", "remove")))
        if edit == "cut":
            del data[at:]
        elif edit == "remove":
            del data[at : at + draw(st.integers(1, 64))]
        else:
            piece = draw(st.binary(min_size=1, max_size=8) | st.sampled_from(ODD_BYTES))
            data[at : at + len(piece) * (edit == "replace")] = piece
    return bytes(data)


ODD_BYTES = (b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\n\x1b[2J", b"-1")


@st.composite
def damaged_text(draw: st.DrawFn, valid: str, pieces: tuple[str, ...]) -> str:
    """Text that is ``valid`` but for a few edits with some of ``pieces``, or any characters."""
    text = valid
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        removed = draw(st.integers(0, 8))
        piece = draw(st.sampled_from(pieces) | st.text(max_size=4))
        text = text[:at] + piece + text[at + removed :]
    return text


HUGE = 10**400  # no float holds it
odd_numbers = st.sampled_from(
    (0, -1, 2**31, 2**63, 2**64, 10**12, HUGE, -HUGE, 0.0, -0.0, 1e-320, 1e308, np.nan, np.inf)
)
odd_texts = st.text(max_size=8) | st.sampled_from(
    ("", "a(b=c)", "\x00", "\x1b[2J\n", "nan", "1e999", "9" * 5000, "\ud800", "../../x", "x" * 5000)
)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_numbers | odd_texts,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(odd_texts, children, max_size=3)
    ),
    max_leaves=6,
)
"""What JSON and YAML can hold."""


@st.composite
def damaged_tree(draw: st.DrawFn, valid: Any, values: st.SearchStrategy[Any] = plain_values) -> Any:
    """Nested dicts and lists that are ``valid`` but for entries replaced, renamed or removed."""
    tree = valid
    for _ in range(draw(st.integers(1, 3))):
        tree = draw(_with_one_change(tree, values))
    return tree


@st.composite
def _with_one_change(draw: st.DrawFn, tree: Any, values: st.SearchStrategy[Any]) -> Any:
    if not isinstance(tree, dict | list | tuple) or not tree or draw(st.integers(0, 9)) == 0:
        return draw(values)
    items = dict(tree) if isinstance(tree, dict) else dict(enumerate(tree))
    key = draw(st.sampled_from(sorted(items, key=repr)))
    change = draw(st.sampled_from(("inside", "inside", "inside", "remove", "rename")))
    if change == "inside":
        items[key] = draw(_with_one_change(items[key], values))
    else:
        value = items.pop(key)
        if change == "rename" and isinstance(tree, dict):
            items[draw(odd_texts)] = value
    return items if isinstance(tree, dict) else list(items.values())


odd_values = st.sampled_from((np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-308, 0.0, 255.0))
dtypes = st.sampled_from(
    ("float64", "float32", "float16", "longdouble", "int64", "int8", "uint64", "uint8", "bool")
    + ("complex128", "U3", "S3", "datetime64[s]", "timedelta64[s]", "O", "V4")
)
SHAPES = ((12, 3), (12, 2), (12, 1), (12,), (1, 3), (5, 7), (3, 3), (3,), (0, 3), (12, 0), (), (0,))
IMAGE_SHAPES = ((2, 16, 16, 3), (1, 8, 8, 1), (2, 16, 16, 0), (0, 16, 16, 1), (2, 3, 3, 3))
shapes = st.sampled_from(SHAPES + IMAGE_SHAPES) | arrays.array_shapes(min_dims=0, max_side=4)


@st.composite
def odd_arrays(draw):
    """Arrays of any dtype and shape, samples with a few odd values, and what is no array."""
    kind = draw(st.sampled_from(("normal", "normal", "labels", "any dtype", "ragged")))
    shape = draw(shapes)
    if kind == "ragged":
        return draw(
            st.recursive(
                st.none() | st.floats() | st.integers() | st.text(max_size=2),
                lambda rows: st.lists(rows, max_size=3),
                max_leaves=6,
            )
        )
    random = np.random.default_rng(draw(st.integers(0, 9)))
    if kind == "labels":
        return random.integers(draw(st.sampled_from((-1, 0))), draw(st.integers(1, 12)), shape)
    if kind == "any dtype":
        values = random.integers(-2, 300, shape)
        dtype = np.dtype(draw(dtypes))
        with np.errstate(all="ignore"):
            return np.zeros(shape, dtype) if dtype.kind == "V" else values.astype(dtype)
    values = np.clip(random.normal(size=shape), -1, 1)
    for value in draw(st.lists(odd_values, max_size=2)):
        if values.size:
            values.flat[draw(st.integers(0, values.size - 1))] = value
    with np.errstate(all="ignore"):
        return values * draw(st.sampled_from((1.0, 1.0, 1e154, 1e-200, 0.0)))
