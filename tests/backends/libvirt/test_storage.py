"""Storage pools: on real folders, and on the test driver's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import libvirt
import msgspec

from pilot.backends.libvirt import storage
from pilot.backends.libvirt.storage import VOLUMES, Read
from pilot.demo.hypervisor import PrivateHost
from pilot.records import Pool
from tests.backends.libvirt import tiny_guest
from tests.backends.libvirt.conftest import FAST, Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
QUICK = msgspec.structs.replace(FAST, storage=0.3, volumes=0.3)
GIB = 1024**2


def pool(r: Rig, record_id: str) -> Pool:
    found = r.sink.others.get(record_id)
    return found if isinstance(found, Pool) else Pool("", host="", name="", type="")


async def test_a_folder_with_volumes_that_nodes_use(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    folder = host.folder / "pool"
    folder.mkdir()
    folder.chmod(0o777)
    made = vms.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>disks</name><target><path>{folder}</path></target></pool>"
    )
    made.create()
    for name in ("b-free", "a-free", "used-by-path", "used-by-name"):
        made.createXML(
            f"<volume><name>{name}</name><capacity unit='MiB'>8</capacity>"
            "<allocation>0</allocation><target><format type='raw'/></target></volume>"
        )
    path = tiny_guest.domain_xml("vm-1", folder / "used-by-path")
    by_name = tiny_guest.domain_xml("vm-2", vms.disk)
    by_name = by_name.replace("disk type='file'", "disk type='volume'")
    by_name = by_name.replace(f"<source file='{vms.disk}'/>", "<source pool='disks' volume='used-by-name'/>")
    for xml in (path, by_name):
        vms.connection.defineXML(xml)
    r = await rig(host, settings=QUICK)
    disks = f"pool:{host.name}/disks"
    await until(lambda: len(pool(r, disks).volumes) == 4, 10, "its volumes are told")
    await until(lambda: any(volume.nodes for volume in pool(r, disks).volumes), 10, "who uses them")
    shown = pool(r, disks)
    assert (shown.host, shown.name, shown.type, shown.active) == (host.name, "disks", "dir", True)
    assert 0 < shown.available <= shown.capacity - shown.allocation + GIB
    # Those that are used come first.
    assert [(volume.name, volume.nodes) for volume in shown.volumes] == [
        ("used-by-name", (r.sink.id("vm-2"),)), ("used-by-path", (r.sink.id("vm-1"),)),
        ("a-free", ()), ("b-free", ()),
    ]  # fmt: skip
    assert {volume.capacity for volume in shown.volumes} == {8 * 1024}
    made.destroy()
    await until(lambda: pool(r, disks).name and not pool(r, disks).active, 10, "it is not active")
    assert pool(r, disks).volumes == ()
    made.undefine()
    await until(lambda: disks in r.sink.left, 10, "it is gone")


async def test_nothing_is_told_while_nothing_changes(test_host: Hosts, rig: NewRig) -> None:
    r = await rig(test_host(), settings=QUICK)
    first = await until(lambda: r.sink.others.get("pool:sim/default-pool"), 10, "told")
    for _ in range(5):
        await asyncio.sleep(QUICK.storage)
    assert r.sink.others["pool:sim/default-pool"] is first


def test_more_volumes_than_a_record_takes() -> None:
    many = {f"v{n:04}": (f"/p/v{n:04}", 10, 5) for n in range(VOLUMES + 50)}
    used = {("", "/p/v0249"): ("n1",), ("disks", "v0001"): ("n2", "n3")}
    shown = storage.record("h", Read("disks", volumes=many), used, 5.0)
    assert (len(shown.volumes), shown.more, shown.seen) == (VOLUMES, 50, 5.0)
    assert [volume.name for volume in shown.volumes[:3]] == ["v0001", "v0249", "v0000"]
    assert shown.volumes[0].nodes == ("n2", "n3")


def test_a_pool_that_fails_says_why(test_host: Callable[..., PrivateHost]) -> None:
    """One that went between being listed and being read."""
    connection = libvirt.open(test_host().uri)
    gone = connection.storagePoolDefineXML(
        "<pool type='dir'><name>gone</name><target><path>/nowhere</path></target></pool>"
    )
    gone.undefine()

    class Listing:
        def listAllStoragePools(self) -> list[object]:  # noqa: N802
            return [gone]

    (read,) = storage.read_pools(Listing(), {}, {}, True)
    assert (read.name, read.active) == ("gone", False)
    assert "no storage pool" in read.words.lower()
    connection.close()


def test_which_pool_a_path_is_in(tmp_path: Path) -> None:
    used = {("", str(tmp_path)): ("n1",)}
    read = Read("p", volumes={"v": (str(tmp_path), 1, 1), "w": ("/elsewhere", 1, 1)})
    shown = storage.record("h", read, used, 0.0)
    assert {volume.name: volume.nodes for volume in shown.volumes} == {"v": ("n1",), "w": ()}


async def test_a_volume_with_a_name_that_is_none_hides_no_others(hosts: Hosts, rig: NewRig) -> None:
    """A pool is a folder, into which others may put a file of any name."""
    host = hosts()
    folder = host.folder / "pool"
    folder.mkdir()
    folder.chmod(0o777)
    for name in (b"bad-\xff\xfe.img", b"good.img"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(b"\0" * 4096)
    connection = libvirt.open(host.uri)
    made = connection.storagePoolDefineXML(
        f"<pool type='dir'><name>disks</name><target><path>{folder}</path></target></pool>"
    )
    made.create()
    r = await rig(host, settings=QUICK)
    disks = f"pool:{host.name}/disks"
    await until(lambda: pool(r, disks).volumes or None, 20, "its volumes are told")
    assert [volume.name for volume in pool(r, disks).volumes] == ["good.img"]
    made.destroy()
    await until(lambda: pool(r, disks).name and not pool(r, disks).active, 20, "it is looked at still")
    connection.close()
