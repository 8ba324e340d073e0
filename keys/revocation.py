"""Keys and certificates that hold no more: OpenSSH key revocation lists, or plain lists of public keys.

Reads what `ssh-keygen -k` writes (PROTOCOL.krl) and what `ssh-keygen -Y verify -r` takes, and decides as they
do. What cannot be understood is refused as a whole: a list that is read in part would let revoked keys in.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from pathlib import Path

import msgspec

from keys.blob import BlobError, Reader
from keys.certificate import CERTIFICATE_TYPES, Certificate, is_certificate, parse_certificate
from keys.errors import BadKeyError
from keys.pubfile import decode_key, refuse_private
from keys.publickey import parse_public_blob

__all__ = ["BadKeyError", "Revoked"]

MAX_FILE = 64 * 1024 * 1024
"""Bytes of the longest list that is read."""

_MAGIC = b"SSHKRL\n\0"
_VERSION = 1
_CERTIFICATES, _KEYS, _SHA1, _SIGNATURE, _SHA256, _EXTENSION = 1, 2, 3, 4, 5, 255
_SERIALS, _RANGE, _BITMAP, _KEY_IDS, _CERT_EXTENSION = 0x20, 0x21, 0x22, 0x23, 0x39


class _Serials:
    """Serials and ranges of serials, as sorted ranges that do not overlap."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        merged: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self._ranges = merged

    def __contains__(self, serial: int) -> bool:
        at = bisect_right(self._ranges, serial, key=lambda entry: entry[0])
        return at > 0 and serial <= self._ranges[at - 1][1]


class _ByAuthority(msgspec.Struct, frozen=True):
    """What is revoked of one authority's certificates."""

    authority: bytes
    """Its bare key; empty for certificates of any authority."""
    serials: _Serials
    bitmaps: tuple[tuple[int, int], ...]
    """The first serial, and a number whose bits say which serials from there on are revoked."""
    key_ids: frozenset[str]

    def reason(self, certificate: Certificate) -> str | None:
        if certificate.key_id in self.key_ids:
            return f"the certificate's key id {certificate.key_id[:80]!a} is revoked"
        # An authority that numbers nothing gives every certificate the serial 0: it names none of them.
        serial = certificate.serial
        if serial and (
            serial in self.serials
            or any(
                0 <= serial - first < bits.bit_length() and bits >> (serial - first) & 1
                for first, bits in self.bitmaps
            )
        ):
            return f"the certificate's serial {serial} is revoked"
        return None


