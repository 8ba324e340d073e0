"""Draining by a command of the site's, where the command or the machine's name is not what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot.backends.condor.drain import drain
from pilot.backends.condor.settings import Bounds, PoolSettings
from pilot.errors import BackendError, RefusedError
from pilot.records import Machine


def machine(name: str) -> Machine:
    return Machine(f"machine:p/{name}", "p", name, "Claimed", "Busy", "10.0.0.1")


async def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = PoolSettings("p", "cm.local", drain_command=(str(tmp_path / "none"),))
    with pytest.raises(BackendError, match="No such file") as caught:
        await drain(settings, Bounds(), machine("compute-0-0.local"), "why", False)
    assert "drain_command" in caught.value.hint


async def test_a_machines_name_is_no_option_of_the_command(tmp_path: Path) -> None:
    """A startd calls itself what it likes."""
    command = tmp_path / "drain"
    command.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    command.chmod(0o755)
    settings = PoolSettings("p", "cm.local", drain_command=(str(command),))
    with pytest.raises(RefusedError, match="is no name"):
        await drain(settings, Bounds(), machine("-cancel"), "why", False)
    assert not (tmp_path / "asked").exists()
    await drain(settings, Bounds(), machine("compute-0-0.local"), "why", False)
    assert (tmp_path / "asked").exists()
