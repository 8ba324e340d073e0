"""What happens to a node, as its console tells it: starts, ends, losses and gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pilot.agent.consoles import hub as hub_module
from pilot.agent.consoles import story, trouble
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Viewer
from pilot.errors import BackendError, UnreachableError
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import Lines, node
from tests.support.waiting import until

NewReader = Callable[[Viewer], Reader]


async def test_an_announced_start_is_seen_from_the_first_byte(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    hub.node_changed(node("off"))
    early = reader(await hub.attach("a", "ann", "write", may_write=True))
    await early.told("compute-a is off", "power")
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("off"))  # a record that was on its way
    hub.node_changed(node("paused"))
    hub.node_changed(node("on"))
    await lines["a"].print(b"SeaBIOS\r\n")
    await early.sees("SeaBIOS")
    late = reader(await hub.attach("a", "bob", "watch", may_write=True))
    await late.sees("SeaBIOS")
    marker = b"\r\n\x1b[2m[pilot 2026-11-23T16:20:31Z compute-a: turned on]\x1b[m\r\n"
    assert early.output == late.output == marker + b"SeaBIOS\r\n"
    assert late.viewer.attached.replay == len(marker) + 9
    assert lines["a"].opened == 1


@pytest.mark.parametrize("told_first", [True, False])
async def test_a_start_that_the_record_tells_first_has_no_gap_either(
    hub: ConsoleHub, lines: Lines, reader: NewReader, told_first: bool
) -> None:
    hub.node_changed(node("off"))
    lines["a"].power_on()
    hub.node_changed(node("paused"))
    if told_first:
        await until(lambda: lines["a"].held)
    await hub.hold("a")
    await lines["a"].print(b"SeaBIOS")
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await seen.sees("SeaBIOS")
    assert seen.output.count(b"[pilot") == 1
    assert lines["a"].opened == 1


async def test_a_node_that_runs_already_says_that_something_is_missing(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    lines["a"].power_on()
    await lines["a"].print(b"unheard ")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await seen.sees("console held from here on]")
    await seen.sees("unheard ")
    assert b"turned on" not in seen.output


async def test_last_words_come_before_the_power_off(hub: ConsoleHub, lines: Lines, reader: NewReader) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await lines["a"].print(b"\x1b[?1049h\x1b[31;44m\x1b[3;9rPower down")
    hub.node_changed(node("off"))
    lines["a"].power_off()
    await seen.sees("turned off]")
    await seen.told("turned off", "power")
    words, _, marker = seen.output.rpartition(b"Power down")
    assert words
    assert marker == (
        b"\x1b[m\x1b[r\x1b[?1049l\r\n\x1b[2m[pilot 2026-11-23T16:20:31Z compute-a: turned off]\x1b[m\r\n"
    )
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    await lines["a"].print(b"again")
    await seen.sees("turned on]\x1b[m\r\nagain")


async def test_a_power_off_whose_record_is_late_is_one_line(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    lines["a"].power_off()
    await until(lambda: lines["a"].opened >= 3)  # it was tried again in vain, twice
    await seen.viewer.write(b"x")
    await seen.told("has just lost its console", "writer")
    hub.node_changed(node("off"))
    await seen.sees("turned off]")
    assert [n.text for n in seen.notices if n.what != "writer"] == ["compute-a: turned off"]
    assert seen.output.count(b"[pilot") == 2, "turned on, turned off"


async def test_a_loss_that_is_no_power_off_is_said_after_a_while(
    hub: ConsoleHub, lines: Lines, reader: NewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "QUIET", 0.8)
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    lines["a"].power_off()
    await seen.sees("console lost: the line ended]")
    await seen.told("cannot be held: the domain is not running", "host")
    lines["a"].power_on()
    await seen.told("the console of compute-a is held now", "host")
    await seen.sees("console held again; there may be a gap]")


async def test_a_console_that_does_not_end_is_let_go_after_a_power_off(
    hub: ConsoleHub, lines: Lines, reader: NewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "LAST_WORDS", 0.05)
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    hub.node_changed(node("off"))
    await seen.sees("turned off]")
    assert not lines["a"].held


async def test_a_start_whose_end_before_was_not_told(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    await lines["a"].print(b"first")
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await seen.sees("first")
    lines["a"].power_off()
    lines["a"].power_on()
    await hub.hold("a")
    await lines["a"].print(b"second")
    await seen.sees("second")
    assert seen.output.find(b"first") < seen.output.find(b"turned off]") < seen.output.find(b"second")
    assert seen.output.count(b"turned on]") == 2
    assert b"gap" not in seen.output


async def test_a_start_that_fails_is_taken_back(
    hub: ConsoleHub, lines: Lines, reader: NewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "START_DEADLINE", 0.1)
    hub.node_changed(node("off"))
    lines["a"].power_on()
    await hub.hold("a")
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    lines["a"].power_off()
    await seen.sees("turned off]")


async def test_a_start_waits_for_a_console_that_cannot_be_held_no_longer_than_its_deadline(
    hub: ConsoleHub, lines: Lines, reader: NewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "HOLD_DEADLINE", 0.1)
    lines["a"].power_on()
    lines["a"].held = True
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await seen.told("cannot be held: virsh console of root holds it", "host")
    lines["a"].held = False
    await seen.sees("console held from here on]")
    retries = [n for n in seen.notices if "cannot be held" in n.text]
    assert len(retries) == 1


async def test_a_lost_console_is_got_back_and_the_gap_is_said(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await lines["a"].print(b"\x1b[1;31mred")
    lines["a"].power_off()
    lines["a"].power_on()
    await seen.sees("console held again; there may be a gap]")
    # The guest goes on as it was: its colours are put back behind the marker.
    assert seen.output.endswith(b"gap]\x1b[m\r\n\x1b[1;31m")


async def test_a_lost_host_and_its_return(hub: ConsoleHub, lines: Lines, reader: NewReader) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    await lines["a"].print(b"\x1b[?1049h\x1b[5;5Hfull screen")
    await seen.sees("full screen")
    lines["a"].reachable = False
    lines["a"].power_off()
    hub.node_changed(node("on", stale=True))
    await seen.told("its host does not answer", "host")
    # In a full screen the marker covers the last line and nothing else.
    await seen.sees("\x1b7\x1b[999;1H\x1b[2K\x1b[2m[pilot")
    assert seen.output.endswith(b"its host does not answer]\x1b[m\x1b8")
    late = reader(await hub.attach("a", "bob", "watch", may_write=True))
    await late.told("the host of compute-a does not answer")
    opened = lines["a"].opened
    lines["a"].reachable = True
    lines["a"].power_on()
    hub.node_changed(node("on"))
    await seen.sees("its host answers again]")
    await seen.sees("console held again; there may be a gap]")
    assert lines["a"].opened == opened + 1


async def test_a_host_that_is_only_slow_loses_nothing(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    seen = reader(await hub.attach("a", "ann", "write", may_write=True))
    hub.node_changed(node("on", stale=True))
    await lines["a"].print(b"still here")
    hub.node_changed(node("on"))
    await seen.sees("its host answers again]")
    await seen.sees("still here")
    assert b"gap" not in seen.output
    assert lines["a"].opened == 1


async def test_streams_end_with_the_node_and_with_airboss(
    hub: ConsoleHub, lines: Lines, reader: NewReader
) -> None:
    for node_id in ("a", "b"):
        lines[node_id].power_on()
        hub.node_changed(node("on", node_id))
    first = reader(await hub.attach("a", "ann", "write", may_write=True))
    second = reader(await hub.attach("b", "ann", "write", may_write=True))
    await until(lambda: lines["a"].held and lines["b"].held)
    hub.node_gone("a")
    async with asyncio.timeout(20):
        await first.task
    assert first.notices[-1].final
    assert first.notices[-1].text == "compute-a is no more"
    assert not lines["a"].held
    await hub.stop()
    async with asyncio.timeout(20):
        await second.task
    assert second.notices[-1].final
    assert not lines["b"].held
    with pytest.raises(UnreachableError):
        await hub.attach("b", "ann", "write", may_write=True)


async def test_a_node_without_a_serial_console(hub: ConsoleHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "HOLD_DEADLINE", 60.0)
    hub.node_changed(node("on", serial=False))
    with pytest.raises(BackendError, match="compute-a has no serial console"):
        await hub.attach("a", "ann", "write", may_write=True)
    async with asyncio.timeout(20):
        await hub.hold("a")
