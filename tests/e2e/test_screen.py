"""A real node's screen through airboss: together, alone, watched only, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import libvirt
import pytest

from pilot import wire
from pilot.errors import BackendError, BusyError, RefusedError, WireError
from pilot.link.link import Link
from pilot.link.screen_stream import ScreenStream
from pilot.vnc.keys import combination
from pilot.vnc.rfb import RfbClient
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import act, nodes_of, read
from tests.support.airboss import Person
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NODE = "compute-0-0"
SECONDS = 40.0


class Look:
    """Somebody at a screen: an RFB client that always asks for what changes."""

    def __init__(self, stream: ScreenStream) -> None:
        self.stream = stream
        self.notices: list[wire.Notice] = []
        stream.notices = self.notices.append
        self.client = RfbClient(stream)
        self.updates = 0
        self.client.updated = self._updated
        self.task: asyncio.Task[None]

    async def begin(self) -> Look:
        await self.client.handshake()
        self.task = asyncio.create_task(self.client.run())
        self.client.request(incremental=False)
        await until(lambda: self.updates, SECONDS, "the first picture")
        return self

    def _updated(self) -> None:
        self.updates += 1
        self.client.request()

    async def told(self, pattern: str) -> wire.Notice:
        found = await until(
            lambda: [notice for notice in self.notices if re.search(pattern, notice.text)],
            SECONDS,
            f"a notice like {pattern}",
        )
        return found[-1]

    async def ends(self) -> str:
        """Await the end; airboss's last words."""
        async with asyncio.timeout(SECONDS):
            await self.task
        assert self.notices[-1].final
        return self.stream.why

    def press(self, keys: str) -> None:
        self.client.press(combination(keys))


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 2)
    return site


@pytest.fixture
async def people(site: Site) -> AsyncIterator[Callable[[Person], object]]:
    """Links that are closed after the test, with whoever looks over them."""
    async with AsyncExitStack() as stack:

        async def link(person: Person) -> Link:
            made = await stack.enter_async_context(await person.link())

            async def known() -> bool:
                return len(await nodes_of(made)) == 2

            await until(known, SECONDS, "the nodes are known")
            return made

        yield link


@pytest.fixture
async def ada(site: Site, people: Callable[[Person], object]) -> Link:
    link: Link = await people(site.ada)  # type: ignore[misc]
    await act(link, "on", NODE)
    return link


async def look(link: Link, mode: str = "control", exclusive: bool = False) -> Look:
    return await Look(await link.screen(NODE, "vc1", mode, exclusive)).begin()


async def drained(stream: ScreenStream) -> None:
    while await stream.read():
        pass


async def test_people_share_a_screen_until_one_wants_it_alone(
    site: Site, ada: Link, people: Callable[[Person], object]
) -> None:
    assert (await nodes_of(ada))[NODE].screen
    first = await look(ada)
    assert first.stream.attached.controlling
    assert first.stream.attached.others == 0
    assert first.client.name
    eve = await site.airboss.person("eve", "vc1", "viewer")
    dan = await site.airboss.person("dan", "vc1", "operator")
    eves: Link = await people(eve)  # type: ignore[misc]
    dans: Link = await people(dan)  # type: ignore[misc]
    watching = await look(eves)
    assert not watching.stream.attached.controlling
    assert watching.stream.attached.others == 1
    await first.told("^eve has joined and watches$")
    with pytest.raises(RefusedError, match="needs the role operator, yours is viewer"):
        await eves.screen(NODE, "vc1", "watch", True)

    alone = await look(dans, exclusive=True)
    assert alone.stream.attached.exclusive
    assert await first.ends() == await watching.ends() == f"dan has the screen of {NODE} for themselves now"
    with pytest.raises(BusyError, match="dan has the screen of compute-0-0 for themselves"):
        await eves.screen(NODE, "vc1")
    # Who is not an operator any more may not keep the others out.
    site.airboss.editor.remove_signers("vc1", lambda entry: entry.fingerprint == dan.fingerprint)
    assert "your key is not entitled to vc1 any more" in await alone.ends()
    again = await look(ada)
    again.stream.close()

    async def ended() -> bool:
        shown = await site.airboss.admin("journal", "show", "--json")
        verbs = [json.loads(line)["verb"] for line in shown.splitlines()]
        return verbs.count("screen.open") >= 5 and verbs.count("screen.close") == 4

    await until(ended, SECONDS, "all is in the journal", every=0.5)


