"""Hints as a shell's user needs them: airboss names verbs, and knows nothing of who asks by what."""

from __future__ import annotations

import re

from pilot.verbs import BY_ID, Verb

_COMMANDS = ("power", "send", "record")
"""Commands whose verbs are words after them: `power.on` is `pilot power on`."""
_WORDS = {"send.cad": "ctrl-alt-del"}
"""What is typed, where it is not what follows the dot of the verb's id."""
_VERB = re.compile(rf"`((?:{'|'.join(_COMMANDS)})\.[a-z]+)`")


def word(verb: Verb) -> str:
    """What is typed for a verb after its command."""
    return _WORDS.get(verb.id, verb.id.partition(".")[2])


def for_shell(hint: str) -> str:
    """The hint with the commands of the verbs that it names."""

    def command(match: re.Match[str]) -> str:
        verb = BY_ID.get(match[1])
        if verb is None or verb.scope != "node":
            return match[0]
        return f"`pilot {verb.id.partition('.')[0]} {word(verb)}`"

    return _VERB.sub(command, hint)
