"""Pattern lists as OpenSSH has them (ssh_config(5), PATTERNS): `*`, `?`, and `!` before what is excluded."""

from __future__ import annotations

from collections.abc import Sequence


def fits(text: str, pattern: str) -> bool:
    """Whether one pattern (no `!`) covers the whole text. Takes time in proportion to both lengths."""
    at = star = mark = 0
    starred = False
    position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            starred, star, mark = True, at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif starred:
            mark += 1
            at, position = star + 1, mark
        else:
            return False
    return not pattern[at:].strip("*")


def fits_list(text: str, patterns: Sequence[str]) -> bool:
    """Whether a list covers the text: some pattern does, and none that is negated does."""
    if any(pattern.startswith("!") and fits(text, pattern[1:]) for pattern in patterns):
        return False
    return any(not pattern.startswith("!") and fits(text, pattern) for pattern in patterns)
