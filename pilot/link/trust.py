"""Which host key an airboss is expected to show, and what happens when there is none yet or another one.

The file is OpenSSH's known_hosts, and the client's own: the user's ~/.ssh is neither read nor written. Only
Ed25519 keys are kept, since an airboss has no other.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

from pilot.client_config import write_private
from pilot.errors import IdentityError
from pilot.wire import PORT, plain

AskFirstUse = Callable[[str, str], Awaitable[bool]]
"""Called with the address and the fingerprint; whether the user takes this key for the site's."""

_TYPE = "ssh-ed25519"


async def refuse_first_use(_address: str, _fingerprint: str) -> bool:
    """Take no key that is not known yet."""
    return False


async def accept_first_use(_address: str, _fingerprint: str) -> bool:
    """Take the first key that is shown."""
    return True


class KnownHosts:
    """The pinned host keys."""

    def __init__(self, path: Path, ask: AskFirstUse = refuse_first_use) -> None:
        self.path = path
        self._ask = ask

    def pinned(self, host: str, port: int) -> frozenset[bytes]:
        """Public key blobs that this address may show.

        Raises:
            IdentityError: the file cannot be read.
        """
        return frozenset(blob for _, blob in self._entries(host, port))

    async def first_use(self, host: str, port: int, blob: bytes, fingerprint: str) -> None:
        """Ask whether a new key is the site's, and pin it.

        Raises:
            IdentityError: it was not accepted.
        """
        if not await self._ask(_pattern(host, port), fingerprint):
            raise IdentityError(
                f"the host key of {_pattern(host, port)} is not known yet: {fingerprint}",
                "Compare it with what the site's admin says (`pilot-agent check` prints it), then "
                "`pilot login` in a terminal, or add --accept-new.",
            )
        lines = self._lines()
        lines.append(f"{_pattern(host, port)} {_TYPE} {base64.b64encode(blob).decode()}")
        write_private(self.path, ("\n".join(lines) + "\n").encode())

    def changed(self, host: str, port: int, fingerprint: str) -> IdentityError:
        """What to say when another key than the pinned one is shown."""
        lines = ", ".join(str(number) for number, _ in self._entries(host, port))
        return IdentityError(
            f"the host key of {_pattern(host, port)} HAS CHANGED to {fingerprint}. Either the airboss was "
            "installed anew, or somebody stands between you and it. Nothing was sent",
            "Ask the site's admin for the fingerprint. Only if it is this one, forget the old key "
            f"({plain(str(self.path))}, line {lines}; `pilot sites --forget NAME` does it) and log in again.",
        )

    def forget(self, host: str, port: int) -> bool:
        """Drop what is pinned for an address; whether there was anything."""
        drop = {number for number, _ in self._entries(host, port)}
        if drop:
            kept = [line for number, line in enumerate(self._lines(), 1) if number not in drop]
            write_private(self.path, "".join(f"{line}\n" for line in kept).encode())
        return bool(drop)

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(f"{self.path}: cannot be read: {error}") from None

    def _entries(self, host: str, port: int) -> list[tuple[int, bytes]]:
        """Line numbers from 1, and key blobs, of the entries for an address."""
        pattern = _pattern(host, port)
        found = []
        for number, line in enumerate(self._lines(), 1):
            fields = line.split()
            if len(fields) < 3 or fields[0].startswith(("#", "@")) or fields[1] != _TYPE:
                continue
            if pattern in fields[0].split(","):
                try:
                    found.append((number, base64.b64decode(fields[2], validate=True)))
                except ValueError:
                    raise IdentityError(f"{self.path}, line {number}: not a host key") from None
        return found


def _pattern(host: str, port: int) -> str:
    """An address as known_hosts has it; ours always with its port, since none is SSH's usual 22."""
    return host if port == 22 else f"[{host}]:{port or PORT}"
