"""`pilot-agent serve`: the daemon."""

from __future__ import annotations

import argparse

from pilot.agent.admin.context import say
from pilot.agent.privileges import become_owner, prepare_state
from pilot.agent.settings import load_settings


def serve(args: argparse.Namespace) -> int:
    """Run airboss until it is told to end."""
    settings = load_settings(args.config)
    for warning in settings.warnings:
        say(f"{args.config}: {warning}")
    prepare_state(settings.state)
    if owner := become_owner(settings.state):
        say(f"running as {owner}, whose {settings.state} is")
    # Imported as the user who runs it, and only by this command: it brings asyncssh and libvirt along.
    from pilot.agent.daemon import run

    return run(settings)
