"""Seals of a recording: digests of its file's parts, each bound to those before it.

The journal keeps them: whoever changes the file afterwards must change the journal too, whose chain shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO, Literal

import msgspec

BEGAN, SEALED, ENDED, DELETED = "record.began", "record.sealed", "record.ended", "record.deleted"
"""The journal's events of a recording, whose `id` is in their result. A recording that was deleted is not
missing."""
MAX_PART = 16 * 1024 * 1024
"""Bytes of a sealed part; a seal over more is not believed."""
_BLOCK = 64 * 1024

Trouble = Literal["", "missing", "cut", "altered", "longer", "seals"]


class Seal(msgspec.Struct, frozen=True):
    """The file from the end of the seal before it up to `end`."""

    number: int
    """From 1 on."""
    end: int
    """Offset in the file, in bytes."""
    digest: str
    """SHA-256, hex, of the digest before it (32 zero bytes before the first), `end` as 8 bytes big-endian,
    the part's SHA-256, and a byte that is 1 if it is the last."""
    last: bool = False
    """The recording has ended there."""


class Finding(msgspec.Struct, frozen=True):
    """What holding a file against its seals showed."""

    trouble: Trouble
    """Empty if there is none."""
    sealed: int
    """The file is what was sealed up to here."""
    open: int = 0
    """Bytes after it that are not sealed (yet)."""
    words: str = ""


class Sealer:
    """Takes the bytes of a file as they are written."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._chain = bytes(32)
        self._part = hashlib.sha256()
        self._number = 0
        self._sealed = 0
        self._end = 0

    @property
    def open(self) -> int:
        """Bytes that no seal covers."""
        return self._end - self._sealed

    def take(self, data: bytes) -> None:
        """These were written."""
        self._part.update(data)
        self._end += len(data)

    def seal(self, last: bool = False) -> Seal:
        """Seal what was written since the last one."""
        self._chain = _link(self._chain, self._end, self._part.digest(), last)
        self._part = hashlib.sha256()
        self._number += 1
        self._sealed = self._end
        return Seal(self._number, self._end, self._chain.hex(), last)


def ending(seals: Sequence[Seal]) -> Seal:
    """The last seal of a recording that could not be ended in order: there is nothing behind the others."""
    before = seals[-1] if seals else Seal(0, 0, bytes(32).hex())
    digest = _link(bytes.fromhex(before.digest), before.end, hashlib.sha256().digest(), True)
    return Seal(before.number + 1, before.end, digest.hex(), True)


def check(file: BinaryIO | None, seals: Sequence[Seal]) -> Finding:
    """Hold a file against its seals, in memory that does not depend on its size.

    Args:
        file: at its beginning; None if there is none.
        seals: all, in the journal's order. One that is there twice, since the disk answered late, is one.
    """
    if file is None:
        return Finding("missing", 0, words="the file is missing")
    seals = [seal for at, seal in enumerate(seals) if not at or seal != seals[at - 1]]
    chain, at = bytes(32), 0
    for number, seal in enumerate(seals, 1):
        sound = (
            seal.number == number
            and at <= seal.end <= at + MAX_PART
            and (number == 1 or not seals[number - 2].last)
        )
        if not sound:
            return Finding(
                "seals", at, words=f"the journal's seal {number} does not follow the one before it"
            )
        digest, size = _digest(file, seal.end - at)
        if size < seal.end - at:
            return Finding("cut", at, words=f"the file ends at byte {at + size:,}; {seal.end:,} were sealed")
        chain = _link(chain, seal.end, digest, seal.last)
        if chain.hex() != seal.digest:
            return Finding("altered", at, words=f"bytes {at:,} to {seal.end:,} are not what was sealed")
        at = seal.end
    _, rest = _digest(file, MAX_PART)
    if rest and seals and seals[-1].last:
        return Finding("longer", at, rest, f"the recording ended at byte {at:,}; the file goes on")
    if rest == MAX_PART:
        return Finding("longer", at, rest, f"far more follows byte {at:,} than is ever left without a seal")
    return Finding("", at, rest, f"the last {rest:,} bytes are not sealed yet" if rest else "")


def _link(before: bytes, end: int, part: bytes, last: bool) -> bytes:
    # Whether it is the last is part of it: else an end could be made of any seal.
    return hashlib.sha256(before + end.to_bytes(8, "big") + part + (b"\1" if last else b"\0")).digest()


def _digest(file: BinaryIO, size: int) -> tuple[bytes, int]:
    """Of the next bytes, and how many there were."""
    digest, taken = hashlib.sha256(), 0
    while taken < size and (data := file.read(min(_BLOCK, size - taken))):
        digest.update(data)
        taken += len(data)
    return digest.digest(), taken
