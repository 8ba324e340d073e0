"""What every command that talks to an airboss needs: site, keys, connection, cluster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.client_config import ClientConfig, Site
from pilot.commands.talk import Talk
from pilot.errors import IdentityError, UsageError
from pilot.link.trust import KnownHosts

if TYPE_CHECKING:
    from keys.identity import Signer
    from pilot.commands.asking import Passphrases
    from pilot.link.link import Link


OWN_KEY = "id_ed25519"
"""The key that `pilot keys create` makes, in the configuration folder."""


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
        from pilot.commands.asking import Passphrases

        self.args = args
        self.talk = talk_of(args)
        self.config = config_of(args)
        self.site = site or self.config.find(args.site)
        self._passphrases = Passphrases(self.talk)
        self._signers: list[Signer] | None = None

    async def connect(self) -> Link:
        """A link to the site, with this user's keys.

        Raises:
            PilotError: as for `Link.connect`.
        """
        from pilot.link.link import CALL_SECONDS, Link
        from pilot.link.receipts import Receipts

        if self._signers is None:
            self._signers = await my_signers(self.config, self._chosen_key(), self._passphrases)
        return await Link.connect(
            self.site,
            self._signers,
            self.known_hosts(),
            kept=Receipts(self.config.receipts),
            call_seconds=self.args.timeout or CALL_SECONDS,
            prompt=self._passphrases,
        )

    def known_hosts(self) -> KnownHosts:
        """The pinned host keys, with this terminal to ask about new ones."""
        from pilot.commands.asking import ask_first_use

        async def ask(address: str, fingerprint: str) -> bool:
            if self.args.accept_new:
                self.talk.say(f"{address} is taken to be {fingerprint} from now on.")
                return True
            return await ask_first_use(self.talk, address, fingerprint)

        return KnownHosts(self.config.known_hosts, ask)

    def _chosen_key(self) -> Path | None:
        chosen = self.args.key or self.site.key
        return Path(chosen).expanduser() if chosen else None

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


async def my_signers(config: ClientConfig, chosen: Path | None, ask: Passphrases | None) -> list[Signer]:
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
