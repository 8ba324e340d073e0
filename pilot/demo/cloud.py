"""The demo's EC2, from its outside: its process, and what airboss is to know of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from pilot.demo import processes
from pilot.demo.ec2.fleet import FLEET, REGIONS

ACCOUNT = "lab"
PROFILE = "pretended"
_NEEDED = ("moto", "flask", "flask_cors")


class Cloud:
    """A process with moto's server and our stand-in for what that lacks. Never the real EC2.

    It needs seconds of a processor to begin, so nothing waits for it: its sockets listen from the first
    moment, and what airboss asks is answered as soon as it can.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet; `folder` is the demo's."""
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str:
        """The package without which there is no EC2; empty if all are there."""
        return next((name for name in _NEEDED if find_spec(name) is None), "")

    @property
    def words(self) -> str:
        """What it is."""
        return f"EC2: {len(FLEET)} instances in {len(REGIONS)} regions, pretended (moto and our stand-in)"

    @property
    def environment(self) -> dict[str, str]:
        """For airboss, so that the user's own AWS credentials are not touched."""
        config = str(self.folder / "aws" / "config")
        return {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": config}

    def start(self, record: Callable[[str, int], None]) -> list[str]:
        """Start it; gives its lines of agent.toml. `record` is told each process by name and pid."""
        aws = self.folder / "aws"
        aws.mkdir(mode=0o700)
        (aws / "config").write_text(
            f"[profile {PROFILE}]\naws_access_key_id = PRETENDED\naws_secret_access_key = pretended\n"
            f"[{PROFILE}]\naws_access_key_id = PRETENDED\naws_secret_access_key = pretended\n",
            encoding="utf-8",
        )
        sockets = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(2)]
        try:
            with (self.folder / "ec2.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "pilot.demo.ec2", *(str(one.fileno()) for one in sockets)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=[one.fileno() for one in sockets], start_new_session=True,
                    env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                )  # fmt: skip
            record("ec2", self._process.pid)
            http, serial = (one.getsockname()[1] for one in sockets)
        finally:
            for one in sockets:
                one.close()
        regions = ", ".join(f'"{region}"' for region in REGIONS)
        return [
            "", "[[ec2]]", f'name = "{ACCOUNT}"', f"regions = [{regions}]", f'profile = "{PROFILE}"',
            f'endpoint = "http://127.0.0.1:{http}"', f'serial_endpoint = "127.0.0.1:{serial}"',
            "every = 2", "idle = true", "pretended = true",
        ]  # fmt: skip

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            if (process := processes.find(self._process.pid)) is not None:
                processes.end([process], grace=2)
            self._process.wait(timeout=5)
            self._process = None
