"""Damaged files of samples: one line, nothing run, and no more memory than the file is worth."""

import gzip
import io
import pickle
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from properties import damaged_bytes, inputs, malformed_input

from gan_jax import data
from gan_jax.data import prepare, tensorflow_datasets
from gan_jax.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
LABELS = np.array([0, 1, 1])


def archive(compressed: bool = True, **arrays) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


class Programme:
    """Leaves a file behind if it is unpickled."""

    def __reduce__(self):
        return (open, ("/tmp/gan_jax_unpickled", "w"))


def member(header: str, body: bytes = b"") -> bytes:
    """An .npy file of any header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in members.items():
            writer.writestr(f"{name}.npy", content)
    return file.getvalue()


@st.composite
def npz_files(draw):
    """Archives: damaged ones, ones of odd arrays, and ones whose headers lie."""
    kind = draw(st.sampled_from(("damaged", "odd arrays", "lies", "objects")))
    if kind == "damaged":
        return draw(damaged_bytes(archive(draw(st.booleans()), real=IMAGES, label=LABELS)))
    if kind == "objects":
        objects = pickle.dumps(np.array([Programme()], object))
        return zipped(
            real=member("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}", objects)
        )
    if kind == "lies":
        shape = draw(
            st.sampled_from(("(7000000000000, 1)", "(2, -1)", "(2, 2, 2)", "()", "2", "(1e9, 1)"))
            | st.tuples(st.integers(0, 2**63), st.integers(0, 2**40)).map(str)
        )
        dtype = draw(st.sampled_from(("|u1", "<f8", "|S0", "|V999999999", "|O", "<M8[s]", "x")))
        header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}"
        return zipped(real=member(header, draw(st.binary(max_size=16))), label=member(header))
    values = draw(st.sampled_from((0, 1, -1, 255, np.nan, np.inf, 1e300)))
    dtypes = st.sampled_from(("u1", "f4", "f8", "f2", "i8", "u8", "?", "c8", "U2", "M8[s]", "g"))
    shapes = st.lists(st.integers(0, 3), max_size=4)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = {
            name: np.full(draw(shapes), values if draw(st.booleans()) else 0).astype(draw(dtypes))
            for name in draw(st.sets(st.sampled_from(("real", "label", "other"))))
        }
    return archive(**arrays)


@given(content=npz_files(), labels=st.booleans())
def test_an_npz_file_is_a_dataset_or_refused(tmp_path, content, labels):
    file = tmp_path / "samples.npz"
    file.write_bytes(content)
    with malformed_input(UserError):
        dataset = data.npz(file, labels)
        assert len(dataset.arrays["real"]) > 0 and np.isfinite(dataset.arrays["real"]).all()


IDX = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in IMAGES.shape[:3])
IDX += IMAGES[..., 0].tobytes()


@given(
    content=damaged_bytes(IDX) | st.binary(max_size=32),
    compressed=st.booleans(),
    damage=st.booleans(),
    draw=st.data(),
)
def test_an_idx_file_is_an_array_or_refused(tmp_path, content, compressed, damage, draw):
    file = tmp_path / ("images.gz" if compressed else "images")
    if compressed:
        content = gzip.compress(content)
        content = draw.draw(damaged_bytes(content)) if damage else content
    file.write_bytes(content)
    with malformed_input(UserError):
        assert prepare.read_idx(file, (3, 4, 4)).shape == (3, 4, 4)


def picture(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).convert(mode).save(file, kind)
    return file.getvalue()


PICTURES = [
    picture("PNG"),
    picture("PNG", "P"),
    picture("JPEG"),
    picture("GIF"),
    picture("PNG", "1"),
]


@given(
    content=st.sampled_from(PICTURES).flatmap(damaged_bytes),
    name=st.sampled_from(("a.png", "b.JPG", "line\nbreak\x1b[2J.png", "é.jpeg")),
    channels=st.sampled_from((1, 3, 0)),
    labels=st.booleans(),
)
def test_a_folder_of_images_is_a_dataset_or_refused(tmp_path, content, name, channels, labels):
    for file in tmp_path.rglob("*.*"):
        file.unlink()
    (tmp_path / name).write_bytes(content)
    with malformed_input(UserError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged EXIF data
        assert data.folder(tmp_path, 8, channels, labels).shape == (8, 8, channels)


@inputs(0.5)
@given(
    path=st.sampled_from(("\0", "x" * 5000, "\ud800", "", "missing", ".")) | st.text(max_size=4),
    resolution=st.integers(-1, 10**13),
)
def test_a_path_that_cannot_be_is_refused(tmp_path, monkeypatch, path, resolution):
    monkeypatch.chdir(tmp_path)
    with malformed_input(UserError):
        data.folder(path, resolution)
    with malformed_input(UserError):
        data.npz(path)


@inputs(0.5)
@given(content=npz_files(), labelled=st.booleans())
def test_a_damaged_cache_of_images_is_made_again(tmp_path, content, labelled):
    cache = tmp_path / "cache.npz"
    cache.write_bytes(content)
    with malformed_input(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = tensorflow_datasets._load_cache(cache, labelled)
        if arrays is not None:
            assert arrays["real"].dtype == np.uint8 and arrays["real"].ndim == 4
            assert not labelled or arrays["label"].shape == arrays["real"].shape[:1]


def test_a_header_that_claims_7_tebibytes_is_refused_by_name(tmp_path):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (7696581394432, 1)}"
    (tmp_path / "x.npz").write_bytes(zipped(real=member(header, b"\0" * 16)))
    with pytest.raises(UserError, match=r"'real.npy' should hold uint8 of shape .* holds 16 bytes"):
        data.npz(tmp_path / "x.npz")


def test_a_gzip_file_is_not_read_beyond_what_it_should_hold(tmp_path, monkeypatch):
    read = []
    original = gzip.GzipFile.read

    def noted(self, size=-1):
        content = original(self, size)
        read.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", noted)
    (tmp_path / "x.gz").write_bytes(gzip.compress(IDX + b"\0" * 10**6))
    with pytest.raises(UserError, match="trailing bytes"):
        prepare.read_idx(tmp_path / "x.gz", (3, 4, 4))
    assert sum(read) == len(IDX) + 1


def test_pillow_says_nothing_of_an_image_that_is_refused(tmp_path):
    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 12000, 12000, 1, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    with (
        pytest.raises(UserError, match="12000 x 12000 pixels, more than"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        data.folder(tmp_path, 8)


def test_a_resolution_beyond_memory_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    with pytest.raises(UserError, match="from 1 to 8192, not 1000000"):
        data.folder(tmp_path, 1_000_000)
