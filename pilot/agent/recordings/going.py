"""A recording that goes on, or whose end is not in the journal yet; and what is needed to begin one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pilot.agent.caller import Caller
from pilot.agent.consoles.console import Recorder
from pilot.agent.recordings.catalogue import Kept
from pilot.agent.recordings.writer import RecordingWriter
from pilot.agent.targets import needs_console
from pilot.asciicast import INPUT, MARKER, OUTPUT
from pilot.errors import RefusedError
from pilot.recording_seals import Seal
from pilot.records import Node, role_covers
from pilot.wire import Notice


class Consoles(Protocol):
    """Where it is recorded."""

    def record(self, node_id: str, recorder: Recorder | None) -> None:
        """Have somebody told what happens at a node's console."""

    def tell(self, node_id: str, notice: Notice) -> None:
        """A notice to all who are attached to it."""


class Going:
    """A recording, from when it is asked for."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.shown = False
        """People see that it goes on."""
        self.why = ""
        """Why it ends, once it does."""
        self.notes: asyncio.Queue[Seal | str] = asyncio.Queue()
        """What the journal is to be told: seals, and why it has ended."""
        self.over = asyncio.Event()
        """All is said."""

    def recorder(self, writer: RecordingWriter) -> Recorder:
        """What its console tells what happens."""
        id, typed = self.kept.id, self.kept.recording.input

        def record(code: str, data: bytes) -> None:
            if code == MARKER:
                writer.mark(id, MARKER, data.decode())
            elif code == OUTPUT or (code == INPUT and typed):
                writer.printed(id, data, code)

        return record


def may_record(caller: Caller, node: Node, typed: bool) -> None:
    """Hold a caller's rights of the moment, and the node, against what a recording needs.

    Args:
        caller: who wants it.
        node: whose console.
        typed: whether what is typed is to be in it.

    Raises:
        RefusedError: it may not be.
    """
    role = caller.role(node.cluster)
    if role is None or not role_covers(role, "operator"):
        raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
    if typed and not role_covers(role, "owner"):
        raise RefusedError(
            f"to record what is typed at {node.name} needs the role owner, yours is {role}",
            "Record what is printed only: without `input`.",
        )
    needs_console(node)
