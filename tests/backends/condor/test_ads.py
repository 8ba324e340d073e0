"""Ads to records."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.condor import ads, frames
from pilot.records import Machine

NOW = 1_800_000_000.0


def slot(name: str = "slot1@compute-0-0.local", /, **more: object) -> dict[str, object]:
    return {
        "Name": name, "Machine": name.rpartition("@")[2], "SlotType": "Static", "SlotID": 1,
        "MyAddress": "<10.1.255.254:40111?addrs=10.1.255.254-40111&alias=x>", "State": "Unclaimed",
        "Activity": "Idle", "EnteredCurrentActivity": int(NOW) - 100, "Cpus": 4, "Memory": 1000,
        "LoadAvg": 0.123456, "TotalLoadAvg": 1.5, "LastHeardFrom": int(NOW) - 10,
        "MyCurrentTime": int(NOW) - 10,
    } | more  # fmt: skip


def part(**more: object) -> dict[str, object]:
    return slot(SlotType="Partitionable", TotalSlotCpus=8, TotalSlotMemory=8000, **more)


def busy(number: int, **more: object) -> dict[str, object]:
    about: dict[str, object] = {
        "SlotType": "Dynamic", "DSlotID": number, "State": "Claimed", "Activity": "Busy", "Cpus": 2,
        "JobId": f"12.{number}", "RemoteOwner": "alice@local", "RemoteScheddName": "alice@cm.local",
        "JobStart": int(NOW) - 90,
    }  # fmt: skip
    return slot(f"slot1_{number}@compute-0-0.local", **(about | more))


def one(*rows: dict[str, object]) -> Machine:
    (machine,) = ads.machines("p", rows, NOW)
    return machine


def test_a_machine_of_a_partitionable_slot_and_its_dynamic_ones() -> None:
    machine = one(busy(10), busy(2), part(Cpus=4, Memory=7000))
    assert (machine.id, machine.name, machine.address) == (
        "machine:p/compute-0-0.local",
        "compute-0-0.local",
        "10.1.255.254",
    )
    assert (machine.cpus, machine.free_cpus) == (8, 4)
    assert (machine.memory, machine.free_memory) == (8000 * 1024, 7000 * 1024)
    assert [s.name for s in machine.slots] == ["slot1_2", "slot1_10"]
    first = machine.slots[0]
    assert (first.owner, first.job, first.cpus, first.load) == ("alice@cm.local", "12.2", 2, 0.12)
    assert (first.since, first.job_since) == (NOW - 100, NOW - 90)
    assert (machine.state, machine.activity, machine.seen) == ("Unclaimed", "Idle", NOW - 10)


def test_a_machine_of_static_slots_is_in_the_state_of_the_one_that_does_most() -> None:
    machine = one(
        slot("slot1@m"), slot("slot2@m", SlotID=2, State="Claimed", Activity="Busy", JobId="1.0"),
        slot("slot3@m", SlotID=3, State="Owner"),
    )  # fmt: skip
    assert (machine.state, machine.activity) == ("Claimed", "Busy")
    assert (machine.cpus, machine.free_cpus) == (12, 4)


def test_draining_is_told_by_any_slot() -> None:
    machine = one(part(), busy(1, Draining=True, DrainReason="new disk", DrainingRequestId="7"))
    assert (machine.draining, machine.drain_reason, machine.drain_id) == (True, "new disk", "7")


def test_machines_of_one_name_at_two_addresses_are_two() -> None:
    found = ads.machines("p", [slot(), slot(MyAddress="<[fd00::7]:9618>")], NOW)
    assert sorted(m.name for m in found) == [
        "compute-0-0.local [10.1.255.254]",
        "compute-0-0.local [fd00::7]",
    ]


def test_startds_with_names_of_their_own_are_machines_of_their_own() -> None:
    found = ads.machines("p", [slot("slot1@glidein_7@w.local"), slot("slot1@glidein_8@w.local")], NOW)
    assert sorted(m.name for m in found) == ["glidein_7@w.local", "glidein_8@w.local"]


def test_a_startd_whose_clock_is_an_hour_behind_has_the_ages_it_has() -> None:
    machine = one(slot(MyCurrentTime=int(NOW) - 10 - 3600, EnteredCurrentActivity=int(NOW) - 10 - 3600 - 60))
    assert machine.slots[0].since == NOW - 70


def test_a_collector_whose_clock_is_ahead_makes_no_negative_ages() -> None:
    late = int(NOW) + 600
    machine = one(slot(LastHeardFrom=late, MyCurrentTime=late, EnteredCurrentActivity=late - 30))
    assert machine.seen <= NOW
    assert machine.slots[0].since == NOW - 30


def test_an_activity_entered_in_the_future_began_when_it_was_heard_of() -> None:
    assert one(slot(EnteredCurrentActivity=int(NOW) + 10_000)).slots[0].since == NOW - 10


def test_control_characters_and_huge_strings_do_not_get_through() -> None:
    machine = one(busy(1, RemoteOwner="al\x1b[2Jice\u202e@x", State="C" * 10_000))
    assert machine.slots[0].owner == "al?[2Jice?@cm.local"
    assert len(machine.slots[0].state) <= 200


def test_half_an_ad_is_a_machine_all_the_same() -> None:
    machine = one({"Name": "slot1@m", "State": 7, "Cpus": "many", "SlotID": None, "Memory": -3})
    assert (machine.name, machine.state, machine.cpus, machine.memory) == ("m", "?", 0, 0)
    assert ads.machines("p", [{}, {"State": "Owner"}], NOW) == []


def test_what_a_partitionable_slot_tells_is_true_of_its_dynamic_ones() -> None:
    ages = {"LastHeardFrom": int(NOW) - 10, "MyCurrentTime": int(NOW) - 3610}
    told = {key: value for key, value in busy(1).items() if key in ads.DYNAMIC_ATTRIBUTES}
    machine = one(told | {"SlotType": "Dynamic", "EnteredCurrentActivity": int(NOW) - 3700}, part(**ages))
    assert machine.address == "10.1.255.254"
    assert machine.slots[0].since == NOW - 100
    assert not ads.ambiguous([part(), part()])
    assert ads.ambiguous([part(), part(MyAddress="<10.0.0.9:9618>")])


def test_names_of_attributes_are_read_in_any_case() -> None:
    assert ads.spelled({"STATE": "Owner", "cpus": 2, "Else": 1}) == {"State": "Owner", "Cpus": 2, "Else": 1}


def test_queues_by_schedd_and_owner() -> None:
    found = ads.queues(
        "p",
        [
            {"Name": "alice@a", "ScheddName": "cm", "IdleJobs": 3, "RunningJobs": 2, "HeldJobs": 1},
            {"Name": "alice@b", "ScheddName": "cm", "IdleJobs": 1},
            {"Name": "bob@a", "ScheddName": "cm", "IdleJobs": 0},
            {"Name": "eve@a", "Machine": "m2", "HeldJobs": "x", "RunningJobs": 1},
            {"IdleJobs": 3},
        ],
    )
    assert [(q.id, q.idle, q.running, q.held) for q in found] == [
        ("queue:p/cm/alice", 4, 2, 1),
        ("queue:p/m2/eve", 0, 1, 0),
    ]


_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=2), st.integers(0, 2 * int(NOW)),
    st.sampled_from(["Partitionable", "Dynamic", "Static", "Claimed", "Busy", "<1.2.3.4:5>", "slot1@m"]),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(ads.SLOT_ATTRIBUTES), _values, max_size=12), max_size=8))
def test_whatever_ads_say_records_are_whole(rows: list[dict[str, object]]) -> None:
    found = ads.machines("p", rows, NOW)
    assert len({m.id for m in found}) == len(found)
    assert sum(len(m.slots) for m in found) <= len(rows)
    for machine in found:
        assert 0 <= machine.seen <= NOW
        assert all(s.since >= 0 and s.job_since >= 0 for s in machine.slots)
        if machine.seen:
            assert all(s.since <= NOW for s in machine.slots)
        assert machine.name.isprintable()
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(machine), type=Machine) == machine
    json.dumps(msgspec.to_builtins(found))


def test_one_startds_nonsense_does_not_keep_the_whole_pool_from_being_told() -> None:
    huge = [slot(f"slot{n}@evil.local", Memory=9e14, Cpus=9e14, LoadAvg=1e308) for n in range(40)]
    machines = ads.machines("p", [*huge, slot()], NOW)
    assert [m.name for m in machines] == ["evil.local", "compute-0-0.local"]
    counts = [
        {"Name": f"ada@d{n}", "ScheddName": "s", "IdleJobs": 10**14, "RunningJobs": 1, "HeldJobs": 0}
        for n in range(100_000)
    ]
    assert frames.packed(frames.Found((*machines, *ads.queues("p", counts))))
