"""Recordings of a real node's console: over a boot and a login, a kill -9 of airboss, and to new owners."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pilot import wire
from pilot.agent.journal_read import Filter
from pilot.asciicast import Event, Reader
from pilot.backends.libvirt.domain_xml import Membership
from pilot.backends.libvirt.membership import set_membership
from pilot.errors import RefusedError
from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_console_log import known
from tests.e2e.test_flight import act, nodes_of, read
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NODE = "compute-0-0"


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    site = await make_site(1)
    site.vms = nodes(site.hosts[0], "vc1", 1)
    return site


async def record(link: Link, verb: str, **args: bool) -> wire.Outcome:
    (outcome,) = (await link.call(f"record.{verb}", "vc1", (NODE,), args)).outcomes
    return outcome


async def listed(link: Link, cluster: str = "vc1") -> list[wire.Recording]:
    return [one async for page in link.recordings(cluster) for one in page.recordings]


async def fetched(link: Link, id: str, cluster: str = "vc1") -> tuple[wire.Recording, list[Event]]:
    """A recording, and what is in it."""
    async with await link.recording(id, cluster) as stream:
        data = bytearray()
        while part := await stream.read():
            data += part
    assert len(data) == stream.recording.size
    return stream.recording, list(Reader(io.BytesIO(bytes(data))))


def printed(events: list[Event], code: str = "o") -> str:
    return "".join(event.data for event in events if event.code == code)


async def is_recorded(link: Link) -> bool:
    return (await nodes_of(link))[NODE].recorded


async def verify(site: Site, fails: bool = False) -> list[str]:
    """The lines of `journal verify` about recordings."""
    lines = (await site.airboss.admin("journal", "verify", fails=fails)).splitlines()
    return [line for line in lines if "ecording" in line or "RECORDING" in line]


def file_of(site: Site, id: str) -> Path:
    return site.airboss.state / "recordings" / f"{id}.cast"


async def test_over_a_boot_a_kill_and_to_new_owners(site: Site) -> None:
    ada = await known(site.ada)
    begun = await record(ada, "start")
    assert begun.result == "done", begun
    id = begun.note.split()[-1]
    assert await is_recorded(ada)
    again = await record(ada, "start")
    assert again.result == "refused"
    assert again.fault is not None
    assert f"ada records {NODE} since 20" in again.fault.message

    vic = await known(await site.airboss.person("vic", "vc1", "viewer"))
    for verb in ("start", "stop"):
        with pytest.raises(RefusedError, match=f"record.{verb} needs the role operator"):
            await record(vic, verb)
    assert [one.id for one in await listed(vic)] == [id]
    await vic.close()

    await act(ada, "on", NODE)
    console = await read(ada, NODE)
    await console.log_in()
    assert (await record(ada, "stop")).note == f"recording {id} has ended"
    await console.expect_notice("not recorded any more: ada ended it")
    assert not await is_recorded(ada)
    about, events = await fetched(ada, id)
    assert (about.principal, about.name, about.why_ended) == ("ada", NODE, "ada ended it")
    assert about.started < about.ended
    text = printed(events)
    assert "Linux version" in text
    assert "login: root" in text
    assert printed(events, "i") == ""
    assert [event.data for event in events if event.code == "m"] == ["turned on", "ada joined"]
    assert (await verify(site))[0] == "1 recordings of consoles are as they were sealed"
    folder = site.airboss.state / "recordings"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())

    # Airboss is killed in the middle: what was sealed is there, what was typed too.
    assert (await record(ada, "start", input=True)).result == "done"
    await console.expect_notice("ada records this console, and what is typed")
    second = (await listed(ada))[0].id
    console.stream.type(b"seq 9000; seq 9000; echo all of $((3 * 6000))\r")
    await console.expect(b"all of 18000\r\n")

    async def sealed() -> bool:
        return (await listed(ada))[0].size > 64 * 1024

    await until(sealed, 90, "a part is sealed", every=0.1)
    assert "goes on" in " ".join(await verify(site))
    await console.close()
    await ada.close()
    await site.airboss.kill()
    with file_of(site, second).open("ab") as file:
        file.write(b'[1,"o","not sealed"]\n')
    await site.airboss.start()
    ada = await known(site.ada)

    async def ended() -> bool:
        return (await listed(ada))[0].ended > 0

    await until(ended, 60, "it is ended after all", every=0.1)
    about, events = await fetched(ada, second)
    assert about.why_ended.startswith("airboss was ended in the middle; the last ")
    assert "\r\n2000\r\n" in printed(events)
    assert printed(events, "i").startswith("seq 9000;")
    assert "not sealed" not in printed(events)
    assert not await is_recorded(ada)
    assert await verify(site) == ["2 recordings of consoles are as they were sealed"]

    # The node goes to others while it is recorded: the recording stays whose it was.
    assert (await record(ada, "start")).result == "done"
    third = (await listed(ada))[0].id
    set_membership(site.vms[0].domain, Membership("vc2", NODE, "compute"))
    bob = await known(site.bob, "vc2")
    assert await listed(bob, "vc2") == []
    with pytest.raises(RefusedError, match="there is no recording"):
        await fetched(bob, third, "vc2")
    with pytest.raises(RefusedError, match="there is no recording"):
        await fetched(bob, "0" * 16, "vc2")
    with pytest.raises(RefusedError):
        await fetched(bob, third)
    assert not (await nodes_of(bob, "vc2"))[NODE].recorded
    await until(ended, 60, "it ends", every=0.1)
    about, _ = await fetched(ada, third)
    assert about.why_ended == f"{NODE} is not of vc1 any more"
    assert [one.id for one in await listed(ada)] == [third, second, id]
    await bob.close()
    await ada.close()

    # Airboss stops in order; then somebody is at the files.
    assert await site.airboss.stop() == 0
    assert await verify(site) == ["3 recordings of consoles are as they were sealed"]
    first = file_of(site, id)
    whole = first.read_bytes()
    first.write_bytes(whole.replace(b"Linux", b"Minix"))
    file_of(site, second).unlink()
    lines = await verify(site, fails=True)
    assert f"RECORDING {id} of {NODE} (vc1, {site.vms[0].domain.UUIDString()}) is ALTERED: bytes " in lines[0]
    assert lines[1].startswith(f"RECORDING {second} of {NODE} (vc1, ")
    assert lines[1].endswith(" is MISSING: the file is missing")
    assert lines[2] == "1 recordings of consoles are as they were sealed"
    data = json.loads(await site.airboss.admin("journal", "verify", "--json", fails=True))
    assert data["ok"] is False
    assert [one["finding"]["trouble"] for one in data["recordings"]["recordings"]] == [
        "altered",
        "missing",
        "",
    ]
    seals = await site.airboss.journal(Filter(verb="record.sealed"))
    assert all(record.cluster == "vc1" for record in seals)
