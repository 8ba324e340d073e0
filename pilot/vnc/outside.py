"""An outside viewer at a node's screen: a socket that lets one connection of this user in, and the relay.

No numpy and no RFB here: what the viewer and the VM's server say to each other is theirs.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

from pilot.errors import DeadlineError, PilotError, UsageError
from pilot.vnc.stream import Stream

ACCEPT_SECONDS = 30.0
"""For how long a viewer may take to connect."""
_CHUNK = 32 * 1024
_ASK_SECONDS = 3.0
_END_SECONDS = 2.0
_PEER = struct.Struct("3i")

Takes = Literal["unix", "tcp", "uri"]
"""How a viewer is told where: a socket's path, `host::port`, or `vnc://host:port`."""


class Viewer(NamedTuple):
    """A program that shows VNC screens."""

    words: tuple[str, ...]
    takes: Takes

    def command(self, address: str) -> list[str]:
        """Its command line: the address stands where `{}` is, or at the end."""
        if any("{}" in word for word in self.words):
            return [word.replace("{}", address) for word in self.words]
        return [*self.words, address]


def find_viewer(view_only: bool = False, environ: Mapping[str, str] = os.environ) -> Viewer | None:
    """The user's viewer: TigerVNC's, virt-viewer's, macOS's; None without one, or without a display."""
    if sys.platform == "darwin":
        # -W: wait until it is left.
        return Viewer(("open", "-W"), "uri")
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return None
    path = environ.get("PATH")
    for name in ("xtigervncviewer", "vncviewer"):
        found = shutil.which(name, path=path)
        if found is not None and _is_tigervnc(found):
            only = ("-ViewOnly",) if view_only else ()
            return Viewer((found, "-Shared", "-RemoteResize=0", *only), "unix")
    if (found := shutil.which("remote-viewer", path=path)) is not None:
        return Viewer((found,), "uri")
    if (found := shutil.which("vncviewer", path=path)) is not None:
        return Viewer((found,), "tcp")
    return None


def named_viewer(command: str) -> Viewer:
    """One that the user names, with its options.

    Raises:
        UsageError: there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the viewer's command is not understood: {error}") from None
    if not words or (found := shutil.which(words[0])) is None:
        raise UsageError(f"there is no viewer '{command}' here", "Name a program: --viewer vncviewer.")
    if Path(found).name in ("open", "remote-viewer", "xdg-open", "vinagre", "krdc"):
        return Viewer((found, *words[1:]), "uri")
    return Viewer((found, *words[1:]), "unix" if _is_tigervnc(found) else "tcp")


def _is_tigervnc(path: str) -> bool:
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 - the user's own viewer
            [path, "--version"], capture_output=True, timeout=_ASK_SECONDS, check=False
        )
        return b"TigerVNC" in said.stdout + said.stderr
    return False


class Door:
    """A listening socket for one connection of this user. A context manager."""

    def __init__(
        self, takes: Takes = "unix", *, listen: tuple[str, int] | None = None, unix: str = ""
    ) -> None:
        """A socket in a folder that only this user may enter, or a free port of the loopback.

        Args:
            takes: what the viewer takes.
            listen: the loopback address and port instead of a free one (port 0: a free one).
            unix: the path of the socket instead of one of our own; nothing may be there yet.

        Raises:
            UsageError: it cannot be opened there.
        """
        self._folder: str | None = None
        self._path = ""
        try:
            if unix or (takes == "unix" and listen is None):
                self._open_unix(unix)
            else:
                self._open_tcp(listen or ("127.0.0.1", 0), takes)
        except OSError as error:
            self.close()
            where = unix or (f"{listen[0]}:{listen[1]}" if listen else "a socket")
            raise UsageError(
                f"{where} cannot be listened at: {error.strerror or error}", "Name another."
            ) from None

    def _open_unix(self, unix: str) -> None:
        if not unix:
            self._folder = tempfile.mkdtemp(prefix="pilot-vnc-")  # 0700
        path = unix or str(Path(self._folder or "") / "screen")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            self._socket.bind(path)
        finally:
            os.umask(old)
        self._path = path
        self._begin(path)

    def _open_tcp(self, listen: tuple[str, int], takes: Takes) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(listen)
        host, port = self._socket.getsockname()
        self._begin(f"vnc://{host}:{port}" if takes == "uri" else f"{host}::{port}")

    def _begin(self, address: str) -> None:
        self.address = address
        self._socket.listen(1)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def accept(self, seconds: float = ACCEPT_SECONDS) -> socket.socket:
        """The first connection of this user; others are hung up on. Then nobody can connect any more.

        Raises:
            DeadlineError: none came in time.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    connection, peer = await loop.sock_accept(self._socket)
                    if _is_ours(connection, peer):
                        break
                    connection.close()
        except TimeoutError:
            raise DeadlineError(
                f"no viewer connected within {seconds:g} s", "Start it sooner, or name it: --viewer."
            ) from None
        finally:
            self.close()
        return connection

    def close(self) -> None:
        """Listen no more."""
        if hasattr(self, "_socket"):
            self._socket.close()
        if self._path:
            with suppress(OSError):
                Path(self._path).unlink()
            self._path = ""
        if self._folder is not None:
            with suppress(OSError):
                Path(self._folder).rmdir()
            self._folder = None


