"""The filter grammar: what words mean, what is refused with help, and that no pattern can stop the app."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import filtering
from pilot.errors import UsageError
from pilot.filtering import SlowFilterError, parse
from pilot.patterns import LINE, compile_pattern
from pilot.records import Nic, Node
from pilot.render.node_search import NODE_FIELDS, NodeHaystacks, searchable

NODES = [
    Node(
        id="4f1c0000-0000-4000-8000-00000000000a",
        name="frontend",
        cluster="vc1",
        host="vm-container-0-0",
        domain="frontend-0-0-0",
        state="on",
        since=1.0,
        appliance="frontend",
        nics=(Nic("52:54:00:8e:1f:01", "br144", 144),),
    ),
    Node(
        id="4f1c0000-0000-4000-8000-00000000000b",
        name="compute-0-0",
        cluster="vc1",
        host="vm-container-0-1",
        domain="hosted-vm-0-0-0",
        state="off",
        since=1.0,
        appliance="compute",
        nics=(Nic("52:54:00:8e:1f:02", "br144", 144), Nic("52:54:00:8e:1f:03", "br2", 2)),
        writer="ada@vc1",
    ),
    Node(
        id="4f1c0000-0000-4000-8000-00000000000c",
        name="compute-0-1",
        cluster="vc2",
        host="vm-container-0-10",
        domain="hosted-vm-0-1-0",
        state="on",
        since=1.0,
        hung_ms=14_000,
    ),
    Node(
        id="4f1c0000-0000-4000-8000-00000000000d",
        name="compute-0-2",
        cluster="vc2",
        host="vm-container-0-1",
        domain="hosted-vm-0-1-1",
        state="stopping",
        since=1.0,
        stale_since=5.0,
    ),
]


def found(text: str) -> list[str]:
    filter_ = parse(text, NODE_FIELDS)
    return [node.name for node in NODES if filter_.matches(searchable(node))]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["frontend", "compute-0-0", "compute-0-1", "compute-0-2"]),
        ("COMPUTE", ["compute-0-0", "compute-0-1", "compute-0-2"]),
        ("^compute-0-[01]$", ["compute-0-0", "compute-0-1"]),
        ("!compute", ["frontend"]),
        ("compute !vc1", ["compute-0-1", "compute-0-2"]),
        ("state:on|hung", ["frontend", "compute-0-1"]),
        ("state:on|hung host:vm-container-0-1", ["compute-0-1"]),
        ("state:stale", ["compute-0-2"]),
        ("!state:hung|stale", ["frontend", "compute-0-0"]),
        ("HOST:0-1$", ["compute-0-0", "compute-0-2"]),
        ("host=vm-container-0-1", ["compute-0-0", "compute-0-2"]),
        ("-l host=vm-container-0-1*", ["compute-0-0", "compute-0-1", "compute-0-2"]),
        ("-l host=vm-container-0-1*,cluster!=vc2", ["compute-0-0"]),
        ("-l vlan=144", ["frontend", "compute-0-0"]),
        ("vlan!=2", ["frontend", "compute-0-1", "compute-0-2"]),
        ("-l writer=", ["frontend", "compute-0-1", "compute-0-2"]),
        ("writer:ada", ["compute-0-0"]),
        ("52:54:00:8e:1f:03", ["compute-0-0"]),
        ("mac:1f:01", ["frontend"]),
        ("uuid:00c$", ["compute-0-1"]),
        ("-f cmp1", ["compute-0-1"]),
        ("-f END", ["frontend"]),
        ('"compute-0-1" vc2', ["compute-0-1"]),
        (r"compute\ 0", []),
    ],
)
def test_words_find_rows(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[", "not a regular expression", "special"),
        ("(a+)+$", "take for ever", "repetition"),
        ("(a|ab)*c", "take for ever", "repetition"),
        (".*a.*b.*c.*d.*e", "take for ever", "several words"),
        ("a?" * 40 + "a" * 40, "take for ever", ""),
        ("x" * 201, "200 at most", "words"),
        ("stat:on", "did you mean state", "Fields: appliance"),
        ("-l stat=on", "did you mean state", "Fields"),
        ("-l on", "FIELD=VALUE", "Fields"),
        ("-l", "follow -l", "state=on"),
        ("-f", "follow -f", "-f"),
        ("state:", "follow 'state:'", "state:"),
        ("!", "says nothing", "!WORD"),
        ('"open', "not closed", "Close it"),
        ("a " * 21, "20 at most", ""),
    ],
)
def test_what_is_wrong_is_said_with_a_hint(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, NODE_FIELDS)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_useful_patterns_are_not_refused() -> None:
    for text in (
        r"\d+-\d+-\d+",
        "compute.*0",
        "a.*b.*c",
        r"(\d{1,3}\.){3}\d{1,3}",
        "(compute|login)-[0-9]+$",
        "(ab)+",
    ):
        compile_pattern(text)


@given(st.text(alphabet="ab*+?()|.[]{}12,^$\\", max_size=12), st.sampled_from(["a", "b", "ab", "aab"]))
def test_whatever_is_compiled_ends_soon(text: str, unit: str) -> None:
    try:
        pattern = compile_pattern(text).pattern
    except UsageError:
        return
    line = (unit * LINE)[:LINE] + "!"
    begin = time.process_time()
    pattern.search(line)
    assert time.process_time() - begin < 1.0


@given(
    st.text(alphabet="aBz09-[]^.*+?|()\\dD_ ", max_size=10),
    st.text(alphabet="aBz09-_ \n.", max_size=30),
)
def test_case_never_matters(text: str, line: str) -> None:
    try:
        fast, slow = compile_pattern(text, lowered=True), compile_pattern(text)
    except UsageError:
        return
    assert bool(fast.pattern.search(line.lower())) == bool(slow.pattern.search(line))


@given(st.text(max_size=40))
def test_anything_typed_is_a_filter_or_a_usage_error(text: str) -> None:
    try:
        filter_ = parse(text, NODE_FIELDS)
    except UsageError:
        return
    for node in NODES:
        assert filter_.matches(searchable(node)) in (True, False)


@given(st.text(max_size=30), st.text(max_size=10))
def test_fuzzy_is_a_subsequence(name: str, letters: str) -> None:
    letters = re.sub(r'[\s"\\]', "", letters)
    if not letters:
        return
    node = Node(id="x", name=name or "n", cluster="", host="h", domain="d", state="on", since=0.0)
    characters = iter(node.name.lower())
    expected = all(letter in characters for letter in letters.lower())
    if node.name.isascii() and letters.isascii():
        assert parse(f"-f {letters}", NODE_FIELDS).matches(searchable(node)) == expected


def test_a_filter_that_computes_too_long_stops_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtering, "BUDGET_SECONDS", 0.01)
    slow = parse("a.*a.*a.*b", NODE_FIELDS)
    rows = [searchable(Node(str(n), "a" * 90, "a" * 90, "a" * 90, "a" * 90, "on", 0.0)) for n in range(100)]
    with pytest.raises(SlowFilterError, match="takes too long"):
        list(map(slow.matches, rows))


def test_what_is_kept_of_a_node_goes_with_its_record() -> None:
    haystacks = NodeHaystacks()
    assert haystacks.of(NODES[0]).text is haystacks.of(NODES[0]).text
    same_id = Node(NODES[0].id, "renamed", "vc1", "h", "d", "on", 1.0)
    assert haystacks.of(same_id).text.startswith("renamed\n")
    haystacks.forget([same_id.id])
    assert haystacks.of(NODES[0]).text.startswith("frontend\n")


def test_hostile_values_stay_within_their_lines() -> None:
    node = Node("x", "a" * 5000, "b\nc", "h" * 5000, "d", "on", 0.0)
    assert max(map(len, searchable(node).text.split("\n"))) <= LINE
