"""The data types of RFC 4251 section 5, read strictly: what is not canonical is refused.

A lenient reader would let two different byte strings stand for one key or one signature.
"""

from __future__ import annotations

import binascii


class BlobError(ValueError):
    """The bytes are not what the format says; the text says where."""


def string(value: bytes | str) -> bytes:
    """A length-prefixed string; text is written as UTF-8."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(4, "big") + raw


def mpint(value: int) -> bytes:
    """A non-negative multiple precision integer."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


def decode_base64(text: str, what: str) -> bytes:
    """Bytes from base64 in its only canonical form: padded, and nothing beside it.

    Raises:
        BlobError: it is not that.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one; text that is not ASCII gives a plain one
        data = b""
    if not data or binascii.b2a_base64(data, newline=False).decode() != text:
        raise BlobError(f"{what} is not base64")
    return data


class Reader:
    """Reads one blob from its start to its end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether bytes are left."""
        return self._at < len(self._data)

    @property
    def consumed(self) -> bytes:
        """All that was read so far."""
        return self._data[: self._at]

    def raw(self, size: int, what: str) -> bytes:
        """Exactly so many bytes.

        Raises:
            BlobError: fewer are left (so of every other method).
        """
        end = self._at + size
        if end > len(self._data):
            raise BlobError(f"{what} is cut short")
        value = self._data[self._at : end]
        self._at = end
        return value

    def byte(self, what: str) -> int:
        """One byte, as a number."""
        return self.raw(1, what)[0]

    def uint32(self, what: str) -> int:
        """Four bytes, most significant first."""
        return int.from_bytes(self.raw(4, what), "big")

    def uint64(self, what: str) -> int:
        """Eight bytes, most significant first."""
        return int.from_bytes(self.raw(8, what), "big")

    def string(self, what: str) -> bytes:
        """A length-prefixed string."""
        return self.raw(self.uint32(what), what)

    def text(self, what: str) -> str:
        """A string that is UTF-8 without NUL, which tools written in C would take for its end."""
        raw = self.string(what)
        try:
            value = raw.decode()
        except UnicodeDecodeError:
            raise BlobError(f"{what} is not UTF-8") from None
        if "\0" in value:
            raise BlobError(f"{what} has a NUL in it")
        return value

    def mpint(self, what: str) -> int:
        """A positive multiple precision integer in its shortest form."""
        raw = self.string(what)
        if not raw or raw[0] & 0x80 or (raw[0] == 0 and (len(raw) == 1 or not raw[1] & 0x80)):
            raise BlobError(f"{what} is not a positive integer in its shortest form")
        return int.from_bytes(raw, "big")

    def end(self, what: str) -> None:
        """Nothing may follow."""
        if self:
            raise BlobError(f"{len(self._data) - self._at} bytes follow the end of the {what}")
