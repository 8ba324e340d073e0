"""The one tree of errors: what failed, why, and what to do next.

Every error a person can meet carries a title (the kind, in two or three words), a message (what
failed and why, one sentence), a hint (what to do next, may be empty), a code that travels on the
wire, and the exit code `pilot` ends with.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of `pilot` and `pilot-agent`; documented in docs/user-guide.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    IDENTITY = 5
    UNKNOWN = 6
    UNSEEN = 7
    """What was waited for did not come in time."""
    INTERRUPTED = 130


class PilotError(Exception):
    """Base of all errors that are shown to a person instead of a traceback."""

    title: ClassVar[str] = "Failed"
    code: ClassVar[str] = "failed"
    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PilotError):
    """The words of a command are off."""

    title = "Usage"
    code = "usage"
    exit_code = Exit.USAGE


class ConfigError(PilotError):
    """A configuration file is missing, unreadable or wrong; the message names file, line and key."""

    title = "Configuration"
    code = "config"
    exit_code = Exit.USAGE


class RefusedError(PilotError):
    """The request was understood and is not allowed, or its targets are not this signer's."""

    title = "Refused"
    code = "refused"
    exit_code = Exit.REFUSED


class SignatureRefusedError(RefusedError):
    """A request failed one of the checks that come before anything in it is looked up."""

    title = "Signature refused"
    code = "signature"


class NoSuchNodeError(RefusedError):
    """No such node, or a node of somebody else: one and the same answer."""

    title = "Unknown node"
    code = "node"


class WireError(PilotError):
    """The peer sent something that is not the protocol."""

    title = "Protocol"
    code = "protocol"
    exit_code = Exit.UNREACHABLE


class UnreachableError(PilotError):
    """The other side cannot be reached, or stopped answering."""

    title = "Unreachable"
    code = "unreachable"
    exit_code = Exit.UNREACHABLE


class IdentityError(PilotError):
    """A key is missing, unusable or not the expected one (the user's own, or the site's)."""

    title = "Identity"
    code = "identity"
    exit_code = Exit.IDENTITY


class BackendError(PilotError):
    """The hypervisor answered with an error."""

    title = "Hypervisor"
    code = "backend"


class VncError(PilotError):
    """A VNC server refused, or sent what is not its protocol or more than a screen needs."""

    title = "Screen"
    code = "vnc"


class CastError(PilotError):
    """A file is no recording of a terminal, or a damaged one."""

    title = "No recording"
    code = "cast"


class DeadlineError(PilotError):
    """The answer did not come in time; whether the act took place is not known."""

    title = "No answer in time"
    code = "deadline"
    exit_code = Exit.UNKNOWN


class NotSeenError(PilotError):
    """What was waited for did not come in time."""

    title = "Not seen"
    code = "notseen"
    exit_code = Exit.UNSEEN


class BusyError(PilotError):
    """An earlier act on the same thing has not ended yet, or a bound is reached."""

    title = "Busy"
    code = "busy"


class StorageError(PilotError):
    """airboss's database cannot be read or written; nothing that needed it was done."""

    title = "Storage"
    code = "storage"
