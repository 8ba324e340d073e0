"""`pilot` without a command: the full-screen app."""

from __future__ import annotations

import argparse
import sys

from pilot.commands.context import config_of
from pilot.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Open the app, and stay until the user leaves.

    Raises:
        UsageError: this is no terminal, or no site is known.
        ConfigError: a settings file is wrong.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the full-screen app needs a terminal", "`pilot nodes`, `pilot watch` and the others do not."
        )
    config = config_of(args)
    site = config.find(args.site)
    # With these comes Textual: only the app pays for it.
    from pilot import app_config
    from pilot.app import PilotApp
    from pilot.live.cockpit import Cockpit
    from pilot.live.connecting import Connecting
    from pilot.live.sites import LiveSites
    from pilot.screens.questions import AppAsker

    settings = app_config.load(config)
    connecting = Connecting(config, key=args.key, call_seconds=args.timeout)
    sites = LiveSites(config, connecting.to, first=site)
    cockpit = Cockpit(config, settings, sites, scope=args.cluster or "", readonly=args.readonly)
    app = PilotApp(cockpit)
    connecting.asker = AppAsker(app)
    return app.run(mouse=settings.mouse) or 0
