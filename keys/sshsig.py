"""SSHSIG: signatures over any message by SSH keys (OpenSSH's PROTOCOL.sshsig, version 1).

`ssh-keygen -Y verify` accepts what `make` writes, and `parse` and `check` accept what `ssh-keygen -Y sign`
writes. Stricter than OpenSSH in three ways: a security key must have been touched, the reserved field must be
empty (nothing covers it), and every field must be in its only canonical form.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from keys.blob import BlobError, Reader, decode_base64, string
from keys.certificate import bare_key
from keys.errors import BadKeyError, BadSignatureError
from keys.publickey import (
    SIGNATURE_ALGORITHMS,
    PublicKey,
    SignatureParts,
    parse_public_blob,
    parse_signature,
    verify,
)

if TYPE_CHECKING:
    import asyncssh

__all__ = [
    "ALGORITHMS",
    "BadKeyError",
    "BadSignatureError",
    "Signature",
    "armor",
    "check",
    "dearmor",
    "fingerprint",
    "make",
    "make_with",
    "parse",
]

ALGORITHMS: frozenset[str] = frozenset(name for names in SIGNATURE_ALGORITHMS.values() for name in names)
"""The signature algorithms that are accepted; RSA only from 2048 bits on."""
MAX_SIGNATURE = 64 * 1024
"""Bytes of the longest blob that is read."""

_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"


class MessageSigner(Protocol):
    """What `make_with` needs of a signer; `keys.identity.Signer` is one."""

    @property
    def public_blob(self) -> bytes:
        """The public key, or the certificate that goes with it."""

    async def sign(self, data: bytes) -> bytes:
        """An SSH signature blob over the data, in a form that `parse` accepts."""


class Signature(msgspec.Struct, frozen=True):
    """A signature in good form. Whether it holds is for `check` to say, whose it is for `keys.signers`."""

    public_blob: bytes
    """What stands in the signature: a public key, or a certificate."""
    key_blob: bytes
    """The bare public key: the certified one if a certificate stands there."""
    algorithm: str
    namespace: str
    hash_name: str
    signature_blob: bytes
    key: PublicKey
    parts: SignatureParts


def parse(blob: bytes) -> Signature:
    """Take a raw (not armored) signature apart. Form, allow-list and key size; nothing is computed.

    Raises:
        BadSignatureError: the form is wrong, the key or its algorithm is not accepted, or a security key was
            not touched.
    """
    if len(blob) > MAX_SIGNATURE:
        raise BadSignatureError(f"a signature of {len(blob)} bytes, {MAX_SIGNATURE} are read")
    reader = Reader(blob)
    try:
        if reader.raw(len(_MAGIC), "the preamble") != _MAGIC:
            raise BlobError("it does not begin with SSHSIG")
        version = reader.uint32("the version")
        if version != _VERSION:
            raise BlobError(f"version {version} is not known, only {_VERSION}")
        public_blob = reader.string("the public key")
        namespace = reader.text("the namespace")
        reserved = reader.string("the reserved field")
        hash_name = reader.string("the hash name").decode("ascii", "replace")
        signature_blob = reader.string("the signature")
        reader.end("signature")
        if not namespace:
            raise BlobError("the namespace is empty")
        if reserved:
            raise BlobError("the reserved field is not empty")
        if hash_name not in _HASHES:
            raise BlobError(f"hash {hash_name[:60]!a} is not sha512 or sha256")
        key = bare_key(public_blob)
    except BlobError as error:
        raise BadSignatureError(f"malformed SSH signature: {error}") from None
    except BadKeyError as error:
        raise BadSignatureError(error.message, error.hint) from None
    parts = parse_signature(key, signature_blob)
    return Signature(public_blob, key.blob, parts.algorithm, namespace, hash_name, signature_blob, key, parts)


def check(signature: Signature, message: bytes, namespace: str) -> None:
    """Make sure that the signature holds for exactly this message, in this namespace.

    It says nothing on whether the key may sign, nor on a certificate's own worth: see `keys.signers.accepts`.

    Raises:
        BadSignatureError: it does not.
    """
    if signature.namespace != namespace:
        raise BadSignatureError(
            f"the signature is for namespace {signature.namespace[:80]!a}, not for {namespace!a}"
        )
    try:
        holds = verify(signature.key, signature.parts, _to_be_signed(message, namespace, signature.hash_name))
    except BadKeyError as error:
        raise BadSignatureError(error.message, error.hint) from None
    if not holds:
        raise BadSignatureError("the signature does not match the message and the key")


def make(key: asyncssh.SSHKey, message: bytes, namespace: str) -> bytes:
    """Sign with a private key at hand, such as the host key. Gives the raw blob; the hash is SHA-512.

    Raises:
        BadKeyError: a key of this type or size is not accepted by `parse` either.
    """
    _require_namespace(namespace)
    public = parse_public_blob(key.public_data)
    algorithm = SIGNATURE_ALGORITHMS[public.type][0]
    signature = key.sign(_to_be_signed(message, namespace, "sha512"), algorithm.encode())
    return _assemble(key.public_data, namespace, signature)


async def make_with(signer: MessageSigner, message: bytes, namespace: str) -> bytes:
    """Sign with one of the user's identities. Gives the raw blob; the hash is SHA-512.

    Raises:
        KeysError: whatever the signer raises; it has looked at what its agent or token gave.
    """
    _require_namespace(namespace)
    signature = await signer.sign(_to_be_signed(message, namespace, "sha512"))
    return _assemble(signer.public_blob, namespace, signature)


def armor(blob: bytes) -> str:
    """The blob as text between BEGIN and END lines, as `ssh-keygen -Y sign` writes it."""
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def dearmor(text: str) -> bytes:
    """The blob from such text.

    Raises:
        BadSignatureError: it is not such text.
    """
    lines = text.strip().splitlines()
    if len(lines) < 3 or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:
        raise BadSignatureError(f"not an armored SSH signature: it goes from {_BEGIN} to {_END}")
    try:
        return decode_base64("".join(line.strip() for line in lines[1:-1]), "the armored SSH signature")
    except BlobError as error:
        raise BadSignatureError(str(error)) from None


def fingerprint(key_blob: bytes) -> str:
    """`SHA256:` and the digest of a public key, as ssh prints it; for a certificate that of its key."""
    with contextlib.suppress(BadKeyError):  # Keys that are not accepted have a fingerprint, too.
        key_blob = bare_key(key_blob).blob
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_blob).digest()).decode().rstrip("=")


def _require_namespace(namespace: str) -> None:
    if not namespace or "\0" in namespace:
        raise ValueError("an SSH signature needs a namespace that is not empty")


def _to_be_signed(message: bytes, namespace: str, hash_name: str) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return b"".join((_MAGIC, string(namespace), string(b""), string(hash_name), string(digest)))


def _assemble(public_blob: bytes, namespace: str, signature: bytes) -> bytes:
    version = _VERSION.to_bytes(4, "big")
    fields = (public_blob, namespace, b"", "sha512", signature)
    return b"".join((_MAGIC, version, *(string(field) for field in fields)))
