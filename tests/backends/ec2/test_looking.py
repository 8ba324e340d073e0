"""What is only looked at: console output, pictures, what may be done, what is idle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.ec2.idle import idle_since
from pilot.backends.ec2.instances import Facts, kind_of, reason_of, records
from pilot.backends.ec2.output import KEPT, news
from pilot.backends.ec2.pins import Pins
from pilot.backends.ec2.prices import from_table, price_in
from pilot.backends.ec2.serial_places import PLACES, place
from pilot.backends.ec2.settings import Ec2Settings
from pilot.config import KeyProblem
from pilot.demo.ec2.past import Past
from pilot.errors import BackendError
from pilot.render.instance_cells import idle_cell
from tests.backends.ec2.conftest import EAST, NewRig
from tests.support.waiting import until


async def test_output_is_given_on_once(rig: NewRig) -> None:
    r = await rig(output=True)
    instance_id = await r.one()
    await until(lambda: r.printed, 10, "printed")
    node, first, gap = r.printed[0]
    assert (node, gap) == (f"ec2:{instance_id}", False)
    assert b"pretended" in first
    guest = r.aws.guests[instance_id]
    guest.say("more of it")
    await until(lambda: len(r.printed) > 1, 10, "what is new")
    assert r.printed[1] == (node, b"more of it\r\n", False)
    for number in range(4000):
        guest.say(f"a flood of lines: {number}")
    await until(lambda: len(r.printed) > 2, 10, "the flood")
    assert r.printed[2][2], "what scrolled through is a gap"
    assert len(r.printed[2][1]) == KEPT
    assert (await r.provider.console_output(node)).endswith(b"lines: 3999\r\n")
    # The next airboss goes on where this one ended.
    guest.say("a word before the end")
    await until(lambda: r.printed[-1][1] == b"a word before the end\r\n", 10, "the last")
    await r.provider.stop()
    guest.say("while nobody was there")
    again = await rig(output=True)
    await until(lambda: again.printed, 20, "what the first had not seen")
    assert again.printed == [(node, b"while nobody was there\r\n", False)]


async def test_what_a_serial_console_told_is_not_told_again(rig: NewRig) -> None:
    r = await rig(output=True)
    instance_id = await r.one()
    await until(lambda: r.printed, 10, "printed")
    seen: list[bytes] = []
    serial = await r.provider.open_console(f"ec2:{instance_id}", seen.append, lambda _why: None)
    count = len(r.printed)
    r.aws.guests[instance_id].say("said once")
    await until(lambda: b"said once" in b"".join(seen), 10, "on the serial console")
    await until(lambda: instance_id in r.provider._parts[EAST].output._passed, 10, "noticed")
    await serial.close()
    await until(lambda: instance_id not in r.provider._parts[EAST].output._passed, 10, "fetched")
    r.aws.guests[instance_id].say("said later")
    await until(lambda: len(r.printed) > count, 10, "what came later")
    assert r.printed[count:] == [(f"ec2:{instance_id}", b"said later\r\n", False)]


async def test_nothing_is_kept_of_the_output_of_instances_that_are_gone(rig: NewRig) -> None:
    r = await rig(output=True)
    instance_id = await r.one()
    output = r.provider._parts[EAST].output
    output.begin_at({"i-gone": b"its last words"})
    output.want("i-gone")
    output._passed.add("i-gone")
    await until(lambda: r.printed, 10, "printed")
    await until(lambda: set(output.tails()) == {instance_id}, 20, "forgotten")
    assert "i-gone" not in output._wanted | output._passed


@given(st.binary(max_size=400), st.binary(max_size=400), st.integers(50, 300))
def test_news_are_what_was_printed_since(before: bytes, more: bytes, kept: int) -> None:
    """However much EC2 keeps: what is given on is the end of what it has, and whole if no gap is said."""
    old, now = before[-kept:], (before + more)[-kept:]
    new, gap = news(old, now)
    assert now.endswith(new)
    if not gap and old and len(before + more) <= kept and len(set(before)) > 20:
        assert len(new) <= len(now)


def test_news_of_a_ring_that_moved_on() -> None:
    text = b"".join(b"line %d\r\n" % number for number in range(2000))
    assert news(text[:5000], text[:5200]) == (text[5000:5200], False)
    assert news(text[1000:5000], text[3000:6000]) == (text[5000:6000], False)
    assert news(text[1000:2000], text[8000:9000]) == (text[8000:9000], True)
    assert news(text[:5000], text[100:4000]) == (b"", False), "an older answer that comes late"
    assert news(b"", text[:10]) == (text[:10], False)
    assert news(text[:10], b"") == (b"", False)


def test_a_guest_that_prints_the_same_for_ever_does_not_keep_airboss_from_its_work() -> None:
    class Counted(bytes):
        looks = 0

        def find(self, *args: Any) -> int:
            self.looks += 1
            return super().find(*args)

    old = Counted(b"A" * (KEPT - 1) + b"B")
    for now, expected in (
        (b"A" * (KEPT - 2) + b"CA", (b"A" * (KEPT - 2) + b"CA", True)),
        (b"A" * (KEPT - 10) + b"B" + b"A" * 9, (b"A" * 9, False)),
        (b"A" * 1000 + b"B", (b"", False)),
    ):
        old.looks = 0
        assert news(old, now) == expected
        assert old.looks < 100


@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"a" * 70]), max_size=80), st.integers(0, 400))
def test_news_of_what_repeats_itself(parts: list[bytes], at: int) -> None:
    text = b"".join(parts)
    old, now = text[:at], text[at // 2 :]
    new, gap = news(old, now)
    assert now.endswith(new)
    if not gap and old:
        seen = now[: len(now) - len(new)]
        assert (seen in old) if not new else old.endswith(seen)


async def test_a_picture_is_a_jpeg(rig: NewRig) -> None:
    r = await rig()
    instance_id = await r.one()
    assert (await r.provider.picture(f"ec2:{instance_id}")).startswith(b"\xff\xd8\xff")
    await r.act(instance_id, "power.off")
    with pytest.raises(BackendError, match="it is stopped"):
        await r.provider.picture(f"ec2:{instance_id}")


async def test_only_what_a_dry_run_allows_is_offered(rig: NewRig) -> None:
    r = await rig()
    ids = await r.run(count=5)
    denied = r.aws.trouble.denied
    denied |= {("StopInstances", ids[3]), ("TerminateInstances", "*"), ("SendDiagnosticInterrupt", ids[0])}
    everything = {
        "console.log", "console.open", "power.off", "power.on", "power.reboot", "power.shutdown",
        "screen.picture", "send.nmi",
    }  # fmt: skip
    expected = {instance_id: set(everything) for instance_id in ids}
    expected[ids[3]] -= {"power.off", "power.shutdown"}
    expected[ids[0]] -= {"send.nmi"}

    def found() -> dict[str, set[str]]:
        return {i: set(r.sink.instance(i).may or ()) for i in ids if f"instance:{i}" in r.sink.others}

    await until(lambda: found() == expected, 30, f"{expected}")
    # Those that are allowed are asked about together; nothing was done by asking.
    assert sum(action == "RebootInstances" for _, action in r.aws.asked) == 1
    assert all(r.sink.state(i) == "running" for i in ids)


async def test_idle_as_cloudwatch_has_it(rig: NewRig) -> None:
    now = datetime.now(UTC).timestamp()
    samples = [(now - 3000 + 300 * n, 1.0) for n in range(10)]
    begin = now - 3600
    assert idle_since(samples, begin, begin - 9000, 3, None) == samples[0][0]
    assert idle_since(samples, begin, begin - 9000, 3, begin - 5000) == begin - 5000
    assert idle_since([*samples, (now, 4.0)], begin, begin - 9000, 3, None) is None
    assert idle_since(samples, begin, begin + 10, 3, None) is None, "it runs for less than that"
    assert idle_since([], begin, begin - 9000, 3, None) is None
    # What was before the window counts where it is known: since the last time that it worked.
    past = [(now - 9000 + 300 * n, 50.0 if n < 4 else 0.5) for n in range(30)]
    assert idle_since(past, begin, begin - 90_000, 3, None) == past[4][0]
    assert idle_since(past, begin, begin - 90_000, 3, past[2][0]) == past[4][0], "it worked since"
    assert idle_since([*past, (now, 4.0)], begin, begin - 90_000, 3, past[4][0]) is None
    # By the real question; the instance runs for some seconds, so it is none that idles.
    r = await rig(idle=True)
    instance_id = await r.one()
    await until(lambda: (EAST, "GetMetricData") in r.aws.asked, 20, "asked")
    assert r.sink.instance(instance_id).idle_since is None


async def test_one_that_did_nothing_for_an_hour_is_idle_and_one_that_works_is_not(rig: NewRig) -> None:
    r = await rig(idle=True)
    lazy, busy = await r.one("lazy"), await r.one("busy")
    now = datetime.now(UTC).timestamp()
    r.aws.pasts |= {
        lazy: Past(launched=now - 90_000, percent=0.4),
        busy: Past(launched=now - 90_000, percent=60),
    }
    await until(lambda: r.sink.instance(lazy).idle_since is not None, 20, "idle")
    since = r.sink.instance(lazy).idle_since
    assert since is not None
    assert 3000 < now - since < 3600, "as long as was asked about"
    assert r.sink.instance(busy).idle_since is None
    assert idle_cell(r.sink.instance(lazy), now).text.startswith("idle 5")
    r.aws.pasts[lazy] = Past(launched=now - 90_000, percent=60)
    await until(lambda: r.sink.instance(lazy).idle_since is None, 20, "it works again")


def test_prices() -> None:
    assert (price := from_table("us-east-1", "m5.large", "Linux")) is not None
    assert (price.hour, price.source) == (0.096, "table")
    assert from_table("eu-west-1", "m5.large", "Linux") is None, (
        "no other region's price is passed off as its"
    )
    assert from_table("us-east-1", "m5.large", "Windows") is None
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": "0.5"}}
    product = {"terms": {"OnDemand": {"a": {"priceDimensions": {"b": dimension}}}}}
    assert price_in({"PriceList": [json.dumps(product)]}) == 0.5
    assert price_in({"PriceList": ["{", None, json.dumps({"terms": 1})]}) is None
    assert price_in({}) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "State",
                "StateReason",
                "Tags",
                "NetworkInterfaces",
                "Placement",
                "CpuOptions",
                "LaunchTime",
                "InstanceType",
                "HibernationOptions",
                "StateTransitionReason",
            ]
        ),
        _json,
    )
)
def test_half_a_description_gives_half_a_record(raw: dict[str, object]) -> None:
    assert records({**raw, "State": raw.get("State")}, "a", EAST, "t", Facts(), 0, None) is None
    whole = {**raw, "InstanceId": "i-1", "State": {"Name": "running"}}
    made = records(whole, "a", EAST, "t", Facts(), 0, None)
    assert made is not None
    assert msgspec.json.decode(msgspec.json.encode(made[0]), type=type(made[0])) == made[0]
    reason_of({**raw, "State": {"Name": "stopped"}})


def test_where_serial_consoles_are() -> None:
    assert place(EAST, "") == ("serial-console.ec2-instance-connect.us-east-1.aws", 22, PLACES[EAST][1])
    assert place("xx-new-1", "")[2] == ""
    assert place(EAST, "127.0.0.1:2222") == ("127.0.0.1", 2222, "")
    assert all(
        fingerprint.startswith("SHA256:") and len(fingerprint) == 50 for _, fingerprint in PLACES.values()
    )


def test_pins(tmp_path: Path) -> None:
    assert Pins(tmp_path).check("h:22", "SHA256:a", "")
    assert Pins(tmp_path).check("h:22", "SHA256:a", "")
    assert not Pins(tmp_path).check("h:22", "SHA256:b", "")
    assert Pins(tmp_path).check("h:22", "SHA256:b", "SHA256:b"), "what AWS has published counts"
    assert not Pins(tmp_path).check("new:22", "SHA256:b", "SHA256:c")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": "a b"}, "name"),
        ({"regions": ()}, "regions"),
        ({"regions": ("mars",)}, "regions"),
        ({"regions": (EAST, EAST)}, "regions"),
        ({"tag": "aws:x"}, "tag"),
        ({"endpoint": "127.0.0.1"}, "endpoint"),
        ({"serial_endpoint": "x"}, "serial_endpoint"),
    ],
)
def test_settings_that_will_not_do(change: dict[str, object], key: str) -> None:
    with pytest.raises(KeyProblem) as problem:
        Ec2Settings(**({"name": "demo", "regions": (EAST,)} | change))  # type: ignore[arg-type]
    assert problem.value.key == key


def test_figures_that_are_none_do_not_keep_records_from_being_sent() -> None:
    for odd in (10**30, -4, True, 2**62, "8", None):
        kind = kind_of({"VCpuInfo": {"DefaultVCpus": odd}, "MemoryInfo": {"SizeInMiB": odd}})
        raw = {
            "InstanceId": "i-1", "State": {"Name": "running"},
            "CpuOptions": {"CoreCount": odd, "ThreadsPerCore": odd},
        }  # fmt: skip
        made = records(raw, "a", EAST, "pilot:cluster", Facts(kind=kind), 0.0, None)
        assert made is not None
        assert msgspec.msgpack.encode(made)
        assert (made[0].vcpus, made[0].memory) == (0, 0)
