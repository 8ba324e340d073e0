"""What every command that talks to an airboss needs: site, keys, connection, cluster."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.client_config import ClientConfig, Site
from pilot.commands.talk import Talk
from pilot.errors import UsageError
from pilot.link.connector import Connector

if TYPE_CHECKING:
    from pilot.link.link import Link


def talk_of(args: argparse.Namespace) -> Talk:
    """Output as the options say."""
    return Talk(json=args.json, no_color=args.no_color)


def config_of(args: argparse.Namespace) -> ClientConfig:
    """The folders as the options say."""
    return ClientConfig(Path(args.config_dir).absolute() if args.config_dir else None)


class Context:
    """One run of a command."""

    def __init__(self, args: argparse.Namespace, site: Site | None = None) -> None:
        """`site` instead of the one that the options name.

        Raises:
            UsageError, ConfigError: no site, or not clear which.
        """
        from pilot.commands.asking import ask_passphrase

        self.args = args
        self.talk = talk_of(args)
        self.config = config_of(args)
        self.site = site or self.config.find(args.site)
        self._connector = Connector(
            self.config,
            self.site,
            first_use=self._first_use,
            passphrase=partial(ask_passphrase, self.talk),
            key=args.key or "",
            call_seconds=args.timeout,
        )

    async def connect(self) -> Link:
        """A link to the site, with this user's keys.

        Raises:
            PilotError: as for `Link.connect`.
        """
        return await self._connector()

    async def _first_use(self, address: str, fingerprint: str) -> bool:
        if self.args.accept_new:
            self.talk.say(f"{address} is taken to be {fingerprint} from now on.")
            return True

        from pilot.commands.asking import ask_first_use

        return await ask_first_use(self.talk, address, fingerprint)

    def cluster(self, link: Link, needed: bool) -> str:
        """The cluster that is meant; empty for all that may be seen, unless one is needed.

        Raises:
            UsageError: it is not clear which one is meant.
        """
        wanted: str = self.args.cluster or self.site.cluster
        if wanted or not needed:
            return wanted
        names = sorted({grant.cluster for grant in link.grants})
        if len(names) == 1 and names[0] != "*":
            return names[0]
        own = [name for name in names if name != "*"]
        which = f"Yours are: {', '.join(own)}. " if own else ""
        raise UsageError("which cluster?", f"{which}Say it with --cluster NAME (`pilot nodes` lists them).")
