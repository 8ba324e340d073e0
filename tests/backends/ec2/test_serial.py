"""Serial consoles, over SSH to the stand-in's endpoint, which keeps EC2's rules."""

from __future__ import annotations

import asyncio

import asyncssh
import msgspec
import pytest

from pilot.backends.provider import Serial
from pilot.errors import BackendError, BusyError, RefusedError
from tests.backends.ec2.conftest import QUICK, NewRig, Rig
from tests.support.waiting import until


class Seen:
    """What a console printed, and how it ended."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: list[str] = []

    async def says(self, text: bytes, deadline: float = 15) -> None:
        await until(lambda: text in self.data, deadline, f"{text!r} in {bytes(self.data[-300:])!r}")


async def opened(r: Rig, instance_id: str) -> tuple[Serial, Seen]:
    seen = Seen()
    serial = await r.provider.open_console(f"ec2:{instance_id}", seen.data.extend, seen.lost.append)
    return serial, seen


async def test_typing_and_a_break(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    serial, seen = await opened(r, instance_id)
    await serial.write(b"root\r")
    await seen.says(b"Nothing here is real")
    await serial.write(b"uname\r")
    await seen.says(f"Pretended 6.1.0 {instance_id}".encode())
    assert (await r.act(instance_id, "send.break")).state == "on"
    await seen.says(b"sysrq: HELP")
    assert (await r.act(instance_id, "send.sysrq", by="serial")).state == "on"
    with pytest.raises(BackendError, match="no keyboard"):
        await r.act(instance_id, "send.sysrq", by="keyboard")
    await serial.close()
    assert not seen.lost
    with pytest.raises(BackendError, match="closed"):
        await serial.write(b"x")


async def test_one_session_and_its_teardown(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, teardown=1.0))
    instance_id = await r.one()
    serial, _ = await opened(r, instance_id)
    with pytest.raises(BusyError, match="holds it already"):
        await opened(r, instance_id)
    await serial.close()
    with pytest.raises(BusyError, match="still ending the last session"):
        await opened(r, instance_id)

    async def again() -> tuple[Serial, Seen] | None:
        try:
            return await opened(r, instance_id)
        except BusyError:
            return None

    serial, seen = await until(again, 15, "it opens again", every=0.2)
    await serial.write(b"root\r")
    await seen.says(b"pretended")
    # Each session has a key of its own.
    keys = [key for i, key in r.aws.serial.pushed if i == instance_id]
    assert len(keys) == len(set(keys)) >= 2
    await serial.close()


async def test_somebody_else_is_at_it(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    key = asyncssh.generate_private_key("ssh-ed25519")
    r.aws.serial.push(instance_id, key.export_public_key().decode())
    host, _, port = r.aws.serial.address.rpartition(":")
    async with asyncssh.connect(
        host, int(port), username=f"{instance_id}.port0", client_keys=[key], known_hosts=None, config=[]
    ) as other:
        await other.create_process()
        await until(lambda: instance_id in r.aws.serial.sessions, 10, "the other is in")
        with pytest.raises(BusyError, match="somebody has a serial session"):
            await opened(r, instance_id)


async def test_a_new_session_before_the_hour_is_over(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, serial_renew=1.5, teardown=1.0))
    instance_id = await r.one()
    serial, seen = await opened(r, instance_id)
    await seen.says(b"EC2 ends one after an hour")
    with pytest.raises(BackendError, match="between two sessions"):
        await serial.write(b"x")
    await seen.says(b"a new session has begun")
    await serial.write(b"root\r")
    await seen.says(b"Nothing here is real")
    assert not seen.lost
    await serial.close()


async def test_a_session_that_ec2_ends(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    _, seen = await opened(r, instance_id)
    await until(lambda: instance_id in r.aws.serial.sessions, 10)
    r.aws.serial.cut(instance_id)
    await until(lambda: seen.lost, 10, "told")
    assert "EC2 ended the session" in seen.lost[0]


async def test_refusals_in_words(rig: NewRig) -> None:
    r = await rig()
    instance_id, old = await r.one(), await r.one("old", kind="t2.micro")
    await until(lambda: not r.sink.nodes_now[f"ec2:{old}"].serial, 10, "its type is known")
    with pytest.raises(BackendError, match="has no serial console"):
        await opened(r, old)
    r.aws.serial_enabled = False
    with pytest.raises(RefusedError, match="turned off in this account") as refused:
        await opened(r, instance_id)
    assert "enable-serial-console-access" in refused.value.hint
    r.aws.serial_enabled = True
    await r.act(instance_id, "power.off")
    with pytest.raises(BackendError, match="does not run"):
        await opened(r, instance_id)


async def test_another_host_key_is_not_trusted(rig: NewRig) -> None:
    r = await rig(bounds=msgspec.structs.replace(QUICK, teardown=0.0))
    r.aws.serial.teardown = 0.0
    instance_id = await r.one()
    serial, _ = await opened(r, instance_id)
    await serial.close()
    await until(lambda: instance_id not in r.aws.serial.sessions, 10)
    port = int(r.aws.serial.address.rpartition(":")[2])
    await r.aws.serial.stop()
    r.aws.serial.host_key = asyncssh.generate_private_key("ssh-ed25519")
    await r.aws.serial.start(port)
    with pytest.raises(BackendError, match="another host answers than the one that is known"):
        await opened(r, instance_id)


async def test_cancelled_while_it_opens(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    opening = asyncio.create_task(opened(r, instance_id))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not r.provider._serials.held(instance_id)
