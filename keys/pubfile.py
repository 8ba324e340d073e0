"""Public keys as text: the lines of .pub files and of lists of keys."""

from __future__ import annotations

import base64

from keys.blob import BlobError, Reader, decode_base64
from keys.certificate import CERTIFICATE_TYPES
from keys.errors import BadKeyError
from keys.publickey import SIGNATURE_ALGORITHMS, parse_public_blob, require_sound

KEY_TYPES = frozenset(SIGNATURE_ALGORITHMS)
_MAX_LINE = 64 * 1024


def decode_key(kind: str, encoded: str) -> bytes:
    """The blob of `TYPE BASE64`, which must say the same type inside.

    Raises:
        BadKeyError: it does not, or is not base64. The type itself is not judged.
    """
    try:
        blob = decode_base64(encoded, "the key")
        inner = Reader(blob).string("the key's type")
    except BlobError as error:
        raise BadKeyError(
            f"malformed public key: {error}", "Was the line cut or wrapped when it was copied?"
        ) from None
    if inner != kind.encode("utf-8", "replace"):
        raise BadKeyError(f"the line says {kind[:60]!a}, its key says {inner[:60]!a}")
    return blob


def parse_public_key(text: str) -> tuple[bytes, str]:
    """Blob and comment of what a .pub file holds: one line.

    Raises:
        BadKeyError: it is something else (a private key, several lines), of a type not accepted, or weak.
    """
    refuse_private(text)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) != 1:
        raise BadKeyError(
            "there is no public key in it"
            if not lines
            else f"one public key expected, {len(lines)} lines given",
            "A public key is one line such as: ssh-ed25519 AAAA… you@example.org",
        )
    words = lines[0].split(None, 2)
    if len(words) < 2 or len(lines[0]) > _MAX_LINE:
        raise BadKeyError(
            f"not a public key: {lines[0][:40]!a}",
            "It is one line such as: ssh-ed25519 AAAA… you@example.org",
        )
    kind, encoded = words[0], words[1]
    if kind in CERTIFICATE_TYPES:
        raise BadKeyError(
            "a certificate is not a public key",
            "Give the plain .pub beside it, or the public key of the authority that signed it.",
        )
    if kind not in KEY_TYPES:
        raise BadKeyError(
            f"{kind[:60]!a} is not a type of key that is accepted",
            f"Accepted: {', '.join(sorted(KEY_TYPES))}.",
        )
    blob = decode_key(kind, encoded)
    require_sound(parse_public_blob(blob))
    comment = " ".join(words[2].split()) if len(words) > 2 else ""
    if not comment.isprintable():
        raise BadKeyError("the key's comment has control characters in it")
    return blob, comment


def format_public_key(key_blob: bytes, comment: str = "") -> str:
    """The line of a .pub file, without its end.

    Raises:
        BadKeyError: the blob does not begin with its type.
    """
    try:
        kind = Reader(key_blob).string("the key's type").decode("ascii", "replace")
    except BlobError as error:
        raise BadKeyError(f"malformed public key: {error}") from None
    return " ".join(filter(None, (kind, base64.b64encode(key_blob).decode(), comment)))


def refuse_private(text: str) -> None:
    """Stop if a private key was given where a public one is wanted.

    Raises:
        BadKeyError: it was. Nothing of the key is in the message.
    """
    if "PRIVATE KEY-----" in text or text.lstrip().startswith("PuTTY-User-Key-File"):
        raise BadKeyError(
            "this is a private key: it must stay with its owner",
            "Give the public half: the file of the same name with .pub, or `ssh-keygen -y -f FILE`. "
            "If this key was sent to anybody, replace it.",
        )
    if text.lstrip().startswith("---- BEGIN SSH2 PUBLIC KEY"):
        raise BadKeyError("this public key is in RFC 4716 format", "Convert it: ssh-keygen -i -f FILE")
