"""What both ends of the wire hold each other to: versions, names and sizes."""

from __future__ import annotations

import re

VERSION = 1
SUBSYSTEM = "airboss"
PORT = 8677
REQUEST_NAMESPACE = "request@pilot.rocksclusters.org"
RECEIPT_NAMESPACE = "receipt@pilot.rocksclusters.org"
MAX_CLIENT_FRAME = 64 * 1024
"""Bytes of the longest frame airboss reads."""
MAX_SERVER_FRAME = 16 * 1024 * 1024
"""Bytes of the longest frame a client reads: outcomes and receipt of a verb on 10,000 nodes."""
CHALLENGE_BYTES = 32
SEQ_WINDOW = 1024
"""How far behind the highest seq a request may still arrive (channels run side by side)."""
MAX_TARGETS = 4096
"""Selectors in one request."""
MAX_CONSOLE_CHUNK = 32 * 1024
MAX_SCREEN_CHUNK = 256 * 1024
"""Bytes of a VM's screen (RFB) in one frame of airboss's."""
MAX_CHAT = 200
"""Characters of one line said to the others at a console."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def plain(text: str, limit: int = 200) -> str:
    """Text from a peer made fit for a terminal and a log: one line, no control characters, bounded."""
    # Cut first: what is not shown need not be looked at, however much a peer sends of it.
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", short)
