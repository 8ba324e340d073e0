"""What a site's own people are told of a source that does not answer."""

from __future__ import annotations

import re

_NAME_ONLY = re.compile(r"[A-Za-z_]*:?")


def fault_words(plain: str, said: str, hint: str) -> str:
    """What is wrong, what to do, and what whoever failed said of it.

    Args:
        plain: what everybody is told.
        said: as the system or a library said it; left out if it tells no more than an error's name, or the
            same again.
        hint: a sentence; may be empty.
    """
    said = said.strip()
    more = "" if _NAME_ONLY.fullmatch(said) or said == plain else f" ({said})"
    # What AWS or HTCondor says may be long, and a screen may have no room for all of it.
    return f"{plain}. {hint}".rstrip() + more
