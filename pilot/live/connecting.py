"""How the app connects to its sites, and asks its user what only a person can answer."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pilot.client_config import ClientConfig, Site
from pilot.link.connector import Connector


class Asker(Protocol):
    """Asks the user. A question that is given up is answered with no."""

    async def first_use(self, address: str, fingerprint: str) -> bool:
        """Whether a host key that is not known yet is the site's."""

    async def passphrase(self, path: Path) -> str | None:
        """The passphrase of a key file; None if the user does not give it."""


class Connecting:
    """Makes the connectors of sites, with this user's keys and pinned host keys."""

    def __init__(
        self,
        config: ClientConfig,
        asker: Asker | None = None,
        *,
        key: str | None = None,
        call_seconds: float | None = None,
    ) -> None:
        """`key` is a key file instead of the sites' own, `call_seconds` another deadline of calls.

        Without an asker nothing is asked: an unknown host key is refused, an encrypted key stays locked.
        """
        self.asker = asker
        self._config = config
        self._key = key or ""
        self._call_seconds = call_seconds

    def to(self, site: Site) -> Connector:
        """What makes links to a site. Nothing is connected yet."""
        return Connector(
            self._config,
            site,
            first_use=self._first_use,
            passphrase=self._passphrase,
            key=self._key,
            call_seconds=self._call_seconds,
        )

    async def _first_use(self, address: str, fingerprint: str) -> bool:
        return self.asker is not None and await self.asker.first_use(address, fingerprint)

    async def _passphrase(self, path: Path) -> str | None:
        return None if self.asker is None else await self.asker.passphrase(path)
