"""Records and outcomes for `--json`: every field is there, whatever its value."""

from __future__ import annotations

from typing import Any

import msgspec

from pilot.journal import Record as JournalRecord
from pilot.records import AnyRecord, Node
from pilot.wire import Outcome, Recording


def node_json(node: Node) -> dict[str, Any]:
    """A node as an object."""
    fields = msgspec.structs.asdict(node)
    fields["nics"] = [msgspec.structs.asdict(nic) for nic in node.nics]
    fields["disks"] = [msgspec.structs.asdict(disk) for disk in node.disks]
    return fields


def record_json(record: AnyRecord) -> dict[str, Any]:
    """Any record, with its kind."""
    fields = node_json(record) if isinstance(record, Node) else msgspec.structs.asdict(record)
    return {"kind": record.__struct_config__.tag, **fields}


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
