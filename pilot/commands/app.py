"""`pilot` without a command: the full-screen app."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from typing import TYPE_CHECKING

from pilot.commands.context import config_of
from pilot.errors import Exit, UsageError

if TYPE_CHECKING:
    from pilot.live.site import LiveSite


def run(args: argparse.Namespace, first: str = "") -> int:
    """Open the app, and stay until the user leaves. `first`: a `:` line that it begins with.

    Raises:
        UsageError: this is no terminal, or no site is known.
        ConfigError: a settings file is wrong.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the full-screen app needs a terminal", "`pilot nodes`, `pilot watch` and the others do not."
        )
    # Until the site is there all that is made stays: looking for garbage would be a fifth of the start.
    gc.disable()
    config = config_of(args)
    site = config.find(args.site)
    # With these comes Textual: only the app pays for it.
    from pilot import app_config, ending
    from pilot.app import PilotApp
    from pilot.link import connector
    from pilot.live.cockpit import Cockpit
    from pilot.live.connecting import Connecting
    from pilot.live.sites import LiveSites
    from pilot.screens.questions import AppAsker
    from pilot.widgets import faithful_keys

    settings = app_config.load(config)
    log = ending.keep_log(config)
    if args.no_color:
        os.environ["NO_COLOR"] = "1"
    connecting = Connecting(config, key=args.key, call_seconds=args.timeout)
    sites = LiveSites(config, connecting.to, first=site)
    cockpit = Cockpit(config, settings, sites, scope=args.cluster or "", readonly=args.readonly)
    app = PilotApp(cockpit, first)
    connecting.asker = AppAsker(app, accept_new=args.accept_new)
    _collect_once_settled(sites.current)
    # What links are made of takes half as long to import as the app: it begins while that draws.
    threading.Thread(target=connector.load, name="imports", daemon=True).start()
    faithful_keys.install()
    code = app.run(mouse=settings.mouse)
    if code is None and app.return_code:
        sys.stderr.write(f"pilot made a mistake, and had to end. Please report it; {log} has it too.\n")
        return Exit.FAILED
    return code or 0


def _collect_once_settled(live: LiveSite) -> None:
    """Look for garbage from the first connection on, and never among what is there by then.

    A round over modules, widgets and styles holds up keys for 60 ms and more. Each frame makes thousands of
    objects: looking after 5,000 new ones instead of 700 takes half of the time.
    """

    def changed() -> None:
        if live.state != "connecting":
            unlisten()
            gc.freeze()
            gc.set_threshold(5_000)
            gc.enable()

    unlisten = live.changed.listen(changed)
