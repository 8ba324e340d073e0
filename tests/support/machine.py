"""A QEMU of a test's own, without libvirt: its serial line, its monitor, and its screen as QEMU sees it."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pilot.vnc.framebuffer import Framebuffer
from tests.support.waiting import until_sync

DEADLINE = 60.0


class Machine:
    """`with Machine("-drive", …) as machine`: boots at once. Its methods block, each with a deadline."""

    def __init__(self, *arguments: str | Path, accelerator: str = "tcg", memory: int = 192) -> None:
        """Nothing runs yet.

        Args:
            arguments: what this machine has besides a VGA card and a serial line.
            memory: in MiB.
        """
        self._arguments = ["-accel", accelerator, "-m", str(memory), *map(str, arguments)]
        self.seen = bytearray()
        """Everything that came from the serial line."""

    def __enter__(self) -> Machine:
        self._folder = tempfile.TemporaryDirectory(prefix="rp-m", dir="/tmp")
        self.folder = Path(self._folder.name)
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
            "-vnc", f"unix:{self.folder}/vnc",
            "-chardev", f"socket,id=s,path={self.folder}/serial,server=on,wait=off", "-serial", "chardev:s",
            "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off", "-S", *self._arguments,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._monitor = self._connect("qmp")
        self._answers = self._monitor.makefile("r", encoding="utf-8")
        self._answers.readline()
        self.ask("qmp_capabilities")
        self._serial = self._connect("serial")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.ask("cont")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        self._serial.close()
        self._answers.close()
        self._monitor.close()
        self._folder.cleanup()

    @property
    def vnc(self) -> Path:
        """The Unix socket of its VNC server."""
        return self.folder / "vnc"

    def ask(self, command: str, **arguments: Any) -> Any:
        """One command to QEMU's monitor (QMP)."""
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self._answers.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]

    def screen(self) -> Framebuffer:
        """Its screen as it is now."""
        file = self.folder / "screen.ppm"
        self.ask("screendump", filename=str(file))
        kind, size, _, pixels = file.read_bytes().split(b"\n", 3)
        assert kind == b"P6"
        width, height = map(int, size.split())
        screen = Framebuffer(width, height)
        screen.pixels[:] = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        return screen

    def memory(self, start: int, size: int) -> bytes:
        """Its memory at a physical address."""
        file = self.folder / "memory"
        self.ask("pmemsave", val=start, size=size, filename=str(file))
        return file.read_bytes()

    def press(self, *keys: str) -> None:
        """Press keys together, by QEMU's names for them."""
        self.ask("send-key", keys=[{"type": "qcode", "data": key} for key in keys], **{"hold-time": 20})

    def type(self, line: str) -> None:
        """Type a line on the serial line."""
        self._serial.sendall(line.encode() + b"\r")

    def expect(self, words: bytes, start: int = 0) -> int:
        """Await words on the serial line; gives where they end."""
        until_sync(lambda: words in self.seen[start:], DEADLINE, f"{words!r} in {self.seen[-500:]!r}")
        return self.seen.index(words, start) + len(words)

    def run(self, command: str) -> str:
        """What a command prints in the shell that `log_in` began."""
        start = len(self.seen)
        # The shell's echo of the line has no marks in it: it counts only when it runs it.
        self.type(f"echo [$((6*7))]; {command}; echo [$((7*6))]")
        begin = self.expect(b"[42]\r\n", start)
        end = self.expect(b"[42]\r\n", begin)
        return bytes(self.seen[begin:end]).decode().removesuffix("[42]\r\n")

    def log_in(self) -> None:
        """Log in as root on the serial line, and await the shell."""
        self.expect(b"login: ")
        self.type("root")
        self.expect(b"Password: ")
        self.type("pilot")
        self.expect(b"# ")

    def _connect(self, name: str) -> socket.socket:
        end = time.monotonic() + DEADLINE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(DEADLINE)
            try:
                connection.connect(str(self.folder / name))
            except OSError:
                connection.close()
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return connection

    def _read(self) -> None:
        self._serial.settimeout(None)
        while data := self._received():
            self.seen += data

    def _received(self) -> bytes:
        try:
            return self._serial.recv(65536)
        except OSError:
            return b""
