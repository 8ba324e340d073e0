"""Stock OpenSSH as the oracle, keys of every type, and security keys without the hardware."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Sequence
from hashlib import sha256, sha512
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.blob import mpint, string
from keys.pubfile import format_public_key

NAMESPACE = "test@pilot.example"
MESSAGE = b"turn on compute-0-0\n"
DEADLINE = 20.0


def run(*words: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run one of OpenSSH's programs; its exit status, and all that it said."""
    done = subprocess.run(
        [str(word) for word in words],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
    )
    return done.returncode, done.stdout.decode()


def keygen(*words: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> str:
    """Run ssh-keygen, which must succeed; what it said."""
    status, said = run("ssh-keygen", *words, stdin=stdin, env=env)
    assert status == 0, said
    return said


class Ring:
    """A folder of keys, each made by ssh-keygen when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """The private key `TYPE-BITS.NUMBER`, such as `rsa-2048`, or `ed25519.2` for another of the kind."""
        path = self._folder / name
        if not path.exists():
            kind, _, bits = name.partition(".")[0].partition("-")
            sized = ["-b", bits] if bits else []
            keygen("-q", "-t", kind, *sized, "-N", "", "-C", f"{name}@example.org", "-f", path)
        return path

    def line(self, name: str) -> str:
        """The line of the .pub file."""
        return Path(f"{self.path(name)}.pub").read_text().strip()

    def blob(self, name: str) -> bytes:
        """The public blob."""
        return base64.b64decode(self.line(name).split()[1])

    def certify(
        self,
        folder: Path,
        name: str,
        ca: str,
        *options: str,
        principals: str = "alice,bob",
        key_id: str = "id",
    ) -> Path:
        """A copy of a key with a certificate by another key beside it; the private copy's path."""
        copy = folder / f"{name}.by.{ca}.{key_id}"
        copy.write_bytes(self.path(name).read_bytes())
        copy.chmod(0o600)
        Path(f"{copy}.pub").write_text(self.line(name) + "\n")
        keygen("-q", "-s", self.path(ca), "-I", key_id, "-n", principals, *options, f"{copy}.pub")
        return copy


def certificate_blob(path: Path) -> bytes:
    """The certificate beside a private key."""
    return base64.b64decode(Path(f"{path}-cert.pub").read_text().split()[1])


def sign_with_ssh_keygen(key: Path, message: bytes, *options: str, namespace: str = NAMESPACE) -> str:
    """The armored signature."""
    return keygen("-q", "-Y", "sign", "-f", key, "-n", namespace, *options, stdin=message)


def verify_with_ssh_keygen(
    folder: Path,
    armored: str,
    message: bytes,
    lines: Sequence[str],
    principal: str = "alice",
    *options: str | Path,
    namespace: str = NAMESPACE,
    env: dict[str, str] | None = None,
) -> bool:
    """Whether `ssh-keygen -Y verify` takes a signature, by these lines of allowed signers."""
    signature, allowed = folder / "oracle.sig", folder / "oracle.signers"
    signature.write_text(armored)
    allowed.write_text("\n".join(lines) + "\n")
    status, _ = run(
        *("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", principal, "-n", namespace, "-s", signature),
        *options,
        stdin=message,
        env=env,
    )
    return status == 0


def assemble(
    public_blob: bytes,
    signature_blob: bytes,
    *,
    namespace: bytes | str = NAMESPACE,
    version: int = 1,
    reserved: bytes = b"",
    hash_name: str = "sha512",
    tail: bytes = b"",
) -> bytes:
    """An SSHSIG blob of any parts."""
    fields = (public_blob, namespace, reserved, hash_name, signature_blob)
    return b"SSHSIG" + version.to_bytes(4, "big") + b"".join(string(field) for field in fields) + tail


def to_be_signed(message: bytes, namespace: str = NAMESPACE) -> bytes:
    """What a key signs for an SSHSIG with SHA-512, by the format's own description."""
    fields = (namespace, b"", "sha512", sha512(message).digest())
    return b"SSHSIG" + b"".join(string(field) for field in fields)


class SoftToken:
    """A security key in software: what the tests say of touch and counter is what it signs."""

    def __init__(self, kind: str, application: str = "ssh:") -> None:
        self._application = application
        self._ed: ed25519.Ed25519PrivateKey | None = None
        if kind == "sk-ed25519":
            self.algorithm = "sk-ssh-ed25519@openssh.com"
            self._ed = ed25519.Ed25519PrivateKey.generate()
            point = string(self._ed.public_key().public_bytes_raw())
        else:
            self.algorithm = "sk-ecdsa-sha2-nistp256@openssh.com"
            self._ec = ec.generate_private_key(ec.SECP256R1())
            encoded = self._ec.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            point = string("nistp256") + string(encoded)
        self.public_blob = string(self.algorithm) + point + string(application)

    @property
    def line(self) -> str:
        """The line of its .pub file."""
        return format_public_key(self.public_blob, "token")

    def sign(self, data: bytes, flags: int, counter: int = 7) -> bytes:
        """A signature blob, PROTOCOL.u2f."""
        tail = bytes((flags,)) + counter.to_bytes(4, "big")
        signed = sha256(self._application.encode()).digest() + tail + sha256(data).digest()
        if self._ed is not None:
            value = self._ed.sign(signed)
        else:
            r, s = decode_dss_signature(self._ec.sign(signed, ec.ECDSA(hashes.SHA256())))
            value = mpint(r) + mpint(s)
        return string(self.algorithm) + string(value) + tail

    def sshsig(self, message: bytes, flags: int, public_blob: bytes | None = None) -> bytes:
        """An SSHSIG blob."""
        return assemble(public_blob or self.public_blob, self.sign(to_be_signed(message), flags))
