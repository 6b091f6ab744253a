"""The page: nothing in a file becomes markup, numbers come through, code computes what it says."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from report_cases import Elements, data_of, numbers, write_run

from gan_jax.report import read_folders, write_page

pytest.importorskip("bokeh")

ROWS = [
    {"step": 10 * i, "time": float(i), "generator/loss": float(i), "modes/covered": 1.0 / i}
    for i in range(1, 8)
]
HOSTILE = "</script x><script>alert(1)</script><img src=x onerror=alert(1)> & ' \" <!-- {data}"


def _page(folder, out, **limits):
    return write_page(read_folders([folder]), out, "Runs", **limits)


def test_nothing_in_a_file_becomes_markup(tmp_path):
    hostile = tmp_path / "runs" / "<img src=x onerror=alert(1)>"
    write_run(hostile, [{"step": 1, HOSTILE: 2.0}], [f"wandb.group={json.dumps(HOSTILE)}"])
    (hostile / "diverged").write_text(HOSTILE)
    figure = tmp_path / "runs" / "figure"
    figure.mkdir()
    (figure / "claims.csv").write_text(f'claim,note\n"{HOSTILE.replace(chr(34), chr(39))}",x\n')
    (figure / "results.json").write_text(json.dumps({"title": HOSTILE, "verdict": [HOSTILE]}))
    page = write_page(read_folders([tmp_path / "runs"]), tmp_path / "out", HOSTILE)
    plain = _page(write_run(tmp_path / "plain", ROWS), tmp_path / "plain_out")
    elements, plain_elements = Elements(page), Elements(plain)
    assert elements.tags == plain_elements.tags
    assert not re.search("[<>&]", elements.scripts[0])
    assert elements.scripts[1:] == plain_elements.scripts[1:]
    data = data_of(page)
    assert data["title"] == HOSTILE
    assert data["runs"][0]["name"] == "<img src=x onerror=alert(1)>"
    assert data["metrics"] == [HOSTILE]
    assert data["figures"][0]["title"] == HOSTILE


def test_the_code_makes_no_markup_from_text(root):
    code = "".join(path.read_text() for path in (root / "gan_jax/report/assets").glob("*.js"))
    assert "textContent" in code
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in code


def test_the_page_asks_for_nothing_from_a_network(tmp_path):
    tags = Elements(_page(write_run(tmp_path / "a", ROWS, grids=[10]), tmp_path / "out")).tags
    assert not [attributes for _, attributes in tags if {"src", "href"} & attributes.keys()]
    (policy,) = [attributes["content"] for _, attributes in tags if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_curves_come_through(tmp_path):
    rows = [*ROWS, {"step": 80, "generator/loss": None}, {"step": 90, "generator/loss": 1e300}]
    write_run(tmp_path / "a", rows)
    data = data_of(_page(tmp_path, tmp_path / "out"))
    assert data["metrics"] == ["modes/covered", "generator/loss"]
    index, values = data["runs"][0]["curves"]["generator/loss"]
    steps = numbers(data["steps"][index], "<f8")
    np.testing.assert_array_equal(steps, [row["step"] for row in rows])
    expected = np.array([*range(1, 8), np.nan, np.inf], np.float32)
    np.testing.assert_array_equal(numbers(values, "<f4"), expected)
    index, values = data["runs"][0]["curves"]["modes/covered"]
    assert len(numbers(data["steps"][index], "<f8")) == 7
    np.testing.assert_allclose(numbers(values, "<f4"), 1 / np.arange(1, 8), rtol=1e-7)


def test_runs_share_their_steps_and_long_curves_are_thinned(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, ROWS)
    data = data_of(_page(tmp_path, tmp_path / "out", most_rows=4))
    (steps,) = data["steps"]
    assert numbers(steps, "<f8").tolist() == [10, 30, 50, 70]
    assert data["thinned"] == "curves are thinned to 4 rows"


def test_grids_are_copied_beside_the_page(tmp_path):
    write_run(tmp_path / "runs" / "a", ROWS, grids=range(0, 100, 10))
    out = tmp_path / "out"
    data = data_of(_page(tmp_path / "runs", out, most_grids=3))
    grids = data["runs"][0]["grids"]
    assert [step for step, _ in grids] == [0, 40, 90]
    for step, address in grids:
        copied = (out / address).read_bytes()
        assert copied == (tmp_path / f"runs/a/samples/step_{step:08d}.png").read_bytes()
    _page(tmp_path / "runs", out, most_grids=2)
    assert len(list((out / "pictures").iterdir())) == 2, "those of the page before are gone"


def test_damaged_runs_are_shown(tmp_path):
    write_run(tmp_path / "a", ROWS)
    write_run(tmp_path / "b", ROWS)
    (tmp_path / "b" / "config.json").write_text("{")
    (tmp_path / "a" / "metrics.jsonl").unlink()
    data = data_of(_page(tmp_path, tmp_path / "out"))
    health = data["tables"]["health"]["rows"]
    assert [row[0] for row in health] == ["a", "b"]
    assert health[0][2] == "metrics.jsonl is missing"


def _node(root, scripts, expression):
    """Evaluates an expression after some of the page's scripts, with as little of a page."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    code = "".join((root / "gan_jax/report/assets" / name).read_text() for name in scripts)
    page = """
    globalThis.document = {getElementById: () => ({textContent: '{"runs": []}'})};
    globalThis.IntersectionObserver = class {};
    """
    call = f"console.log(JSON.stringify({expression}));"
    output = subprocess.run([node, "-e", page + code + call], capture_output=True, check=True)
    return json.loads(output.stdout)


