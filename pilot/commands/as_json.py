"""Records and outcomes for `--json`: every field is there, whatever its value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pilot.attention import Concern
from pilot.journal import Record as JournalRecord
from pilot.records import AnyRecord, Host, Instance, Machine, Node, Pool, Queue, Source
from pilot.render.concerns import name_of, whose
from pilot.wire import HostLoad, Outcome, Recording, byte_rate
from pilot.wire.load_frames import UNKNOWN

if TYPE_CHECKING:
    from pilot.loads import Loads


def node_json(node: Node) -> dict[str, Any]:
    """A node as an object."""
    fields = msgspec.structs.asdict(node)
    fields["nics"] = [msgspec.structs.asdict(nic) for nic in node.nics]
    fields["disks"] = [msgspec.structs.asdict(disk) for disk in node.disks]
    fields["lease"] = msgspec.structs.asdict(node.lease) if node.lease is not None else None
    fields["drain"] = msgspec.structs.asdict(node.drain) if node.drain is not None else None
    return fields


def record_json(record: AnyRecord) -> dict[str, Any]:
    """Any record, with its kind."""
    fields = node_json(record) if isinstance(record, Node) else msgspec.structs.asdict(record)
    return {"kind": record.__struct_config__.tag, **fields}


def host_json(
    host: Host, nodes: Sequence[Node], pools: Sequence[Pool], load: HostLoad | None, step: float
) -> dict[str, Any]:
    """A host as an object, with what is on it; samples that are not known are null."""
    on = [node for node in nodes if node.state not in ("off", "crashed", "unknown")]
    hung = [node for node in nodes if node.hung_ms is not None]
    busy: dict[str, Any] | None = None
    if load is not None:
        busy = {
            "cpu": _last(load.cpu),
            "memory": load.memory_now or None,
            "load": load.load_now,
            "received": load.received_now,
            "sent": load.sent_now,
            "step": step,
            "history": {name: _samples(getattr(load, name)) for name in ("cpu", "memory", "load")}
            | {name: _rates(getattr(load, name)) for name in ("received", "sent")},
        }
    fields = msgspec.to_builtins(host)
    fields.pop("kind", None)
    return {
        **{name: fields.get(name, getattr(host, name)) for name in host.__struct_fields__},
        "busy": busy,
        "nodes": {
            "all": len(nodes),
            "on": len(on),
            "vcpus": sum(node.vcpus for node in on),
            "memory": sum(node.memory for node in on),
        },
        "hung": [
            {"id": node.id, "name": node.name, "cluster": node.cluster, "ms": node.hung_ms} for node in hung
        ],
        "pools": [_pool_json(pool) for pool in pools],
    }


def _pool_json(pool: Pool) -> dict[str, Any]:
    return {**msgspec.structs.asdict(pool), "volumes": [msgspec.structs.asdict(v) for v in pool.volumes]}


def vlans_json(records: Sequence[AnyRecord], loads: Loads) -> dict[str, Any]:
    """VLANs with what carries them, and what is wrong."""
    from pilot.faults import network_faults
    from pilot.records import Cluster
    from pilot.render.vlans import Plug, vlans_of

    def nic(plug: Plug) -> dict[str, Any]:
        load = loads.nic(plug.id)
        live = None
        if load is not None:
            fields = msgspec.structs.asdict(load)
            live = {name: fields[name] for name in fields if name not in ("nic", "received", "sent")}
        node = {"id": plug.node.id, "name": plug.node.name, "cluster": plug.node.cluster}
        return {"id": plug.id, "node": node, **msgspec.structs.asdict(plug.nic), "traffic": live}

    owners = {record.vlan: record.name for record in records if isinstance(record, Cluster)}
    return {
        "vlans": [
            {
                "vlan": tag,
                "cluster": owners.get(tag) if tag is not None else None,
                "networks": [
                    {
                        "host": carrier.host,
                        "name": carrier.name,
                        "network": None
                        if carrier.network is None
                        else msgspec.structs.asdict(carrier.network),
                        "nics": [nic(plug) for plug in carrier.plugs],
                    }
                    for carrier in carriers
                ],
            }
            for tag, carriers in vlans_of(records).items()
        ],
        "faults": [msgspec.structs.asdict(fault) for fault in network_faults(records)],
    }


def _last(samples: bytes) -> int | None:
    return _samples(samples[-1:])[0] if samples else None


def _samples(samples: bytes) -> list[int | None]:
    return [None if value == UNKNOWN else value for value in samples]


def _rates(samples: bytes) -> list[int | None]:
    return [None if (value := byte_rate(byte)) is None else round(value) for byte in samples]


def pool_json(
    name: str, source: Source | None, machines: Sequence[Machine], queues: Iterable[Queue]
) -> dict[str, Any]:
    """An HTCondor pool as an object: how it is asked, its machines with their slots, its queues."""
    fields: dict[str, Any] = {"name": name}
    if source is not None:
        fields = msgspec.structs.asdict(source)
    fields["machines"] = [
        {
            **msgspec.structs.asdict(machine),
            "slots": [msgspec.structs.asdict(slot) for slot in machine.slots],
        }
        for machine in machines
    ]
    fields["queues"] = [msgspec.structs.asdict(queue) for queue in queues if queue.pool == name]
    return fields


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as an object."""
    fields = msgspec.structs.asdict(outcome)
    fields["fault"] = msgspec.structs.asdict(outcome.fault) if outcome.fault else None
    return fields


def recording_json(recording: Recording) -> dict[str, Any]:
    """A recording as an object."""
    return msgspec.structs.asdict(recording)


def journal_json(record: JournalRecord) -> dict[str, Any]:
    """A record of the journal as an object, as `pilot-agent journal show --json` has it."""
    from keys import sshsig

    return {
        "id": record.id,
        "time": record.seconds,
        "kind": record.kind,
        "principal": record.principal,
        "fingerprint": record.fingerprint,
        "auth": record.auth,
        "cluster": record.cluster,
        "verb": record.verb,
        "targets": _data(record.targets_json),
        "args": _data(record.args_json),
        "result": _data(record.result_json),
        "intent": record.intent,
        "body": record.body.decode(errors="replace"),
        "signature": sshsig.armor(record.signature) if record.signature else "",
        "prev": record.prev,
        "hash": record.hash,
    }


def _data(text: str) -> Any:
    """JSON as data; as text if it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text


def instance_json(one: Instance, node: Node | None, source: Source | None, now: float) -> dict[str, Any]:
    """An EC2 instance as an object: with its node's name and state, and about what it has cost."""
    from pilot.render.instance_cells import cost

    fields = msgspec.to_builtins(one)
    whole = {name: fields.get(name, getattr(one, name)) for name in one.__struct_fields__}
    spent = cost(one, now)
    return {
        "name": node.name if node is not None else "",
        **whole,
        "node_state": node.state if node is not None else "unknown",
        "stale_since": node.stale_since if node is not None else None,
        "cost_since_start": None if spent is None else round(spent, 4),
        "pretended": source.pretended if source is not None else False,
    }


def concern_json(concern: Concern, records: Mapping[str, AnyRecord]) -> dict[str, Any]:
    """What needs attention, with the name and cluster of what it is about."""
    record = records.get(concern.about)
    fields = msgspec.structs.asdict(concern)
    fields["level"] = concern.level.name.lower()
    return {**fields, "name": name_of(record, concern.about), "cluster": whose(record)}
