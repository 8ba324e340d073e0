"""How errors and unknown targets are told: the same words whatever verb they belong to."""

from __future__ import annotations

from pilot.errors import NoSuchNodeError, PilotError
from pilot.wire import Fault, Outcome, plain

_MAX_MESSAGE = 600
"""Characters; what a hypervisor says can be longer."""


def fault_of(error: PilotError) -> Fault:
    """An error as it travels: on one line, without control characters, whoever's words are in it."""
    return Fault(error.code, plain(error.message, _MAX_MESSAGE), plain(error.hint, _MAX_MESSAGE))


def unknown_node(selector: str, cluster: str) -> Outcome:
    """The one answer for a node that does not exist and for one that is somebody else's."""
    error = NoSuchNodeError(
        f"'{plain(selector, 80)}' is not a node of {plain(cluster, 60)}, or not yours",
        "`pilot nodes` lists yours.",
    )
    return Outcome(plain(selector, 80), "refused", fault=fault_of(error))
