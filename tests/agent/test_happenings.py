"""From two states of a record to what happened, in words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pilot.agent.happenings import happened
from pilot.records import AnyRecord, Cordon, Host, Instance, Lease, Machine, Node, Pool, Source
from pilot.records.instances import Event

NOW = 1_700_000_000.0
NODE = Node("n", "compute-0-0", "vc1", "h", "d", "on", NOW)
HOST = Host("host:h", "h", "", "up", NOW)
INSTANCE = Instance("instance:i", "ec2:i", "vc1", "us-east-1", "1", "running", NOW)
MACHINE = Machine("machine:p/m", "p", "m", "Claimed", "Busy")
SOURCE = Source("source:ec2/e", "ec2", "e", "up", NOW)
POOL = Pool("pool:h/a", "h", "a", "dir", capacity=100, available=50)


@pytest.mark.parametrize(
    ("record", "changes", "words", "tone"),
    [
        (NODE, {"state": "off"}, "is off; it was on", ""),
        (NODE, {"state": "crashed"}, "has crashed; it was on", "bad"),
        (NODE, {"hung_ms": 900}, "hangs: QEMU does not answer", "bad"),
        (NODE, {"host": "i"}, "moved from h to i", ""),
        (NODE, {"name": "login-0-0"}, "was called compute-0-0", ""),
        (NODE, {"recorded": True}, "its console is recorded", ""),
        (HOST, {"state": "down", "detail": "refused"}, "does not answer: refused", "bad"),
        (HOST, {"cordon": Cordon("ada", NOW, "disk")}, "cordoned by ada: disk", "busy"),
        (INSTANCE, {"state": "stopped", "reason": "you did"}, "is stopped; it was running: you did", ""),
        (INSTANCE, {"instance_check": "impaired"}, "a status check fails", "bad"),
        (
            INSTANCE,
            {"events": (Event("instance-retirement", ""),)},
            "EC2 will act: instance-retirement",
            "busy",
        ),
        (INSTANCE, {"lease": Lease(NOW, "ada")}, "leased by ada", ""),
        (MACHINE, {"draining": True, "drain_reason": "disk"}, "drains: disk", "busy"),
        (SOURCE, {"state": "down", "detail": "expired token"}, "does not answer: expired token", "bad"),
        (POOL, {"available": 5}, "is nearly full", "busy"),
    ],
)
def test_a_change_is_told_and_so_is_its_end(
    record: AnyRecord, changes: dict[str, Any], words: str, tone: str
) -> None:
    other = msgspec.structs.replace(record, **changes)
    (said,) = happened(record, other)
    assert (said.words, said.tone) == (words, tone)
    if "events" not in changes:
        (back,) = happened(other, record)
        assert back.words != words


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (NODE, {"since": NOW + 1}),
        (NODE, {"writer": "ada", "watchers": 3}),
        (NODE, {"stale_since": NOW}),
        (HOST, {"state": "connecting"}),
        (INSTANCE, {"idle_since": NOW}),
        (MACHINE, {"load": 3.0, "seen": NOW}),
        (POOL, {"available": 40}),
    ],
)
def test_what_is_of_no_interest_is_not_told(record: AnyRecord, changes: dict[str, Any]) -> None:
    assert happened(record, msgspec.structs.replace(record, **changes)) == []


def test_coming_and_going() -> None:
    for record in (NODE, HOST, INSTANCE, MACHINE):
        (came,), (went,) = happened(None, record), happened(record, None)
        assert came.words != went.words
    assert happened(None, SOURCE) == []
