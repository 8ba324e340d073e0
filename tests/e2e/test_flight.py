"""The main job, whole: list, on, boot from the first byte, type, off; the others' nodes stay invisible."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest

from pilot import wire
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.records import Node, NodeState
from tests.e2e.conftest import MakeSite, Site
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

BOOT_SECONDS = 60.0
NETWORK_BOOT = b"starting execution"
"""What iPXE says when the BIOS has chosen the network; its banner alone is shown at every start."""


class Reading:
    """A console being read in the background, with everything it showed."""

    def __init__(self, stream: ConsoleStream) -> None:
        self.stream = stream
        self.seen = bytearray()
        self.notices: list[wire.Notice] = []
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.stream:
            if isinstance(frame, wire.Output):
                self.seen += frame.data
            elif isinstance(frame, wire.Notice):
                self.notices.append(frame)

    async def expect(self, text: bytes, deadline: float = BOOT_SECONDS, after: int = 0) -> int:
        """Await a text; gives where it ends."""
        try:
            await until(lambda: text in self.seen[after:], deadline)
        except AssertionError:
            raise AssertionError(f"no {text!r} in {bytes(self.seen[after:])[-1500:]!r}") from None
        return self.seen.index(text, after) + len(text)

    async def expect_notice(self, pattern: str, deadline: float = 20.0) -> wire.Notice:
        """Await a notice whose text fits."""
        found = await until(
            lambda: [n for n in self.notices if re.search(pattern, n.text)], deadline, f"a notice {pattern}"
        )
        return found[-1]

    async def log_in(self) -> None:
        """Log in as root."""
        end = await self.expect(b"login: ")
        self.stream.type(b"root\r")
        end = await self.expect(b"Password: ", after=end)
        self.stream.type(b"pilot\r")
        await self.expect(b"# ", after=end)

    async def close(self) -> None:
        """Leave."""
        self._task.cancel()
        self.stream.close()


async def read(link: Link, node: str, cluster: str = "vc1", mode: str = "write") -> Reading:
    return Reading(await link.console(node, cluster, mode))


async def nodes_of(link: Link, cluster: str = "vc1") -> dict[str, Node]:
    records = (await link.call("node.list", cluster)).records
    return {record.name: record for record in records if isinstance(record, Node)}


async def wait_state(link: Link, name: str, state: NodeState, deadline: float = BOOT_SECONDS) -> Node:
    async def reached() -> Node | None:
        node = (await nodes_of(link)).get(name)
        return node if node is not None and node.state == state else None

    return await until(reached, deadline, f"{name} is {state}", every=0.05)


async def act(link: Link, verb: str, *targets: str, **args: str | float) -> list[wire.Outcome]:
    return list((await link.call(f"power.{verb}", "vc1", targets, args)).outcomes)


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    """Two hosts: vc1 has two nodes on the first and one on the second, vc2 one on the second."""
    site = await make_site(2)
    site.vms = nodes(site.hosts[0], "vc1", 2) + nodes(site.hosts[1], "vc1", 1, first=2)
    site.theirs = nodes(site.hosts[1], "vc2", 1)
    return site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    """The owner of vc1, connected; airboss knows her three nodes."""
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len(await nodes_of(link)) == 3

        await until(known, what="the nodes are known")
        yield link


async def test_a_node_is_flown_from_the_first_byte_to_off(site: Site, ada: Link) -> None:
    (on,) = await act(ada, "on", "compute-0-0")
    assert (on.result, on.state) == ("done", "on"), on
    console = await read(ada, "compute-0-0")
    await console.expect(b"SeaBIOS")
    await console.log_in()
    end = len(console.seen)
    console.stream.type(b"echo $((6*7))-$(hostname)\r")
    await console.expect(b"42-compute-0-0", after=end)
    (again,) = await act(ada, "on", "compute-0-0")
    assert (again.result, bool(again.note)) == ("done", True)
    (off,) = await act(ada, "shutdown", "compute-0-0", grace=40.0)
    assert (off.result, off.state) == ("done", "off"), off
    await console.expect(b"turned off")
    (off,) = await act(ada, "off", "compute-0-0")
    assert (off.result, off.state) == ("done", "off"), off
    await console.close()
    await site.airboss.admin("journal", "verify")
    assert await site.airboss.admin("journal", "show", "--open", "--json") == ""


async def test_one_message_starts_nodes_on_several_hosts_and_each_has_its_outcome(ada: Link) -> None:
    outcomes = await act(ada, "on", "compute-0-[0-9]", "nope")
    assert [(o.target, o.result) for o in outcomes] == [
        ("compute-0-0", "done"),
        ("compute-0-1", "done"),
        ("compute-0-2", "done"),
        ("nope", "refused"),
    ]
    assert [o.result for o in await act(ada, "pause", "compute-0-[0-1]")] == ["done", "done"]
    assert (await nodes_of(ada))["compute-0-1"].state == "paused"
    assert [o.result for o in await act(ada, "resume", "compute-0-[0-1]")] == ["done", "done"]
    assert [o.result for o in await act(ada, "reset", "@all")] == ["done"] * 3
    assert [o.result for o in await act(ada, "off", "@all")] == ["done"] * 3


async def test_reboot_asks_the_guest_and_boot_turns_on_or_resets(ada: Link) -> None:
    (booted,) = await act(ada, "boot", "compute-0-0")
    assert booted.result == "done"
    console = await read(ada, "compute-0-0")
    end = await console.expect(b"login: ")
    (rebooted,) = await act(ada, "reboot", "compute-0-0", grace=40.0)
    assert rebooted.result == "done", rebooted
    end = await console.expect(b"login: ", after=end)
    (reset,) = await act(ada, "boot", "compute-0-0")
    assert reset.result == "done"
    await console.expect(b"SeaBIOS", after=end)
    await console.close()


async def test_a_guest_that_ignores_the_button_is_left_or_turned_off_as_chosen(ada: Link) -> None:
    await act(ada, "on", "compute-0-0")
    (left,) = await act(ada, "shutdown", "compute-0-0", grace=1.0)
    assert left.result in ("failed", "unknown"), left
    assert left.fault is not None
    assert left.fault.hint
    assert (await nodes_of(ada))["compute-0-0"].state in ("on", "stopping")
    (off,) = await act(ada, "shutdown", "compute-0-0", grace=1.0, then="off")
    assert (off.result, off.state) == ("done", "off"), off


async def test_install_boots_from_the_network_once(site: Site, ada: Link) -> None:
    (installed,) = await act(ada, "install", "compute-0-0")
    assert installed.result == "done", installed
    console = await read(ada, "compute-0-0")
    network = await console.expect(NETWORK_BOOT)
    disk = await console.expect(b"login: ", after=network)
    await console.log_in()
    console.stream.type(b"reboot\r")
    again = await console.expect(b"login: ", after=disk + 40)
    assert NETWORK_BOOT not in console.seen[disk:again]
    assert b"Booting from Hard Disk" in console.seen[disk:again]
    await console.close()
    assert "<boot dev='hd'/>" in site.vms[0].domain.XMLDesc()


async def test_two_share_a_console_and_taking_over_is_announced_by_name(site: Site, ada: Link) -> None:
    anna = await site.airboss.person("anna", "vc1", "operator")
    await act(ada, "on", "compute-0-0")
    first = await read(ada, "compute-0-0")
    await first.log_in()
    async with await anna.link() as link:
        second = await read(link, "compute-0-0")
        assert first.stream.attached.writing
        assert not second.stream.attached.writing
        await second.expect(b"login: ")
        node = await until_presence(ada, "ada", 1)
        assert node.writer == "ada"
        second.stream.take()
        taken = await first.expect_notice("anna has taken the keyboard")
        assert taken.writing is False
        await until_presence(ada, "anna", 1)
        second.stream.type(b"echo from-$((1+1))-anna\r")
        await first.expect(b"from-2-anna")
        await second.close()
        await first.expect_notice("anna.*left|left.*anna|free")
    await first.close()


async def until_presence(link: Link, writer: str, watchers: int) -> Node:
    async def there() -> Node | None:
        node = (await nodes_of(link))["compute-0-0"]
        return node if (node.writer, node.watchers) == (writer, watchers) else None

    return await until(there, what=f"{writer} writes")


async def test_a_change_made_by_anyone_reaches_a_watcher_and_only_those_who_may(
    site: Site, ada: Link
) -> None:
    async with await site.bob.link() as bob:
        seen: dict[str, dict[str, object]] = {"ada": {}, "bob": {}}

        async def watch(link: Link, mine: dict[str, object]) -> None:
            async for frame in link.watch():
                changed = frame.records if isinstance(frame, wire.Snapshot) else frame.changed
                mine.update((record.id, record) for record in changed)

        tasks = [asyncio.create_task(watch(ada, seen["ada"])), asyncio.create_task(watch(bob, seen["bob"]))]
        await until(lambda: len([r for r in seen["ada"].values() if isinstance(r, Node)]) == 3)
        await until(lambda: any(isinstance(r, Node) for r in seen["bob"].values()))
        site.vms[0].start()
        uuid = site.vms[0].domain.UUIDString()

        def on() -> bool:
            record = seen["ada"].get(uuid)
            return isinstance(record, Node) and record.state == "on"

        await until(on, 30, "virsh's change is shown")
        assert uuid not in seen["bob"]
        assert "vm-container-0-0" not in repr(seen["bob"])
        assert "vc1" not in repr(seen["bob"])
        assert "vc2" not in repr(seen["ada"])
        for task in tasks:
            task.cancel()


async def test_a_cluster_adopted_while_watched_appears_at_once(
    site: Site, ada: Link, define_vm: Callable[..., Vm]
) -> None:
    vm = define_vm(site.hosts[0], "late", "", "hosted-vm-9-9-9")
    await site.airboss.admin("cluster", "adopt", "vc1", "--match", "hosted-vm-9-*", "--yes")

    async def there() -> bool:
        return vm.domain.UUIDString() in {node.id for node in (await nodes_of(ada)).values()}

    await until(there, 30, "the adopted node is ada's")
