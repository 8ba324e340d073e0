"""Public keys as SSH writes them (RFC 4253, 5656, 8332, 8709; PROTOCOL.u2f), and what a signature by one is.

Parsing is strict and needs no cryptography; only `verify` computes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import sha256

import msgspec

from keys.blob import BlobError, Reader, string
from keys.errors import BadKeyError, BadSignatureError

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16384
"""OpenSSH's own bound; also keeps the work that a hostile key can cause small."""
MAX_RSA_EXPONENT_BITS = 64
"""OpenSSL's bound for large moduli."""
USER_PRESENT = 0x01
"""Flag of a security key: it was touched for this signature."""

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
CURVES = {
    "ecdsa-sha2-nistp256": ("nistp256", 32),
    "ecdsa-sha2-nistp384": ("nistp384", 48),
    "ecdsa-sha2-nistp521": ("nistp521", 66),
}
"""Type of key to the curve's name and the octets of one coordinate."""

SIGNATURE_ALGORITHMS: dict[str, tuple[str, ...]] = {
    ED25519: (ED25519,),
    **{curve: (curve,) for curve in CURVES},
    RSA: ("rsa-sha2-512", "rsa-sha2-256"),
    SK_ED25519: (SK_ED25519,),
    SK_ECDSA: (SK_ECDSA,),
}
"""Type of key to the algorithms it may sign with, best first. What is not here is not accepted anywhere."""


class PublicKey(msgspec.Struct, frozen=True):
    """A bare public key, as far as it can be told without cryptography."""

    type: str
    blob: bytes
    point: bytes = b""
    """The encoded point of an elliptic curve key."""
    n: int = 0
    e: int = 0
    application: bytes = b""
    """What a security key's signatures are bound to, usually `ssh:`."""

    @property
    def is_security_key(self) -> bool:
        """Whether it lives in a FIDO token."""
        return self.type in (SK_ED25519, SK_ECDSA)


def read_public_key(reader: Reader, kind: str) -> PublicKey:
    """A key of this type from the fields that follow the type in a key, and the nonce in a certificate.

    Raises:
        BlobError: they do not have the form of this type.
        BadKeyError: the type is not accepted, or the key is weak.
    """
    if kind not in SIGNATURE_ALGORITHMS:
        raise BadKeyError(f"keys of type {kind[:60]!a} are not accepted", _OTHER_TYPE)
    start = len(reader.consumed)
    n = e = 0
    point = application = b""
    if kind == RSA:
        e, n = reader.mpint("the RSA exponent"), reader.mpint("the RSA modulus")
        bits = n.bit_length()
        if bits < MIN_RSA_BITS:
            raise BadKeyError(f"an RSA key of {bits} bits is too weak", _OTHER_TYPE)
        if bits > MAX_RSA_BITS or not e & 1 or e < 3 or e.bit_length() > MAX_RSA_EXPONENT_BITS or not n & 1:
            raise BlobError("the RSA modulus or exponent is out of range")
    elif kind in (ED25519, SK_ED25519):
        point = _sized(reader, 32)
    else:
        curve, size = CURVES.get(kind, ("nistp256", 32))
        if reader.string("the curve") != curve.encode():
            raise BlobError(f"the curve is not {curve}")
        point = _sized(reader, 1 + 2 * size)
        if point[0] != 4:
            raise BlobError("the point is not in uncompressed form")
    if kind in (SK_ED25519, SK_ECDSA):
        application = reader.string("the application")
    blob = string(kind) + reader.consumed[start:]
    return PublicKey(kind, blob, point, n, e, application)


@lru_cache(maxsize=256)
def parse_public_blob(blob: bytes) -> PublicKey:
    """A bare public key from its blob.

    Raises:
        BadKeyError: it is not a public key, of a type that is not accepted, or too weak.
    """
    reader = Reader(blob)
    try:
        key = read_public_key(reader, reader.string("the key's type").decode("ascii", "replace"))
        reader.end("key")
    except BlobError as error:
        raise BadKeyError(f"malformed public key: {error}") from None
    return key


class SignatureParts(msgspec.Struct, frozen=True):
    """A signature blob taken apart."""

    algorithm: str
    value: bytes
    """As the verification takes it: raw, or r and s as DER for the NIST curves."""
    flags: int = 0
    counter: int = 0


