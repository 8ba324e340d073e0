"""Asking a collector by HTCondor's own library. Runs in the pool's process only: every call may hang.

Its configuration is in the environment (see `process.py`). That of this machine is not read unless the site
says so.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pilot.backends.condor import ads
from pilot.backends.condor.failing import Failure
from pilot.backends.condor.frames import Drain
from pilot.backends.condor.settings import address

_DENIED = ("authenticat", "DENIED", "denied", "not authorized", "SECMAN:2010")
_TAIL = 500
"""Characters of what HTCondor said that are kept."""
_STARTD = ("Name", "Machine", "MyAddress", "Draining")
"""What must be known of a startd to drain it."""
_decode = msgspec.json.Decoder(dict[str, object]).decode

Library = Any
"""htcondor2: it has no types."""


class Query:
    """One collector."""

    def __init__(self, collector: str, token: str, tokens: str, deadline: float) -> None:
        self._collector = collector
        self._token = token
        self._tokens = tokens
        self._deadline = deadline
        self._stamp: tuple[int, ...] = ()
        self._library: Library = None

    def ads(self) -> tuple[Sequence[ads.Row], Sequence[ads.Row], int]:
        """All slots' and all submitters' ads, and how many could not be understood.

        Raises:
            Failure: the collector does not answer as it should.
        """
        htcondor, collector = self._open()
        with _said() as said:
            try:
                kind, dynamic = htcondor.AdType.Startd, 'SlotType =?= "Dynamic"'
                slots = collector.query(kind, f"!({dynamic})", list(ads.SLOT_ATTRIBUTES))
                slot_rows, bad = _rows(slots, frozenset(ads.SLOT_ATTRIBUTES))
                wanted: tuple[str, ...] = ads.DYNAMIC_ATTRIBUTES
                if ads.ambiguous(slot_rows):  # Which of them a dynamic slot is of only its address tells.
                    wanted = (*wanted, "MyAddress")
                parts = collector.query(kind, dynamic, list(wanted))
                submitters = collector.query(htcondor.AdType.Submitter, "true", list(ads.QUEUE_ATTRIBUTES))
            except htcondor.HTCondorException as error:
                raise self._failure(error, said()) from None
        part_rows, bad_parts = _rows(parts, frozenset(wanted))
        for row in part_rows:
            row["SlotType"] = "Dynamic"
        queue_rows, bad_queues = _rows(submitters, frozenset(ads.QUEUE_ATTRIBUTES))
        return [*slot_rows, *part_rows], queue_rows, bad + bad_parts + bad_queues

    def drain(self, asked: Drain) -> str:
        """Drain a machine or take it back; what is to be known besides that it was done.

        Raises:
            Failure: the machine is not in the pool, or its startd did not do it.
        """
        htcondor, collector = self._open()
        host = asked.name.rpartition("@")[2]
        with _said() as said:
            try:
                at_host = f"Machine == {_quoted(host)}"
                found = collector.query(htcondor.AdType.Startd, at_host, list(_STARTD))
                rows, _ = _rows(found, frozenset(_STARTD))
                meant = [
                    (ad, row) for ad, row in zip(found, rows, strict=True)
                    if ads.startd_name(row) == asked.name and ads.ip_address(row) == asked.address
                ]  # fmt: skip
                if not meant:
                    raise Failure("other", f"{asked.name} is not in the pool now")
                startd = htcondor.Startd(meant[0][0])
                drains = any(row.get("Draining") is True for _, row in meant)
                if asked.undo:
                    try:
                        startd.cancelDrainJobs()
                    except htcondor.HTCondorException:
                        if drains or _denied(said()):
                            raise
                    return ""
                if drains:  # HTCondor takes no second request.
                    return ""
                return str(startd.drainJobs(reason=asked.reason))
            except htcondor.HTCondorException as error:
                raise self._failure(error, said()) from None

    def _open(self) -> tuple[Library, Library]:
        self._reach()
        self._take_token()
        if self._library is None:
            try:
                import htcondor2
            except ImportError as error:
                raise Failure("missing", str(error)) from None
            htcondor2.enable_debug()
            self._library = htcondor2
        host, port = address(self._collector)
        name = f"[{host}]" if ":" in host else host
        return self._library, self._library.Collector(f"{name}:{port}{self._rest()}")

    def _rest(self) -> str:
        _, mark, rest = self._collector.partition("?")
        return mark + rest

    def _reach(self) -> None:
        """Connect once by ourselves: HTCondor's library says the same whatever is wrong."""
        host, port = address(self._collector)
        try:
            socket.create_connection((host, port), timeout=self._deadline).close()
        except socket.gaierror as error:
            raise Failure("name", f"{host}: {error.strerror}") from None
        except ConnectionRefusedError as error:
            raise Failure("refused", f"{host} port {port}: {error.strerror}") from None
        except TimeoutError:
            raise Failure(
                "unreachable", f"{host} port {port}: no connection within {self._deadline:g} s"
            ) from None
        except OSError as error:
            raise Failure("unreachable", f"{host} port {port}: {error.strerror or error}") from None

    def _take_token(self) -> None:
        """Put the token where HTCondor looks for it, as the private file that it insists on."""
        if not self._token:
            return
        try:
            status = Path(self._token).stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            text = Path(self._token).read_bytes()[:65536]
        except OSError as error:
            raise Failure("denied", f"{self._token}: {error.strerror or error}") from None
        place = Path(self._tokens) / "pilot"
        place.unlink(missing_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        self._stamp = stamp

    def _failure(self, error: Exception, said: str) -> Failure:
        whole = f"{error} {said}".strip()
        if _denied(said):
            return Failure("denied", whole)
        if "timeout" in said.lower() or "timed out" in said.lower():
            return Failure("silent", whole)
        return Failure("other", whole)


def _denied(said: str) -> bool:
    return any(mark in said for mark in _DENIED)


def _rows(found: list[Any], names: frozenset[str]) -> tuple[list[dict[str, object]], int]:
    """Ads as plain values. What cannot be understood becomes an empty row, so that places stay the same."""
    rows: list[dict[str, object]] = []
    broken = 0
    for ad in found:
        try:
            row = _decode(ad.printJson())
        except (msgspec.DecodeError, UnicodeError):
            broken += 1
            row = {}
        # The collector adds a few of its own; those that are wanted may be spelled in any way.
        rows.append(row if names.issuperset(row) else ads.spelled(row))
    return rows, broken


def _quoted(value: str) -> str:
    return '"' + "".join(f"\\{c}" if c in '"\\' else c for c in value if c.isprintable()) + '"'


@contextlib.contextmanager
def _said() -> Iterator[Any]:
    """What HTCondor's library writes on standard error meanwhile: why, which its exceptions do not tell."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)

        def read() -> str:
            file.seek(0)
            lines = file.read(65536).decode(errors="replace").splitlines()
            # Each begins with date and time.
            return "; ".join(line.split(" ", 2)[-1] for line in lines)[-_TAIL:]

        try:
            yield read
        finally:
            os.dup2(kept, 2)
            os.close(kept)
