"""Sites, addresses, pinned keys; tables, times, states."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.client_config import ClientConfig, Site, config_home, parse_address, state_home
from pilot.errors import ConfigError, UsageError
from pilot.link.backoff import Backoff
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.records import Node
from pilot.render.nodes import change_text, console_cell, in_order, node_table, state_cell
from pilot.render.palette import paint
from pilot.render.table import Cell, Column, table, width
from pilot.render.times import ago, duration, memory, took
from tests.client.stand_in import NOW, node


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("rocks.example.org", "rocks.example.org", 8677),
        ("rocks:22", "rocks", 22),
        ("10.1.1.1:99", "10.1.1.1", 99),
        ("[fe80::1%eth0]:99", "fe80::1%eth0", 99),
        ("[::1]", "::1", 8677),
        ("2001:db8::1", "2001:db8::1", 8677),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "a b", "host:", "host:0", "host:65536", "host:x", "[::1", "a;b"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_sites_are_remembered_and_found(tmp_path: Path) -> None:
    config = ClientConfig(tmp_path / "made" / "here")
    with pytest.raises(UsageError, match="no site"):
        config.find(None)
    config.remember(Site("one", "a.example.org", key='/home/me/odd "name"\\é', cluster="vc1"))
    config.remember(Site("two", "::1", 99))
    again = ClientConfig(config.folder)
    assert again.find(None).name == "one"
    assert again.find("two").address == "[::1]:99"
    assert again.find("[::1]:99").name == "two"
    assert again.find("one").key == '/home/me/odd "name"\\é'
    assert again.find("other.example.org:5") == Site("other.example.org", "other.example.org", 5)
    again.set_default("two")
    assert ClientConfig(config.folder).find(None).name == "two"
    again.forget("two")
    assert ClientConfig(config.folder).find(None).name == "one"
    assert stat.S_IMODE(config.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(config.sites_file.stat().st_mode) == 0o600
    with pytest.raises(UsageError):
        again.forget("two")


def test_several_sites_and_no_default(tmp_path: Path) -> None:
    config = ClientConfig(tmp_path)
    config.sites_file.write_text('[[site]]\nname = "a"\nhost = "a"\n[[site]]\nname = "b"\nhost = "b"\n')
    with pytest.raises(UsageError, match="a, b"):
        config.find(None)
    config.sites_file.write_text('default = "c"\n[[site]]\nname = "a"\nhost = "a"\n')
    with pytest.raises(ConfigError, match="default"):
        ClientConfig(tmp_path).find(None)
    config.sites_file.write_text('[[site]]\nname = "a b"\nhost = "a"\n')
    with pytest.raises(ConfigError, match=r"line 2.*name"):
        ClientConfig(tmp_path).find(None)


def test_the_folders_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PILOT_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative is ignored")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert config_home() == tmp_path / ".config/rocks-pilot"
    assert state_home() == tmp_path / ".local/state/rocks-pilot"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert (config_home(), state_home()) == (Path("/c/rocks-pilot"), Path("/s/rocks-pilot"))


async def test_pinned_keys_are_openssh_s_and_are_forgotten(tmp_path: Path) -> None:
    known = KnownHosts(tmp_path / "known_hosts", accept_first_use)
    known.path.write_text("# mine\nother ssh-ed25519 AAAA\n")
    await known.first_use("h", 8677, b"blob one", "SHA256:x")
    await known.first_use("h", 22, b"blob two", "SHA256:y")
    assert known.pinned("h", 8677) == {b"blob one"}
    assert known.pinned("h", 22) == {b"blob two"}
    assert known.pinned("h", 99) == frozenset()
    assert known.path.read_text().splitlines()[2].startswith("[h]:8677 ssh-ed25519 ")
    assert known.forget("h", 8677)
    assert not known.forget("h", 8677)
    assert known.pinned("h", 22) == {b"blob two"}
    assert known.path.read_text().startswith("# mine\nother")


def test_times_and_sizes() -> None:
    assert [duration(s) for s in (0, 14, 59, 60, 7200, 260_000)] == [
        "0 s",
        "14 s",
        "59 s",
        "1 min",
        "2 h",
        "3 d",
    ]
    assert ago(NOW + 5, NOW) == "0 s"
    assert [took(s) for s in (0.003, 0.43, 12.3)] == ["3 ms", "0.4 s", "12 s"]
    assert [memory(k) for k in (0, 512 * 1024, 2 * 1024 * 1024)] == ["-", "512 M", "2.0 G"]


def test_columns_line_up_whatever_is_in_them() -> None:
    rows = [[Cell("a"), Cell("1"), Cell("")], [Cell("漢字"), Cell("100"), Cell("")]]
    lines = table([Column("N"), Column("COUNT", right=True), Column("EMPTY")], rows, False)
    assert lines == ["N     COUNT", "a         1", "漢字    100"]
    coloured = table([Column("N")], [[Cell("x", "good")]], True)
    assert coloured[1] == "\x1b[32mx\x1b[0m"
    assert paint("x", "", True) == "x"


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_nothing_of_a_cell_reaches_the_terminal_but_text(texts: list[str]) -> None:
    lines = table([Column("A"), Column("B")], [[Cell(text), Cell("end")] for text in texts], False)
    assert len(lines) == len(texts) + 1
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for line in lines for c in line)
    assert len({width(line) for line in lines[1:]}) == 1


STATES: list[tuple[Node, str]] = [
    (node(0, state="on"), "● on"),
    (node(0, state="off"), "○ off"),
    (node(0, state="stopping"), "◐ shutting down"),
    (node(0, state="crashed"), "✕ crashed"),
    (node(0, state="on", hung_ms=14_200), "▲ hung 14 s"),
    (node(0, state="on", stale_since=NOW - 180, hung_ms=14_200), "? on, 3 min ago"),
]


@pytest.mark.parametrize(("record", "text"), STATES)
def test_a_state_is_a_glyph_and_a_word(record: Node, text: str) -> None:
    assert state_cell(record, NOW).text == text


def test_who_is_at_the_console() -> None:
    assert console_cell(node(0)).text == "free"
    assert console_cell(node(0, recorded=True)).text == "◉ free"
    assert change_text(node(0), node(0, recorded=True), NOW, False) == "recorded"
    assert console_cell(node(0, serial=False)).text == "none"
    assert console_cell(node(0, writer="ada", watchers=2)).text == "ada, 2 watching"


def test_the_cluster_is_shown_where_there_are_several() -> None:
    nodes = in_order([node(10), node(9), node(1, cluster="another")])
    assert [n.name for n in nodes] == ["compute-0-1", "compute-0-9", "compute-0-10"]
    assert node_table(nodes, NOW, False)[0].startswith("CLUSTER")
    assert node_table(nodes[1:], NOW, False)[0].startswith("NODE")


def test_changes_in_words() -> None:
    off, on = node(0), node(0, state="on")
    assert change_text(off, on, NOW, False) == "○ off → ● on"
    assert change_text(None, on, NOW, False) == "new  ● on"
    assert change_text(on, None, NOW, False) == "gone"
    assert change_text(on, node(0, state="on", since=NOW + 1), NOW, False) == ""
    assert change_text(on, node(0, state="on", host="h1"), NOW, False) == "moved from h0 to h1"
    assert change_text(on, node(0, state="on", writer="bob"), NOW, False) == "console bob"


def test_attempts_get_rarer_and_are_spread() -> None:
    backoff = Backoff(1.0, 8.0)
    waits = [backoff.seconds() for _ in range(6)]
    for wait, most in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert most / 2 <= wait <= most
    backoff.reset()
    assert backoff.seconds() <= 1.0
