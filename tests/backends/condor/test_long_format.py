"""Files of ads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.condor.long_format import ads, literal


def test_ads_are_parted_by_empty_lines() -> None:
    text = (
        'Name = "slot1@m"\nSTATE = "Claimed"\nCpus = 4\nRank = 1 + Memory\n\n\nName = "slot2@m"\nLoad=1.5\n'
    )
    assert list(ads(text.splitlines(True), ("Name", "State", "Cpus", "Rank", "Load"))) == [
        {"Name": "slot1@m", "State": "Claimed", "Cpus": 4},
        {"Name": "slot2@m", "Load": 1.5},
    ]


def test_an_ad_without_anything_wanted_is_still_one() -> None:
    assert list(ads(["A = 1\n", "\n", "\n", "B = 2\n"], ("Name",))) == [{}, {}]


def test_plain_values() -> None:
    assert literal(r'"a \"b\" \\ c"') == 'a "b" \\ c'
    assert (literal("-3"), literal("2.5"), literal("1.0E+02"), literal("TRUE")) == (-3, 2.5, 100.0, True)
    for value in (
        "undefined",
        "error",
        "a + b",
        '"a" + "b"',
        "",
        "0x1f",
        '"half',
        "{ 1,2 }",
        "9" * 40,
        "1.0E",
    ):
        assert literal(value) is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    for ad in ads(text.splitlines(True), ("Name", "State")):
        assert ad.keys() <= {"Name", "State"}
