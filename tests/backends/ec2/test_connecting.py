"""Whom airboss takes for AWS: a certificate of an authority it knows, for the very name."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.connecting import trusting
from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.settings import Bounds, Ec2Settings


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@contextlib.asynccontextmanager
async def serving(folder: Path, name: str) -> AsyncIterator[tuple[int, Path]]:
    """A web server over TLS that is not AWS; its port and its certificate."""
    made, key = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], made


async def fault(port: int) -> Fault:
    """Why asking fails."""
    calls = Calls(Ec2Settings("tls", ("us-east-1",), endpoint=f"https://localhost:{port}"), Bounds())
    try:
        with pytest.raises(Fault) as caught:
            await calls.call("us-east-1", "ec2", "describe_instances", 30)
    finally:
        await calls.close()
    return caught.value


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "PRETENDED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pretended")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


async def test_an_unknown_authority_is_not_accepted(tmp_path: Path) -> None:
    async with serving(tmp_path, "localhost") as (port, _):
        found = await fault(port)
    assert (found.kind, found.words) == ("unreachable", "AWS's certificate is not accepted")


async def test_a_known_authority_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path, "localhost") as (port, made):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(made))
        assert (await fault(port)).kind == "garbled", "it spoke, and is not AWS"


async def test_a_certificate_for_another_name_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path, "elsewhere.example.org") as (port, made):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(made))
        assert (await fault(port)).words == "AWS's certificate is not accepted"


def test_certificates_are_read_once() -> None:
    assert trusting(True) is trusting(True)


async def test_an_answer_that_goes_round_in_a_circle_ends() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            body = (
                b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
                b"<reservationSet/><nextToken>again</nextToken></DescribeInstancesResponse>"
            )
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        calls = Calls(Ec2Settings("e", ("us-east-1",), endpoint=f"http://127.0.0.1:{port}"), Bounds())
        try:
            pages = calls.pages("us-east-1", "ec2", "describe_instances")
            await anext(pages)
            await anext(pages)
            with pytest.raises(Fault) as caught:
                await anext(pages)
        finally:
            await calls.close()
    assert (caught.value.kind, caught.value.said) == ("garbled", "what answered is not AWS: it has no end")
