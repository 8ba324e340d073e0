"""SSHSIG both ways against ssh-keygen, and everything that must be refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import sshsig
from keys.blob import Reader, mpint, string
from keys.errors import BadKeyError, BadSignatureError
from tests.keys.tools import (
    MESSAGE,
    NAMESPACE,
    Ring,
    SoftToken,
    assemble,
    certificate_blob,
    keygen,
    run,
    sign_with_ssh_keygen,
    to_be_signed,
    verify_with_ssh_keygen,
)

KEYS = ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072")
TOKENS = ("sk-ed25519", "sk-ecdsa")


def private(ring: Ring, name: str) -> asyncssh.SSHKey:
    return asyncssh.read_private_key(ring.path(name))


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("hashed", ["sha512", "sha256"])
def test_what_ssh_keygen_signs_is_accepted(ring: Ring, name: str, hashed: str) -> None:
    armored = sign_with_ssh_keygen(ring.path(name), MESSAGE, "-O", f"hashalg={hashed}")
    signature = sshsig.parse(sshsig.dearmor(armored))
    sshsig.check(signature, MESSAGE, NAMESPACE)
    assert signature.public_blob == signature.key_blob == ring.blob(name)
    assert signature.hash_name == hashed
    assert signature.algorithm in sshsig.ALGORITHMS
    assert sshsig.armor(sshsig.dearmor(armored)) == armored


@pytest.mark.parametrize("name", KEYS)
def test_ssh_keygen_accepts_what_is_made(ring: Ring, tmp_path: Path, name: str) -> None:
    blob = sshsig.make(private(ring, name), MESSAGE, NAMESPACE)
    sshsig.check(sshsig.parse(blob), MESSAGE, NAMESPACE)
    signers = [f"alice {ring.line(name)}"]
    assert verify_with_ssh_keygen(tmp_path, sshsig.armor(blob), MESSAGE, signers)
    assert not verify_with_ssh_keygen(tmp_path, sshsig.armor(blob), MESSAGE + b"!", signers)
    assert not verify_with_ssh_keygen(tmp_path, sshsig.armor(blob), MESSAGE, signers, namespace="other")


@pytest.mark.parametrize("name", KEYS)
def test_a_certificate_stands_for_its_key(ring: Ring, tmp_path: Path, name: str) -> None:
    path = ring.certify(tmp_path, name, "ed25519.ca")
    signature = sshsig.parse(
        sshsig.dearmor(sign_with_ssh_keygen(Path(f"{path}-cert.pub"), MESSAGE)),
    )
    sshsig.check(signature, MESSAGE, NAMESPACE)
    assert signature.public_blob == certificate_blob(path)
    assert signature.key_blob == ring.blob(name)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("flags", [0x01, 0x05])
def test_a_touched_security_key_is_accepted(kind: str, flags: int, tmp_path: Path) -> None:
    token = SoftToken(kind)
    blob = token.sshsig(MESSAGE, flags)
    signature = sshsig.parse(blob)
    sshsig.check(signature, MESSAGE, NAMESPACE)
    assert signature.parts.flags == flags
    assert signature.parts.counter == 7
    assert verify_with_ssh_keygen(tmp_path, sshsig.armor(blob), MESSAGE, [f"alice {token.line}"])
    with pytest.raises(BadSignatureError, match="does not match"):
        sshsig.check(signature, MESSAGE + b"!", NAMESPACE)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("flags", [0x00, 0x04, 0x80])
def test_an_untouched_security_key_is_refused(kind: str, flags: int) -> None:
    with pytest.raises(BadSignatureError, match="without being touched"):
        sshsig.parse(SoftToken(kind).sshsig(MESSAGE, flags))


@pytest.mark.parametrize("kind", TOKENS)
def test_the_touch_flag_cannot_be_added_afterwards(kind: str) -> None:
    blob = bytearray(SoftToken(kind).sshsig(MESSAGE, 0x04))
    blob[-5] |= 0x01
    with pytest.raises(BadSignatureError, match="does not match"):
        sshsig.check(sshsig.parse(bytes(blob)), MESSAGE, NAMESPACE)


@pytest.mark.parametrize("kind", TOKENS)
def test_a_security_key_may_be_certified(ring: Ring, tmp_path: Path, kind: str) -> None:
    token = SoftToken(kind)
    (tmp_path / "token.pub").write_text(token.line + "\n")
    keygen("-q", "-s", ring.path("ed25519.ca"), "-I", "id", "-n", "alice", tmp_path / "token.pub")
    certificate = certificate_blob(tmp_path / "token")
    signature = sshsig.parse(token.sshsig(MESSAGE, 0x01, certificate))
    sshsig.check(signature, MESSAGE, NAMESPACE)
    assert signature.key_blob == token.public_blob


def test_a_token_of_another_application_is_another_key() -> None:
    token = SoftToken("sk-ed25519")
    elsewhere = token.public_blob[: -len(string("ssh:"))] + string("ssh:elsewhere")
    signature = sshsig.parse(token.sshsig(MESSAGE, 0x01, elsewhere))
    with pytest.raises(BadSignatureError, match="does not match"):
        sshsig.check(signature, MESSAGE, NAMESPACE)


def test_webauthn_signatures_are_refused() -> None:
    token = SoftToken("sk-ecdsa")
    blob = token.sign(to_be_signed(MESSAGE), 0x01).replace(
        string(token.algorithm), string(f"webauthn-{token.algorithm}"), 1
    )
    with pytest.raises(BadSignatureError, match="not allowed"):
        sshsig.parse(assemble(token.public_blob, blob))


def test_sha1_signatures_are_refused(ring: Ring) -> None:
    key = private(ring, "rsa-2048")
    sha1 = key.sign(to_be_signed(MESSAGE), b"ssh-rsa")
    assert key.convert_to_public().verify(to_be_signed(MESSAGE), sha1), "asyncssh alone would accept it"
    with pytest.raises(BadSignatureError, match="'ssh-rsa' is not allowed"):
        sshsig.parse(assemble(key.public_data, sha1))


def test_rsa_with_sha256_is_accepted(ring: Ring) -> None:
    key = private(ring, "rsa-2048")
    blob = assemble(key.public_data, key.sign(to_be_signed(MESSAGE), b"rsa-sha2-256"))
    sshsig.check(sshsig.parse(blob), MESSAGE, NAMESPACE)


@pytest.mark.parametrize("name", ["rsa-1024", "dsa"])
def test_weak_keys_are_refused(ring: Ring, name: str) -> None:
    key = private(ring, name)
    algorithm = b"rsa-sha2-512" if name.startswith("rsa") else b"ssh-dss"
    with pytest.raises(BadSignatureError, match=r"1024 bits is too weak|'ssh-dss' are not accepted"):
        sshsig.parse(assemble(key.public_data, key.sign(to_be_signed(MESSAGE), algorithm)))
    with pytest.raises(BadKeyError):
        sshsig.make(key, MESSAGE, NAMESPACE)


def test_a_key_does_not_sign_with_the_algorithm_of_another(ring: Ring) -> None:
    signed = private(ring, "ecdsa-256").sign(to_be_signed(MESSAGE), b"ecdsa-sha2-nistp256")
    with pytest.raises(BadSignatureError, match="not allowed for a key of type"):
        sshsig.parse(assemble(ring.blob("ecdsa-384"), signed))


def test_another_key_of_the_same_type_did_not_sign(ring: Ring) -> None:
    signed = private(ring, "ed25519").sign(to_be_signed(MESSAGE), b"ssh-ed25519")
    with pytest.raises(BadSignatureError, match="does not match"):
        sshsig.check(sshsig.parse(assemble(ring.blob("ed25519.2"), signed)), MESSAGE, NAMESPACE)


def _forms(ring: Ring) -> dict[str, bytes]:
    key = private(ring, "ed25519")
    signed = key.sign(to_be_signed(MESSAGE), b"ssh-ed25519")
    public = key.public_data
    long_rsa = string("ssh-rsa") + mpint(65537) + mpint((1 << 20000) + 1)
    off_curve = string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\x02" + bytes(64))
    return {
        "empty": b"",
        "magic": b"SSHSIX" + assemble(public, signed)[6:],
        "version 0": assemble(public, signed, version=0),
        "version 2": assemble(public, signed, version=2),
        "no namespace": assemble(public, signed, namespace=b""),
        "namespace with NUL": assemble(public, signed, namespace=NAMESPACE + "\0x"),
        "namespace not UTF-8": assemble(public, signed, namespace=b"\xff\xfe"),
        "reserved": assemble(public, signed, reserved=b"x"),
        "hash": assemble(public, signed, hash_name="sha1"),
        "tail": assemble(public, signed, tail=b"\0"),
        "tail in signature": assemble(public, signed + b"\0"),
        "tail in key": assemble(public + b"\0", signed),
        "short signature": assemble(public, string("ssh-ed25519") + string(bytes(63))),
        "no signature": assemble(public, b""),
        "no key": assemble(b"", signed),
        "type not ASCII": assemble(string(b"\xff") + string(bytes(32)), signed),
        "huge RSA": assemble(long_rsa, string("rsa-sha2-512") + string(bytes(2501))),
        "compressed point": assemble(off_curve, string("ecdsa-sha2-nistp256") + string(mpint(5) + mpint(5))),
        "too long": assemble(public, signed, tail=bytes(70_000)),
    }


def test_wrong_forms_are_refused(ring: Ring, subtests: pytest.Subtests) -> None:
    for form, blob in _forms(ring).items():
        with subtests.test(form), pytest.raises(BadSignatureError):
            sshsig.parse(blob)


def test_a_point_off_its_curve_is_refused() -> None:
    public = string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\x04" + bytes(63) + b"\x01")
    signature = sshsig.parse(assemble(public, string("ecdsa-sha2-nistp256") + string(mpint(5) + mpint(5))))
    with pytest.raises(BadSignatureError, match="no valid key"):
        sshsig.check(signature, MESSAGE, NAMESPACE)


@pytest.mark.parametrize("name", ["ecdsa-256", "ecdsa-384", "ecdsa-521"])
def test_one_signature_has_one_form(ring: Ring, name: str) -> None:
    key = private(ring, name)
    reader = Reader(key.sign(to_be_signed(MESSAGE), key.algorithm))
    algorithm, pair = reader.string("algorithm"), Reader(reader.string("pair"))
    r, s = pair.string("r"), pair.string("s")
    padded = string(algorithm) + string(string(b"\0" + r) + string(s))
    negative = string(algorithm) + string(string(b"\xff" + r) + string(s))
    zero = string(algorithm) + string(string(b"") + string(s))
    tail = string(algorithm) + string(string(r) + string(s) + b"\0")
    for blob in (padded, negative, zero, tail):
        with pytest.raises(BadSignatureError):
            sshsig.parse(assemble(key.public_data, blob))


def test_an_rsa_signature_is_as_long_as_the_modulus(ring: Ring) -> None:
    key = private(ring, "rsa-2048")
    value = key.sign(to_be_signed(MESSAGE), b"rsa-sha2-512")[-256:]
    for wrong in (value[1:], b"\0" + value):
        with pytest.raises(BadSignatureError, match="as long as the modulus"):
            sshsig.parse(assemble(key.public_data, string("rsa-sha2-512") + string(wrong)))


def _signatures(ring: Ring) -> list[bytes]:
    made = [sshsig.make(private(ring, name), MESSAGE, NAMESPACE) for name in KEYS if name != "rsa-3072"]
    return made + [SoftToken(kind).sshsig(MESSAGE, 0x05) for kind in TOKENS]


@pytest.fixture(scope="session")
def signatures(ring: Ring) -> list[bytes]:
    return _signatures(ring)


def _holds(blob: bytes, message: bytes, namespace: str) -> bool:
    try:
        sshsig.check(sshsig.parse(blob), message, namespace)
    except BadSignatureError:
        return False
    return True


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 6), at=st.integers(0, 2**20), bit=st.integers(0, 7))
def test_no_bit_of_the_signature_can_be_flipped(
    signatures: list[bytes], which: int, at: int, bit: int
) -> None:
    blob = bytearray(signatures[which])
    assert _holds(bytes(blob), MESSAGE, NAMESPACE)
    blob[at % len(blob)] ^= 1 << bit
    assert not _holds(bytes(blob), MESSAGE, NAMESPACE)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 6), message=st.binary(max_size=64), namespace=st.text(min_size=1, max_size=20))
def test_it_holds_for_no_other_message_or_namespace(
    signatures: list[bytes], which: int, message: bytes, namespace: str
) -> None:
    blob = signatures[which]
    flipped = bytearray(MESSAGE)
    flipped[len(message) % len(MESSAGE)] ^= 1 << len(message) % 8
    assert not _holds(blob, bytes(flipped), NAMESPACE)
    assert not _holds(blob, MESSAGE + message + b"x", NAMESPACE)
    assert namespace == NAMESPACE or not _holds(blob, MESSAGE, namespace)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 6), cut=st.integers(0, 2**20), tail=st.binary(min_size=1, max_size=8))
def test_nothing_can_be_cut_off_or_added(signatures: list[bytes], which: int, cut: int, tail: bytes) -> None:
    blob = signatures[which]
    assert not _holds(blob[: cut % len(blob)], MESSAGE, NAMESPACE)
    assert not _holds(blob + tail, MESSAGE, NAMESPACE)


@settings(max_examples=300, deadline=None)
@given(blob=st.binary(max_size=300), raw=st.booleans())
def test_any_bytes_give_a_bad_signature_at_worst(blob: bytes, raw: bool) -> None:
    assert not _holds(blob if raw else b"SSHSIG\0\0\0\1" + blob, MESSAGE, NAMESPACE)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_gives_a_bad_signature_at_worst(text: str) -> None:
    for body in (text, f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----"):
        with contextlib.suppress(BadSignatureError):
            sshsig.dearmor(body)


def test_fingerprints_are_those_of_ssh(ring: Ring, tmp_path: Path) -> None:
    for name in (*KEYS, "rsa-1024"):
        assert sshsig.fingerprint(ring.blob(name)) == keygen("-l", "-f", ring.path(name)).split()[1]
    path = ring.certify(tmp_path, "ed25519", "ed25519.ca")
    shown = keygen("-l", "-f", f"{path}-cert.pub").split()[1]
    assert sshsig.fingerprint(certificate_blob(path)) == sshsig.fingerprint(ring.blob("ed25519")) == shown


def test_an_armored_signature_may_have_been_mailed(ring: Ring) -> None:
    blob = sshsig.make(private(ring, "ed25519"), MESSAGE, NAMESPACE)
    assert sshsig.dearmor("\n " + sshsig.armor(blob).replace("\n", "\r\n") + "\n") == blob


def test_an_empty_namespace_is_never_signed(ring: Ring) -> None:
    with pytest.raises(ValueError, match="namespace"):
        sshsig.make(private(ring, "ed25519"), MESSAGE, "")
    status, _ = run("ssh-keygen", "-Y", "sign", "-f", ring.path("ed25519"), "-n", "", stdin=MESSAGE)
    assert status != 0
