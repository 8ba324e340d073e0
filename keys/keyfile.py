"""The user's private key files: what they say without a passphrase, opening them, and making a new one."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from keys.blob import BlobError, Reader, decode_base64
from keys.certificate import is_certificate, parse_certificate
from keys.errors import BadKeyError, KeysError, NoIdentityError
from keys.pubfile import decode_key, parse_public_key
from keys.publickey import PublicKey, parse_public_blob

MAX_FILE = 1024 * 1024
"""Bytes of the longest key file that is read."""
ATTEMPTS = 3
"""How often a passphrase is asked for."""
BCRYPT_ROUNDS = 24
"""As OpenSSH's own default: some tenths of a second for each guess."""

AskPassphrase = Callable[[Path], Awaitable[str | None]]
"""Asks for the passphrase of a file; None if the user would rather not."""

_OPENSSH = re.compile(
    rb"-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END OPENSSH PRIVATE KEY-----"
)
_MAGIC = b"openssh-key-v1\0"


class KeyFile:
    """A private key file. The private half is read when it is first needed, and then kept."""

    def __init__(self, path: Path, data: bytes, public: PublicKey, comment: str, encrypted: bool) -> None:
        self.path = path
        self.public = public
        self.comment = comment
        self.encrypted = encrypted
        self._data = data
        self._key: asyncssh.SSHKey | None = None
        self._lock = asyncio.Lock()

    @property
    def locked(self) -> bool:
        """Whether its passphrase is still to be asked."""
        return self.encrypted and self._key is None

    async def private(self, ask: AskPassphrase | None) -> asyncssh.SSHKey:
        """The private key, asking for its passphrase if need be; several who ask at once ask the user once.

        Raises:
            NoIdentityError: no passphrase was given, none was right, or the halves do not belong together.
        """
        async with self._lock:
            if self._key is None:
                key = await _open_private(self.path, self._data, self.encrypted, ask)
                if key.public_data != self.public.blob:
                    raise NoIdentityError(
                        f"{self.path}.pub is not the public half of {self.path}",
                        f"Write it again: ssh-keygen -y -f {self.path} > {self.path}.pub",
                    )
                self._key = key
            return self._key


def read_key_file(path: Path) -> KeyFile | PublicKey:
    """What a key file says without its passphrase; a bare public key if that is all there is at the path.

    Raises:
        FileNotFoundError: there is no such file.
        NoIdentityError: it cannot be read, others can read it, or it is no key.
        BadKeyError: its key is of a type that is not accepted, or too weak.
    """
    data = _read(path, private=True)
    try:
        if b"PRIVATE KEY-----" not in data:
            return parse_public_blob(parse_public_key(data.decode("utf-8", "replace"))[0])
        beside = read_public_beside(path)
        found = _OPENSSH.search(data)
        encrypted = b"ENCRYPTED" in data
        if found is not None:
            public, encrypted = _openssh_header(found[1])
        elif beside is not None:
            public = beside[0]
        elif not encrypted:
            public = parse_public_blob(asyncssh.import_private_key(data).public_data)
        else:
            raise NoIdentityError(
                f"{path} is encrypted and does not say which key it is",
                f"Write its public half beside it: ssh-keygen -y -f {path} > {path}.pub",
            )
    except BadKeyError as error:
        raise BadKeyError(f"{path}: {error.message}", error.hint) from None
    except ValueError as error:  # BlobError is one, and whatever asyncssh raises
        raise NoIdentityError(f"{path} is no private key that can be used: {error}") from None
    comment = beside[1] if beside is not None and beside[0] == public else ""
    return KeyFile(path, data, public, comment or str(path), encrypted)


def private_half(path: Path) -> Path:
    """Where the private key to a .pub file is looked for.

    Raises:
        FileNotFoundError: the name does not end in .pub.
    """
    if path.suffix != ".pub":
        raise FileNotFoundError(path)
    return path.with_suffix("")


def read_public_beside(path: Path) -> tuple[PublicKey, str] | None:
    """Key and comment of the .pub file beside a private one; None if there is none that can be read."""
    try:
        blob, comment = parse_public_key(_read(Path(f"{path}.pub")).decode("utf-8", "replace"))
        return parse_public_blob(blob), comment
    except (FileNotFoundError, KeysError):
        return None


