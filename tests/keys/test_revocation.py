"""Revocation lists written by ssh-keygen, and its own word on what they revoke."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.blob import mpint, string
from keys.errors import BadKeyError
from keys.revocation import Revoked
from tests.keys.tools import (
    MESSAGE,
    Ring,
    certificate_blob,
    keygen,
    run,
    sign_with_ssh_keygen,
    verify_with_ssh_keygen,
)

NAMES = ("ed25519", "ed25519.2", "ecdsa-256", "rsa-2048")


def revokes(krl: Path, public: Path) -> bool:
    """ssh-keygen's word on a .pub or -cert.pub file."""
    status, said = run("ssh-keygen", "-Q", "-f", krl, public)
    assert (status == 0) == (": ok" in said), said
    return status != 0


@pytest.fixture
def krl(ring: Ring, tmp_path: Path) -> Callable[..., Path]:
    """Makes a KRL from directives, or from .pub files."""

    def make(*directives: str, ca: str = "ed25519.ca", public: tuple[Path, ...] = ()) -> Path:
        (tmp_path / "spec").write_text("\n".join(directives) + "\n")
        path = tmp_path / "krl"
        authority = ["-s", f"{ring.path(ca)}.pub" if ca != "none" else "none"]
        given = public or (tmp_path / "spec",)
        keygen("-k", "-f", path, *authority, *given)
        return path

    return make


def _pub(ring: Ring, name: str) -> Path:
    ring.path(name)
    return Path(f"{ring.path(name)}.pub")


@pytest.mark.parametrize("directive", ["key", "sha1", "sha256"])
def test_keys(ring: Ring, krl: Callable[..., Path], directive: str, tmp_path: Path) -> None:
    path = krl(f"{directive}: {ring.line('ed25519')}", f"{directive}: {ring.line('rsa-2048')}")
    revoked = Revoked.load(path)
    for name in NAMES:
        theirs = revokes(path, _pub(ring, name))
        assert (revoked.reason(ring.blob(name)) is not None) == theirs == (name in ("ed25519", "rsa-2048"))
    certified = ring.certify(tmp_path, "ed25519", "ed25519.ca")
    assert revokes(path, Path(f"{certified}-cert.pub"))
    assert revoked.reason(certificate_blob(certified)) == "the certificate's key is revoked"


def test_a_fingerprint(ring: Ring, krl: Callable[..., Path]) -> None:
    shown = keygen("-l", "-f", ring.path("ed25519")).split()[1]
    revoked = Revoked.load(krl(f"hash: {shown}"))
    assert revoked.reason(ring.blob("ed25519"))
    assert revoked.reason(ring.blob("ed25519.2")) is None


def test_an_authority(ring: Ring, krl: Callable[..., Path], tmp_path: Path) -> None:
    certified = ring.certify(tmp_path, "ed25519", "ed25519.ca", "-z", "5")
    path = krl(f"key: {ring.line('ed25519.ca')}")
    assert revokes(path, Path(f"{certified}-cert.pub"))
    assert Revoked.load(path).reason(certificate_blob(certified)) == "the certificate's authority is revoked"


SERIALS = (0, 1, 2, 7, 8, 9, 99, 100, 150, 1000, 1001, 1003, 1064, 4999, 5000, 2**63, 2**64 - 1)


@pytest.mark.parametrize(
    "directives",
    [
        ("serial: 7",),
        ("serial: 1-2", "serial: 100-150"),
        ("serial: 1000", "serial: 1001", "serial: 1003", "serial: 1007", "serial: 1064"),
        ("serial: 1-18446744073709551615",),
        ("serial: 9223372036854775808", "serial: 18446744073709551615"),
        ("serial: 2", "serial: 5000", "id: somebody"),
        ("id: certificate-1",),
    ],
)
@pytest.mark.parametrize("authority", ["ed25519.ca", "none"])
def test_certificates(
    ring: Ring, krl: Callable[..., Path], tmp_path: Path, directives: tuple[str, ...], authority: str
) -> None:
    path = krl(*directives, ca=authority)
    revoked = Revoked.load(path)
    hit = 0
    for serial in SERIALS:
        certified = ring.certify(
            tmp_path, "ed25519", "ed25519.ca", "-z", str(serial), key_id=f"certificate-{serial}"
        )
        theirs = revokes(path, Path(f"{certified}-cert.pub"))
        assert (revoked.reason(certificate_blob(certified)) is not None) == theirs, serial
        hit += theirs
    assert hit
    other = ring.certify(tmp_path, "ed25519", "ed25519.2", "-z", "7", key_id="certificate-1")
    theirs = revokes(path, Path(f"{other}-cert.pub"))
    assert (revoked.reason(certificate_blob(other)) is not None) == theirs
    assert revoked.reason(ring.blob("ed25519")) is None


