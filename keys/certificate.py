"""OpenSSH certificates (PROTOCOL.certkeys): a public key, and what an authority says about it."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from keys.blob import BlobError, Reader
from keys.errors import BadKeyError, BadSignatureError
from keys.publickey import (
    SIGNATURE_ALGORITHMS,
    PublicKey,
    parse_public_blob,
    parse_signature,
    read_public_key,
    verify,
)

_SUFFIX = "-cert-v01@openssh.com"
CERTIFICATE_TYPES = {kind.removesuffix("@openssh.com") + _SUFFIX: kind for kind in SIGNATURE_ALGORITHMS}
"""Type of certificate to the type of key it certifies."""
USER = 1
HOST = 2
MAX_CERTIFICATE = 32 * 1024
"""Bytes of the longest certificate that is read; OpenSSH's own allow 256 principals."""


class Certificate(msgspec.Struct, frozen=True):
    """A certificate's fields. Nothing in it is true before `signed_by_its_authority`."""

    type: str
    blob: bytes
    key: PublicKey
    serial: int
    kind: int
    """USER or HOST."""
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    """Seconds since the epoch; valid at `valid_after`, no longer at `valid_before`."""
    critical_options: tuple[str, ...]
    extensions: tuple[str, ...]
    authority: PublicKey
    signed: bytes
    """The part that the authority signed."""
    signature: bytes


def is_certificate(blob: bytes) -> bool:
    """Whether a public blob says that it is a certificate."""
    try:
        return Reader(blob).string("the key's type").endswith(_SUFFIX.encode())
    except BlobError:
        return False


@lru_cache(maxsize=256)
def parse_certificate(blob: bytes) -> Certificate:
    """A certificate from its blob. Its signature is not checked yet.

    Raises:
        BadKeyError: it is not a certificate, or its key or authority is of a type that is not accepted.
    """
    if len(blob) > MAX_CERTIFICATE:
        raise BadKeyError(f"a certificate of {len(blob)} bytes, {MAX_CERTIFICATE} are read")
    reader = Reader(blob)
    try:
        name = reader.string("the certificate's type").decode("ascii", "replace")
        if name not in CERTIFICATE_TYPES:
            raise BadKeyError(f"certificates of type {name[:60]!a} are not accepted")
        reader.string("the nonce")
        key = read_public_key(reader, CERTIFICATE_TYPES[name])
        serial, kind = reader.uint64("the serial"), reader.uint32("the certificate's kind")
        key_id = reader.text("the key id")
        principals = _texts(reader.string("the principals"))
        valid_after, valid_before = reader.uint64("valid after"), reader.uint64("valid before")
        critical = _options(reader.string("the critical options"))
        extensions = _options(reader.string("the extensions"))
        reader.string("the reserved field")
        authority = parse_public_blob(reader.string("the authority's key"))
        signed = reader.consumed
        signature = reader.string("the signature")
        reader.end("certificate")
    except BlobError as error:
        raise BadKeyError(f"malformed certificate: {error}") from None
    return Certificate(
        name,
        blob,
        key,
        serial,
        kind,
        key_id,
        principals,
        valid_after,
        valid_before,
        critical,
        extensions,
        authority,
        signed,
        signature,
    )


def bare_key(public_blob: bytes) -> PublicKey:
    """The key itself, of a public key or of a certificate.

    Raises:
        BadKeyError: it is neither, or not accepted.
    """
    if is_certificate(public_blob):
        return parse_certificate(public_blob).key
    return parse_public_blob(public_blob)


@lru_cache(maxsize=256)
def signed_by_its_authority(certificate: Certificate) -> bool:
    """Whether the authority's signature holds, with the same allow-list as every other signature."""
    try:
        parts = parse_signature(certificate.authority, certificate.signature)
        return verify(certificate.authority, parts, certificate.signed)
    except (BadSignatureError, BadKeyError):
        return False


def _texts(packed: bytes) -> tuple[str, ...]:
    reader = Reader(packed)
    found = []
    while reader:
        found.append(reader.text("a principal"))
    return tuple(found)


def _options(packed: bytes) -> tuple[str, ...]:
    """The names of options, each of which may stand once."""
    reader = Reader(packed)
    found: list[str] = []
    while reader:
        name = reader.text("an option")
        reader.string("an option's value")
        if name in found:
            raise BlobError(f"option {name[:60]!a} stands twice")
        found.append(name)
    return tuple(found)
