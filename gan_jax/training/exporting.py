"""Trained networks as portable programs: a file that jax alone loads and runs."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from gan_jax import files
from gan_jax.errors import UserError, first_line
from gan_jax.game import Array, Networks, Params, call, draw_latents
from gan_jax.networks import convolution
from gan_jax.training.sampling import Sampler

__all__ = ["PLATFORMS", "ExportedNetwork", "export_discriminator", "export_generator", "write"]

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""What programs are compiled for unless others are asked for."""

README = """\
Networks exported by gan_jax. Python with jax, numpy and flatbuffers runs them:

    import io, zipfile
    import jax.export
    import numpy as np

    with zipfile.ZipFile("FILE") as file:
        parameters = np.load(io.BytesIO(file.read("NETWORK.npz")))
        program = jax.export.deserialize(bytearray(file.read("NETWORK/PROGRAM.jax")))
    parameters = [parameters[name] for name in parameters.files]
    result = program.call(parameters, ...)

What each program takes and returns (n is any number):

"""


class ExportedNetwork(NamedTuple):
    """The programs of a network, and the parameters that each takes as its first argument.

    Attributes:
      programs: by name; ``program.call(parameters, ...)`` runs one.
      parameters: the network's arrays, in order.
    """

    programs: Mapping[str, jax.export.Exported]
    parameters: Sequence[Array]


def export_generator(sampler: Sampler, platforms: Sequence[str] = PLATFORMS) -> ExportedNetwork:
    """Exports a generator with its standing statistics, for batches of any size.

    Args:
      sampler: of the generator.
      platforms: of `jax.export`.

    Returns:
      The programs

      - ``sample(parameters, seed, sample_index, **conditions)``: samples ``[n, ...]`` float32 as
        `Sampler` draws them from ``jax.random.key(seed)``; ``seed`` is a uint32 scalar and
        ``sample_index`` ``[n]`` int32.
      - ``generate(parameters, latents, **conditions)``: samples of latents ``[n, ...]`` float32, if
        the generator takes latents.

      Conditions are labels ``[n]`` int32 and what else the sampler is given, by name.
    """
    networks = sampler.networks
    leaves, structure = jax.tree.flatten(sampler.params)
    conditions = sampler.conditions(np.arange(1))
    fade = conditions.pop("fade", None)

    def generate(
        leaves: list[Array],
        latents: Array | None,
        given: dict[str, Array],
        index: Array,
        key: Array,
    ) -> Array:
        if fade is not None:
            given = {**given, "fade": jnp.full(index.shape, fade[0])}
        params = jax.tree.unflatten(structure, leaves)
        samples: Array = call(networks, "generate", params, latents, given, index, key, use=0)
        return samples.astype(jnp.float32)

    def sample(leaves: list[Array], seed: Array, sample_index: Array, **given: Array) -> Array:
        key = jax.random.key(seed)
        latents = draw_latents(networks, key, sample_index)
        return generate(leaves, latents, given, sample_index, key)

    def of_latents(leaves: list[Array], latents: Array, **given: Array) -> Array:
        index = jnp.arange(latents.shape[0], dtype=jnp.int32)
        return generate(leaves, latents, given, index, jax.random.key(0))

    (size,) = jax.export.symbolic_shape("n")
    given = {name: _batched(leaf, size) for name, leaf in conditions.items()}
    seed = jax.ShapeDtypeStruct((), jnp.uint32)
    index = jax.ShapeDtypeStruct((size,), jnp.int32)
    programs = {"sample": _export(sample, platforms, leaves, seed, index, **given)}
    if networks.latent is not None:
        latents = _batched(sampler.latents(jax.random.key(0), 1), size)
        programs["generate"] = _export(of_latents, platforms, leaves, latents, **given)
    return ExportedNetwork(programs, leaves)


