"""Node names as they were last seen, so that TAB need not connect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.client_config import write_private
from pilot.errors import ConfigError

if TYPE_CHECKING:
    from pilot.records import Node

_MOST = 20_000
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:+@")
"""A name with anything else is not offered: it would have to be quoted, and who named it is a stranger."""


def _path(state: Path, site: str) -> Path:
    return state / "names" / f"{site}.json"


def remember(state: Path, site: str, nodes: Iterable[Node]) -> None:
    """Keep the names. That they cannot be kept is no reason for a command to fail."""
    found: dict[str, list[str]] = {}
    for node in list(nodes)[:_MOST]:
        if node.name and _SAFE.issuperset(node.name) and _SAFE.issuperset(node.cluster):
            found.setdefault(node.cluster, []).append(node.name)
    data = json.dumps(found).encode()
    path = _path(state, site)
    try:
        if not path.exists() or path.read_bytes() != data:
            write_private(path, data)
    except (ConfigError, OSError):
        return


def recall(state: Path, site: str) -> dict[str, list[str]]:
    """Cluster to names of its nodes; empty if nothing is known."""
    try:
        found = json.loads(_path(state, site).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(cluster): [str(name) for name in names]
        for cluster, names in found.items()
        if isinstance(names, list)
    }
