"""Demos that begin together listen at ports of their own, before any of them listens."""

from __future__ import annotations

import socket

from pilot.demo.people import ADDRESS
from pilot.demo.port import Port


def test_each_claims_its_own_until_it_ends() -> None:
    one, other = Port.free(ADDRESS), Port.free(ADDRESS)
    assert one.number != other.number
    # What airboss does.
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, one.number))
        listening.listen()
        one.release()
        third = Port.free(ADDRESS)
        assert third.number != one.number, "an airboss listens there whose demo was killed"
    other.release()
    third.release()
    one.release()
