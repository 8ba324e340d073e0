"""Real VMs for tests: defined on a private host, started, and read over their serial line."""

from __future__ import annotations

import asyncio
import os
import termios
import time
import tty
from pathlib import Path
from types import TracebackType
from xml.etree import ElementTree as ET

import libvirt

from pilot.demo.domains import NodePlan, domain_xml
from pilot.demo.guest import Guest
from pilot.demo.hypervisor import PrivateHost


class Share:
    """How much of one processor a process gets, by the kernel's own count: tests run side by side."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = (time.monotonic(), self._ticks())
        self._percent = 0.0

    def percent(self) -> float:
        """Over the last second or so."""
        at, ticks = self._before
        now = time.monotonic()
        if now - at >= 1:
            used = (self._ticks() - ticks) / os.sysconf("SC_CLK_TCK")
            self._percent, self._before = 100 * used / (now - at), (now, self._ticks())
        return self._percent

    def shown_by(self, percent: int | None) -> bool:
        """Whether this is what a busy process uses: over a half, or most of what the kernel lets it have."""
        has = self.percent()
        return percent is not None and percent <= 100 and has > 5 and percent > min(50, 0.7 * has)

    def _ticks(self) -> int:
        return _ticks(self._pid)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def processor_seconds(pid: int) -> float:
    """What a process has used of processors: what it did, however many others the machine is busy with."""
    return _ticks(pid) / os.sysconf("SC_CLK_TCK")


class Vm:
    """A domain on a private host, with a libvirt connection of its own. Its methods block briefly."""

    def __init__(self, host: PrivateHost, guest: Guest, plan: NodePlan, network_first: bool = False) -> None:
        self.host = host
        self.plan = plan
        self.connection = libvirt.open(host.uri)
        self.domain = self.connection.defineXML(domain_xml(plan, guest, network_first=network_first))

    @property
    def state(self) -> int:
        """libvirt's VIR_DOMAIN_… state."""
        return int(self.domain.state()[0])

    @property
    def qemu_pid(self) -> int:
        """Pid of its QEMU, for SIGSTOP and the like. KeyError if it is off."""
        return self.host.qemu_pids()[self.plan.domain]

    def start(self, paused: bool = False) -> None:
        """Turn it on; paused before its first instruction if asked."""
        self.domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    def serial_path(self) -> str:
        """The pty of its serial line, while it is on."""
        source = ET.fromstring(self.domain.XMLDesc()).find("devices/serial/source")
        assert source is not None
        return source.attrib["path"]

    def close(self) -> None:
        """Let the libvirt connection go; the domain stays as it is."""
        self.connection.close()


class SerialLine:
    """The far end of a VM's serial pty, opened as a terminal program would; takes it from nobody else.

    Use it where no libvirt console is open on the VM: `async with SerialLine(vm.serial_path()) as line`.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self._news = asyncio.Event()
        self.seen = bytearray()
        """Everything that came, from the start."""
        self._used = 0

    async def __aenter__(self) -> SerialLine:
        self._fd = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd, termios.TCSANOW)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        except OSError:  # EIO: the QEMU at the other end is gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
        self.seen += data
        self._news.set()

    async def expect(self, text: bytes, deadline: float = 60.0) -> bytes:
        """Await a text behind the one expected before; gives what came up to and with it."""
        start = self._used

        async def arrive() -> int:
            while (at := self.seen.find(text, start)) < 0:
                self._news.clear()
                await self._news.wait()
            return at + len(text)

        try:
            self._used = await asyncio.wait_for(arrive(), deadline)
        except TimeoutError:
            tail = bytes(self.seen[start:][-1500:]).decode(errors="replace")
            raise AssertionError(
                f"{text!r} did not come within {deadline:g} s; the last was:\n{tail}"
            ) from None
        return bytes(self.seen[start : self._used])

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._fd, data)

    async def log_in(self, deadline: float = 60.0) -> None:
        """Log in as root and await the shell's prompt."""
        await self.expect(b"login: ", deadline)
        self.send(b"root\r")
        await self.expect(b"Password: ", deadline)
        self.send(b"pilot\r")
        await self.expect(b"# ", deadline)
