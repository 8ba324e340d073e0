"""Whose a console's log is: new owners see nothing of what was printed before."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot.agent.settings import ConsoleLogSettings
from tests.agent.consoles.lines import Lines, node
from tests.agent.consoles.place import MakeReader, living, of, on_disk, restart, stuck_disk, turn_on
from tests.support.waiting import until


async def test_new_owners_see_nothing_of_before_and_it_is_deleted(
    tmp_path: Path, lines: Lines, reader: MakeReader
) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"secret of vc1\r\n")
        assert b"secret" in await place.read(text=b"secret")
        log = place.hub.log("a")
        assert log is not None
        before = log.folder
        place.hub.node_changed(of("vc2", node("on")))
        assert log.folder != before
        await lines["a"].print(b"of vc2\r\n")
        seen = reader(await place.attach())
        await seen.sees("of vc2")
        assert b"secret" not in seen.output
        # What is kept for them begins with airboss's word that it does.
        first, *_, last = kept = (await place.read()).strip().splitlines()
        assert b"compute-a: the console is kept from here on" in first
        assert last == b"of vc2"
        assert not any(b"secret" in line for line in kept)
        await until(lambda: not before.exists(), 20, "it is deleted")


async def test_what_still_waits_for_the_disk_does_not_come_to_new_owners(
    tmp_path: Path, lines: Lines
) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines)
        await place.read()
        log = place.hub.log("a")
        assert log is not None
        before = log.folder
        with stuck_disk() as hanging:
            ring = place.hub._consoles["a"].ring
            await lines["a"].print(b"secret that is being written\r\n")
            await until(hanging.is_set, 20, "the writer is stuck")
            await lines["a"].print(b"secret that waits\r\n")
            await until(lambda: b"that waits" in ring.copy(), 20, "it is printed")
            place.hub.node_changed(of("vc2", node("on")))
            assert log.folder != before
            assert log.oldest == log.on_disk == 0
            await lines["a"].print(b"of vc2\r\n")
            await until(lambda: b"of vc2" in place.hub._consoles["a"].ring.copy(), 20, "it is printed")
        first, *_, last = (await place.read()).strip().splitlines()
        assert b"compute-a: the console is kept from here on" in first
        assert last == b"of vc2"
        await until(lambda: not before.exists(), 20, "it is deleted")
        assert b"secret" not in on_disk(root)


async def test_new_owners_see_nothing_of_before_if_airboss_was_away_meanwhile(
    tmp_path: Path, lines: Lines
) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines, "a")
        await turn_on(place, lines, "b")
        await lines["a"].print(b"secret of vc1\r\n")
        await lines["b"].print(b"secret of vc1\r\n")
        for node_id in "ab":
            assert b"secret" in await place.read(node_id, b"secret")
    async with living(root, lines) as place:
        # One has a console, the other is off and has none.
        restart(lines)
        place.hub.node_changed(of("vc2", node("on", "a")))
        place.hub.node_changed(of("vc2", node("off", "b")))
        await until(lambda: b"secret" not in on_disk(root), 20, "it is deleted")
        for node_id in "ab":
            viewer = await place.attach(node_id)
            assert b"secret" not in viewer._desk.ring.copy()
            assert b"secret" not in await place.read(node_id)
    assert b"secret" not in on_disk(root)


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_cluster_that_is_added_anew_has_new_owners(
    tmp_path: Path, lines: Lines, reader: MakeReader, enabled: bool
) -> None:
    root, added = tmp_path / "c", {"vc1": 5.0}
    settings = ConsoleLogSettings(enabled=enabled)
    async with living(root, lines, added=lambda cluster: added.get(cluster, 0.0), settings=settings) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"secret\r\n")
        first = reader(await place.attach())
        await first.sees("secret")
        for added["vc1"] in (0.0, 9.0):
            place.hub.clusters_changed()
        await first.told("compute-a is not of vc1 any more", "closed")
        await lines["a"].print(b"of the new ones\r\n")
        second = reader(await place.attach())
        await second.sees("of the new ones")
        assert b"secret" not in second.output
    added["vc1"] = 12.0
    restart(lines)
    async with living(root, lines, added=lambda cluster: added.get(cluster, 0.0), settings=settings) as place:
        place.hub.node_changed(node("on"))
        third = reader(await place.attach())
        await third.sees("held from here on")
        assert b"new ones" not in third.output


async def test_a_log_that_does_not_say_whose_it_is_is_nobodys(tmp_path: Path, lines: Lines) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines)
        await place.read()
    assert not [path for path in (root, *root.rglob("*")) if path.stat().st_mode & 0o077]
    owner = root / "a" / "000001" / "owner.json"
    owner.write_bytes(b'{"v":1,"node":"a"')
    async with living(root, lines) as place:
        place.hub.node_changed(node("off"))
        assert await place.read() == b""
        assert not owner.exists()
