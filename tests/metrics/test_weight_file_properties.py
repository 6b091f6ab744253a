"""Damaged files of weights: ValueError in one line, and nothing in them is run."""

import io
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import damaged_bytes, inputs, malformed_input

from gan_jax.metrics import inception, lenet
from gan_jax.metrics.npz_files import read_arrays
from gan_jax.metrics.torch_files import MAGIC, read_state_dict

LAYOUT = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"ctorch\nFloatStorage\n"


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """The pickle of a tensor that lies in the storage "0", as PyTorch before 1.6 writes it."""
    # Without the marks of the protocol and the end, and numbered objects, which would clash.
    place, sizes, steps = (
        pickletools.optimize(pickle.dumps(part, 2))[2:-1] for part in (offset, shape, strides)
    )
    storage = b"(" + b"X\x07\0\0\0storage" + STORAGE + b"X\x01\0\0\0" + b"0" + b"X\x03\0\0\0cpu"
    storage += b"K\x06N" + b"tQ"
    return LAYOUT + b"(" + storage + place + sizes + steps + b"t" + b"R"


def torch_file(*tensors: bytes, values: int = 6, claimed: int | None = None) -> bytes:
    """A state dict of named tensors over one storage of float32."""
    names = b"".join(
        b"X\x01\0\0\0" + bytes([97 + index]) + content for index, content in enumerate(tensors)
    )
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}))
    body = b"\x80\x02}(" + names + b"u." + pickle.dumps(["0"], 2)
    size = struct.pack("<q", values if claimed is None else claimed)
    return head + body + size + np.arange(values, dtype="<f4").tobytes()


VALID = torch_file(tensor((2, 3), (3, 1)), tensor((6,), (1,)))


def test_the_files_that_are_damaged_here_are_read_when_sound(tmp_path):
    (tmp_path / "x.pth").write_bytes(VALID)
    weights = read_state_dict(str(tmp_path / "x.pth"))
    assert {name: array.tolist() for name, array in weights.items()} == {
        "a": [[0, 1, 2], [3, 4, 5]],
        "b": [0, 1, 2, 3, 4, 5],
    }


numbers = st.sampled_from((0, 1, -1, 3, 2**31, 2**40, 2**62, 2**63 - 1))
torch_files = (
    damaged_bytes(VALID)
    | st.binary(max_size=64)
    | st.builds(
        lambda shape, strides, offset, claimed: torch_file(
            tensor(tuple(shape), tuple(strides), offset), claimed=claimed
        ),
        st.lists(numbers, max_size=3),
        st.lists(numbers, max_size=3),
        numbers,
        numbers,
    )
    | st.sampled_from(
        (
            b"cos\nsystem\n(S'touch /tmp/gan_jax_unpickled'\ntR.",
            b"\x80\x02" + b"\x8e" + struct.pack("<Q", 2**62) + b"x",  # a string of 4 EiB
            b"\x80\x02N" + b"r" + struct.pack("<I", 2**31) + b".",  # the object numbered 2^31
            b"(" * 100_000 + b".",
        )
    )
)


@inputs(2)
@given(content=torch_files)
def test_a_torch_file_is_read_or_refused(tmp_path, content):
    file = tmp_path / "x.pth"
    file.write_bytes(content)
    with malformed_input(ValueError):
        for array in read_state_dict(str(file)).values():
            assert isinstance(array, np.ndarray)


def archive(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("load", [inception.inception_extractor, lenet.lenet_extractor])
@inputs(0.5)
@given(content=damaged_bytes(archive(a=np.zeros(3), b=np.array("x"))) | st.binary(max_size=64))
def test_weights_that_are_none_are_refused(tmp_path, load, content):
    file = tmp_path / "x.npz"
    file.write_bytes(content)
    with malformed_input(ValueError):
        load(str(file))


@given(content=damaged_bytes(archive(a=np.zeros(3), b=np.array("x"))))
def test_damage_never_changes_an_array(tmp_path, content):
    file = tmp_path / "x.npz"
    file.write_bytes(content)
    with malformed_input(ValueError):
        arrays = read_arrays(file)
        assert "a" not in arrays or np.array_equal(arrays["a"], np.zeros(3))


@pytest.mark.parametrize("missing", ["source", "folder of the target"])
def test_the_converter_refuses_paths_in_one_line(tmp_path, capsys, missing):
    source, target = tmp_path / "x.pth", tmp_path / "x.npz"
    if missing != "source":
        source.write_bytes(VALID)
        target = tmp_path / "none" / "x.npz"
    with pytest.raises(SystemExit) as end:
        inception.main([str(source), str(target)])
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1


@inputs(0.1)
@given(content=torch_files)
def test_the_converter_refuses_what_are_no_weights_and_leaves_no_file(tmp_path, capsys, content):
    pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    source, target = tmp_path / "x.pth", tmp_path / "x.npz"
    source.write_bytes(content)
    with pytest.raises(SystemExit) as end:
        inception.main([str(source), str(target)])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert not target.exists()


def test_the_converter_replaces_no_file(tmp_path, capsys):
    pytest.importorskip("torch", reason="pip install -e '.[oracles]'")
    source, target = tmp_path / "x.pth", tmp_path / "x.npz"
    source.write_bytes(VALID)
    target.write_text("kept")
    with pytest.raises(SystemExit):
        inception.main([str(source), str(target)])
    assert "exists" in capsys.readouterr().err and target.read_text() == "kept"