def test_bands_are_those_of_numpy(root):
    values = np.random.default_rng(0).normal(size=(5, 7)).round(6)
    values[1, 2] = np.nan
    curves = [
        {"steps": list(range(0, 70, 10))[: 7 - i], "values": row[: 7 - i].tolist()}
        for i, row in enumerate(values)
    ]
    text = json.dumps(curves).replace("NaN", "NaN")
    band = _node(root, ["values.js", "curves.js"], f"bandOf({text})")
    for i in range(5):
        values[i, 7 - i :] = np.nan
    assert band["steps"] == list(range(0, 70, 10))
    np.testing.assert_allclose(band["middle"], np.nanmedian(values, 0), rtol=1e-12)
    np.testing.assert_allclose(band["low"], np.nanmin(values, 0))
    np.testing.assert_allclose(band["high"], np.nanmax(values, 0))


def test_smoothing_is_a_mean_with_corrected_weights(root):
    values = np.random.default_rng(1).normal(size=9)
    got = _node(root, ["values.js", "curves.js"], f"smoothed({values.tolist()}, 0.7)")
    weights = [0.7 ** np.arange(i, -1, -1) for i in range(9)]
    expected = [np.average(values[: i + 1], weights=weight) for i, weight in enumerate(weights)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_tables_are_sorted_with_what_is_undefined_last(root):
    rows = [["b", 2], ["a", None], ["run10", 10], ["run9", -1]]
    table = json.dumps({"rows": rows})
    sort = "[0, 1].flatMap((c) => [sortedRows(t, c, false), sortedRows(t, c, true)])"
    orders = _node(root, ["values.js", "tables.js"], f"((t) => {sort})({table})")
    assert orders == [[1, 0, 3, 2], [2, 3, 0, 1], [3, 0, 2, 1], [2, 0, 3, 1]]


def _shown_in_a_browser(page):
    """Returns the body of the page after its scripts have run, without them."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    command = [browser, *flags, "--window-size=1200,3000", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    return re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL)


def test_a_browser_draws_the_page(tmp_path):
    name = "<b>bold</b>"
    write_run(tmp_path / "runs" / name, ROWS, grids=[10])
    write_run(tmp_path / "runs" / "b", ROWS, ["seed=1"])
    body = _shown_in_a_browser(_page(tmp_path / "runs", tmp_path / "out"))
    assert "2 runs: 2 unfinished." in body
    assert "&lt;b&gt;bold&lt;/b&gt;" in body and name not in body
    assert body.count('class="chart"') == 2 and body.count("bk-Figure") >= 2
    assert 'src="pictures/000000.png"' in body


@pytest.mark.slow
def test_a_browser_draws_200_runs_of_1000_rows(tmp_path):
    rows = [{"step": 10 * i, "generator/loss": i % 7 / 7} for i in range(1, 1001)]
    for run in range(200):
        write_run(tmp_path / "runs" / f"r{run}", rows, [f"seed={run}"])
    body = _shown_in_a_browser(_page(tmp_path / "runs", tmp_path / "out"))
    assert "200 runs: 200 unfinished." in body
    assert all(f"r{run}<" in body for run in range(200))
    assert body.count('class="chart"') == 1 and body.count("bk-Figure") >= 1
