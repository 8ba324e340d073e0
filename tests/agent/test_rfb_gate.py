"""What an RFB client may say: every message, in any pieces, and nothing else."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.agent.screens.rfb_gate import MAX_CUT, MAX_DROPPED, RfbGate
from pilot.errors import WireError

HELLO = b"RFB 003.008\n\x01\x01"
FORMAT = b"\0\0\0\0" + bytes(16)
ENCODINGS = struct.pack(">BxH3i", 2, 3, 16, -239, -223)
UPDATE = b"\x03\x01" + bytes(8)
CONTINUOUS = b"\x96\x01" + bytes(8)
FENCE = b"\xf8\0\0\0" + bytes(4) + b"\x03abc"
LOOKING = (FORMAT, ENCODINGS, UPDATE, CONTINUOUS, FENCE)
KEY = b"\x04\x01\0\0" + struct.pack(">I", 0x61)
EXTENDED_KEY = b"\xff\0\0\x01" + struct.pack(">II", 0x61, 0x1E)
POINTER = b"\x05\x01\0\x10\0\x20"
CUT = b"\x06\0\0\0" + struct.pack(">i", 5) + b"hello"
CUT_EXTENDED = b"\x06\0\0\0" + struct.pack(">i", -5) + b"hello"
SIZE = b"\xfb\0\x03\x20\x02\x58\x01\0" + bytes(16)
TOUCHING = (KEY, EXTENDED_KEY, POINTER, CUT, CUT_EXTENDED, SIZE)
AUDIO = (b"\xff\x01\0\0", b"\xff\x01\0\x01", b"\xff\x01\0\x02\x03\x02\0\0\xac\x44")
XVP = b"\xfa\0\x01\x02"
UNKNOWN = (b"\x01", b"\x07", b"\xf9", b"\xff\x02\0\0", b"\x83\x01")


def gate(controlling: bool = True, exclusive: bool = False) -> RfbGate:
    """One that is past its handshake."""
    made = RfbGate(controlling=controlling, exclusive=exclusive)
    assert made.feed(HELLO) == HELLO[:-1] + (b"\0" if exclusive else b"\1")
    return made


@pytest.mark.parametrize("version", [b"RFB 003.007\n\x01", b"RFB 003.008\n\x01", b"RFB 003.003\n"])
@pytest.mark.parametrize("said", [b"\0", b"\x01", b"\x7f"])
def test_who_shares_is_not_for_the_client_to_say(version: bytes, said: bytes) -> None:
    for exclusive, passed in ((False, b"\x01"), (True, b"\0")):
        made = RfbGate(controlling=True, exclusive=exclusive)
        assert made.feed(version + said + UPDATE) == version + passed + UPDATE


@pytest.mark.parametrize("begin", [b"RFB 003.889\n", b"RFB 004.001\n", b"GET / HTTP/1", b"SSH-2.0-Open"])
def test_a_version_that_is_not_known_is_refused(begin: bytes) -> None:
    with pytest.raises(WireError, match="not RFB"):
        RfbGate(controlling=True, exclusive=False).feed(begin)


@pytest.mark.parametrize("kind", [0, 2, 16, 19, 255])
def test_a_viewer_with_another_security_is_refused(kind: int) -> None:
    with pytest.raises(WireError, match=f"security type {kind}:"):
        RfbGate(controlling=True, exclusive=False).feed(HELLO[:12] + bytes((kind,)))


@pytest.mark.parametrize("message", [*LOOKING, *TOUCHING])
def test_who_controls_says_all_of_it_and_who_watches_touches_nothing(message: bytes) -> None:
    assert gate().feed(message + UPDATE) == message + UPDATE
    watching = b"" if message in TOUCHING else message
    assert gate(controlling=False).feed(message + UPDATE) == watching + UPDATE


@pytest.mark.parametrize("message", [*AUDIO, XVP])
def test_what_nobody_needs_is_dropped_and_power_goes_by_verbs(message: bytes) -> None:
    assert gate().feed(message + UPDATE) == UPDATE


@pytest.mark.parametrize("message", UNKNOWN)
def test_what_is_not_known_ends_it(message: bytes) -> None:
    with pytest.raises(WireError):
        gate().feed(message)


def test_what_is_dropped_is_not_agreed_on() -> None:
    offered = struct.pack(">BxH5i", 2, 5, 16, -259, -309, -316, -258)
    assert gate().feed(offered) == struct.pack(">BxH2i", 2, 2, 16, -258)


def test_lengths_have_bounds() -> None:
    with pytest.raises(WireError, match="257 encodings"):
        gate().feed(struct.pack(">BxH", 2, 257))
    with pytest.raises(WireError, match="fence of 65 bytes"):
        gate().feed(b"\xf8" + bytes(7) + b"\x41")
    for length in (MAX_DROPPED + 1, -MAX_DROPPED - 1, -(2**31)):
        with pytest.raises(WireError, match="clipboard"):
            gate().feed(b"\x06\0\0\0" + struct.pack(">i", length))


def test_a_long_text_is_dropped_without_being_kept() -> None:
    made = gate()
    assert made.feed(b"\x06\0\0\0" + struct.pack(">i", MAX_CUT + 1)) == b""
    for _ in range(MAX_CUT // 1024):
        assert made.feed(b"x" * 1024) == b""
        assert len(made._buffer) == 0
    assert made.feed(b"x" + KEY) == KEY


def test_what_is_held_down_is_released_when_it_may_not_be_any_more() -> None:
    made = gate()
    other = b"\x04\x01\0\0" + struct.pack(">I", 0xFFE3)
    made.feed(KEY + EXTENDED_KEY + other + POINTER)
    made.feed(KEY[:1] + b"\0" + KEY[2:])
    assert made.only_watch() == (
        b"\xff\0\0\0" + EXTENDED_KEY[4:] + b"\x04\0" + other[2:] + b"\x05\0" + POINTER[2:]
    )
    assert made.only_watch() == b""
    assert made.feed(KEY + POINTER + UPDATE) == UPDATE


def test_how_many_keys_are_remembered_is_bounded() -> None:
    made = gate()
    for code in range(10_000):
        made.feed(b"\x04\x01\0\0" + struct.pack(">I", code))
    assert len(made.only_watch()) == 64 * 8


@given(
    st.lists(st.sampled_from([*LOOKING, *TOUCHING, *AUDIO, XVP]), max_size=30),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_it_is_the_same_in_any_pieces(
    messages: list[bytes], controlling: bool, chance: random.Random
) -> None:
    said = b"".join(messages)
    whole, pieces = gate(controlling), gate(controlling)
    out, at = b"", 0
    while at < len(said):
        step = chance.choice((1, 2, 3, 7, 20))
        out += pieces.feed(said[at : at + step])
        at += step
    assert out == whole.feed(said)
    passed = (*LOOKING, *(TOUCHING if controlling else ()))
    assert out == b"".join(message for message in messages if message in passed)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_whatever_comes_is_passed_dropped_or_refused_and_never_kept_beyond_bounds(said: bytes) -> None:
    made = gate(controlling=False)
    try:
        out = made.feed(said)
    except WireError:
        return
    assert len(out) <= len(said)
    assert len(made._buffer) <= 4 + 4 * 256
    # All that a watcher gets through is a message that only looks.
    assert not out or out[0] in (0, 2, 3, 150, 248)
