"""Networks as portable programs: the same samples and scores, without this package."""

import io
import json
import subprocess
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.networks.packing import packed
from gan_jax.training import exporting
from gan_jax.training.sampling import sampler

BARE = """
import io, sys, zipfile
import jax.export
import numpy as np

with zipfile.ZipFile(sys.argv[1]) as file:
    parameters = np.load(io.BytesIO(file.read("generator.npz")))
    program = jax.export.deserialize(bytearray(file.read("generator/sample.jax")))
parameters = [parameters[name] for name in parameters.files]
n = int(sys.argv[2])
label = np.arange(n, dtype=np.int32) % 3
samples = program.call(parameters, np.uint32(7), np.arange(n, dtype=np.int32), label=label)
np.save(sys.argv[3], samples)
assert not {"gan_jax", "flax", "optax"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def small_dcgan():
    pair = networks.dcgan((8, 8, 1), classes=3, latent_size=4, width=4, labels="concatenation")
    generator, discriminator = jax.jit(pair.init)(jax.random.key(0))
    return pair, generator, discriminator


def read(path, network, program):
    with zipfile.ZipFile(path) as file:
        arrays = np.load(io.BytesIO(file.read(f"{network}.npz")))
        exported = jax.export.deserialize(bytearray(file.read(f"{network}/{program}.jax")))
    return exported, [arrays[name] for name in arrays.files]


def test_the_file_draws_what_the_sampler_draws_without_this_package(tmp_path, small_dcgan):
    pair, generator, _ = small_dcgan
    draw = sampler(pair, generator, classes=3, batch_size=16, standing_latents=64)
    file = tmp_path / "gan.zip"
    exporting.write(file, {"generator": exporting.export_generator(draw)}, {"classes": 3})
    for n in (1, 5):  # one program for batches of any size
        out = tmp_path / f"{n}.npy"
        command = [sys.executable, "-I", "-c", BARE, str(file), str(n), str(out)]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=600)
        np.testing.assert_allclose(np.load(out), draw(jax.random.key(7), n), atol=1e-5)
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("metadata.json")) == {"classes": 3}
        lines = archive.read("README.txt").decode()
    assert "generator/generate(parameters, float32[n, 4], label=int32[n])" in lines
    exported, parameters = read(file, "generator", "generate")
    latents = draw.latents(jax.random.key(1), 6)
    samples = exported.call(parameters, latents, label=np.arange(6, dtype=np.int32) % 3)
    np.testing.assert_allclose(samples, draw.generate(latents), atol=1e-5)


def test_programs_are_for_all_platforms_unless_some_are_asked_for(small_dcgan):
    pair, generator, _ = small_dcgan
    draw = sampler(pair, generator, classes=3, batch_size=16, standing_latents=64)
    for platforms in (exporting.PLATFORMS, ("cpu", "tpu")):
        programs, _ = exporting.export_generator(draw, platforms)
        assert programs["sample"].platforms == programs["generate"].platforms == platforms


def test_the_discriminator_scores_each_sample_alone(tmp_path, small_dcgan):
    pair, _, discriminator = small_dcgan
    label = np.zeros(1, np.int32)
    exported = exporting.export_discriminator(pair, discriminator, (8, 8, 1), {"label": label})
    exporting.write(tmp_path / "gan.zip", {"discriminator": exported}, {})
    program, parameters = read(tmp_path / "gan.zip", "discriminator", "score")
    samples = jax.random.normal(jax.random.key(0), (5, 8, 8, 1))
    labels = jnp.arange(5, dtype=jnp.int32) % 3
    alone = [
        pair.score(discriminator, samples[i : i + 1], label=labels[i : i + 1])[0] for i in range(5)
    ]
    scores = program.call(parameters, samples, label=labels)
    np.testing.assert_allclose(scores, alone, rtol=1e-4, atol=1e-5)


def test_maps_of_scores_are_averaged_and_several_of_them_summed():
    maps = tiny.networks()._replace(
        score=lambda params, samples, **_: {"a": jnp.stack([samples, 3 * samples]), "b": samples}
    )
    programs, parameters = exporting.export_discriminator(maps, {}, (2,), {})
    scores = programs["score"].call(parameters, np.asarray([[1.0, 2.0], [4.0, 0.0]], np.float32))
    np.testing.assert_allclose(scores, [3 + 1.5, 4 + 2])


def test_a_discriminator_of_packs_is_refused():
    pair = packed((2,), networks=networks.mlp, m=2)
    _, discriminator = pair.init(jax.random.key(0))
    with pytest.raises(UserError, match=r"cannot score one sample alone: .*packs of 2"):
        exporting.export_discriminator(pair, discriminator, (2,), {})


def test_without_flatbuffers_one_line_says_what_to_install(tmp_path, monkeypatch):
    pair = tiny.networks()
    generator, _ = pair.init(jax.random.key(0))
    exported = exporting.export_generator(sampler(pair, generator, batch_size=8))
    monkeypatch.setitem(sys.modules, "jax._src.export.serialization", None)
    with pytest.raises(UserError, match=r"pip install 'gan_jax\[export\]'"):
        exporting.write(tmp_path / "gan.zip", {"generator": exported}, {})
    assert not list(tmp_path.iterdir())
