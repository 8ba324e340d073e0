"""Time limits at a console: announced, taken back by typing, and ended with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from pilot.agent import attaching
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.timeout import Timeout
from pilot.agent.consoles.viewer import Viewer
from pilot.agent.settings import ConsoleSettings
from pilot.records import Role
from pilot.wire import Notice
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import node
from tests.support.waiting import until

NewReader = Callable[[Viewer], Reader]


@pytest.fixture
async def ann(hub: ConsoleHub, reader: NewReader) -> Reader:
    """Somebody at the console of a node that is off."""
    hub.node_changed(node("off"))
    return reader(await hub.attach("a", "ann", "write", may_write=True))


@contextmanager
def limited(one: Reader, role: Role, **limits: float) -> Iterator[Timeout]:
    timeout = Timeout(one.viewer, ConsoleSettings(**limits), role)
    try:
        yield timeout
    finally:
        timeout.close()


async def ended(one: Reader) -> str:
    """Await the last word."""
    async with asyncio.timeout(20):
        await one.task
    last = one.notices[-1]
    assert (last.what, last.final, last.writing) == ("limit", True, False)
    return last.text


async def test_who_does_nothing_is_warned_and_sent_away(ann: Reader) -> None:
    with limited(ann, "operator", idle_operator=0.9, idle_viewer=0.1, max_owner=0.1):
        begun = asyncio.get_running_loop().time()
        warning = await ann.told("this console ends in 0.3 s unless you type", "limit")
        assert not warning.final
        assert "the site's limit for the role operator" in warning.text
        assert await ended(ann) == (
            "you did nothing here for 0.9 s, the site's limit for the role operator;"
            " open the console again to go on"
        )
        assert asyncio.get_running_loop().time() - begun >= 0.85


class Clock:
    """A loop whose time is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.calls = [(when, call)]
        return asyncio.get_running_loop().call_later(3600, print)

    def run_to(self, now: float) -> None:
        while self.calls and self.calls[0][0] <= now:
            self.now, call = self.calls.pop()
            call()
        self.now = now


async def test_who_types_stays(ann: Reader) -> None:
    clock = Clock()
    ann.viewer.acted = clock.now
    settings = ConsoleSettings(idle_operator=600)
    timeout = Timeout(ann.viewer, settings, "operator", cast("asyncio.AbstractEventLoop", clock))
    for acts in (539, 599, 599):
        clock.run_to(ann.viewer.acted + acts)
        ann.viewer.acted = clock.now
    clock.run_to(clock.now + 599.5)
    warned = [notice.text for notice in await _read(ann, 3)]
    words = "this console ends in 1 min unless you type: 10 min without that is the site's limit"
    assert warned == [f"{words} for the role operator"] * 3
    clock.run_to(clock.now + 0.5)
    assert "you did nothing here for 10 min" in await ended(ann)
    timeout.close()


async def test_typing_in_vain_is_no_idleness(ann: Reader) -> None:
    ann.viewer.acted = 0.0
    await ann.viewer.write(b"x")
    assert ann.viewer.acted > 0


async def _read(one: Reader, count: int) -> list[Notice]:
    """Await so many announcements."""

    def told() -> list[Notice]:
        return [notice for notice in one.notices if notice.what == "limit"]

    await until(lambda: len(told()) >= count, 20)
    return told()


async def test_a_stay_ends_however_much_is_typed(
    ann: Reader, hub: ConsoleHub, reader: NewReader, presence: dict[str, tuple[str, int]]
) -> None:
    bob = reader(await hub.attach("a", "bob", "write", may_write=True))
    with limited(ann, "admin", max_owner=0.6, idle_owner=3600):

        async def typing() -> None:
            while True:
                await ann.viewer.write(b"x")
                await asyncio.sleep(0.02)

        keys = asyncio.create_task(typing())
        await ann.told("this console ends in 0.2 s: 0.6 s at a time is the site's limit for the role admin")
        assert (await ended(ann)).startswith("you were here for 0.6 s")
        keys.cancel()
        await asyncio.gather(keys, return_exceptions=True)
    await bob.told("ann has left; the keyboard is yours now")
    assert presence["a"] == ("bob", 0)


async def test_another_role_has_another_limit(ann: Reader) -> None:
    with limited(ann, "owner", idle_viewer=0.3) as timeout:
        ann.viewer.demote("your role is viewer now")
        timeout.role_is("viewer")
        await ann.told("unless you do or say something here", "limit")
        async with asyncio.timeout(20):
            await ann.task
        assert "0.3 s, the site's limit for the role viewer" in ann.notices[-1].text


async def test_no_limit_is_none(ann: Reader) -> None:
    with limited(ann, "owner") as timeout:
        assert timeout._timer is None


async def test_who_does_not_read_the_last_word_is_not_waited_for(
    hub: ConsoleHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "LAST_WORD_SECONDS", 0.05)
    hub.node_changed(node("off"))
    viewer = await hub.attach("a", "ann", "write", may_write=True)
    async with asyncio.timeout(20), attaching._patience(viewer):
        viewer.close("your key is not entitled to vc1 any more")
        await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        async with attaching._patience(viewer):
            raise TimeoutError("of something else")
