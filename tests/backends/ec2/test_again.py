"""What is read of EC2's answers again, and what is not."""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EC2QueryParser
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.ec2.again import AT_ONCE, Again
from pilot.backends.ec2.instances import lean
from tests.backends.ec2.conftest import EAST, NewRig
from tests.support.waiting import until

_SHAPE: Any = ServiceModel(Loader().load_service_model("ec2", "service-2")).shape_for(
    "DescribeInstancesResult"
)


def item(number: int, state: str = "running", first: bool = True) -> str:
    """An instance as EC2 writes it, or with its id after what else there is."""
    told = f"<instanceId>i-{number:017x}</instanceId>"
    rest = (
        f"<instanceState><name>{state}</name></instanceState>"
        "<tagSet><item><key>Name</key><value>&lt;item&gt;</value></item></tagSet>"
        "<blockDeviceMapping><item><ebs><volumeId>vol-1</volumeId></ebs></item></blockDeviceMapping>"
    )
    return f"<item>\n{told}{rest}</item>\n" if first else f"<item>{rest}{told}</item>"


def answer(*reservations: list[str]) -> bytes:
    """An answer of DescribeInstances."""
    inner = "".join(
        f"<item><reservationId>r-{number}</reservationId><groupSet><item><groupId>g</groupId></item></groupSet>"
        f"<instancesSet>{''.join(items)}</instancesSet></item>"
        for number, items in enumerate(reservations)
    )
    return (
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<reservationSet>{inner}</reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>"
    ).encode()


def read(bodies: list[bytes]) -> dict[str, str]:
    """Ids and states, as AWS's own library reads them."""
    found = {}
    for body in bodies:
        page = EC2QueryParser().parse({"status_code": 200, "headers": {}, "body": body}, _SHAPE)
        assert page["NextToken"] == "more"
        for reservation in page["Reservations"]:
            for raw in reservation.get("Instances", []):
                assert raw["Tags"] == [{"Key": "Name", "Value": "<item>"}]
                found[raw["InstanceId"]] = raw["State"]["Name"]
    return found


def again(known: bool = True) -> Again:
    return Again("instancesSet", "Reservations", lambda _: known, lean)


def ident(number: int) -> str:
    return f"i-{number:017x}"


@given(
    st.dictionaries(st.integers(0, 300), st.sampled_from(["running", "stopped"]), max_size=130),
    st.dictionaries(st.integers(0, 300), st.sampled_from(["running", "stopped"]), max_size=130),
    st.integers(1, 5),
    st.booleans(),
)
def test_what_changed_is_read_and_nothing_else(
    before: dict[int, str], now: dict[int, str], many: int, first: bool
) -> None:
    def written(states: dict[int, str]) -> bytes:
        items = [item(number, state, first) for number, state in states.items()]
        return answer(*(items[at::many] for at in range(many)))

    some = again()
    assert read(some.short(written(before))) == {ident(n): state for n, state in before.items()}
    assert some.same == []
    some.taken()
    bodies = some.short(written(now))
    new = {ident(n): state for n, state in now.items() if before.get(n) != state}
    assert read(bodies) == new
    assert sorted(some.same) == sorted(ident(n) for n, state in now.items() if before.get(n) == state)
    assert len(bodies) == max(1, -(-len(new) // AT_ONCE))


def test_what_is_not_known_any_more_or_was_told_otherwise_is_read() -> None:
    body = answer([item(1), item(2)])
    some = again(known=False)
    for _ in range(2):
        assert len(read(some.short(body))) == 2
        some.taken()
    some = again()
    some.short(body)
    assert len(read(some.short(body))) == 2, "what never became records is read"
    some.taken()
    some.forget([ident(1)])
    assert list(read(some.short(body))) == [ident(1)]
    some.forget_all()
    assert len(read(some.short(body))) == 2
    some.taken()
    some.only({ident(2)})
    some.same = []
    assert list(read(some.short(body))) == [ident(1)]
    assert some.same == [ident(2)]


@given(st.binary(max_size=200))
def test_other_answers_are_left_as_they_are(body: bytes) -> None:
    assert b"".join(again().short(body)) == body


async def test_a_change_is_seen_that_only_looks_tell_of(rig: NewRig) -> None:
    r = await rig(every=1.0)
    one, other = await r.run("remote", count=2)
    await until(lambda: r.sink.state(one) == r.sink.state(other) == "running", 20, "both run")
    seen = r.sink.source().good
    await until(lambda: r.sink.source().good > seen, 20, "looked again")
    watch = r.provider._parts[EAST].watch
    assert watch._described._said.keys() == {one, other}
    await r.call("ec2", "stop_instances", InstanceIds=[one])
    await until(lambda: r.sink.state(one) == "stopped", 20, "seen")
    await r.call("ec2", "create_tags", Resources=[other], Tags=[{"Key": "Name", "Value": "renamed"}])
    await until(lambda: r.sink.nodes_now[f"ec2:{other}"].name == "renamed", 20, "seen, too")
    await r.call("ec2", "delete_tags", Resources=[one], Tags=[{"Key": "pilot:cluster"}])
    await until(lambda: f"ec2:{one}" in r.sink.gone_ids, 20, "gone")
    assert watch._described._said.keys() == {other}
    await r.call("ec2", "create_tags", Resources=[one], Tags=[{"Key": "pilot:cluster", "Value": "vc1"}])
    await until(lambda: r.sink.state(one) == "stopped", 20, "there again")
