"""The journal as cells: what was typed, how it ended, and whatever somebody put there instead."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from pilot.filtering import parse
from pilot.journal import Deed, Head, Record
from pilot.journal_check import Report
from pilot.render.journal import (
    cells,
    details,
    journal_line,
    journal_table,
    names_in,
    outcome_cell,
    time_cell,
    took_cell,
    verified_lines,
)
from pilot.render.journal_search import JOURNAL_FIELDS, DeedHaystack
from tests.live.journals import NOW, asked, chained, ended

FAULT = {"code": "node", "message": "'x' is not a node of vc1, or not yours"}


def deed(*results: str, **more: Any) -> Deed:
    """A request with its outcome."""
    intent, outcome = chained([asked(), ended(1, *results, **more)])
    return Deed(intent, outcome)


def event(verb: str, result: object, selectors: tuple[str, ...] = ()) -> Deed:
    (record,) = chained([asked(verb, kind="event", auth="airboss", selectors=selectors, result=result)])
    return Deed(record)


@pytest.mark.parametrize(
    ("shown", "text", "tone"),
    [
        (Deed(chained([asked()])[0]), "… no outcome yet", "busy"),
        (deed("done"), "✓ done", "good"),
        (deed("done", note="was on already"), "✓ done: was on already", "good"),
        (deed("done", "done", "done"), "✓ 3 done", "good"),
        (deed("failed", fault=FAULT), f"✕ failed: {FAULT['message']}", "bad"),
        (deed("done", "failed", "unknown"), "✕ 1 failed, ? 1 not known, ✓ 1 done", "bad"),
        (deed("unknown"), "? not known", "busy"),
        (deed(), "nothing to do", "dim"),
        (deed("exploded"), "exploded", ""),
        (event("refused", {"code": "refused", "message": "no"}), "✕ refused: no", "bad"),
        (event("console.close", {"seconds": 12.4}), "after 12 s", "dim"),
        (event("airboss.recover", "resumed"), "resumed", "dim"),
        (event("x", None), "", "dim"),
    ],
)
def test_how_it_ended(shown: Deed, text: str, tone: str) -> None:
    assert outcome_cell(shown) == (text, tone)


def test_a_row_says_when_who_what_of_which_nodes_how_and_how_long() -> None:
    row = [cell.text for cell in cells(deed("done"), NOW)]
    clock = time.strftime("%H:%M:%S", time.localtime(NOW))
    assert row == [clock, "ada (by ssh)", "power.on", "compute-0-0", "✓ done", "1.0 s"]
    assert time_cell(deed("done"), NOW + 100 * 86_400).text.endswith(clock)
    assert len(time_cell(deed("done"), NOW + 100 * 86_400).text) == len("2027-01-15 08:00:00")


def test_nodes_that_were_not_typed_are_named_if_their_names_are_known() -> None:
    shown = event("console.close", {"seconds": 1.0})
    names = names_in(chained([asked(), ended(1, "done")]))
    assert names == {"uuid-0": "compute-0-0"}
    assert cells(shown, NOW, names)[3].text == "compute-0-0"
    assert cells(shown, NOW)[3].text == "uuid-0"


def test_many_selectors_are_counted() -> None:
    (record,) = chained([asked(selectors=tuple(f"n{number}" for number in range(11)))])
    assert cells(Deed(record), NOW)[3].text == "n0 n1 n2 n3 n4 n5 n6 n7 and 3 more"


def test_an_outcome_without_its_intent_says_whose_it_is() -> None:
    shown = Deed(chained([asked(), ended(1, "done", "failed")])[1])
    assert [cell.text for cell in cells(shown, NOW)][1:] == [
        "",
        "(outcome of 1)",
        "compute-0-0 compute-0-1",
        "✕ 1 failed, ✓ 1 done",
        "",
    ]


def test_a_clock_that_went_back_took_no_time() -> None:
    intent, outcome = chained([asked(at=5.0), ended(1, "done", at=1.0)])
    assert took_cell(Deed(intent, outcome)).text == "0 ms"


EVIL = "\x1b]0;owned\x07\n\u202e"


@pytest.mark.parametrize(
    "changes",
    [
        {"args_json": "{", "targets_json": "["},
        {"args_json": "[]", "targets_json": "{}"},
        {"args_json": '{"selectors":{}}'},
        {"result_json": '[{"target":1,"result":{},"fault":"x","seconds":"y","node":[]}]'},
        {"result_json": '[{"target":"x"}, 3]'},
        {"kind": "x", "auth": "y", "time": 2**62},
        {"time": -(2**62)},
        {"principal": EVIL, "verb": EVIL, "cluster": EVIL, "fingerprint": EVIL},
        {"args_json": msgspec.json.encode({"selectors": [EVIL]}).decode()},
        {"result_json": msgspec.json.encode({"message": EVIL}).decode()},
        {"result_json": msgspec.json.encode([{"target": EVIL, "result": EVIL}]).decode()},
    ],
)
def test_whatever_was_put_there_is_shown_and_does_no_harm(changes: dict[str, object]) -> None:
    intent, outcome = chained([asked(), ended(1, "done")])
    for one in (
        Deed(_with(intent, changes), outcome),
        Deed(intent, _with(outcome, changes)),
        Deed(_with(outcome, changes)),
    ):
        names = names_in([one.record, one.outcome] if one.outcome else [one.record])
        lines = [*journal_table([one], NOW, False, names), journal_line(one, NOW, False, names)]
        lines += [f"{label} {cell.text}" for label, cell in details(one, names)]
        assert not any(set("\x1b\x07\n\u202e") & set(line) for line in lines)
        assert DeedHaystack(one, names).text


def _with(record: Record, changes: dict[str, object]) -> Record:
    return msgspec.structs.replace(record, **changes)


def test_the_table_has_the_cluster_where_there_are_several() -> None:
    records = chained([asked(), asked(cluster="vc2")])
    one, both = ([Deed(record) for record in records[:count]] for count in (1, 2))
    assert "CLUSTER" not in journal_table(one, NOW, False)[0]
    heading, first, second = journal_table(both, NOW, False)
    assert heading.split()[:3] == ["TIME", "CLUSTER", "WHO"]
    assert ("vc1" in first, "vc2" in second) == (True, True)


def test_details_say_each_node() -> None:
    shown = dict(details(deed("done", "failed", fault=FAULT, seconds=0.5)))
    assert shown["compute-0-1"].text == f"✕ failed  0.5 s  {FAULT['message']}"
    assert shown["record"].text == "1, outcome 2"
    assert shown["vouched by"].text == "ssh"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("verb:power", True),
        ("who=ada", True),
        ("who=bob", False),
        ("node:compute", True),
        ("outcome=failed", True),
        ("outcome=open", False),
        ("key:x", False),
        ("not.yours", True),
        ("!ada", False),
        ("cluster=vc1 auth=ssh id=1", True),
    ],
)
def test_filters(text: str, fits: bool) -> None:
    found = parse(text, JOURNAL_FIELDS)
    assert found.matches(DeedHaystack(deed("done", "failed", fault=FAULT), {})) is fits


def test_what_a_check_found_is_said_in_counts_and_the_first_thing_that_is_wrong() -> None:
    right = Report(9, 2, Head(9, "ab"), 1, sealed=4)
    said = [text for text, _ in verified_lines(right, 3, (), "vc1")]
    assert said[0] == "✓ the chain of all 9 records is right"
    assert said[1] == "5 records of vc1 were read whole, 2 of them requests signed as said"
    assert "head: record 9, ab" in said[-1]
    wrong = Report(4, 0, Head(4, "ab"), 0, 5, "its contents were changed")
    said = [text for text, _ in verified_lines(wrong, 0, ((3, "cut off"),), "")]
    assert said[0] == "✕ BROKEN at record 5: its contents were changed"
    assert "✕ CONTRADICTED: cut off" in said


@pytest.mark.parametrize("field", ["targets_json", "args_json", "result_json"])
@pytest.mark.parametrize("put", ["no json", "7", "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_what_somebody_put_there_ends_nothing(field: str, put: str) -> None:
    intent, outcome = chained([asked(), ended(1, "done")])
    broken = [msgspec.structs.replace(record, time=2**63, **{field: put}) for record in (intent, outcome)]
    for one in (Deed(*broken), Deed(broken[0]), Deed(broken[1])):
        assert cells(one, NOW, names_in(broken))
        assert details(one)
        assert not parse("nobody", JOURNAL_FIELDS).matches(DeedHaystack(one, {}))
