"""Results as tables and plots."""

import json
import platform

import pytest

from gan_jax.benchmarking import Comparison, Result, compare_all, report
from gan_jax.errors import UserError

RESULT = Result(
    name="a",
    peer="peer",
    seconds=1.0,
    peer_seconds=2.0,
    ratio=2.0,
    quartiles=(1.9, 2.1),
    goal=1.5,
    rounds=5,
    rounds_left_out=0,
    difference=None,
    ratio_of_minima=2.0,
    peer_medians={"peer": 2.0},
)


def test_the_plot_tells_stable_from_unstable_ratios():
    results = [RESULT, RESULT._replace(name="b", ratio=None)]
    figure = report.draw(report.Report("Title", "command", "a machine", {}, results))
    assert [text.get_text() for text in figure.axes[0].texts] == ["2.00  peer", "unstable  peer"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_processors_of_one_name_are_told_apart(tmp_path):
    table = tmp_path / "cpuinfo"
    core = "cpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 1\n\n"
    table.write_text(f"processor\t: 0\n{core}processor\t: 1\n{core}")
    assert report.processor(table) == "AMD EPYC (family 25, model 1)"
    assert report.processor(tmp_path / "missing") == (platform.processor() or platform.machine())


def test_a_row_names_the_ratio_or_says_that_it_is_unstable():
    cells = dict(zip(report.COLUMNS, report.table_row(RESULT), strict=True))
    assert (cells["compared with"], cells["times as fast"], cells["goal"]) == (
        "peer",
        "2.00",
        "1.5",
    )
    unstable = report.table_row(RESULT._replace(ratio=None))
    assert dict(zip(report.COLUMNS, unstable, strict=True))["times as fast"] == "unstable"


def test_a_result_without_a_peer_is_tabulated_and_not_drawn(tmp_path):
    result = RESULT._replace(
        peer="",
        seconds=2.0,
        peer_seconds=None,
        ratio=None,
        quartiles=None,
        ratio_of_minima=None,
        peer_medians={},
    )
    description = report.describe([result], "Title", ["no such package"], "make it again")
    report.save(description, tmp_path / "table")
    table = (tmp_path / "table.md").read_text()
    assert "| a | none | 2 s |  |  |" in table and "`make it again`" in table
    assert json.loads((tmp_path / "table.json").read_text())["results"][0]["ratio"] is None
    assert not (tmp_path / "table.png").exists()


def test_a_file_that_was_written_can_be_read_back_into_a_report(tmp_path):
    description = report.describe([RESULT], "Title", [], "make it again")
    report.save(description, tmp_path / "table.json")
    record = json.loads((tmp_path / "table.json").read_text())
    results = [Result(**fields) for fields in record.pop("results")]
    assert report.to_markdown(report.Report(**record, results=results)) == report.to_markdown(
        description
    )


def test_committed_reports_have_todays_form(root):
    for path in sorted((root / "results" / "benchmark").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        results = [Result(**fields) for fields in record.pop("results")]
        text = report.to_markdown(report.Report(**record, results=results))
        assert path.with_suffix(".md").read_text(encoding="utf-8") == text, path.name


def test_only_comparisons_with_a_text_in_their_names_are_timed(monkeypatch, capsys):
    monkeypatch.setattr(report, "compare", lambda comparison, rounds, patience: RESULT)
    comparisons = [Comparison("Kernel", lambda: None, {}), Comparison("other", lambda: None, {})]
    assert len(compare_all(comparisons, rounds=1, only="kern")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2  # header and result
    with pytest.raises(UserError, match="no comparison has 'neither' in its name"):
        compare_all(comparisons, rounds=1, only="neither")
