"""Servers that send anything at all: the client goes on or ends with a VncError, and never takes much."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tracemalloc
from functools import cache, partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilot.errors import VncError
from pilot.vnc.rfb import RfbClient
from tests.vnc.scripted import GREETING, Scripted, Zrle, picture, raw, rectangle, server_init, shaken, update

SECONDS = 30.0
"""Long enough for a slow machine; a client that hangs needs for ever."""
BEGIN = GREETING + server_init(70, 20)


@cache
def session() -> bytes:
    """A bit of everything a server may send."""
    zrle = Zrle()
    small = picture(9, 7, 3)
    return b"".join(
        (
            BEGIN,
            update(rectangle(0, 0, 0, 0, -258), rectangle(0, 0, 0, 0, -261, b"\x02")),
            update(raw(0, 0, small), rectangle(20, 5, 9, 7, 1, bytes(4))),
            struct.pack("!B3xIB", 248, 0x80000003, 3) + b"abc",
            b"\x96\x02",
            update(
                zrle.picture(0, 0, picture(70, 20, 3), ["palette runs", "packed"]),
                zrle.picture(1, 1, picture(66, 10, 30), ["runs", "raw"]),
                rectangle(0, 0, 0, 0, -224),
                count=0xFFFF,
            ),
            update(rectangle(1, 1, 9, 2, -239, bytes(9 * 2 * 4) + bytes(4))),
            b"\x03\x00\x00\x00\x00\x00\x00\x05hello",
            struct.pack("!BxHH", 1, 0, 2) + bytes(12),
            update(rectangle(0, 0, 60, 30, -223)),
            update(
                rectangle(1, 0, 50, 40, -308, b"\x01\x00\x00\x00" + bytes(16)),
                rectangle(0, 0, 0, 0, -307, b"\x00\x00\x00\x04name"),
            ),
            update(zrle.picture(0, 0, picture(50, 40, 1), ["solid"])),
        )
    )


def ask(client: RfbClient) -> None:
    client.request()


async def served(data: bytes, chunk: int = 1 << 20) -> None:
    """Run a client on what a server sends, asking for more after each update."""
    client = RfbClient(Scripted(data, ended=True, chunk=chunk))
    async with asyncio.timeout(SECONDS):
        try:
            await client.handshake(SECONDS)
        except VncError:
            return
        with contextlib.suppress(VncError):
            client.updated = partial(ask, client)
            await client.run()


async def test_the_session_itself_is_well() -> None:
    client, server = await shaken(70, 20)
    server.feed(session()[len(BEGIN) :])
    server.end()
    await client.run()
    assert client.screen.generation == 7
    assert (client.name, client.screen.width, client.screen.height) == ("name", 50, 40)


async def test_an_end_at_each_byte_is_an_end_or_an_error() -> None:
    data = session()
    ends = errors = 0
    for length in range(len(BEGIN), len(data) + 1):
        client = RfbClient(Scripted(data[:length], ended=True))
        await client.handshake()
        try:
            await client.run()
            ends += 1
        except VncError as error:
            errors += "ended in the middle of a message" in error.message
    assert ends == 13  # before and after each of the twelve messages
    assert ends + errors == len(data) + 1 - len(BEGIN)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "insert", "remove", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 40),
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4)]),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, mutations: list[tuple[str, float, int, bytes]]) -> bytes:
    changed = bytearray(data)
    for how, where, length, put in mutations:
        at = int(where * len(changed))
        if how == "set":
            changed[at : at + len(put)] = put
        elif how == "flip":
            changed[at] ^= put[0] or 1
        elif how == "insert":
            changed[at:at] = put
        elif how == "remove":
            del changed[at : at + length]
        else:
            changed[at:at] = changed[at : at + length * 20]
    return bytes(changed)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations=MUTATIONS, chunk=st.sampled_from([1, 3, 100, 1 << 20]))
async def test_a_session_that_was_changed_anywhere(
    mutations: list[tuple[str, float, int, bytes]], chunk: int
) -> None:
    await served(mutated(session(), mutations), chunk)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                rectangle,
                st.integers(0, 80),
                st.integers(0, 30),
                st.integers(0, 80) | st.just(65535),
                st.integers(0, 30) | st.just(65535),
                st.sampled_from([0, 1, 16, -223, -224, -239, -258, -261, -307, -308, -312, 7]),
                st.binary(max_size=60),
            ).map(lambda part: update(part)),
            st.binary(max_size=80).map(
                lambda tiles: update(Zrle().rectangle(0, 0, 70, 20, tiles))
            ),  # well compressed rubbish
        ),
        max_size=6,
    )
)
async def test_messages_of_rubbish(parts: list[bytes]) -> None:
    await served(BEGIN + b"".join(parts))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
async def test_a_handshake_of_rubbish(data: bytes) -> None:
    await served(data)
    await served(b"RFB 003.008\n" + data)
    await served(b"RFB 003.003\n" + data)


@pytest.mark.parametrize(
    "attack",
    [
        b"\x03\x00\x00\x00" + struct.pack("!I", 15_000_000) + bytes(15_000_000),
        update(*[rectangle(0, 0, 70, 20, 0, bytes(70 * 20 * 4))] * 16, count=0xFFFF),
        update(Zrle().rectangle(0, 0, 70, 20, bytes(30_000_000))),
        (struct.pack("!B3xIB", 248, 1 << 31, 64) + bytes(64)) * 1000,
        update(rectangle(0, 0, 1024, 1024, -239, bytes(1024 * 1024 * 4))),
    ],
    ids=["clipboard", "rectangles", "bomb", "fences", "pointer"],
)
async def test_no_attack_takes_much_memory(attack: bytes) -> None:
    data = BEGIN + attack
    tracemalloc.start()
    try:
        await served(data, 1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - len(data) < 20_000_000  # the test's server holds its own bytes