class Revoked:
    """What is revoked, as one file says it. Without arguments: nothing is."""

    def __init__(
        self,
        keys: frozenset[bytes] = frozenset(),
        sha1: frozenset[bytes] = frozenset(),
        sha256: frozenset[bytes] = frozenset(),
        certificates: tuple[_ByAuthority, ...] = (),
    ) -> None:
        self._keys = keys
        self._sha1 = sha1
        self._sha256 = sha256
        self._certificates = certificates

    @classmethod
    def load(cls, path: Path) -> Revoked:
        """Read a file of either kind.

        Raises:
            BadKeyError: it cannot be read or understood; the message names it.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise BadKeyError(
                f"{path}: {error.strerror}", "Nobody is let in on a revocation list that cannot be read."
            ) from None
        if len(data) > MAX_FILE:
            raise BadKeyError(f"{path} is longer than {MAX_FILE} bytes")
        try:
            return cls.parse(data)
        except BadKeyError as error:
            raise BadKeyError(f"{path}: {error.message}", error.hint) from None

    @classmethod
    def parse(cls, data: bytes) -> Revoked:
        """A revocation list from the bytes of a file of either kind.

        Raises:
            BadKeyError: it cannot be understood, wholly.
        """
        if not data.startswith(_MAGIC):
            return cls(keys=_text_list(data))
        try:
            return cls._krl(Reader(data[len(_MAGIC) :]))
        except BlobError as error:
            raise BadKeyError(
                f"malformed key revocation list: {error}",
                "Was it written whole? See ssh-keygen -Q -l -f FILE",
            ) from None

    @classmethod
    def _krl(cls, reader: Reader) -> Revoked:
        version = reader.uint32("the format version")
        if version != _VERSION:
            raise BlobError(f"format version {version} is not known, only {_VERSION}")
        reader.raw(24, "the list's version, date and flags")
        reader.string("the reserved field")
        reader.string("the comment")
        sets: dict[int, set[bytes]] = {_KEYS: set(), _SHA1: set(), _SHA256: set()}
        certificates = []
        while reader:
            section = reader.byte("a section's type")
            if section == _SIGNATURE:
                raise BlobError("it is signed, and such signatures are not understood")
            content = Reader(reader.string("a section"))
            if section == _CERTIFICATES:
                certificates.append(_certificate_section(content))
            elif section == _EXTENSION:
                _extension(content)
            elif section in sets:
                while content:
                    sets[section].add(content.string("a key or fingerprint"))
            else:
                raise BlobError(f"section {section} is not known")
        return cls(
            frozenset(sets[_KEYS]), frozenset(sets[_SHA1]), frozenset(sets[_SHA256]), tuple(certificates)
        )

    def reason(self, public_blob: bytes) -> str | None:
        """Why a key or certificate holds no more, in words for a log; None if it does.

        A certificate holds no more, either, if its key or its authority does not.

        Raises:
            BadKeyError: it is not a key or certificate that is accepted anywhere.
        """
        if not is_certificate(public_blob):
            parse_public_blob(public_blob)
            return "the key is revoked" if self._lists(public_blob) else None
        certificate = parse_certificate(public_blob)
        if self._lists(certificate.key.blob):
            return "the certificate's key is revoked"
        if self._lists(certificate.authority.blob):
            return "the certificate's authority is revoked"
        for entry in self._certificates:
            if entry.authority in (b"", certificate.authority.blob):
                reason = entry.reason(certificate)
                if reason is not None:
                    return reason
        return None

    def _lists(self, key_blob: bytes) -> bool:
        return (
            key_blob in self._keys
            or (bool(self._sha256) and hashlib.sha256(key_blob).digest() in self._sha256)
            or (
                bool(self._sha1)
                and hashlib.sha1(key_blob, usedforsecurity=False).digest() in self._sha1  # the format's own
            )
        )


def _certificate_section(reader: Reader) -> _ByAuthority:
    authority = reader.string("the authority's key")
    reader.string("the reserved field")
    ranges: list[tuple[int, int]] = []
    bitmaps = []
    key_ids = set()
    while reader:
        kind = reader.byte("a certificate section's type")
        content = Reader(reader.string("a certificate section"))
        if kind == _SERIALS:
            while content:
                serial = content.uint64("a serial")
                ranges.append((serial, serial))
        elif kind == _RANGE:
            low, high = content.uint64("the first serial"), content.uint64("the last serial")
            if low > high:
                raise BlobError("a range of serials ends before it begins")
            ranges.append((low, high))
            content.end("range of serials")
        elif kind == _BITMAP:
            first, bits = content.uint64("the first serial"), content.mpint("the bitmap")
            bitmaps.append((first, bits))
            content.end("bitmap of serials")
        elif kind == _KEY_IDS:
            while content:
                key_ids.add(content.text("a key id"))
        elif kind == _CERT_EXTENSION:
            _extension(content)
        else:
            raise BlobError(f"certificate section {kind:#x} is not known")
    return _ByAuthority(authority, _Serials(ranges), tuple(bitmaps), frozenset(key_ids))


def _extension(reader: Reader) -> None:
    name = reader.text("an extension's name")
    critical = reader.byte("whether it is critical")
    reader.string("the extension")
    reader.end("extension")
    if critical:
        raise BlobError(f"critical extension {name[:60]!a} is not known")


def _text_list(data: bytes) -> frozenset[bytes]:
    """Bare keys of a text with one public key (or certificate, which stands for its key) a line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadKeyError("neither a key revocation list nor text") from None
    refuse_private(text)
    found = set()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        try:
            if len(words) < 2:
                raise BadKeyError("not a public key")
            blob = decode_key(words[0], words[1])
            found.add(parse_certificate(blob).key.blob if words[0] in CERTIFICATE_TYPES else blob)
        except BadKeyError as error:
            raise BadKeyError(
                f"line {number}: {error.message}", "One line for each key: TYPE BASE64 COMMENT; or a KRL."
            ) from None
    return frozenset(found)
