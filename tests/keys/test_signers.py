"""Signer lines: read as OpenSSH reads them, written so that it reads them, and judged as it judges."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import sshsig
from keys.blob import mpint, string
from keys.certificate import parse_certificate
from keys.errors import BadKeyError
from keys.patterns import fits
from keys.pubfile import format_public_key
from keys.signers import (
    SignerLine,
    accepts,
    certificate_authority,
    certificate_principals,
    format_line,
    in_force,
    parse_line,
    parse_lines,
    parse_public_key,
    principal_fits,
)
from keys.times import format_time, parse_time
from tests.keys.tools import (
    MESSAGE,
    NAMESPACE,
    Ring,
    SoftToken,
    certificate_blob,
    run,
    sign_with_ssh_keygen,
    verify_with_ssh_keygen,
)

NOON = datetime(2030, 6, 1, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that is not UTC."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def judged_by_ssh_keygen(
    folder: Path, key: Path, line: str, at: float, principal: str = "alice", namespace: str = NAMESPACE
) -> bool:
    """What ssh-keygen says of a signature by this key (or certificate) at a time, by this line."""
    armored = sign_with_ssh_keygen(key, MESSAGE, namespace=namespace)
    return verify_with_ssh_keygen(
        folder,
        armored,
        MESSAGE,
        [line],
        principal,
        "-O",
        f"verify-time={format_time(at)}",
        namespace=namespace,
    )


@pytest.mark.parametrize("name", ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"])
def test_ssh_keygen_reads_what_is_written(ring: Ring, tmp_path: Path, name: str) -> None:
    line = SignerLine(
        principals=("alice@example.org", "*@vc1"),
        key_blob=ring.blob(name),
        namespaces=(NAMESPACE, "receipt@*"),
        valid_after=NOON,
        valid_before=NOON + 3600,
        comment="Alice's laptop",
    )
    text = format_line(line)
    assert parse_line(text) == line
    for principal, namespace, at in [
        ("alice@example.org", NAMESPACE, NOON),
        ("bob@vc1", NAMESPACE, NOON),
        ("bob@vc2", NAMESPACE, NOON),
        ("alice@example.org", "receipt@here", NOON),
        ("alice@example.org", "request@here", NOON),
        ("alice@example.org", NAMESPACE, NOON - 1),
        ("alice@example.org", NAMESPACE, NOON + 3600),
        ("alice@example.org", NAMESPACE, NOON + 3601),
    ]:
        ours = accepts(line, ring.blob(name), namespace, at, principal)
        theirs = judged_by_ssh_keygen(tmp_path, ring.path(name), text, at, principal, namespace)
        assert (ours is None) == theirs, (principal, namespace, at, ours)


def test_ssh_keygen_finds_the_principals(ring: Ring, tmp_path: Path) -> None:
    line = SignerLine(principals=("alice",), key_blob=ring.blob("ed25519"), comment="x")
    (tmp_path / "signers").write_text(format_line(line) + "\n")
    (tmp_path / "sig").write_text(sign_with_ssh_keygen(ring.path("ed25519"), MESSAGE))
    status, said = run(
        "ssh-keygen", "-Y", "find-principals", "-f", tmp_path / "signers", "-s", tmp_path / "sig"
    )
    assert (status, said) == (0, "alice\n")


def test_a_security_key_may_stand_in_a_line(tmp_path: Path) -> None:
    for kind in ("sk-ed25519", "sk-ecdsa"):
        token = SoftToken(kind)
        text = format_line(SignerLine(principals=("alice",), key_blob=token.public_blob))
        armored = sshsig.armor(token.sshsig(MESSAGE, 0x01))
        assert verify_with_ssh_keygen(tmp_path, armored, MESSAGE, [text])
        assert accepts(parse_line(text), token.public_blob, NAMESPACE, NOON, "alice") is None


def test_lines_written_by_hand(ring: Ring) -> None:
    key = ring.line("ed25519")
    blob = ring.blob("ed25519")
    plain = parse_line(f"  alice,bob\t{key}\r\n")
    assert plain == SignerLine(principals=("alice", "bob"), key_blob=blob, comment="ed25519@example.org")
    full = parse_line(
        f'"alice smith,!eve" CERT-Authority,namespaces="a,b",valid-after="20300101Z",'
        f'valid-before="203001020304Z" {key} and more'
    )
    assert full.principals == ("alice smith", "!eve")
    assert full.cert_authority
    assert full.namespaces == ("a", "b")
    assert full.valid_after == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert full.valid_before == datetime(2030, 1, 2, 3, 4, tzinfo=UTC).timestamp()
    assert full.comment == "ed25519@example.org and more"
    assert parse_line(format_line(full)) == full


def test_files_of_lines(ring: Ring) -> None:
    text = f"# the owners\n\n   # more\nalice {ring.line('ed25519')}\nbob {ring.line('ecdsa-256')}\n"
    assert [line.principals for line in parse_lines(text)] == [("alice",), ("bob",)]
    with pytest.raises(BadKeyError, match=r"^line 3: .*principals"):
        parse_lines(f"\nalice {ring.line('ed25519')}\n{ring.line('ed25519')}\n")


def test_what_is_wrong_with_a_line_is_said(ring: Ring, subtests: pytest.Subtests) -> None:
    key = ring.line("ed25519")
    kind, encoded = key.split()[:2]
    for text, what in {
        "": "empty",
        key: "no principals",
        "alice": "no public key",
        f"alice {kind}": "not a public key",
        f"alice {kind} {encoded[:-9]}": "base64|cut short",
        f"alice {kind} {encoded}=": "not base64",
        f"alice {kind} ümlaut": "not base64",
        f"alice ecdsa-sha2-nistp256 {encoded}": "its key says",
        f"alice,,bob {key}": "empty entry",
        f"! {key}": "empty entry",
        f'al"ice {key}': "cannot stand",
        f"alice colour {key}": "'colour' is not known",
        f'alice cert-authority="yes" {key}': "takes no value",
        f"alice namespaces {key}": "needs a value",
        f'alice namespaces="" {key}': "empty entry",
        f'alice namespaces="a",namespaces="b" {key}': "twice",
        f'alice valid-after="tomorrow" {key}': "not a time",
        f'alice valid-after="20300230Z" {key}': "not a time",
        f'alice valid-after="2030010112345Z" {key}': "not a time",
        f'alice valid-before="19700101Z" {key}': "not a time",
        f'alice valid-after="20300102Z",valid-before="20300101Z" {key}': "not later",
        f"alice valid-after=20300102Z {key}": "neither an option",
        f"alice cert-authority, {key}": "neither an option",
        f"alice {key}\nbob {key}": "one line",
        f"alice {key} \x1b[31mred": "control characters",
        f"alice {ring.line('dsa')}": "neither an option nor a type of key|not known",
        f"alice {ring.line('rsa-1024')}": "1024 bits is too weak",
        f"alice {ring.path('ed25519').read_text()}": "private key",
    }.items():
        with subtests.test(text), pytest.raises(BadKeyError, match=what):
            parse_line(text)


def test_what_a_line_cannot_hold_is_not_written(ring: Ring, subtests: pytest.Subtests) -> None:
    good = SignerLine(principals=("alice",), key_blob=ring.blob("ed25519"))
    for changed in (
        {"principals": ()},
        {"principals": ("",)},
        {"principals": ("a,b",)},
        {"principals": ('a"b',)},
        {"principals": ("a\nb",)},
        {"namespaces": ("a b\x00",)},
        {"comment": "two\nlines"},
        {"valid_after": NOON, "valid_before": NOON},
        {"valid_after": 1e18},
        {"key_blob": b""},
    ):
        with subtests.test(str(changed)), pytest.raises(BadKeyError):
            format_line(msgspec.structs.replace(good, **changed))


_NAMES = st.lists(
    st.text("abcxyz*?!@.-_ #ü", min_size=1, max_size=12).filter(
        lambda name: name.strip("! ") == name.lstrip("!") and bool(name.strip("!"))
    ),
    min_size=1,
    max_size=4,
).map(tuple)
_TIMES = st.none() | st.integers(1, 4_000_000_000).map(float)


@settings(max_examples=200, deadline=None)
@given(
    principals=_NAMES,
    namespaces=st.just(()) | _NAMES,
    authority=st.booleans(),
    after=_TIMES,
    length=st.integers(1, 10**8),
    ends=st.booleans(),
    comment=st.text(max_size=30),
)
def test_every_line_round_trips(
    ring: Ring,
    principals: tuple[str, ...],
    namespaces: tuple[str, ...],
    authority: bool,
    after: float | None,
    length: int,
    ends: bool,
    comment: str,
) -> None:
    comment = " ".join("".join(letter for letter in comment if letter.isprintable()).split())
    line = SignerLine(
        principals=principals,
        key_blob=ring.blob("ed25519"),
        cert_authority=authority,
        namespaces=namespaces,
        valid_after=after,
        valid_before=(after or NOON) + length if ends else None,
        comment=comment,
    )
    assert parse_line(format_line(line)) == line


@settings(max_examples=400, deadline=None)
@given(text=st.text(max_size=120), shape=st.integers(0, 3))
def test_any_text_is_a_bad_key_at_worst(ring: Ring, text: str, shape: int) -> None:
    key = ring.line("ed25519")
    line = (text, f"alice {text}", f"alice {text} {key}", f"{text} {key}")[shape]
    for parse in (parse_line, parse_lines, parse_public_key, parse_time):
        with contextlib.suppress(BadKeyError):
            parse(line)


@settings(max_examples=300, deadline=None)
@given(
    tail=st.binary(max_size=200),
    kind=st.sampled_from(["", "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"]),
    certified=st.booleans(),
)
def test_any_bytes_are_a_bad_key_at_worst(ring: Ring, tail: bytes, kind: str, certified: bool) -> None:
    blob = (string(kind + ("-cert-v01@openssh.com" if certified else "")) if kind else b"") + tail
    line = SignerLine(principals=("*",), key_blob=ring.blob("ed25519"), cert_authority=certified)
    assert accepts(line, blob, NAMESPACE, NOON)
    with contextlib.suppress(BadKeyError):
        certificate_principals(blob)
    with contextlib.suppress(BadKeyError):
        certificate_authority(blob)


def test_times_are_those_of_openssh(ring: Ring, tmp_path: Path, vienna: None) -> None:
    assert parse_time("20300601Z") == NOON - 12 * 3600
    assert parse_time("203001010100") == parse_time("20300101Z")
    assert parse_time("203006011300") == NOON, "standard time, in summer too"
    assert parse_time(format_time(NOON)) == NOON
    text = f'alice valid-after="203006011300" {ring.line("ed25519")}'
    for at in (NOON - 1, NOON):
        theirs = judged_by_ssh_keygen(tmp_path, ring.path("ed25519"), text, at)
        assert in_force(parse_line(text), at) == theirs == (at == NOON)


@pytest.mark.parametrize(
    ("principal", "patterns"),
    [
        ("alice", "alice"),
        ("alice", "bob,a*e"),
        ("alice", "a?ice"),
        ("alice", "a??ice"),
        ("alice", "*,!alice"),
        ("bob", "*,!alice"),
        ("alice", "!bob"),
        ("alice", "*a*l*e*"),
        ("alice", "ALICE"),
        ("alice@x", "*@y,*@x"),
        ("alice", "[a]lice"),
        ("alice", "alice*"),
    ],
)
def test_patterns_are_those_of_openssh(ring: Ring, tmp_path: Path, principal: str, patterns: str) -> None:
    text = f"{patterns} {ring.line('ed25519')}"
    armored = sign_with_ssh_keygen(ring.path("ed25519"), MESSAGE)
    theirs = verify_with_ssh_keygen(tmp_path, armored, MESSAGE, [text], principal)
    assert principal_fits(parse_line(text), principal) == theirs


def test_a_pattern_made_to_take_long_does_not() -> None:
    started = time.process_time()
    assert not fits("a" * 2000, "*a" * 200 + "b")
    assert time.process_time() - started < 2


def test_plain_keys(ring: Ring, tmp_path: Path) -> None:
    line = parse_line(f"alice {ring.line('ed25519')}")
    assert accepts(line, ring.blob("ed25519"), NAMESPACE, NOON) is None
    assert accepts(line, ring.blob("ed25519"), NAMESPACE, NOON, "alice") is None
    assert "as 'bob'" in (accepts(line, ring.blob("ed25519"), NAMESPACE, NOON, "bob") or "")
    assert "another" in (accepts(line, ring.blob("ed25519.2"), NAMESPACE, NOON) or "")
    path = ring.certify(tmp_path, "ed25519", "ed25519.ca")
    assert "plain key" in (accepts(line, certificate_blob(path), NAMESPACE, NOON) or "")
    assert certificate_principals(ring.blob("ed25519")) == ()
    assert certificate_authority(ring.blob("ed25519")) is None


@pytest.mark.parametrize("ca", ["ed25519.ca", "ecdsa-384", "rsa-2048"])
@pytest.mark.parametrize("name", ["ed25519", "ecdsa-256", "rsa-3072"])
def test_certificates(ring: Ring, tmp_path: Path, ca: str, name: str) -> None:
    path = ring.certify(tmp_path, name, ca, "-V", "20300101Z:20310101Z", principals="alice,carol@x")
    blob = certificate_blob(path)
    assert certificate_principals(blob) == ("alice", "carol@x")
    assert certificate_authority(blob) == ring.blob(ca)
    for principals, principal, at in [
        ("alice", "alice", NOON),
        ("*", "alice", NOON),
        ("*", "bob", NOON),
        ("bob", "bob", NOON),
        ("bob", "alice", NOON),
        ("*@x", "carol@x", NOON),
        ("*", "alice", parse_time("20291231235959Z")),
        ("*", "alice", parse_time("20300101Z")),
        ("*", "alice", parse_time("20301231235959Z")),
        ("*", "alice", parse_time("20310101Z")),
    ]:
        text = f"{principals} cert-authority {ring.line(ca)}"
        ours = accepts(parse_line(text), blob, NAMESPACE, at, principal)
        theirs = judged_by_ssh_keygen(tmp_path, Path(f"{path}-cert.pub"), text, at, principal)
        assert (ours is None) == theirs, (principals, principal, at, ours)


def test_certificates_that_entitle_to_nothing(ring: Ring, tmp_path: Path, subtests: pytest.Subtests) -> None:
    line = parse_line(f"* cert-authority {ring.line('ed25519.ca')}")
    for options, what in {
        ("-h",): "not a user certificate",
        ("-O", "force-command=reboot"): "critical options.*'force-command'",
        ("-O", "source-address=10.0.0.0/8"): "critical options.*'source-address'",
        ("-O", "critical:x@example.org=1"): "critical options.*'x@example.org'",
        ("-V", "20200101Z:20210101Z"): "expired",
        ("-V", "20400101Z:20410101Z"): "not valid yet",
    }.items():
        with subtests.test(what):
            path = ring.certify(tmp_path, "ed25519", "ed25519.ca", *options)
            reason = accepts(line, certificate_blob(path), NAMESPACE, NOON, "alice")
            assert reason is not None
            assert pytest.RaisesExc(ValueError, match=what).matches(ValueError(reason))
    extended = ring.certify(tmp_path, "ed25519", "ed25519.ca", "-O", "extension:x@example.org=1")
    assert accepts(line, certificate_blob(extended), NAMESPACE, NOON, "alice") is None
    other = ring.certify(tmp_path, "ed25519", "ed25519.2")
    assert "another authority" in (accepts(line, certificate_blob(other), NAMESPACE, NOON) or "")
    assert "certificate is needed" in (accepts(line, ring.blob("ed25519.ca"), NAMESPACE, NOON) or "")
    narrow = parse_line(f"bob@y cert-authority {ring.line('ed25519.ca')}")
    assert "not entitled to certify" in (accepts(narrow, certificate_blob(extended), NAMESPACE, NOON) or "")


def test_a_certificate_without_principals_is_not_for_everybody(ring: Ring) -> None:
    ca = asyncssh.read_private_key(ring.path("ed25519.ca"))
    key = asyncssh.read_private_key(ring.path("ed25519"))
    certificate = ca.generate_user_certificate(key.convert_to_public(), "id", principals=())
    line = parse_line(f"* cert-authority {ring.line('ed25519.ca')}")
    assert accepts(line, certificate.public_data, NAMESPACE, NOON) == "the certificate names no principals"


def test_certificates_signed_with_sha1_are_refused(ring: Ring, tmp_path: Path) -> None:
    line = parse_line(f"* cert-authority {ring.line('rsa-2048')}")
    for algorithm, good in (("rsa-sha2-256", True), ("ssh-rsa", False)):
        path = ring.certify(tmp_path, "ed25519", "rsa-2048", "-t", algorithm, key_id=algorithm)
        reason = accepts(line, certificate_blob(path), NAMESPACE, time.time(), "alice")
        assert reason == (None if good else "the authority's signature on the certificate does not hold")


def test_a_security_key_may_be_an_authority(ring: Ring) -> None:
    token = SoftToken("sk-ed25519")
    key = asyncssh.read_private_key(ring.path("ed25519"))
    made = asyncssh.read_private_key(ring.path("ed25519.ca")).generate_user_certificate(
        key.convert_to_public(), "id", principals=["alice"]
    )
    signed = parse_certificate(made.public_data).signed.replace(
        string(ring.blob("ed25519.ca")), string(token.public_blob)
    )
    line = SignerLine(principals=("*",), key_blob=token.public_blob, cert_authority=True)
    for flags, good in ((0x01, True), (0x00, False)):
        blob = signed + string(token.sign(signed, flags))
        assert (accepts(line, blob, NAMESPACE, NOON, "alice") is None) == good


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 2**20), bit=st.integers(0, 7))
def test_no_bit_of_a_certificate_can_be_flipped(
    certified: tuple[SignerLine, bytes], at: int, bit: int
) -> None:
    line, blob = certified
    assert accepts(line, blob, NAMESPACE, NOON, "alice") is None
    flipped = bytearray(blob)
    flipped[at % len(blob)] ^= 1 << bit
    assert accepts(line, bytes(flipped), NAMESPACE, NOON, "alice")
    assert accepts(line, blob[: at % len(blob)], NAMESPACE, NOON, "alice")


@pytest.fixture(scope="session")
def certified(ring: Ring, tmp_path_factory: pytest.TempPathFactory) -> tuple[SignerLine, bytes]:
    """A line that trusts an authority, and a certificate by it."""
    path = ring.certify(tmp_path_factory.mktemp("certified"), "ecdsa-256", "ed25519.ca")
    return parse_line(f"* cert-authority {ring.line('ed25519.ca')}"), certificate_blob(path)


def test_public_key_files(ring: Ring, tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name in ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"):
        assert parse_public_key(ring.line(name) + "\n") == (ring.blob(name), f"{name}@example.org")
        assert format_public_key(*parse_public_key(ring.line(name))) == ring.line(name)
    off_curve = string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\x04" + bytes(63) + b"\x01")
    even = string("ssh-rsa") + mpint(65537) + mpint(1 << 2048)
    certificate = Path(f"{ring.certify(tmp_path, 'ed25519', 'ed25519.ca')}-cert.pub").read_text()
    for text, what, hint in (
        ("", "no public key", "one line"),
        ("hello", "not a public key", "one line"),
        (ring.line("ed25519") + "\n" + ring.line("ecdsa-256"), "2 lines", ""),
        (ring.path("ed25519").read_text(), "private key", "public half"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "private key", "public half"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\n", "RFC 4716", "ssh-keygen -i"),
        (certificate, "a certificate is not", "plain .pub"),
        (ring.line("dsa"), "'ssh-dss'", "Accepted: "),
        (ring.line("rsa-1024"), "1024 bits", "Ed25519"),
        (format_public_key(off_curve), "no valid key", ""),
        (format_public_key(even), "out of range", ""),
    ):
        with subtests.test(what), pytest.raises(BadKeyError, match=what) as caught:
            parse_public_key(text)
        assert hint in caught.value.hint
        assert "AAAA" not in caught.value.message
