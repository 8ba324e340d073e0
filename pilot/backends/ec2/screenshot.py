"""A picture of what an instance's screen shows, as EC2 takes it: a JPEG."""

from __future__ import annotations

import base64
import binascii

from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.regions import RegionWatch
from pilot.errors import BackendError

LIMIT = 8 * 1024 * 1024
_JPEG = b"\xff\xd8\xff"


async def take(watch: RegionWatch, instance_id: str, name: str, *, wake: bool = False) -> bytes:
    """A JPEG of its screen.

    Args:
        watch: its region's.
        instance_id: EC2's id.
        name: what it is called.
        wake: whether a key is pressed first, for a screen that sleeps.

    Raises:
        BackendError, DeadlineError, RefusedError, UnreachableError: as for Provider.act.
    """
    doing = f"taking a picture of the screen of {name}"
    known = watch.region.get(instance_id)
    if known is None or known.instance.state != "running":
        state = "gone" if known is None else known.instance.state
        raise BackendError(f"{doing} failed: it is {state}", "`power.on` turns it on.")
    try:
        answer = await watch.calls.call(
            watch.region.name, "ec2", "get_console_screenshot", watch.calls.bounds.ask,
            InstanceId=instance_id, WakeUp=wake,
        )  # fmt: skip
    except Fault as fault:
        raise fault.error(doing) from None
    try:
        picture = base64.b64decode(str(answer.get("ImageData", "")), validate=True)
    except (binascii.Error, ValueError):
        picture = b""
    if not picture.startswith(_JPEG) or len(picture) > LIMIT:
        raise BackendError(f"{doing} failed: what EC2 sent is no JPEG", "Ask again in a moment.")
    return picture