async def test_keys_reach_the_guest_by_the_screen_and_by_verbs(site: Site, ada: Link) -> None:
    console = await read(ada, NODE)
    await console.log_in()
    watching = await look(ada, mode="watch")
    both = await look(ada)

    async def sent(verb: str, **args: str) -> wire.Outcome:
        (outcome,) = (await ada.call(f"send.{verb}", "vc1", [NODE], args)).outcomes
        return outcome

    for by in ("keyboard", "serial"):
        end = len(console.seen)
        assert (await sent("sysrq", letter="h", by=by)).result == "done"
        await console.expect(b"sysrq: HELP", after=end)
    await console.expect_notice("^ada sent SysRq h$")
    await both.told("^ada sent SysRq h$")
    assert (await sent("nmi")).result == "done"
    await console.expect(b"NMI received")
    await console.expect_notice("^ada sent an NMI$")
    wrong = await sent("keys", keys="ctrl+hyperspace")
    assert wrong.result == "failed"
    assert wrong.fault is not None
    assert (wrong.fault.code, wrong.fault.message) == ("usage", "there is no key 'hyperspace'")
    assert "f1 to f24" in wrong.fault.hint
    (off,) = (await ada.call("send.break", "vc1", ["compute-0-1"])).outcomes
    assert off.fault is not None
    assert off.fault.hint == "`power.on` turns it on."

    console.stream.type(b"chvt 2; echo go; head -n1 /dev/tty2\r")
    await console.expect(b"\ngo\r\n")
    for keys in ("x", "y"):
        watching.press(keys)
    # Through the same gate after them, and answered: had they been let through, they would be there.
    updates = watching.updates
    watching.client.request(incremental=False)
    await until(lambda: watching.updates > updates, SECONDS, "another picture")
    for keys in ("o", "shift+k"):
        both.press(keys)
    updates = both.updates
    both.client.request(incremental=False)
    await until(lambda: both.updates > updates, SECONDS, "another picture")
    for keys in ("a", "Shift+B", "enter"):
        assert (await sent("keys", keys=keys)).result == "done"
    await console.expect(b"\noKaB\r\n")

    end = len(console.seen)
    assert (await sent("cad")).result == "done"
    await console.expect(b"Requesting system reboot", after=end)

    # The role ends what it let do, and the screen is watched on.
    await site.airboss.entitle(site.ada, "vc1", "viewer")
    site.airboss.editor.remove_signers(
        "vc1", lambda entry: entry.fingerprint == site.ada.fingerprint and entry.role == "owner"
    )
    notice = await both.told("your role in vc1 is viewer now: you watch")
    assert notice.writing is False
    assert not both.stream.controlling
    await console.close()


async def test_faults_while_a_screen_is_watched(site: Site, ada: Link) -> None:
    host, vm = site.hosts[0], site.vms[0]
    await act(ada, "on", "compute-0-1")
    screen = await look(ada)

    # The connection to QEMU is airboss's own: libvirtd is not needed for it.
    await asyncio.to_thread(host.kill)
    updates = screen.updates
    screen.client.request(incremental=False)
    await until(lambda: screen.updates > updates, SECONDS, "a picture without libvirtd")
    await asyncio.to_thread(host.start)

    async def back() -> bool:
        return all(node.stale_since is None for node in (await nodes_of(ada)).values())

    await until(back, SECONDS, "the host is back")

    os.kill(vm.qemu_pid, signal.SIGSTOP)
    try:

        async def named() -> bool:
            return (await nodes_of(ada))[NODE].hung_ms is not None

        await until(named, SECONDS, "the node is named as hung")
        with pytest.raises(BackendError, match="its QEMU has not answered for"):
            await ada.screen(NODE, "vc1")
        fine = await ada.screen("compute-0-1", "vc1")
        assert await fine.read() == b"RFB 003.008\n"
        fine.close()
        (outcome,) = (await ada.call("send.nmi", "vc1", [NODE])).outcomes
        assert outcome.fault is not None
        assert "its QEMU has not answered for" in outcome.fault.message
    finally:
        os.kill(vm.qemu_pid, signal.SIGCONT)
    updates = screen.updates
    screen.client.request(incremental=False)
    await until(lambda: screen.updates > updates, SECONDS, "it goes on where it stood still")

    async def well() -> bool:
        return (await nodes_of(ada))[NODE].hung_ms is None

    await until(well, SECONDS, "the node is not named as hung any more")

    # One asks for picture after picture and reads none; the other is served all the same.
    deaf = await ada.screen(NODE, "vc1")
    deaf.write(b"RFB 003.008\n\x01\x01")
    deaf.write(b"\x03\x00\x00\x00\x00\x00\x02\x80\x01\x90" * 2000)
    rude = await ada.screen(NODE, "vc1")
    rude.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(WireError, match="not RFB"):
        await drained(rude)
    updates = screen.updates
    screen.client.request(incremental=False)
    await until(lambda: screen.updates > updates, SECONDS, "a picture, beside one who reads none")

    await act(ada, "off", NODE)
    assert await screen.ends() == f"{NODE} is off"
    with pytest.raises(BackendError, match="it is off"):
        await ada.screen(NODE, "vc1")

    # Somebody else ends the other node, and nobody asked airboss for it.
    other = await Look(await ada.screen("compute-0-1", "vc1")).begin()
    # By a connection of its own: the one that defined the domain went with the libvirtd that was killed.
    with contextlib.closing(libvirt.open(host.uri)) as by_hand:
        by_hand.lookupByName(site.vms[1].plan.domain).destroy()
    assert await other.ends() == "compute-0-1 is off"
    with pytest.raises(BackendError, match="it is off"):
        await ada.screen("compute-0-1", "vc1")
