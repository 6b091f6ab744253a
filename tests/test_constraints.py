"""constraints.txt pins what pyproject.toml asks for, with hashes, and names no package index."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def test_all_requirements_are_pinned_with_hashes(root):
    text = (root / "constraints.txt").read_text()
    project = tomllib.loads((root / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    (names,) = re.findall(r"^PINNED := (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    pinned: dict[str, list[Requirement]] = {}
    for entry in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip()):
        pin, *hashes = re.split(r" \\\n +", entry)
        assert hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", line) for line in hashes)
        requirement = Requirement(pin)
        pinned.setdefault(requirement.name, []).append(requirement)
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    asked += [line for name in names.split() for line in extras[name]]
    for requirement in map(Requirement, asked):
        versions = [pin.specifier for pin in pinned[canonicalize_name(requirement.name)]]
        for version in versions:
            (exact,) = version
            assert exact.operator == "==" and exact.version in requirement.specifier, requirement
    assert "://" not in text and "--index" not in text
