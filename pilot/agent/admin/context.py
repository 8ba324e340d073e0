"""What every admin command needs: settings, the database as the right user, who runs it, and output."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
import time
from collections.abc import Sequence

import msgspec

from pilot.agent.database import Database
from pilot.agent.privileges import become_owner, prepare_state
from pilot.agent.registry_edit import Actor, Editor
from pilot.agent.settings import Settings, load_settings
from pilot.wire import plain


class Context:
    """One run of a command."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises ConfigError if the configuration is wrong."""
        self.args = args
        self.json: bool = args.json
        self.settings: Settings = load_settings(args.config)
        self.actor = actor()
        self.now = time.time()
        self._database: Database | None = None

    def become_daemon(self) -> None:
        """Go on as the user that airboss runs as, if root runs this. Read what only root may read before.

        Raises:
            StorageError: the state folder is not there and cannot be made.
        """
        prepare_state(self.settings.state)
        become_owner(self.settings.state)

    @property
    def database(self) -> Database:
        """The database, opened as the daemon's user. Raises as `Database.open` does."""
        if self._database is None:
            self.become_daemon()
            self._database = Database.open(self.settings.database_url)
        return self._database

    @property
    def has_database(self) -> bool:
        """Whether there is one to open: looking at an installation does not make it."""
        if not self.settings.state.is_dir():
            return False
        path = Database(self.settings.database_url).path
        return path is None or path.exists()

    @property
    def editor(self) -> Editor:
        """What changes clusters and signers."""
        return Editor(self.database, self.actor)

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def actor() -> Actor:
    """Who runs this: the UNIX user; through sudo, the one who called it."""
    uid = os.getuid()
    caller = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    if caller and caller != "root":
        return Actor(plain(caller, 64), uid)
    try:
        return Actor(pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return Actor(f"uid {uid}", uid)


def say(text: str) -> None:
    """Talk, on stderr."""
    print(text, file=sys.stderr)


def put_json(data: object) -> None:
    """Data, on stdout, as one line of JSON."""
    print(msgspec.json.encode(data).decode())


def put_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Data, on stdout, in columns. Cells are made fit for a terminal."""
    cells = [tuple(header), *(tuple(plain(str(cell), 120) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def confirm(question: str) -> bool:
    """Ask on the terminal; no terminal means no."""
    if not sys.stdin.isatty():
        say(f"{question} Nobody is there to answer: give --yes to go on without asking.")
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
