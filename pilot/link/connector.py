"""Makes links to one site with the user's own keys and files, as often as one is needed."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.client_config import ClientConfig, Site
from pilot.errors import IdentityError
from pilot.link.signers import Ask, Passphrases, my_signers
from pilot.link.trust import AskFirstUse, KnownHosts

if TYPE_CHECKING:
    from keys.identity import Signer
    from pilot.link.link import Link


def load() -> None:
    """Import what links are made of. This takes so long that whoever draws does it on a thread."""
    for module in ("pilot.link.link", "pilot.link.receipts"):
        importlib.import_module(module)


class Connector:
    """`await connector()` gives a link. Keys are read at the first, and passphrases asked for once."""

    def __init__(
        self,
        config: ClientConfig,
        site: Site,
        *,
        first_use: AskFirstUse,
        passphrase: Ask,
        key: str = "",
        call_seconds: float | None = None,
    ) -> None:
        """`key` is a key file instead of the site's; `call_seconds` the deadline of calls, if another one."""
        chosen = key or site.key
        self._config = config
        self._site = site
        self._key = Path(chosen).expanduser() if chosen else None
        self._known_hosts = KnownHosts(config.known_hosts, first_use)
        self._passphrases = Passphrases(passphrase)
        self._call_seconds = call_seconds
        self._signers: list[Signer] | None = None

    async def __call__(self) -> Link:
        """A link to the site.

        Raises:
            PilotError: as for `Link.connect`.
        """
        await asyncio.to_thread(load)
        from pilot.link.asking import CALL_SECONDS
        from pilot.link.link import Link
        from pilot.link.receipts import Receipts

        try:
            if self._signers is None:
                self._signers = await my_signers(self._config, self._key, self._passphrases)
            return await Link.connect(
                self._site,
                self._signers,
                self._known_hosts,
                kept=Receipts(self._config.receipts),
                call_seconds=self._call_seconds or CALL_SECONDS,
                prompt=self._passphrases,
            )
        except IdentityError:
            # The user may add a key, or start the agent anew, before it is tried again.
            self._signers = None
            raise
