"""Host keys of serial console endpoints: AWS's published ones, else the one that answered first."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

_FILE = "ec2-serial-hosts.json"


class Pins:
    """Fingerprints by host:port, kept in airboss's state folder."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / _FILE
        self._pinned: dict[str, str] | None = None

    def check(self, place: str, fingerprint: str, published: str) -> bool:
        """Whether a host key may be trusted; one of an endpoint that is not known yet is pinned.

        Args:
            place: host:port.
            fingerprint: of the key that answers there, as `SHA256:…`.
            published: what it must be; empty if nothing is published.
        """
        if published:
            return fingerprint == published
        pinned = self._all()
        if place in pinned:
            return pinned[place] == fingerprint
        pinned[place] = fingerprint
        if self._path is not None:
            with contextlib.suppress(OSError):
                new = self._path.with_suffix(".new")
                new.write_bytes(msgspec.json.encode(pinned))
                new.replace(self._path)
        return True

    def _all(self) -> dict[str, str]:
        if self._pinned is None:
            self._pinned = {}
            if self._path is not None:
                with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
                    self._pinned = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        return self._pinned
