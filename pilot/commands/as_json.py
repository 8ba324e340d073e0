"""Records and outcomes for `--json`: every field is there, whatever its value."""

from __future__ import annotations

from typing import Any

import msgspec

from pilot.records import AnyRecord, Node
from pilot.wire import Outcome


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
