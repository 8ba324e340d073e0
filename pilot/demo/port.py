"""A port for a demo's airboss that no other demo of this machine takes meanwhile."""

from __future__ import annotations

import contextlib
import socket

from pilot.errors import BackendError
from pilot.wire import PORT

# All below 32768, from where the kernel gives ports to connections: one that gets the port while airboss is
# started again would keep it out.
_TRIED = 200


class Port:
    """A port and the claim to it, held until `release` or the process's end, also while nobody listens."""

    def __init__(self, number: int, claim: socket.socket | None = None) -> None:
        """A port that somebody chose needs no claim."""
        self.number = number
        self._claim = claim

    @classmethod
    def free(cls, host: str) -> Port:
        """airboss's own, or the next one that nobody has.

        Demos that begin together would all find it free: seconds pass until an airboss listens there. So
        each claims its own by an abstract Unix socket, which the kernel lets go with the process.

        Raises:
            BackendError: there is none.
        """
        for number in range(PORT, PORT + _TRIED):
            claim = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError), socket.socket() as candidate:
                claim.bind(f"\0rocks-pilot-demo-{number}")
                candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                candidate.bind((host, number))
                return cls(number, claim)
            claim.close()
        raise BackendError(f"there is no free port on {host} from {PORT} to {PORT + _TRIED - 1}")

    def release(self) -> None:
        """Let others have it."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None
