"""Claims: which measurements pass, and what is printed about them."""

import math

import pytest

from gan_jax.reproduction import Claim, format_table, summarize, table_rows


def test_a_claim_passes_only_if_every_measurement_is_in_its_band():
    assert Claim.close_to("a", [1.0, 1.2], 1.1, 0.11).verdict(shortened=False) == "pass"
    assert Claim.close_to("a", [1.0, 1.3], 1.1, 0.11).verdict(shortened=False) == "miss"


def test_a_band_may_be_open_at_one_end():
    assert Claim("a", (5.0,), "", None, 4).verdict(shortened=False) == "miss"
    assert Claim("a", (5.0,), "", 4, None).verdict(shortened=False) == "pass"


def test_nan_is_a_miss():
    assert Claim("a", (math.nan,), "", 0, None).verdict(shortened=False) == "miss"


@pytest.mark.parametrize("value", [1.0, math.nan])
def test_a_claim_without_a_band_is_not_judged(value):
    assert Claim("a", (value,), "", None, None).verdict(shortened=False) == "not judged"


def test_a_claim_without_measurements_is_not_judged():
    assert Claim("a", (), "", 0, 2).verdict(shortened=False) == "not judged"


def test_shortened_forms_judge_only_the_claims_that_allow_it():
    assert Claim("a", (1.0,), "", 0, 2).verdict(shortened=True) == "not judged"
    assert Claim("a", (1.0,), "", 0, 2, smoke=True).verdict(shortened=True) == "pass"


@pytest.mark.parametrize(
    ("printed", "inside", "outside"),
    [
        ("1.00", (0.996, 1.004), (0.994, 1.006)),
        ("3.096", (3.0956, 3.0964), (3.0954, 3.0966)),
        ("2.6e-6", (2.56e-6, 2.64e-6), (2.54e-6, 2.66e-6)),
        ("2e-10", (1.6e-10, 2.4e-10), (1.4e-10, 2.6e-10)),
        ("-12", (-12.4, -11.6), (-12.6, -11.4)),
    ],
)
def test_a_printed_number_is_met_to_half_a_unit_of_its_last_digit(printed, inside, outside):
    assert Claim.rounds_to("a", inside, printed).verdict(shortened=False) == "pass"
    for value in outside:
        assert Claim.rounds_to("a", value, printed).verdict(shortened=False) == "miss"
    assert Claim.rounds_to("a", inside, printed).kind == "published"
    assert Claim.rounds_to("a", inside, printed).published == printed


@pytest.mark.parametrize("printed", ["~0", "", "nan", "inf"])
def test_what_is_no_printed_number_is_refused(printed):
    with pytest.raises(ValueError, match=r"printed must be a decimal number such as '1\.00'"):
        Claim.rounds_to("a", 0.0, printed)


def claims_of_each_kind() -> list[Claim]:
    return [
        Claim.close_to("a", 1.0, 1.0, 0.1),
        Claim.close_to("b", 2.0, 1.0, 0.1, "1", "too few steps"),
        Claim("c", (), "", 0, 1),
        *(
            Claim(name, (value,), "asked > 4", 4, None, name, why="small")
            for name, value in (("d", 3.0), ("e", 2.0), ("f", 5.0))
        ),
    ]


def test_the_summary_is_two_lines_and_names_the_causes_of_misses():
    first, second = summarize("x", claims_of_each_kind(), shortened=False)
    assert first == "x: 2 of 5 claims are inside their bands, 1 not judged"
    assert second == (
        "outside: b is 2, published 1 (too few steps); "
        "d is 3, asked > 4, and e is 2, asked > 4 (small)"
    )
    assert summarize("x", claims_of_each_kind()[:1], shortened=False) == (
        "x: 1 of 1 claims are inside their bands",
        "outside: none",
    )


def test_the_note_of_a_miss_ends_with_its_cause():
    notes = [row[-1] for row in table_rows(claims_of_each_kind(), shortened=False)]
    assert notes == ["", "too few steps", "", "d; small", "e; small", "f"]


def test_the_table_has_aligned_columns_and_ends_with_the_counts():
    lines = format_table(claims_of_each_kind()[:3], shortened=False).splitlines()
    assert lines == [
        "claim  measured  published  verdict     kind",
        "a      1         1 ± 0.1    pass        trained",
        "b      2         1          miss        trained",
        "    too few steps",
        "c      nothing              not judged  trained",
        "1 pass, 1 miss, 1 not judged",
    ]
    assert format_table([], shortened=False).endswith("nothing to judge")


def test_many_measurements_are_shown_by_their_ends():
    (row,) = table_rows([Claim("a", (3.0, 1.0, 2.0, 4.5), "", 0, 5)], shortened=False)
    assert row[1] == "1 .. 4.5 (4)"
