"""The user's own keys: what ssh-agent holds, then key files; each is a Signer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh

from keys.agent import SIGN_DEADLINE, Agent
from keys.certificate import bare_key, parse_certificate
from keys.errors import BadKeyError, BadSignatureError, KeysError, NoIdentityError, SigningRefusedError
from keys.keyfile import (
    AskPassphrase,
    KeyFile,
    create_key,
    private_half,
    read_certificate_beside,
    read_key_file,
)
from keys.publickey import SIGNATURE_ALGORITHMS, PublicKey, parse_signature
from keys.sshsig import fingerprint

__all__ = [
    "AskPassphrase",
    "NoIdentityError",
    "Signer",
    "SigningRefusedError",
    "create_key",
    "default_key_files",
    "identities",
]

_DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")


class Signer:
    """A key of the user's that signs: in the agent, or in a file that is opened when it is first needed."""

    def __init__(
        self,
        public_blob: bytes,
        key: PublicKey,
        comment: str,
        holder: Agent | KeyFile,
        held_blob: bytes,
        ask: AskPassphrase | None,
    ) -> None:
        """`held_blob` is what the agent knows the key by: a certificate it holds, or the bare key."""
        self._public_blob = public_blob
        self._key = key
        self._comment = comment
        self._holder = holder
        self._held_blob = held_blob
        self._ask = ask
        self.last_error: KeysError | None = None
        """Why it last failed to sign for an SSH login, which itself only says "permission denied"."""

    @property
    def public_blob(self) -> bytes:
        """The public key; the certificate if this identity is certified."""
        return self._public_blob

    @property
    def key_blob(self) -> bytes:
        """The bare public key."""
        return self._key.blob

    @property
    def certified(self) -> bool:
        """Whether it presents a certificate."""
        return self._public_blob != self._key.blob

    @property
    def fingerprint(self) -> str:
        """The bare key's, as ssh prints it."""
        return fingerprint(self._key.blob)

    @property
    def airboss_fingerprint(self) -> str:
        """Of what a site knows it by: the authority of its certificate, or else its key."""
        if self.certified:
            return fingerprint(parse_certificate(self._public_blob).authority.blob)
        return self.fingerprint

    @property
    def comment(self) -> str:
        """What the user calls it; the file's path if nothing."""
        return self._comment

    @property
    def source(self) -> str:
        """Where the private half is: `ssh-agent`, or the file's path."""
        return "ssh-agent" if isinstance(self._holder, Agent) else str(self._holder.path)

    @property
    def locked(self) -> bool:
        """Whether signing will ask for a passphrase first."""
        return isinstance(self._holder, KeyFile) and self._holder.locked

    async def unlock(self) -> None:
        """Ask for the passphrase now, so that nobody waits with a deadline while the user types.

        Raises:
            NoIdentityError: see `KeyFile.private`.
        """
        if isinstance(self._holder, KeyFile):
            await self._holder.private(self._ask)

    @property
    def keypair(self) -> asyncssh.SSHKeyPair:
        """To authenticate one SSH connection with. A new one each time: asyncssh keeps state in it."""
        return _KeyPair(self, self._key)

    async def sign(self, data: bytes) -> bytes:
        """An SSH signature blob over the data, with the best algorithm that the key has.

        Raises:
            NoIdentityError: the key file cannot be opened.
            SigningRefusedError: the agent or the token refuses, or takes too long.
        """
        return await self.sign_with(data, SIGNATURE_ALGORITHMS[self._key.type][0])

    async def sign_with(self, data: bytes, algorithm: str) -> bytes:
        """The same, with an algorithm of one's own choice out of the allowed ones."""
        if isinstance(self._holder, Agent):
            blob = await self._holder.sign(self._held_blob, data, algorithm)
        else:
            blob = await self._sign_with_file(self._holder, data, algorithm)
        try:
            parse_signature(self._key, blob)
        except BadSignatureError as error:
            raise SigningRefusedError(
                f"{self.source} gave a signature that nobody accepts: {error.message}", error.hint
            ) from None
        return blob

    async def _sign_with_file(self, file: KeyFile, data: bytes, algorithm: str) -> bytes:
        private = await file.private(self._ask)
        if not self._key.is_security_key:
            return private.sign(data, algorithm.encode())
        try:
            async with asyncio.timeout(SIGN_DEADLINE):
                return await asyncio.to_thread(private.sign, data, algorithm.encode())
        except TimeoutError:
            raise SigningRefusedError(
                f"the token did not sign within {SIGN_DEADLINE:g} s", "Touch it when it blinks."
            ) from None
        except ValueError as error:
            raise SigningRefusedError(
                f"the token for {file.path} did not sign: {error}",
                f"Let the agent do it: ssh-add {file.path}",
            ) from None


