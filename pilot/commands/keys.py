"""`pilot keys`: the keys that prove who one is."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import socket
from pathlib import Path

from pilot.cli import common_options
from pilot.commands.context import config_of, talk_of
from pilot.commands.talk import Talk
from pilot.errors import Exit, IdentityError, UsageError
from pilot.link.signers import OWN_KEY, my_signers

_SHORTEST = 5
"""As ssh-keygen: a shorter passphrase is a mistake."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = commands.add_parser(
        "create",
        parents=[common_options()],
        help="make an Ed25519 key, and print the line to give to a site's admin",
    )
    create.add_argument("--file", metavar="FILE", help="where to put it, instead of the configuration folder")
    create.add_argument("--comment", metavar="TEXT", help="what to call it (you@this-machine)")
    create.add_argument("--no-passphrase", action="store_true", help="do not encrypt it, and do not ask")
    listing = commands.add_parser("list", parents=[common_options()], help="the keys that would be shown")
    listing.add_argument("--public", action="store_true", help="the public lines, for an admin")


def run(args: argparse.Namespace) -> int:
    """Create or list."""
    return asyncio.run(_create(args) if args.action == "create" else _list(args))


async def _create(args: argparse.Namespace) -> int:
    from keys.errors import KeysError
    from keys.identity import create_key
    from keys.sshsig import fingerprint

    talk = talk_of(args)
    path = _path(args)
    passphrase = None if args.no_passphrase else await _new_passphrase(talk)
    try:
        line = await asyncio.to_thread(create_key, path, passphrase, args.comment or _comment())
    except KeysError as error:
        raise IdentityError(error.message, error.hint) from None
    import base64

    blob = base64.b64decode(line.split()[1])
    if talk.json:
        talk.data_json({"file": str(path), "public": line, "fingerprint": fingerprint(blob)})
        return Exit.OK
    talk.say(f"Your key is in {path}, its fingerprint is {fingerprint(blob)}.")
    talk.say("Give this line to the admin of your site:")
    talk.data([line])
    talk.say("They bind it to your cluster with: pilot-agent key add CLUSTER --role owner -", "dim")
    talk.say("Then: pilot login HOST", "dim")
    return Exit.OK


def _path(args: argparse.Namespace) -> Path:
    chosen = args.file or args.key
    return Path(chosen).expanduser().absolute() if chosen else config_of(args).folder / OWN_KEY


def _comment() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


async def _new_passphrase(talk: Talk) -> str:
    from pilot.commands.asking import read_line

    if not talk.asks:
        raise UsageError(
            "nobody is here to ask for a passphrase", "Say --no-passphrase if it shall have none."
        )
    while True:
        talk.raw("New passphrase (empty for none): ")
        first = await read_line(echo=False)
        if first is None:
            raise UsageError("no passphrase was given", "Nothing was made.")
        if first and len(first) < _SHORTEST:
            talk.say(f"That is too short: at least {_SHORTEST} characters.")
            continue
        talk.raw("The same again: ")
        if await read_line(echo=False) == first:
            return first
        talk.say("They differ.")


async def _list(args: argparse.Namespace) -> int:
    import base64

    from pilot.render.table import Cell, Column, table

    talk = talk_of(args)
    signers = await my_signers(config_of(args), Path(args.key).expanduser() if args.key else None, None)  # noqa: ASYNC240

    def public(blob: bytes, comment: str) -> str:
        kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace")
        return f"{kind} {base64.b64encode(blob).decode()} {comment}".rstrip()

    if talk.json:
        talk.data_json(
            [
                {
                    "fingerprint": signer.fingerprint,
                    "comment": signer.comment,
                    "source": signer.source,
                    "certificate": signer.certified,
                    "public": public(signer.public_blob, signer.comment),
                }
                for signer in signers
            ]
        )
    elif args.public:
        talk.data([public(signer.key_blob, signer.comment) for signer in signers])
    else:
        columns = [Column(title) for title in ("FINGERPRINT", "COMMENT", "FROM", "")]
        rows = [
            [
                Cell(signer.fingerprint, "strong"),
                Cell(signer.comment),
                Cell(signer.source),
                Cell("certificate" if signer.certified else ""),
            ]
            for signer in signers
        ]
        talk.data(table(columns, rows, talk.out_colour))
    return Exit.OK
