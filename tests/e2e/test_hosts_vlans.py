"""`pilot hosts` and `pilot vlans` on a real host with real bridges, as an admin and as an owner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import pytest

from pilot.backends.libvirt.domain_xml import Membership
from pilot.backends.libvirt.membership import set_membership
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import Exit
from tests.backends.libvirt import namespace
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_pilot import pilot, start
from tests.support.airboss import Person, free_port
from tests.support.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespace.possible()), reason=namespace.possible()),
]
DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{cards}</devices></domain>"""
CARD = """<interface type='bridge'><mac address='52:54:00:00:0a:{mac:02x}'/><source bridge='{bridge}'/>
<model type='virtio'/></interface>"""


@pytest.fixture
def bridged(hosts: Callable[..., PrivateHost]) -> Iterator[PrivateHost]:
    """A host with the bridge vlan101, and without vlan102."""
    space = namespace.Namespace()
    host = hosts("vm-container-0-9", start=False)
    space.run("ip link add vlan101 type bridge")
    space.start(host)
    outside = libvirt.open(host.uri)
    for name, cluster, bridge, mac in (
        ("a", "vc1", "vlan101", 1), ("b", "vc2", "vlan101", 2), ("c", "vc2", "vlan102", 1),
    ):  # fmt: skip
        domain = outside.defineXML(DOMAIN.format(name=name, cards=CARD.format(bridge=bridge, mac=mac)))
        set_membership(domain, Membership(cluster, f"node-{name}"))
    outside.close()
    yield host
    host.clear()
    space.close()


async def told(person: Person, *words: str) -> Any:
    code, out, err = await pilot(person, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def shown(person: Person, *words: str) -> str:
    code, out, err = await pilot(person, *words)
    assert code == 0, err
    return out


async def known(site: Site, root: Person) -> None:
    for person in (root, site.ada):
        address = f"127.0.0.1:{site.airboss.port}"
        code, _, err = await pilot(person, "login", address, "--accept-new", "--key", str(person.key))
        assert code == 0, err

    async def faults() -> bool:
        return len((await told(root, "vlans"))["faults"]) >= 3

    await until(faults, 60, "the host's networks are known", every=0.5)


async def test_hosts_and_vlans(make_site: MakeSite, bridged: PrivateHost) -> None:
    port = free_port()
    metrics = f'[metrics]\nlisten = "127.0.0.1:{port}"'
    site = await make_site(0, extra=metrics, more={bridged.name: bridged.uri})
    site.airboss.editor.add_cluster("vc1", 101, False)
    site.airboss.editor.add_cluster("vc2", 102, False)
    root = await site.airboss.person("root", "*", "admin")
    await known(site, root)

    vlans = await told(root, "vlans")
    by_tag = {vlan["vlan"]: vlan for vlan in vlans["vlans"]}
    assert {tag: vlan["cluster"] for tag, vlan in by_tag.items()} == {101: "vc1", 102: "vc2"}
    (network,) = by_tag[102]["networks"]
    assert network["network"]["missing"] is True
    named = [nic["node"]["name"] for nic in by_tag[101]["networks"][0]["nics"]]
    assert named == ["node-a", "node-b"]
    assert sorted(fault["kind"] for fault in vlans["faults"]) == ["foreign-vlan", "mac-twice", "missing"]
    text = await shown(root, "vlans")
    for words in ("node-b of vc2 on vm-container-0-9 is on VLAN 101, which is cluster vc1's",
                  "the host has no bridge vlan102: 1 node needs it", "✕ MAC twice"):  # fmt: skip
        assert words in text

    async def busy() -> bool:
        (host,) = await told(root, "hosts")
        return host["busy"] is not None and host["busy"]["cpu"] is not None

    await until(busy, 60, "how busy the host is", every=1)
    (host,) = await told(root, "hosts")
    assert (host["name"], host["state"], host["nodes"]["all"]) == (bridged.name, "up", 3)
    assert host["busy"]["load"] is not None
    assert 0 < host["busy"]["memory"] < host["memory"]
    assert "● up" in await shown(root, "hosts")
    assert (await pilot(root, "hosts", "nowhere"))[0] == Exit.REFUSED

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(20):
        figures = await reader.read()
    writer.close()
    for figure in (b'host_up{host="vm-container-0-9"} 1.0', b'network_faults{kind="foreign-vlan"} 1.0',
                   b'nodes{cluster="vc2",state="off"} 2.0'):  # fmt: skip
        assert b"rocks_pilot_" + figure in figures

    # An owner sees the health of what carries their nodes, and their own interfaces.
    (host,) = await told(site.ada, "hosts")
    assert (host["uri"], host["nodes"]["all"], host["pools"]) == ("", 1, [])
    assert host["busy"]["cpu"] is not None
    own = await told(site.ada, "vlans")
    assert [vlan["vlan"] for vlan in own["vlans"]] == [101]
    assert "node-b" not in json.dumps(own)
    assert own["faults"] == []

    watching = await start(root, "hosts", "--watch", "--json")
    assert watching.stdout is not None
    async with asyncio.timeout(30):
        assert json.loads(await watching.stdout.readline())[0]["cordon"] is None
        await pilot(root, "cordon", bridged.name)
        while (await_next := json.loads(await watching.stdout.readline()))[0]["cordon"] is None:
            pass
    assert await_next[0]["cordon"]["principal"] == "root"
    watching.send_signal(2)
    async with asyncio.timeout(10):
        await watching.communicate()

    # The last hour survives a restart, with the time between as a gap.
    samples = len((await told(root, "hosts"))[0]["busy"]["history"]["cpu"])
    await site.airboss.stop()
    await site.airboss.start()

    async def remembered() -> list[int | None]:
        busy = (await told(root, "hosts"))[0]["busy"]
        return busy["history"]["cpu"] if busy and len(busy["history"]["cpu"]) > samples else []

    history = await until(remembered, 60, "the history is there again", every=1)
    assert None in history[samples:]
    assert any(value is not None for value in history[:samples])
