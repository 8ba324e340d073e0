"""A glance at a real node's console, from off to its prompt, and who may not have one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing

import pytest

from pilot.backends.libvirt.domain_xml import Membership
from pilot.backends.libvirt.membership import set_membership
from pilot.errors import BusyError, RefusedError
from pilot.link.link import Link
from pilot.link.tail import Tail
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import act, nodes_of
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


class Glance:
    """Reads a tail all the time."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.seen = b""
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for data in self.tail:
            self.seen += data

    async def sees(self, text: bytes, deadline: float = 60.0) -> None:
        await until(lambda: text in self.seen, deadline, f"{text!r} in {self.seen[-2000:]!r}")

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=5)


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 1)
    return site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len(await nodes_of(link)) == 1

        await until(known, what="the node is known")
        yield link


async def test_a_boot_is_seen_at_a_glance_and_nobody_is_told(site: Site, ada: Link) -> None:
    look = Glance(ada.tail("compute-0-0", "vc1"))
    await look.sees(b"compute-0-0 is off; its console follows once it is on")
    await act(ada, "on", "compute-0-0")
    await look.sees(b"login: ")
    late = Glance(ada.tail("compute-0-0", "vc1"))
    await late.sees(b"login: ")
    assert len(late.seen) <= 8 * 1024
    node = (await nodes_of(ada))["compute-0-0"]
    assert (node.writer, node.watchers) == ("", 0)
    shown = await site.airboss.admin("journal", "show", "--json")
    assert "power.on" in shown
    assert "console" not in shown
    console = await ada.console("compute-0-0", "vc1")
    assert console.writing
    console.type(b"root\r")
    await look.sees(b"Password: ")
    console.close()
    await act(ada, "off", "compute-0-0")
    await look.sees(b"turned off")
    assert not look.task.done(), "it goes on with the next start"
    await look.close()
    await late.close()


async def test_it_ends_when_the_node_is_given_to_others(site: Site, ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    look = Glance(ada.tail("compute-0-0", "vc1"))
    await look.sees(b"login: ")
    set_membership(site.vms[0].domain, Membership("vc2", "compute-0-0", "compute"))
    async with asyncio.timeout(30):
        await look.task
    assert look.tail.why == "compute-0-0 is not of vc1 any more"
    with pytest.raises(RefusedError):
        await anext(ada.tail(site.vms[0].domain.UUIDString(), "vc1"))
    async with await site.bob.link() as bob:
        theirs = Glance(bob.tail("compute-0-0", "vc2"))
        await theirs.sees(b"the console is kept from here on")
        assert b"login: " not in theirs.seen
        await theirs.close()


async def test_it_ends_with_the_role(site: Site, ada: Link) -> None:
    await site.airboss.entitle(site.ada, "vc2", "viewer")
    look = Glance(ada.tail("compute-0-0", "vc1"))
    await look.sees(b"is off")
    site.airboss.editor.remove_signers("vc1", lambda entry: entry.fingerprint == site.ada.fingerprint)
    async with asyncio.timeout(30):
        await look.task
    assert look.tail.why == "your key is not entitled to vc1 any more"


async def test_a_viewer_may_and_a_stranger_may_not(site: Site, ada: Link) -> None:
    eve = await site.airboss.person("eve", "vc1", "viewer")
    async with await eve.link() as link:
        look = Glance(link.tail("compute-0-0", "vc1"))
        await look.sees(b"is off")
        await look.close()
    async with await site.bob.link() as link:
        for cluster in ("vc1", "vc2"):
            with pytest.raises(RefusedError):
                await anext(link.tail("compute-0-0", cluster))


async def test_one_signer_has_a_bounded_number(site: Site, ada: Link) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(16):
            tail = await stack.enter_async_context(aclosing(ada.tail("compute-0-0", "vc1")))
            await anext(tail)
        with pytest.raises(BusyError, match="your key has 16 tails of consoles"):
            await anext(ada.tail("compute-0-0", "vc1"))

    async def again() -> bytes | None:
        try:
            async with aclosing(ada.tail("compute-0-0", "vc1")) as tail:
                return await anext(tail)
        except BusyError:
            return None

    assert b"is off" in await until(again, 30, "airboss has heard that the others are closed")
