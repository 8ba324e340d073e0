"""Receipts: airboss's signed word on what was asked and what came of it. Checked, then kept.

Whoever keeps a receipt is a witness of the journal up to that record: an airboss that rewrites it later is
contradicted by its own signature.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import msgspec

from keys import sshsig
from keys.errors import BadSignatureError
from pilot import wire
from pilot.client_config import private_folder
from pilot.errors import ConfigError, IdentityError, WireError

_HINT = "Tell the site's admin, and keep this output. `pilot-agent journal verify` checks the journal."


def check(reply: wire.Reply, request: bytes, host_key: bytes, airboss: str) -> wire.ReceiptBody:
    """Make sure that a reply's receipt says what the reply says, about this request, signed by this airboss.

    `request` is the signed bytes of the request, `host_key` the public blob that the connection was made to.

    Raises:
        IdentityError: it does not.
    """
    if not reply.receipt or not reply.receipt_signature:
        raise IdentityError("airboss gave no receipt for what it did", _HINT)
    try:
        signature = sshsig.parse(reply.receipt_signature)
        sshsig.check(signature, reply.receipt, wire.RECEIPT_NAMESPACE)
    except BadSignatureError as error:
        raise IdentityError(f"airboss's receipt is not validly signed: {error}", _HINT) from None
    if signature.public_blob != host_key:
        raise IdentityError("the receipt is signed by another key than the airboss's host key", _HINT)
    try:
        body = wire.decode_receipt(reply.receipt)
    except WireError as error:
        raise IdentityError(f"airboss's receipt cannot be read: {error.message}", _HINT) from None
    if body.airboss != airboss:
        raise IdentityError("the receipt names another airboss", _HINT)
    if body.request != wire.digest(request):
        raise IdentityError("the receipt is for another request", _HINT)
    if body.outcomes != reply.outcomes:
        raise IdentityError("the receipt says something else than the reply", _HINT)
    return body


class Receipts:
    """The file of all receipts: one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, site: str, request: bytes, reply: wire.Reply) -> None:
        """Append a checked receipt.

        Raises:
            ConfigError: it cannot be written.
        """
        line = json.dumps(
            {
                "site": site,
                "body": reply.receipt.decode(),
                "signature": base64.b64encode(reply.receipt_signature).decode(),
                "request": request.decode(),
            }
        )
        private_folder(self.path.parent)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # One write: commands that run side by side do not mix their lines.
                os.write(handle, line.encode() + b"\n")
            finally:
                os.close(handle)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None


def as_json(reply: wire.Reply) -> dict[str, object]:
    """A receipt for `--json`: its body as data, its exact bytes and their signature."""
    if not reply.receipt:
        return {}
    return {
        "body": msgspec.json.decode(reply.receipt),
        "signed": reply.receipt.decode(),
        "signature": base64.b64encode(reply.receipt_signature).decode(),
    }
