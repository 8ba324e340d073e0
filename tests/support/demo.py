"""The demo as a person starts it: a process that builds, serves and ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from pilot.demo.hypervisor import PrivateHost
from tests.support.installed_condor import InstalledCondor

RUNS = b"SIGTERM ends it"
"""The last words of a headless demo that is built."""


class Demo:
    """A `python -m pilot.demo` of its own; its output is what both streams say."""

    def __init__(
        self, state: Path, *arguments: str, stdin: bytes | None = None, condor: InstalledCondor | None = None
    ) -> None:
        """`condor`: where HTCondor is installed for this one."""
        self.state = state
        command = [sys.executable, "-m", "pilot.demo", "--state", str(state), *arguments]
        self.output = b""
        self.process = subprocess.Popen(
            command if condor is None else condor.around(command),
            env=None if condor is None else condor.environment,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    def await_text(self, text: bytes | None, deadline: float = 60.0) -> bytes:
        """Read until the text came, or until the end if that is None."""
        assert self.process.stdout is not None
        end = time.monotonic() + deadline
        while text is None or text not in self.output:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{text!r} did not come; the demo said:\n{self.output.decode()}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                assert text is None, f"the demo ended:\n{self.output.decode()}"
                break
            self.output += data
        return self.output

    def as_person(self, folder: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `pilot` as one of the demo's people."""
        return subprocess.run(
            [self.state / "bin" / "pilot", *words],
            env={**os.environ, "PILOT_CONFIG": str(self.state / folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def pids(self) -> list[int]:
        """All processes of the demo but its own."""
        found = [json.loads(path.read_text())["pid"] for path in self.state.glob("*.process")]
        for folder in self.state.glob("h[0-9]"):
            host = PrivateHost(folder, folder.name)
            found += [pid for pid in (host.pid, *host.qemu_pids().values()) if pid is not None]
        return found

    def end(self) -> None:
        """End it in order, if it has not ended."""
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return
        if self.process.poll() is None:
            self.process.terminate()
        self.await_text(None, 60)
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def kill_airboss(self) -> None:
        """End airboss as a crash does."""
        os.kill(json.loads((self.state / "airboss.process").read_text())["pid"], signal.SIGKILL)

    def start_airboss(self) -> subprocess.Popen[bytes]:
        """Start it again; it is the caller's to end."""
        return subprocess.Popen(
            [self.state / "bin" / "pilot-agent", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
