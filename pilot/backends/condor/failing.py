"""Why a pool cannot be asked."""

from __future__ import annotations

from pilot.backends.condor.frames import Reason


class Failure(Exception):  # noqa: N818 - a pool fails, airboss does not
    """It did not work; `said` is what the system or HTCondor said."""

    def __init__(self, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.reason = reason
        self.said = said


WORDS: dict[Reason, str] = {
    "name": "the collector's name is not known",
    "unreachable": "the collector cannot be reached",
    "refused": "nothing listens at the collector's port",
    "silent": "the collector accepts connections and does not answer",
    "denied": "the collector does not let airboss read",
    "file": "the file of ads cannot be read",
    "missing": "HTCondor's Python library is not installed with airboss",
    "other": "the collector could not be asked",
}
"""What all are told, who see something of the pool."""
HINTS: dict[Reason, str] = {
    "name": "Look at [[pool]] collector, and at the name service.",
    "unreachable": "Look at the network and its firewalls.",
    "refused": "Is condor_collector running, and at this port?",
    "silent": "condor_collector hangs, or its host does.",
    "denied": "[[pool]] token needs a token with READ that the pool knows, readable by airboss's user.",
    "file": "Is it there, and may airboss's user read it?",
    "missing": "Install `htcondor` beside airboss, or read a file of ads.",
    "other": "airboss asks again by itself.",
}
"""What to do, for the site's people."""
