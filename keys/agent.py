"""The user's ssh-agent (PROTOCOL.agent): what it holds, and signatures by it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import asyncssh
import msgspec

from keys.errors import NoIdentityError, SigningRefusedError

LIST_DEADLINE = 5.0
"""Seconds to connect to the agent and learn what it holds."""
SIGN_DEADLINE = 60.0
"""Seconds for one signature: time enough to touch a token or to answer the agent's question."""
_CLOSE_DEADLINE = 1.0

_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


class AgentKey(msgspec.Struct, frozen=True):
    """A key or certificate that an agent holds."""

    public_blob: bytes
    comment: str


class Agent:
    """One agent, by the path of its socket.

    Each question has a connection of its own: an answer that comes after its deadline cannot be taken for the
    answer to the next question, and nothing stays open.
    """

    def __init__(
        self, path: str, *, list_deadline: float = LIST_DEADLINE, sign_deadline: float = SIGN_DEADLINE
    ) -> None:
        self.path = path
        self._list_deadline = list_deadline
        self._sign_deadline = sign_deadline

    @classmethod
    def of_environment(cls) -> Agent | None:
        """The agent that SSH_AUTH_SOCK names; None if it names none."""
        path = os.environ.get("SSH_AUTH_SOCK", "")
        return cls(path) if path else None

    async def keys(self) -> list[AgentKey]:
        """What the agent holds, in its order.

        Raises:
            NoIdentityError: there is no agent there, or it does not answer in time.
        """
        try:
            async with asyncio.timeout(self._list_deadline), self._connected() as client:
                pairs = await client.get_keys()
        except TimeoutError:
            raise NoIdentityError(
                f"the ssh-agent at {self.path} does not answer within {self._list_deadline:g} s",
                "Is it stopped or waiting for somebody? Start another, or unset SSH_AUTH_SOCK.",
            ) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise NoIdentityError(
                f"the ssh-agent at {self.path} cannot be used: {reason}",
                "Start one (eval $(ssh-agent)), or unset SSH_AUTH_SOCK.",
            ) from None
        return [
            AgentKey(pair.public_data, (pair.get_comment_bytes() or b"").decode("utf-8", "replace"))
            for pair in pairs
        ]

    async def sign(self, public_blob: bytes, data: bytes, algorithm: str) -> bytes:
        """An SSH signature blob over the data. What the agent gives is for the caller to check.

        Raises:
            SigningRefusedError: it refuses, does not answer in time, or is gone.
        """
        try:
            async with asyncio.timeout(self._sign_deadline), self._connected() as client:
                return await client.sign(public_blob, data, _FLAGS.get(algorithm, 0))
        except TimeoutError:
            raise SigningRefusedError(
                f"the ssh-agent did not sign within {self._sign_deadline:g} s",
                "Touch the token when it blinks, or answer the agent's question, then try again.",
            ) from None
        except OSError as error:
            raise SigningRefusedError(
                f"the ssh-agent at {self.path} is gone: {error.strerror}", "Start it again and add the key."
            ) from None
        except ValueError:
            pass
        raise await self._refusal(public_blob)

    async def _refusal(self, public_blob: bytes) -> SigningRefusedError:
        """The protocol gives no reason for a refusal; whether the key is still listed says half of it."""
        try:
            held = any(key.public_blob == public_blob for key in await self.keys())
        except NoIdentityError as error:
            return SigningRefusedError(error.message, error.hint)
        if not held:
            return SigningRefusedError(
                "the ssh-agent does not hold the key any more, or was locked",
                "Unlock it (ssh-add -X) or add the key again (ssh-add FILE).",
            )
        return SigningRefusedError(
            "the ssh-agent holds the key but refused to sign with it: it was added for certain destinations "
            "only (ssh-add -h), or the question whether to sign was denied, or the token was not touched",
            "A key that is restricted to destinations can sign for nothing else: add it without -h, or use "
            "another key.",
        )

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SSHAgentClient]:
        client = asyncssh.SSHAgentClient(self.path)
        await client.connect()
        try:
            yield client
        finally:
            client.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_DEADLINE):
                    await client.wait_closed()