def parse_signature(key: PublicKey, blob: bytes) -> SignatureParts:
    """An SSH signature blob that may be by this key: form and algorithm are checked, nothing is computed.

    Raises:
        BadSignatureError: the form is wrong, the algorithm not this key's or not allowed, or a security key
            was not touched.
    """
    reader = Reader(blob)
    try:
        algorithm = reader.string("the signature's algorithm").decode("ascii", "replace")
        if algorithm not in SIGNATURE_ALGORITHMS[key.type]:
            raise BadSignatureError(
                f"signature algorithm {algorithm[:60]!a} is not allowed for a key of type {key.type}",
                "RSA keys sign with rsa-sha2-512 or rsa-sha2-256." if key.type == RSA else "",
            )
        value = reader.string("the signature")
        flags = counter = 0
        if key.is_security_key:
            flags, counter = reader.byte("the flags"), reader.uint32("the counter")
        reader.end("signature")
        if key.type in (ED25519, SK_ED25519):
            if len(value) != 64:
                raise BlobError("an Ed25519 signature has 64 bytes")
        elif key.type == RSA:
            if len(value) != (key.n.bit_length() + 7) // 8:
                raise BlobError("an RSA signature is as long as the modulus")
        else:
            value = _ecdsa_der(value, CURVES.get(key.type, ("", 32))[1])
    except BlobError as error:
        raise BadSignatureError(f"malformed signature: {error}") from None
    if key.is_security_key and not flags & USER_PRESENT:
        raise BadSignatureError(
            "the security key signed without being touched",
            "Use a key that requires touch (ssh-keygen makes such keys unless told no-touch-required).",
        )
    return SignatureParts(algorithm, value, flags, counter)


def verify(key: PublicKey, signature: SignatureParts, data: bytes) -> bool:
    """Whether the signature over exactly these bytes is by this key.

    Raises:
        BadKeyError: the key's numbers are no key, such as a point that is not on its curve.
    """
    if key.is_security_key:
        # PROTOCOL.u2f: the token hashes the application and the message by itself.
        flags = bytes((signature.flags,)) + signature.counter.to_bytes(4, "big")
        data = sha256(key.application).digest() + flags + sha256(data).digest()
    return _verifier(key.blob, signature.algorithm)(signature.value, data)


def require_sound(key: PublicKey) -> None:
    """Make sure that the key's numbers are a key.

    Raises:
        BadKeyError: they are not.
    """
    _verifier(key.blob, SIGNATURE_ALGORITHMS[key.type][0])


@lru_cache(maxsize=256)
def _verifier(blob: bytes, algorithm: str) -> Callable[[bytes, bytes], bool]:
    """What checks (signature, data) for a key; kept, since loading a key costs more than a check."""
    # Imported here: a program that only reads lines and lists of keys does not pay for it.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    key = parse_public_blob(blob)
    check: Callable[[bytes, bytes], None]
    try:
        if key.type in (ED25519, SK_ED25519):
            check = ed25519.Ed25519PublicKey.from_public_bytes(key.point).verify
        elif key.type == RSA:
            check = partial(
                rsa.RSAPublicNumbers(key.e, key.n).public_key().verify,
                padding=padding.PKCS1v15(),
                algorithm=hashes.SHA512() if algorithm == "rsa-sha2-512" else hashes.SHA256(),
            )
        else:
            curves: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
                "ecdsa-sha2-nistp384": (ec.SECP384R1(), hashes.SHA384()),
                "ecdsa-sha2-nistp521": (ec.SECP521R1(), hashes.SHA512()),
            }
            curve, hashed = curves.get(key.type, (ec.SECP256R1(), hashes.SHA256()))
            ec_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.point)
            check = partial(ec_key.verify, signature_algorithm=ec.ECDSA(hashed))
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyError("malformed public key: its numbers are no valid key") from None

    def holds(signature: bytes, data: bytes) -> bool:
        try:
            check(signature, data)
        except InvalidSignature:
            return False
        return True

    return holds


_OTHER_TYPE = "Use Ed25519 (ssh-keygen -t ed25519), ECDSA, a FIDO key, or RSA of 2048 bits or more."


def _sized(reader: Reader, size: int) -> bytes:
    value = reader.string("the public key")
    if len(value) != size:
        raise BlobError(f"the public key has {len(value)} bytes, not {size}")
    return value


def _ecdsa_der(value: bytes, size: int) -> bytes:
    """r and s as SSH writes them, as DER."""
    reader = Reader(value)
    r, s = reader.string("r"), reader.string("s")
    reader.end("pair of r and s")
    for name, number in (("r", r), ("s", s)):
        Reader(len(number).to_bytes(4, "big") + number).mpint(name)
        if len(number) > size + 1:
            raise BlobError(f"{name} is longer than the curve's order")
    body = b"".join(b"\x02" + bytes((len(number),)) + number for number in (r, s))
    # The longest is 2 * (2 + 67) = 138 bytes: one octet of length after 0x81 is always enough.
    length = bytes((len(body),)) if len(body) < 0x80 else bytes((0x81, len(body)))
    return b"\x30" + length + body