def read_certificate_beside(path: Path, key_blob: bytes) -> bytes | None:
    """The certificate for this key in the -cert.pub file beside it; None if there is no such file.

    Raises:
        BadKeyError, NoIdentityError: there is one that cannot be used.
    """
    beside = Path(f"{str(path).removesuffix('.pub')}-cert.pub")
    try:
        words = _read(beside).decode("utf-8", "replace").split(None, 2)
    except FileNotFoundError:
        return None
    if len(words) < 2:
        raise BadKeyError(f"{beside} is no certificate")
    blob = decode_key(words[0], words[1])
    if not is_certificate(blob) or parse_certificate(blob).key.blob != key_blob:
        raise BadKeyError(f"{beside} is no certificate for the key beside it")
    return blob


def create_key(path: Path, passphrase: str | None, comment: str) -> str:
    """Make an Ed25519 key: the private half at the path (mode 0600), the public one beside it as .pub.

    Both are on the disk, whole, when it returns the public line (without its end). The folder is made, for
    its user only, if it is not there. Without a passphrase (None or empty) the file is not encrypted.

    Raises:
        NoIdentityError: there is such a file already, or it cannot be written.
    """
    beside = Path(f"{path}.pub")
    for taken in (path, beside):
        if os.path.lexists(taken):
            raise NoIdentityError(
                f"{taken} is there already", "It is left as it is: name another file, or use it."
            )
    if not comment.isprintable():
        raise NoIdentityError("the comment of a key is one line of printable text")
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment or None)
    private = (
        key.export_private_key(
            "openssh", passphrase, "aes256-ctr", rounds=BCRYPT_ROUNDS, ignore_few_rounds=True
        )
        if passphrase
        else key.export_private_key("openssh")
    )
    public = key.export_public_key("openssh")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, private, 0o600)
        _write_new(beside, public, 0o644)
    except FileExistsError:
        raise NoIdentityError(f"{path} was made by somebody else at this moment") from None
    except OSError as error:
        raise NoIdentityError(f"{path} cannot be written: {error.strerror}") from None
    return public.decode().strip()


async def _open_private(
    path: Path, data: bytes, encrypted: bool, ask: AskPassphrase | None
) -> asyncssh.SSHKey:
    """Decode a private key, asking for its passphrase if it has one.

    Raises:
        NoIdentityError: no passphrase was given, none was right, or the file is damaged.
    """
    if not encrypted:
        try:
            return asyncssh.import_private_key(data)
        except ValueError as error:
            raise NoIdentityError(f"{path} is no private key that can be used: {error}") from None
    if ask is None:
        raise NoIdentityError(f"{path} has a passphrase, and nobody is here to ask", f"ssh-add {path}")
    for _ in range(ATTEMPTS):
        passphrase = await ask(path)
        if passphrase is None:
            raise NoIdentityError(
                f"no passphrase was given for {path}", f"To be asked once only: ssh-add {path}"
            )
        try:
            # The key derivation is slow on purpose: it must not hold up the loop.
            return await asyncio.to_thread(asyncssh.import_private_key, data, passphrase)
        except ValueError:
            continue
    raise NoIdentityError(f"{ATTEMPTS} wrong passphrases for {path}")


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that appears under its name whole or not at all, and replaces none."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path, *, private: bool = False) -> bytes:
    """A key file's bytes; a private one that others can read is refused, as ssh does."""
    try:
        # Not blocking: a FIFO in the place of a key must not hold us up.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise NoIdentityError(f"{path} is not a file")
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoIdentityError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise NoIdentityError(f"{path} is too long for a key")
    mode = stat.S_IMODE(status.st_mode)
    if private and b"PRIVATE KEY-----" in data and status.st_uid == os.getuid() and mode & 0o077:
        raise NoIdentityError(
            f"the private key {path} can be read by others (mode {mode:04o}): it is not used",
            f"chmod 600 {path}",
        )
    return data


def _openssh_header(encoded: bytes) -> tuple[PublicKey, bool]:
    """The public key and whether the private one is encrypted, from the clear part of OpenSSH's format.

    Raises:
        BlobError, BadKeyError: the file is damaged, or its key is not accepted.
    """
    reader = Reader(decode_base64(b"".join(encoded.split()).decode(), "the key file"))
    if reader.raw(len(_MAGIC), "the key file") != _MAGIC:
        raise BlobError("it is of another version")
    encrypted = reader.string("the cipher") != b"none"
    reader.string("the key derivation")
    reader.string("its options")
    if reader.uint32("the number of keys") != 1:
        raise BlobError("it holds several keys")
    return parse_public_blob(reader.string("the public key")), encrypted
