"""Instances come, change, and go: over HTTP, against moto's server behind the stand-in."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from pilot.errors import BackendError, BusyError, NoSuchNodeError, RefusedError, UnreachableError
from pilot.records import Price
from pilot.render.instance_cells import price_words
from tests.backends.ec2.conftest import EAST, QUICK, WEST, NewRig
from tests.support.waiting import until


async def test_an_instance_is_a_node_of_its_cluster(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one("remote-0")
    (other,) = await r.run("nobody's", cluster="")
    node, instance = r.sink.nodes_now[f"ec2:{instance_id}"], r.sink.instance(instance_id)
    assert (node.name, node.cluster, node.host, node.domain) == ("remote-0", "vc1", EAST, instance_id)
    assert (node.state, node.provider, node.stale_since) == ("on", "ec2", None)
    assert (instance.node, instance.account, instance.type) == (node.id, "demo", "t3.micro")
    assert instance.zone.startswith(EAST)
    assert instance.private_address
    assert instance.private_name.endswith(".internal")
    assert instance.launched > 0
    assert node.nics[0].mac
    await until(lambda: r.sink.nodes_now[node.id].vcpus == 2, 10, "its type is known")
    assert r.sink.nodes_now[node.id].memory == 1024 * 1024
    assert r.sink.nodes_now[node.id].serial
    await until(lambda: r.sink.instance(instance_id).system_check == "ok", 10, "its checks")
    assert r.provider.owns(node.id)
    assert f"instance:{other}" not in r.sink.others
    assert r.sink.source().pretended


async def test_off_on_reboot_and_the_reason(rig: NewRig) -> None:
    r = await rig()
    r.aws.slow = 0.5
    instance_id = await r.one()
    assert (await r.act(instance_id, "power.on")).note == "was on already"
    acted = await r.act(instance_id, "power.off")
    assert acted.state == "off"
    assert "EC2 says: stopping" in r.said
    assert r.sink.state(instance_id) == "stopped"
    stopped = r.sink.instance(instance_id)
    assert stopped.reason_code == "Client.UserInitiatedShutdown"
    assert stopped.reason.startswith("turned off by its users, 20")
    assert (await r.act(instance_id, "power.shutdown")).note == "was off already"
    with pytest.raises(BackendError, match="it is stopped"):
        await r.act(instance_id, "power.reboot")
    acted = await r.act(instance_id, "power.on")
    assert acted.state == "on"
    assert r.sink.state(instance_id) == "running"
    assert r.sink.instance(instance_id).reason == ""
    assert "asked" in (await r.act(instance_id, "power.reboot")).note
    assert (await r.act(instance_id, "send.nmi")).state == "on"
    assert b"NMI" in r.aws.guests[instance_id].output()
    assert (await r.act(instance_id, "power.shutdown")).state == "off"


async def test_what_ec2_cannot_do_is_said(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    with pytest.raises(RefusedError) as refused:
        await r.act(instance_id, "power.pause")
    assert "hibernate" in refused.value.hint
    with pytest.raises(BackendError, match="not made so that it can hibernate"):
        await r.act(instance_id, "power.hibernate")
    with pytest.raises(BackendError, match="only takes pictures"):
        await r.provider.open_screen(f"ec2:{instance_id}")
    with pytest.raises(NoSuchNodeError):
        await r.act("i-0123456789abcdef0", "power.on")
    with pytest.raises(BackendError, match="nobody is at its serial console"):
        await r.act(instance_id, "send.break")


async def test_hibernated(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one(HibernationOptions={"Configured": True})
    assert r.sink.instance(instance_id).hibernates
    acted = await r.act(instance_id, "power.hibernate")
    assert (acted.state, acted.note) == ("off", "hibernated")


async def test_terminated_ones_are_shown_for_a_while(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, kept=3.0))
    instance_id = await r.one()
    acted = await r.act(instance_id, "power.terminate")
    assert "cannot come back" in acted.note
    assert r.sink.state(instance_id) == "terminated"
    assert r.sink.nodes_now[f"ec2:{instance_id}"].state == "off"
    with pytest.raises(BackendError, match="was terminated"):
        await r.act(instance_id, "power.on")
    await until(lambda: f"ec2:{instance_id}" in r.sink.gone_ids, 20, "it is gone")
    assert f"instance:{instance_id}" in r.sink.gone_ids
    assert not r.provider.owns(f"ec2:{instance_id}")


async def test_pending_that_is_terminated_says_why(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    await r.act(instance_id, "power.off")
    code, words = "Server.InsufficientInstanceCapacity", "There is not enough capacity"
    r.aws.trouble.fates[instance_id] = ("pending", "", "")
    starting = asyncio.create_task(r.act(instance_id, "power.on"))
    await until(lambda: r.sink.state(instance_id) == "pending", 10, "pending")
    assert r.sink.nodes_now[f"ec2:{instance_id}"].state == "off"
    r.aws.trouble.fates[instance_id] = ("terminated", code, words)
    with pytest.raises(BackendError, match="AWS had no room for it"):
        await starting
    instance = r.sink.instance(instance_id)
    assert (instance.state, instance.reason_code) == ("terminated", code)
    assert instance.reason.startswith("AWS had no room for it")


async def test_acts_one_after_the_other_and_off_ends_a_shutdown(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    r.aws.slow = 600.0
    waiting = asyncio.create_task(r.act(instance_id, "power.shutdown"))
    await until(lambda: r.sink.state(instance_id) == "stopping", 10, "stopping")
    with pytest.raises(BusyError, match="busy with power"):
        await r.act(instance_id, "power.on")
    off = asyncio.create_task(r.act(instance_id, "power.off"))
    with pytest.raises(BackendError, match="was ended by power"):
        await waiting
    r.aws.slow = 0.0
    r.aws.settle()
    assert (await off).state == "off"


async def test_a_protected_one_is_not_terminated(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    await r.call(
        "ec2", "modify_instance_attribute", InstanceId=instance_id, DisableApiTermination={"Value": True}
    )
    with pytest.raises(RefusedError, match="protected"):
        await r.act(instance_id, "power.terminate")


async def test_two_regions_and_one_that_cannot_be_acted_in(rig: NewRig) -> None:
    r = await rig(regions=(EAST, WEST))
    here, there = await r.one("here"), await r.one("there", region=WEST)
    assert {n.host for n in r.sink.nodes_now.values()} == {EAST, WEST}
    r.aws.trouble.broken.add(WEST)
    await until(lambda: r.sink.source(WEST).state == "down", 10, "down")
    await until(lambda: r.sink.nodes_now[f"ec2:{there}"].stale_since is not None, 5, "stale")
    assert r.sink.nodes_now[f"ec2:{there}"].state == "on"
    with pytest.raises(UnreachableError, match="AWS has a fault of its own"):
        await r.act(there, "power.off")
    assert (await r.act(here, "power.off")).state == "off"
    assert r.sink.nodes_now[f"ec2:{here}"].stale_since is None
    r.aws.trouble.broken.clear()
    await until(lambda: r.sink.nodes_now[f"ec2:{there}"].stale_since is None, 10, "live again")


async def test_what_it_costs(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one(kind="t3.micro")

    def price() -> Price | None:
        return r.sink.instance(instance_id).price

    await until(lambda: (p := price()) is not None and p.source == "api", 10, "the API's price")
    assert (found := price()) is not None
    assert found.hour == 0.0104
    assert await until(lambda: any(r.state.glob("ec2-prices-*.json")), 10, "kept")


async def test_a_dated_price_until_the_pricing_api_answers(rig: NewRig) -> None:
    r = await rig()
    r.aws.trouble.denied.add(("GetProducts", "*"))
    instance_id = await r.one(kind="t3.micro")

    def price() -> Price | None:
        return r.sink.instance(instance_id).price

    await until(lambda: (EAST, "GetProducts") in r.aws.asked, 20, "asked")
    await until(lambda: price() is not None, 20, "a price")
    assert (found := price()) is not None
    assert (found.source, found.hour) == ("table", 0.0104)
    assert 0 < found.dated < time.time(), "it says of when it is"
    assert "price table of 20" in price_words(found)
    r.aws.trouble.denied.clear()
    await until(lambda: (p := price()) is not None and p.source == "api", 20, "asked again by itself")


async def test_an_instance_that_loses_its_tag_is_gone(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    await r.call("ec2", "delete_tags", Resources=[instance_id], Tags=[{"Key": "pilot:cluster"}])
    await until(lambda: f"ec2:{instance_id}" in r.sink.gone_ids, 10, "gone")


async def test_many_come_by_pages(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, page_size=5))
    ids = [instance_id for _ in range(12) for instance_id in await r.run(count=20)]
    # moto counts reservations, of which there are twelve.
    page = await r.call("ec2", "describe_instances", MaxResults=5)
    assert page["NextToken"]
    assert sum(len(reservation["Instances"]) for reservation in page["Reservations"]) == 100
    await until(lambda: len(r.sink.nodes_now) == len(ids), 30, "all of them")
    assert {node.domain for node in r.sink.nodes_now.values()} == set(ids)
    good = r.sink.source().good
    await until(lambda: r.sink.source().good > good, 20, "looked again")
    assert len(r.sink.nodes_now) == len(ids)
    assert not r.sink.gone_ids
    last = ids[-1]
    await r.call("ec2", "stop_instances", InstanceIds=[last])
    await until(lambda: r.sink.state(last) == "stopped", 20, "a change on the last page")
