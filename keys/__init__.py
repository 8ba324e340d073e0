"""The trust kernel: everything that touches key material. Imports nothing of pilot."""

from keys.errors import BadKeyError, BadSignatureError, KeysError, NoIdentityError, SigningRefusedError

__all__ = ["BadKeyError", "BadSignatureError", "KeysError", "NoIdentityError", "SigningRefusedError"]
