"""Sampling and feature extraction over several devices and processes."""

import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.distributed import mesh
from gan_jax.evaluation.feature_extraction import on_all_devices
from gan_jax.metrics.features import Extractor
from gan_jax.training import sampling

KEY = 7


def compute() -> dict[str, np.ndarray]:
    """Samples of a conditional generator with BatchNorm, and features of images.

    No number of samples is divisible by 4.
    """
    nets = networks.dcgan((8, 8, 1), width=4, latent_size=5, classes=3, labels="concatenation")
    params = jax.jit(nets.init, out_shardings=mesh.replicate(0).sharding)(jax.random.key(0))[0]
    draw = sampling.sampler(nets, params, classes=3, batch_size=6, standing_latents=64)
    rng = jax.random.fold_in(jax.random.key(KEY), 1)
    latents = draw.latents(rng, 11, 2)
    kernel = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    extractor = Extractor(
        "random", 5, "0", lambda w, x: jnp.tanh(x.reshape(len(x), -1) @ w), kernel, 1, batch_size=6
    )
    images = np.random.default_rng(1).uniform(-1, 1, (13, 8, 8, 1))
    return {
        "samples": draw(rng, 11, first=2),
        "labelled": draw(rng, 5, np.array([2, 2, 0, 1, 1])),
        "latents": latents,
        "generated": draw.generate(latents, np.arange(2, 13) % 3),
        "features": on_all_devices(extractor)(images),
        "expected": np.tanh(images.reshape(13, -1) @ kernel),
    }


@pytest.fixture
def one_device(monkeypatch):
    """Pretends that there is one device; programs for more are compiled again."""
    programs = (
        sampling._sample_program,
        sampling._latents_program,
        sampling._generate_program,
    )

    def forget():
        for program in programs:
            program.cache_clear()

    forget()
    one = mesh.device_mesh(jax.devices()[:1])
    with monkeypatch.context() as patch:
        patch.setattr(mesh, "device_mesh", lambda: one)
        patch.setattr(jax, "device_count", lambda: 1)
        yield
    forget()


@pytest.fixture(scope="module")
def four_devices():
    assert jax.device_count() == 4
    return compute()


def test_four_devices_give_the_numbers_of_one(four_devices, one_device):
    alone = compute()
    for name, values in four_devices.items():
        np.testing.assert_allclose(values, alone[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_samples_are_those_of_the_latents_and_features_those_of_numpy(four_devices):
    for name, expected in (("generated", "samples"), ("features", "expected")):
        np.testing.assert_allclose(
            four_devices[name], four_devices[expected], rtol=1e-5, atol=1e-6, err_msg=name
        )
    assert four_devices["samples"].shape == (11, 8, 8, 1)
    assert four_devices["latents"].shape == (11, 5)


def test_each_device_works_on_its_part():
    scaled = mesh.batch_parallel(lambda shared, batch: batch["x"] * shared)
    program = scaled.lower(2.0, {"x": np.ones((8, 3))}).compile()
    (scale, batch), _ = program.input_shardings
    assert scale.is_fully_replicated and program.output_shardings.is_fully_replicated
    assert batch["x"].shard_shape((8, 3)) == (2, 3)


PROCESS = """
import sys
sys.path.insert(0, sys.argv[4])
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
import numpy as np
from test_mesh import compute
np.savez(sys.argv[3], **compute())
"""


def test_each_of_two_processes_gets_the_whole_result(four_devices, root, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    files = [tmp_path / f"{i}.npz" for i in range(2)]
    tests = str(root / "tests" / "distributed")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, address, str(index), str(file), tests],
            env={"PATH": "/usr/bin:/bin", "NPROC": "32"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index, file in enumerate(files)
    ]
    try:
        for process in processes:
            output = process.communicate(timeout=300)[0]
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
    for file in files:
        results = np.load(file)
        for name, expected in four_devices.items():
            np.testing.assert_allclose(results[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("size", "divisible"), [(1, 4), (4, 4), (5, 8), (256, 256)])
def test_batch_sizes_are_rounded_up_to_a_multiple_of_the_devices(size, divisible):
    assert mesh.divisible_batch_size(size) == divisible


def test_batches_are_padded_with_their_last_sample():
    samples = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(mesh.pad_batch(samples, 4), [[1, 2], [3, 4], [3, 4], [3, 4]])
    assert mesh.pad_batch(samples, 2) is samples