def test_sparse_serials_become_a_bitmap(ring: Ring, krl: Callable[..., Path], tmp_path: Path) -> None:
    serials = [1000 + n for n in range(0, 300, 3)]
    path = krl(*(f"serial: {serial}" for serial in serials))
    assert b"\x22" in path.read_bytes(), "no bitmap section in it"
    revoked = Revoked.load(path)
    for serial in (999, 1000, 1001, 1003, 1150, 1151, 1297, 1298, 1300):
        certified = ring.certify(tmp_path, "ed25519", "ed25519.ca", "-z", str(serial), key_id=str(serial))
        theirs = revokes(path, Path(f"{certified}-cert.pub"))
        assert (revoked.reason(certificate_blob(certified)) is not None) == theirs == (serial in serials)


def test_certificate_files_are_revoked_by_serial_or_id(
    ring: Ring, krl: Callable[..., Path], tmp_path: Path
) -> None:
    numbered = ring.certify(tmp_path, "ed25519", "ed25519.ca", "-z", "12", key_id="numbered")
    unnumbered = ring.certify(tmp_path, "ecdsa-256", "ed25519.ca", key_id="unnumbered")
    path = krl(public=(Path(f"{numbered}-cert.pub"), Path(f"{unnumbered}-cert.pub")))
    revoked = Revoked.load(path)
    assert revoked.reason(certificate_blob(numbered)) == "the certificate's serial 12 is revoked"
    assert revoked.reason(certificate_blob(unnumbered)) == "the certificate's key id 'unnumbered' is revoked"


def test_lists_of_public_keys(ring: Ring, tmp_path: Path) -> None:
    certified = ring.certify(tmp_path, "rsa-2048", "ed25519.ca")
    text = "\n".join(
        [
            "# lost laptops",
            "",
            f"  {ring.line('ed25519')}",
            Path(f"{certified}-cert.pub").read_text(),
            ring.line("rsa-1024"),
            ring.line("dsa"),
        ]
    )
    path = tmp_path / "revoked"
    path.write_text(text)
    revoked = Revoked.load(path)
    for name in NAMES:
        armored = sign_with_ssh_keygen(ring.path(name), MESSAGE)
        line = f"alice {ring.line(name)}"
        good = verify_with_ssh_keygen(tmp_path, armored, MESSAGE, [line], "alice", "-r", path)
        assert (revoked.reason(ring.blob(name)) is None) == good == (name not in ("ed25519", "rsa-2048"))
    assert revoked.reason(certificate_blob(certified)) == "the certificate's key is revoked"
    assert Revoked().reason(ring.blob("ed25519")) is None
    assert Revoked.parse(b"").reason(ring.blob("ed25519")) is None


def test_a_list_that_is_not_understood_is_refused(
    ring: Ring, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    head = b"SSHKRL\n\0" + (1).to_bytes(4, "big") + bytes(24) + string(b"") + string(b"")
    certificates = string(b"") + string(b"")
    for data, what in (
        (b"hello", "line 1: not a public key"),
        (ring.line("ed25519").encode() + b"\nssh-ed25519 AAAA\n", "line 2: "),
        (b"\xff\xfe", "nor text"),
        (ring.path("ed25519").read_bytes(), "private key"),
        (b"SSHKRL\n\0" + (2).to_bytes(4, "big"), "format version 2"),
        (head[:-1], "cut short"),
        (head + b"\x02", "cut short"),
        (head + b"\x06" + string(b""), "section 6"),
        (head + b"\x04" + string(b"") + string(b""), "signed"),
        (head + b"\xff" + string(string("x") + b"\x01" + string(b"")), "critical extension 'x'"),
        (head + b"\x01" + string(certificates + b"\x30" + string(b"")), "section 0x30"),
        (
            head + b"\x01" + string(certificates + b"\x21" + string(bytes(15) + b"\x02" + bytes(8))),
            "follow the end",
        ),
        (
            head + b"\x01" + string(certificates + b"\x21" + string(bytes(7) + b"\x02" + bytes(7) + b"\x01")),
            "before it begins",
        ),
        (
            head + b"\x01" + string(certificates + b"\x22" + string(bytes(8) + string(b"\0\1"))),
            "shortest form",
        ),
    ):
        with subtests.test(what), pytest.raises(BadKeyError, match=what):
            Revoked.parse(data)
    extended = head + b"\xff" + string(string("x") + b"\x00" + string(b"anything"))
    assert Revoked.parse(extended).reason(ring.blob("ed25519")) is None
    bitmap = head + b"\x01" + string(certificates + b"\x22" + string(bytes(8) + mpint(1 << 5)))
    certified = ring.certify(tmp_path, "ed25519", "ed25519.ca", "-z", "5")
    assert Revoked.parse(bitmap).reason(certificate_blob(certified))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadKeyError, match="missing: No such file"):
        Revoked.load(tmp_path / "missing")
    (tmp_path / "bad").write_text("hello\n")
    with pytest.raises(BadKeyError, match="bad: line 1"):
        Revoked.load(tmp_path / "bad")


def test_what_is_no_key_is_not_let_pass() -> None:
    with pytest.raises(BadKeyError):
        Revoked().reason(b"hello")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), krl=st.booleans())
def test_any_bytes_are_a_bad_key_at_worst(data: bytes, krl: bool) -> None:
    head = b"SSHKRL\n\0" + (1).to_bytes(4, "big") + bytes(24) + bytes(8)
    with contextlib.suppress(BadKeyError):
        Revoked.parse(head + data if krl else data)
