"""Each public part has its papers, and a config those of its parts."""

import re

import pytest

import gan_jax
from gan_jax.experiment import registry
from gan_jax.experiment.bibliography import PAPERS, citations, find_paper, titles_of
from gan_jax.experiment.config_files import load_settings

PARTS = [(field, name) for field in registry.NAMESPACES for name in registry.names(field)]

NO_PAPER = {
    # data that one brings or draws, and mathematics of no paper
    "fixed", "folder", "mixture", "npy", "npz", "paired_folder", "paired_shapes", "ring_of_seven",
    "streamed", "streamed_tfds", "tfds", "stacked", "stacked_fashion_mnist",
    "unpaired_folder", "unpaired_shapes",
    "average_over", "ema", "ema_num_updates", "flip", "multiply_rate",
    # how a step is mapped over devices
    "pmapped", "sharded",
    # what a run does in trouble, and rules that end it
    "warn", "stop", "roll_back",
    "patience", "reached",
    # about other terms
    "after", "generator_output", "on_scores", "until",
    # short names of protocols, whose papers are those of the long ones
    "cas", "dc", "fd_effnetlite0", "fd_lenet", "kid", "ppl", "pr", "swd", "reconstruction",
    "approximate_r2", "latent_distribution",
}  # fmt: skip


@pytest.mark.parametrize(("field", "name"), PARTS)
def test_the_papers_of_each_part_are_known(field, name):
    titles = titles_of(registry.resolve(field, name))
    assert titles or name in NO_PAPER
    for title in titles:
        assert find_paper(title), title


def test_the_bibliography_is_well_formed():
    entries = PAPERS.read_text().split("\n\n")
    keys = [re.match(r"@\w+\{(\w+),\n", entry)[1] for entry in entries]
    assert len(set(keys)) == len(keys)
    for entry in entries:
        assert entry.count("{") == entry.count("}") and entry.strip().endswith("\n}")
        assert all(f"\n  {field} = {{" in entry for field in ("title", "author", "year"))


def test_all_papers_are_those_of_some_part():
    functions = [registry.resolve(field, name) for field, name in PARTS]
    functions += [
        gan_jax.unrolled,
        gan_jax.objectives.augmentation.adaptive,
        gan_jax.penalties.gradient_regularised,
    ]
    cited = {find_paper(title) for function in functions for title in titles_of(function)}
    assert len(cited) == len(PAPERS.read_text().split("\n\n"))


@pytest.mark.parametrize(
    ("spec", "overrides", "cites", "not_cited"),
    [
        ("ring.py:unrolled", [], {"metz2017unrolled", "goodfellow2014generative"}, "gulrajani"),
        ("ring.py:wgan_gp", [], {"gulrajani2017improved", "arjovsky2017wasserstein"}, "radford"),
        (
            "ring.py:vanilla",
            ["objective=hinge + every(n=16, term=r1)", "networks=packed(m=2, networks=mlp)"],
            {"mescheder2018which", "lin2018pacgan", "karras2020analyzing"},
            "gulrajani",
        ),
    ],
)
def test_a_config_cites_its_parts(root, spec, overrides, cites, not_cited):
    assert gan_jax.citations is citations
    text = citations(load_settings(f"{root}/configs/{spec}", overrides))
    assert cites <= set(re.findall(r"@\w+\{(\w+),", text)) and not_cited not in text
    assert text.count("@") == len(set(re.findall(r"@\w+\{(\w+),", text)))