def _is_ours(connection: socket.socket, peer: object) -> bool:
    """Whether this user is at the other end, as far as the system says."""
    if not sys.platform.startswith("linux"):
        # A unix socket's folder keeps others out; for TCP there is nothing to ask.
        return True
    if connection.family == socket.AF_UNIX:
        _pid, uid, _gid = _PEER.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        )
    else:
        uid = _owner(connection.getpeername(), connection.getsockname())
    return bool(uid == os.geteuid())


def _owner(theirs: tuple[str, int], ours: tuple[str, int]) -> int:
    """Whose end of a local TCP connection it is: the uid that /proc/net/tcp has for it; -1 if it has none."""
    wanted = [_as_proc(*theirs), _as_proc(*ours)]
    with suppress(OSError):
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            columns = line.split()
            if columns[1:3] == wanted:
                return int(columns[7])
    return -1


def _as_proc(host: str, port: int) -> str:
    """An address as the kernel prints it: the bytes of a number of this machine's order."""
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"


def parse_listen(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT` or `PORT`, of the loopback only: whoever connects has the guest's keyboard.

    Raises:
        UsageError: it is not one of those.
    """
    match = re.fullmatch(r"(?:(localhost|127\.\d+\.\d+\.\d+):)?(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise UsageError(
            f"'{text}' is no address of this machine's loopback",
            "127.0.0.1:5901, or only the port. For another machine: ssh -L.",
        )
    return ("127.0.0.1" if match[1] in (None, "localhost") else match[1], int(match[2]))


async def relay(connection: socket.socket, stream: Stream) -> None:
    """Pass on what both sides say until one of them ends it; who does not read is not sent more.

    Raises:
        PilotError: the screen failed.
    """
    reader, writer = await asyncio.open_connection(sock=connection)

    async def up() -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                stream.write(data)
                await stream.drain()

    async def down() -> None:
        with suppress(ConnectionError):
            while data := await stream.read():
                writer.write(data)
                await writer.drain()

    tasks = {asyncio.create_task(up(), name="viewer-up"), asyncio.create_task(down(), name="viewer-down")}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        stream.close()
        writer.close()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await writer.wait_closed()
    for result in results:
        if isinstance(result, PilotError):
            raise result


async def start(viewer: Viewer, address: str) -> asyncio.subprocess.Process:
    """Start a viewer.

    Raises:
        UsageError: it does not start.
    """
    command: Sequence[str] = viewer.command(address)
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl+C here is for us: it ends when its connection does.
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]} does not start: {error.strerror}", "Name another: --viewer."
        ) from None


async def show(viewer: Viewer, door: Door, stream: Stream, seconds: float = ACCEPT_SECONDS) -> None:
    """Start a viewer at a screen, and wait until one of the two ends. The screen is left, whatever happens.

    Raises:
        UsageError: the viewer does not start, or ends before it has connected.
        DeadlineError: it does not connect.
        PilotError: the screen failed.
    """
    try:
        process = await start(viewer, door.address)
        await _until_it_ends(process, viewer, door, stream, seconds)
    finally:
        stream.close()


async def _until_it_ends(
    process: asyncio.subprocess.Process, viewer: Viewer, door: Door, stream: Stream, seconds: float
) -> None:
    accepting = asyncio.create_task(door.accept(seconds), name="viewer-accept")
    ended = asyncio.create_task(process.wait(), name="viewer-end")
    try:
        await asyncio.wait({accepting, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not accepting.done():
            raise UsageError(
                f"{viewer.words[0]} ended before it connected (exit code {process.returncode})",
                "`--print` prints an address for a viewer that you start yourself.",
            )
        await relay(accepting.result(), stream)
    finally:
        accepting.cancel()
        # It ends by itself, or says that the connection was lost, for as long as the user likes.
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.shield(ended)
        ended.cancel()
