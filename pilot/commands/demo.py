"""`pilot demo`: a hosting cluster from real parts on this machine."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

from pilot.errors import Exit, PilotError


def _demo() -> ModuleType:
    try:
        return importlib.import_module("pilot.demo.run")
    except ImportError as error:
        raise PilotError(
            f"the demo's parts are not installed ({error})",
            "pip install 'rocks-pilot[demo]', or `make demo`.",
        ) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the demo takes."""
    try:
        _demo().add_arguments(parser)
    except PilotError:
        return  # `run` says it; help and completion need not fail.


def run(args: argparse.Namespace) -> int:
    """Build and run it."""
    return int(_demo().main(args) or Exit.OK)
