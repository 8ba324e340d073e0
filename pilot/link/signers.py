"""The keys that a user shows to airboss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.client_config import ClientConfig
from pilot.errors import IdentityError

if TYPE_CHECKING:
    from keys.identity import Signer

OWN_KEY = "id_ed25519"
"""The key that `pilot keys create` makes, in the configuration folder."""

Ask = Callable[[Path], Awaitable[str | None]]
"""Asks for the passphrase of a key file; None if there is to be none."""


class Passphrases:
    """Asks for passphrases of key files, but not while a connection is being made: that has a deadline."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.deferred = False

    async def __call__(self, path: Path) -> str | None:
        return None if self.deferred else await self._ask(path)


async def my_signers(config: ClientConfig, chosen: Path | None, ask: Ask | None) -> list[Signer]:
    """The keys to show: the chosen one alone; or the one made by `pilot keys create`, then all others.

    Raises:
        IdentityError: there is none, or it cannot be used.
    """
    from keys.errors import KeysError, NoIdentityError
    from keys.identity import identities

    own = config.folder / OWN_KEY
    try:
        if chosen is not None:
            return await identities([chosen], True, ask)
        found: list[Signer] = []
        if own.exists():
            found = await identities([own], True, ask)
        try:
            known = {signer.public_blob for signer in found}
            others = await identities([], True, ask)
            found += [signer for signer in others if signer.public_blob not in known]
        except NoIdentityError:
            if not found:
                raise
    except NoIdentityError as error:
        raise IdentityError(error.message, "`pilot keys create` makes a key; --key names one.") from None
    except KeysError as error:
        raise IdentityError(error.message, error.hint) from None
    return found
