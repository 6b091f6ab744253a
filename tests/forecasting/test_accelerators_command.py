"""The table of all configs, compiled for a machine."""

import runpy

import pytest


@pytest.fixture
def command(root):
    return runpy.run_path(str(root / "experiments" / "accelerators.py"))


def test_all_variants_are_compiled_and_their_settings_are_sound(root, command):
    from gan_jax.experiment import load_settings
    from gan_jax.experiment.config_files import load_module

    names = set()
    for case in command["cases"]():
        settings = load_settings(str(root / "configs" / case.config), case.overrides)
        assert settings.batch_size % 8 == 0 and settings.dataset.name not in ("tfds", "folder")
        names.add(case.name)
    for path in (root / "configs").glob("*.py"):
        for variant in getattr(load_module(str(path)), "VARIANTS", ()):
            name = f"{path.name}:{variant}"
            assert (name in names) != (name in command["NOT_COMPILED"])
    assert set(command["CHANGED"]) <= names


def test_what_no_config_has_can_be_built(root, command):
    """Arguments of parts are looked at when they are built; that of images needs the images."""
    from gan_jax.experiment import load_settings
    from gan_jax.experiment.builder import build

    built = set()
    for name, (config, *overrides) in command["VARIED"].items():
        if config.startswith("ring.py"):
            assert build(load_settings(str(root / "configs" / config), overrides)).stages
            built.add(name)
    assert {"san", "packed"} <= built


def test_what_is_compiled_is_told_and_written_and_what_is_not_fails(
    tmp_path, capsys, monkeypatch, command
):
    small = ("networks=mlp(generator_widths=(4,), discriminator_widths=(4,))", "steps_per_call=2")
    case = command["Case"]
    cases = [
        case("one", "ring.py:vanilla", small),
        case("with health", "ring.py:vanilla", small, health=True),
        case("broken", "ring.py:vanilla", (*small, "batch_size=511")),
    ]
    compile_all = command["compile_all"]
    monkeypatch.setitem(compile_all.__globals__, "cases", lambda: iter(cases))
    out = tmp_path / "local.md"
    with pytest.raises(SystemExit, match="not compiled for local: broken"):
        compile_all(["--topology=local", f"--out={out}"])
    said = capsys.readouterr().out
    assert "1/3 one: parameters, G and D 1,038 and 17, compiled in" in said
    assert "3/3 broken: failed a batch of 511 does not divide over 4 devices" in said
    rows = [line for line in out.read_text().splitlines() if line.startswith("| ")]
    assert len({row.count("|") for row in rows}) == 1 and len(rows) == 5
    assert "`python experiments/accelerators.py --topology=local " in out.read_text()
    compile_all(["--topology=local", "--only=one,nothing", f"--out={out}"])
    assert "1/1 one" in capsys.readouterr().out and "--only=one,nothing --out" in out.read_text()
    with pytest.raises(Exception, match="no name of a program"):
        compile_all(["--topology=local", "--only=nothing"])
