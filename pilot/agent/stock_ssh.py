"""airboss for a stock OpenSSH client: `ssh -p 8677 HOST list`, `ssh -t -p 8677 HOST console NODE`.

SSH alone vouches for the signer here, so the journal holds no signature; verbs that change power are
only taken where the site allows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shlex

import asyncssh
import msgspec

from pilot import wire
from pilot.agent import gate
from pilot.agent.caller import Caller
from pilot.agent.service import Service
from pilot.agent.stock_console import StockConsole
from pilot.errors import Exit, PilotError, RefusedError, UsageError
from pilot.records import Node
from pilot.verbs import VERBS, Value

_log = logging.getLogger(__name__)

_MAX_COMMAND = 4096
"""Bytes of the longest command line that is read."""
_MAX_LINE = 1000
"""Characters of the longest line that is said."""
_MAX_KEYS = 64 * 1024
"""Bytes typed that wait for the console."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, "`help` lists the commands.")

    def exit(self, status: int = 0, message: str | None = None) -> None:  # type: ignore[override]
        raise UsageError(message or self.format_usage(), "`help` lists the commands.")


def _parser(power: bool) -> _Parser:
    parser = _Parser(prog="airboss", add_help=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    commands.add_parser("help", add_help=False)
    commands.add_parser("whoami", add_help=False)
    for name in ("list", "console"):
        command = commands.add_parser(name, add_help=False)
        command.add_argument("--cluster", default="")
        if name == "list":
            command.add_argument("nodes", nargs="*")
            command.add_argument("--json", action="store_true")
        else:
            command.add_argument("node")
            how = command.add_mutually_exclusive_group()
            how.add_argument("--watch", action="store_const", const="watch", dest="mode", default="write")
            how.add_argument("--take", action="store_const", const="take", dest="mode")
            how.add_argument("--join", action="store_const", const="join", dest="mode")
    if power:
        command = commands.add_parser("power", add_help=False)
        names = [verb.id.removeprefix("power.") for verb in VERBS if verb.id.startswith("power.")]
        command.add_argument("verb", choices=names)
        command.add_argument("nodes", nargs="+")
        command.add_argument("--cluster", default="")
    return parser


_HELP = """\
list [NODE…] [--cluster C] [--json]        your nodes and their state
console NODE [--cluster C] [--watch|--take|--join]
                                            the serial console (ssh -t); Ctrl+] leaves, Ctrl+^ ? tells more
whoami                                      who you are here, and what you may do
help                                        this text
"""
_POWER_HELP = "power VERB NODE… [--cluster C]              turn nodes on, off, …\n"
_PILOT_HELP = "Power needs signed requests, which `pilot` makes: pilot power on NODE\n"


class TextMode:
    """What a channel with a command does."""

    asked = True

    def __init__(
        self,
        chan: asyncssh.SSHServerChannel[bytes],
        service: Service,
        caller: Caller,
        command: str,
        *,
        pty: bool,
        power: bool,
    ) -> None:
        self._chan = chan
        self._service = service
        self._caller = caller
        self._command = command
        self._pty = pty
        self._power = power
        self._keys = bytearray()
        self._typed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the command."""
        self._task = asyncio.create_task(self._run())

    # --- told by the channel ---------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """Keys."""
        if len(self._keys) + len(data) <= _MAX_KEYS:
            self._keys += data
            self._typed.set()

    def resized(self, cols: int, rows: int) -> None:
        """A serial line has no window: nothing to do."""

    def pause(self) -> None:
        """The client does not read."""
        self._room.clear()

    def resume(self) -> None:
        """The client reads on."""
        self._room.set()

    def lost(self) -> None:
        """The channel is closed."""
        if self._task is not None:
            self._task.cancel()
        self._room.set()

    async def keys(self) -> bytes:
        """Wait for keys, and take them."""
        await self._typed.wait()
        self._typed.clear()
        keys = bytes(self._keys)
        self._keys.clear()
        return keys

    async def room(self) -> None:
        """Wait while the client does not read."""
        await self._room.wait()

    # --- out -------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send to the client's terminal."""
        if not self._chan.is_closing():
            self._chan.write(data)

    def _say(self, text: str) -> None:
        data = text.encode()
        self.write(data.replace(b"\n", b"\r\n") if self._pty else data)

    def _complain(self, error: PilotError) -> None:
        lines = [f"{error.title}: {error.message}", *([error.hint] if error.hint else [])]
        text = "".join(wire.plain(line, _MAX_LINE) + "\n" for line in lines)
        if self._chan.is_closing():
            return
        if self._pty:
            self._say(text)
        else:
            self._chan.write_stderr(text.encode())

    # --- commands --------------------------------------------------------------------------------

    async def _run(self) -> None:
        status = int(Exit.OK)
        try:
            status = await self._do()
        except PilotError as error:
            status = int(error.exit_code)
            self._complain(error)
        except Exception:
            _log.exception("a command of %s", self._caller.principal)
            status = int(Exit.FAILED)
            self._complain(PilotError("airboss failed inside", "Its log says more."))
        if not self._chan.is_closing():
            self._chan.exit(status)

    async def _do(self) -> int:
        if len(self._command) > _MAX_COMMAND:
            raise UsageError(f"a command line of more than {_MAX_COMMAND} bytes")
        try:
            words = shlex.split(self._command)
        except ValueError as error:
            raise UsageError(f"the command line cannot be read: {error}") from None
        if words[:1] == ["airboss"]:
            words = words[1:]
        asked = _parser(self._power).parse_args(words or ["help"])
        if asked.command == "list":
            return self._list(asked)
        if asked.command == "console":
            return await self._console(asked)
        if asked.command == "power":
            return await self._power_verb(asked)
        self._say(self._whoami() if asked.command == "whoami" else self._help())
        return Exit.OK

    def _help(self) -> str:
        return _HELP + (_POWER_HELP if self._power else _PILOT_HELP)

    def _whoami(self) -> str:
        grants = ", ".join(f"{grant.role} of {grant.cluster}" for grant in self._caller.grants())
        return wire.plain(f"{self._caller.principal} at {self._service.site}: {grants}", _MAX_LINE) + "\n"

    def _entitle(
        self, verb: str, cluster: str, targets: tuple[str, ...], args: dict[str, Value]
    ) -> gate.Asked:
        if not cluster:
            own = {grant.cluster for grant in self._caller.grants()}
            cluster = own.pop() if len(own) == 1 and "*" not in own else ""
        if not cluster and (targets or verb != "node.list"):
            raise UsageError("you have more than one cluster here", "Say which with --cluster.")
        return gate.entitle(self._caller, verb, cluster, targets, args)

    def _list(self, asked: argparse.Namespace) -> int:
        request = self._entitle("node.list", asked.cluster, tuple(asked.nodes), {})
        nodes, unknown = self._service.nodes(self._caller, request)
        if asked.json:
            self._say(json.dumps(msgspec.to_builtins(nodes)) + "\n")
        else:
            self._say(table([("NODE", "STATE", "HOST", "CLUSTER"), *(_row(node) for node in nodes)]))
        for outcome in unknown:
            if outcome.fault is not None:
                self._complain(RefusedError(outcome.fault.message, outcome.fault.hint))
        return Exit.REFUSED if unknown else Exit.OK

    async def _power_verb(self, asked: argparse.Namespace) -> int:
        request = self._entitle(f"power.{asked.verb}", asked.cluster, tuple(asked.nodes), {})
        reply = await self._service.power(self._caller, request, lambda _frame: None)
        rows = [
            (o.target, o.result, o.note or (o.fault.message if o.fault is not None else o.state))
            for o in reply.outcomes
        ]
        self._say(table([("NODE", "RESULT", ""), *rows]))
        return Exit.OK if all(o.result == "done" for o in reply.outcomes) else Exit.FAILED

    async def _console(self, asked: argparse.Namespace) -> int:
        if not self._pty:
            raise UsageError("a console needs a terminal", "Use ssh -t.")
        request = self._entitle("console.open", asked.cluster, (asked.node,), {"mode": asked.mode})
        async with self._service.consoles.attached(self._caller, request) as attachment:
            await StockConsole(attachment.viewer, attachment.node.name, self).stay()
        return Exit.OK


def _row(node: Node) -> tuple[str, ...]:
    state = f"unknown (was {node.state})" if node.stale_since is not None else node.state
    if node.hung_ms is not None:
        state = f"hung {node.hung_ms / 1000:.0f} s"
    return (node.name, state, node.host, node.cluster or "-")


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as columns that line up, each cell made fit for a terminal."""
    clean = [[wire.plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in clean) for i in range(len(clean[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in clean
    )
