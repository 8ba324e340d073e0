"""What can be wrong with keys and signatures: a sentence for a person, and what to do next."""

from __future__ import annotations


class KeysError(Exception):
    """Base of this room's errors. `message` says what failed and why, `hint` what to do (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadSignatureError(KeysError):
    """A signature is malformed, of an algorithm that is not allowed, or does not hold."""


class BadKeyError(KeysError):
    """A public key, certificate, signer line or revocation list is malformed or too weak."""


class NoIdentityError(KeysError):
    """There is no usable key of the user's own: none found, unreadable, or its passphrase is not known."""


class SigningRefusedError(KeysError):
    """The key is there, but whoever holds it (agent, token, person) did not sign in time or at all."""
