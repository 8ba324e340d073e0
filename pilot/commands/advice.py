"""Hints as a shell's user needs them: airboss names verbs, and knows nothing of who asks by what."""

from __future__ import annotations

import re

from pilot.verbs import BY_ID

_COMMANDS = ("power", "send", "record")
"""Commands whose verbs are words after them: `power.on` is `pilot power on`."""
_VERB = re.compile(rf"`((?:{'|'.join(_COMMANDS)})\.[a-z]+)`")


def for_shell(hint: str) -> str:
    """The hint with the commands of the verbs that it names."""

    def command(match: re.Match[str]) -> str:
        verb = BY_ID.get(match[1])
        return match[0] if verb is None or verb.scope != "node" else f"`pilot {verb.id.replace('.', ' ')}`"

    return _VERB.sub(command, hint)
