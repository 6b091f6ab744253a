"""The code of the README and of the guides runs as it stands, and what they name exists."""

import importlib
import inspect
import re
import runpy
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCK.search((ROOT / page).read_text())]


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_code_of_a_page_runs(page):
    names: dict = {}
    with jax.numpy_rank_promotion("allow"):  # as a user's session is
        for block in BLOCK.findall((ROOT / page).read_text()):
            exec(block, names)
    if page == "README.md":
        assert names["images"].shape == (10, 16, 16, 1)
        assert all(np.isfinite(values).all() for values in names["metrics"].values())


def test_there_is_code_to_run():
    assert {"README.md", "docs/own_data.md", "docs/own_parts.md"} <= set(WITH_CODE)


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_a_page_links_to_exist(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


def test_all_pages_are_in_the_navigation():
    config = yaml.load((ROOT / ".mkdocs.yml").read_text(), Loader=yaml.BaseLoader)
    listed = set(re.findall(r"[\w/]+\.(?:md|ipynb)", str(config["nav"])))
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.ipynb")]
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in pages}


def test_the_table_of_variants_is_what_its_program_writes():
    program = runpy.run_path(str(ROOT / "docs" / "write_variants.py"))
    assert (ROOT / "docs" / "variants.md").read_text() == program["page"]()


def test_all_examples_are_shown():
    shown = re.findall(r'--8<-- "(docs/examples/\w+\.py)"', (ROOT / "docs/examples.md").read_text())
    assert shown == [
        str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/examples/*.py"))
    ]


def test_the_config_fields_that_pages_name_exist():
    fields = set(re.findall(r"^    config\.(\w+)", (ROOT / "configs/default.py").read_text(), re.M))
    for page in PAGES:
        named = set(re.findall(r"(?<![\w`/.])(?:--)?config\.(\w+)", (ROOT / page).read_text()))
        assert named <= fields | {"json", "py"}, page


def test_the_tests_that_documents_name_exist():
    text = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    for file, name in named:
        assert f"\ndef {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


def test_functions_with_the_name_of_their_module_are_in_the_reference():
    text = "".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))
    directives = re.findall(r"^::: ([\w.]+)", text, re.M)
    for module in directives:
        try:
            package = importlib.import_module(module)
        except ModuleNotFoundError:  # a function of its own: networks.dcgan.dcgan
            continue
        for name in getattr(package, "__all__", ()):
            # The page of a package shows the module in the function's place.
            home = f"{module}.{name}"
            if getattr(getattr(package, name), "__module__", "") == home:
                assert f"{home}.{name}" in directives


@pytest.mark.slow
def test_the_site_has_every_public_name(tmp_path):
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", str(ROOT / ".mkdocs.yml"), "--site-dir", str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert built.returncode == 0, built.stderr
    inventory = (tmp_path / "objects.inv").read_bytes().split(b"\n", 4)[4]
    listed = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines() if line}
    text = "".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))
    for module in re.findall(r"^::: ([\w.]+)", text, re.M):
        try:
            package = importlib.import_module(module)
        except ModuleNotFoundError:  # a function of its own: networks.dcgan.dcgan
            continue
        for name in getattr(package, "__all__", ()):
            public = getattr(package, name)
            # A function may have the name of its module, and is listed under both.
            home = getattr(public, "__module__", module)
            own = public.__name__ if inspect.ismodule(public) else f"{home}.{name}"
            assert {f"{module}.{name}", own} & listed, f"{module}.{name}"