class _KeyPair(asyncssh.SSHKeyPair):
    """A Signer as asyncssh wants it to log in with."""

    _key_type = "signer"

    def __init__(self, signer: Signer, key: PublicKey) -> None:
        algorithms = [name.encode() for name in SIGNATURE_ALGORITHMS[key.type]]
        kind = parse_certificate(signer.public_blob).type if signer.certified else key.type
        super().__init__(
            kind.encode(), algorithms[0], algorithms, algorithms, signer.public_blob, signer.comment
        )
        self._signer = signer
        self.set_sig_algorithm(algorithms[0])

    @property
    def has_cert(self) -> bool:
        """Whether a certificate is presented: its name stays, whatever algorithm signs."""
        return self._signer.certified

    async def sign_async(self, data: bytes) -> bytes:
        """Sign asyncssh's login request."""
        try:
            return await self._signer.sign_with(data, self.sig_algorithm.decode())
        except KeysError as error:
            # A ValueError makes asyncssh go on with the next key; anything else would end the connection.
            self._signer.last_error = error
            raise ValueError(error.message) from None


def default_key_files() -> tuple[Path, ...]:
    """The files that ssh itself looks for, of the types that are accepted here."""
    return tuple(Path.home() / ".ssh" / name for name in _DEFAULT_NAMES)


async def identities(
    key_files: Sequence[Path],
    use_agent: bool,
    ask_passphrase: AskPassphrase | None,
    agent_path: str | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Signer]:
    """The user's identities, in the order in which to offer them; those with a certificate come first.

    With `key_files` these keys and no others, as `ssh -o IdentitiesOnly=yes -i` does (a .pub file stands for
    the private key that the agent holds); the agent signs for those that it has. Without, all that the agent
    holds, then the default key files. No passphrase is asked for before a signature needs it. `note` is told
    what was passed over, and why.

    Raises:
        NoIdentityError: there is none at all, or a given file cannot be used.
        BadKeyError: a given file's key is of a type that is not accepted, or too weak.
    """
    tell = note or (lambda _text: None)
    found: dict[bytes, Signer] = {}
    agent = (Agent(agent_path) if agent_path else Agent.of_environment()) if use_agent else None
    held: dict[bytes, str] = {}
    if agent is not None:
        try:
            held = {key.public_blob: key.comment for key in await agent.keys()}
        except NoIdentityError as error:
            tell(error.message)
            agent = None
    if agent is not None and not key_files:
        for blob, comment in held.items():
            try:
                found[blob] = Signer(blob, bare_key(blob), comment, agent, blob, None)
            except BadKeyError as error:
                tell(f"a key in the agent ({comment}) is passed over: {error.message}")
    for path in key_files or default_key_files():
        try:
            for signer in _of_file(path, agent, held, ask_passphrase, tell):
                found.setdefault(signer.public_blob, signer)
        except FileNotFoundError:
            if key_files:
                raise NoIdentityError(f"there is no key file {path}") from None
        except KeysError as error:
            if key_files:
                raise
            tell(error.message)
    if not found:
        raise NoIdentityError(
            "you have no SSH key that can be used: none in the ssh-agent, none in ~/.ssh",
            "Make one, or add yours to the agent: ssh-add FILE",
        )
    return sorted(found.values(), key=lambda signer: not signer.certified)


def _of_file(
    path: Path,
    agent: Agent | None,
    held: dict[bytes, str],
    ask: AskPassphrase | None,
    tell: Callable[[str], None],
) -> list[Signer]:
    """The identities of one key file: with the certificate beside it if there is one, and without."""
    file = read_key_file(path)
    key = file.public if isinstance(file, KeyFile) else file
    holder: Agent | KeyFile
    if agent is not None and key.blob in held:
        holder, comment = agent, held[key.blob] or str(path)
    elif isinstance(file, KeyFile):
        holder, comment = file, file.comment
    else:
        try:
            return _of_file(private_half(path), agent, held, ask, tell)
        except FileNotFoundError:
            raise NoIdentityError(
                f"{path} is a public key, and the ssh-agent does not hold its private half",
                "Add it (ssh-add FILE), or name the private key's file.",
            ) from None
    signers = [Signer(key.blob, key, comment, holder, key.blob, ask)]
    try:
        certificate = read_certificate_beside(path, key.blob)
    except KeysError as error:
        tell(error.message)
    else:
        if certificate is not None:
            held_blob = certificate if certificate in held else key.blob
            signers.insert(0, Signer(certificate, key, comment, holder, held_blob, ask))
    return signers