def export_discriminator(
    networks: Networks,
    params: Params,
    shape: Sequence[int],
    conditions: Mapping[str, np.ndarray],
    platforms: Sequence[str] = PLATFORMS,
) -> ExportedNetwork:
    """Exports a discriminator, for batches of any size.

    Each sample is scored in a batch of its own, so its score depends on no other sample. The lower
    it is, the less the sample looks real to the discriminator: its negative is an anomaly score.

    Args:
      networks: the networks.
      params: the discriminator's parameters.
      shape: of one sample.
      conditions: of one sample, ``[1, ...]`` each.
      platforms: of `jax.export`.

    Returns:
      The program ``score(parameters, samples, **conditions)``, of samples ``[n, *shape]`` float32,
      which returns ``[n]`` float32: the mean of a map of scores, the sum over several maps.

    Raises:
      UserError: the discriminator cannot score a single sample, as one that takes packs of them.
    """
    leaves, structure = jax.tree.flatten(params)
    fade = conditions.get("fade")
    taken = {name: leaf for name, leaf in conditions.items() if name != "fade"}

    def score(leaves: list[Array], samples: Array, **given: Array) -> Array:
        params = jax.tree.unflatten(structure, leaves)

        def of_one(sample: Array, index: Array, given: Mapping[str, Array]) -> Array:
            alone = {name: leaf[None] for name, leaf in given.items()}
            if fade is not None:
                alone["fade"] = jnp.asarray(fade)
            scores = call(networks, "score", params, sample[None], alone, index[None], key, use=0)
            means = [jnp.mean(leaf) for leaf in jax.tree.leaves(scores)]
            return jnp.sum(jnp.stack(means)).astype(jnp.float32)

        key = jax.random.key(0)
        index = jnp.arange(samples.shape[0], dtype=jnp.int32)
        return jax.vmap(of_one)(samples, index, given)

    (size,) = jax.export.symbolic_shape("n")
    samples = jax.ShapeDtypeStruct((size, *shape), jnp.float32)
    given = {name: _batched(leaf, size) for name, leaf in taken.items()}
    try:
        program = _export(score, platforms, leaves, samples, **given)
    except ValueError as error:
        raise UserError(
            f"this discriminator cannot score one sample alone: {first_line(error)}"
        ) from error
    return ExportedNetwork({"score": program}, leaves)


def write(
    path: str | Path, networks: Mapping[str, ExportedNetwork], metadata: Mapping[str, Any]
) -> None:
    """Writes exported networks into one file, whole or not at all.

    The file is a zip archive of each network's parameters, ``NETWORK.npz``, and programs,
    ``NETWORK/PROGRAM.jax``; of ``metadata.json``; and of ``README.txt``, which says how to load it
    without this package.

    Args:
      path: of the file.
      networks: by name, ``"generator"`` and ``"discriminator"``.
      metadata: what else is to be known of them, as JSON.

    Raises:
      UserError: flatbuffers, which jax writes programs with, is not installed.
    """
    readme = README
    with files.replacing(Path(path)) as file, zipfile.ZipFile(file, "w") as archive:
        for network, (programs, parameters) in networks.items():
            arrays = io.BytesIO()
            named = {f"{i:05d}": np.asarray(leaf) for i, leaf in enumerate(parameters)}
            np.savez(arrays, allow_pickle=False, **named)
            archive.writestr(f"{network}.npz", arrays.getvalue())
            for name, program in programs.items():
                archive.writestr(f"{network}/{name}.jax", _serialize(program))
                readme += f"    {network}/{name}{_signature(program)}\n"
        archive.writestr("metadata.json", json.dumps(dict(metadata), indent=2) + "\n")
        archive.writestr("README.txt", readme)


def _serialize(program: jax.export.Exported) -> bytes:
    try:
        return bytes(program.serialize())
    except ImportError as error:
        raise UserError(
            "exported programs are written with flatbuffers, which is not installed: "
            "pip install 'gan_jax[export]'"
        ) from error


def _signature(program: jax.export.Exported) -> str:
    """What a program takes after the parameters, and what it returns."""
    (_, *arguments), given = jax.tree.unflatten(program.in_tree, program.in_avals)
    texts = ["parameters", *map(_shape_text, arguments)]
    texts += [f"{name}={_shape_text(leaf)}" for name, leaf in given.items()]
    return f"({', '.join(texts)}) -> {_shape_text(program.out_avals[0])}"


def _shape_text(leaf: Any) -> str:
    return f"{np.dtype(leaf.dtype).name}[{', '.join(map(str, leaf.shape))}]"


def _batched(leaf: Any, size: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype)


def _export(
    program: Callable[..., Array],
    platforms: Sequence[str],
    leaves: Sequence[Array],
    *arguments: jax.ShapeDtypeStruct,
    **given: jax.ShapeDtypeStruct,
) -> jax.export.Exported:
    parameters = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    # The forms of convolutions for CPUs depend on the batch's size, which is not known here.
    with convolution.forward_mode():
        export = jax.export.export(jax.jit(program), platforms=tuple(platforms))
        return export(parameters, *arguments, **given)
