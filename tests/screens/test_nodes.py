"""The first screen in the whole app, against a real airboss."""

from __future__ import annotations

from pilot.app_config import AppConfig
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import knows, opened
from tests.support.waiting import until

ALL = [f"compute-0-{n}" for n in range(NODES)]


async def test_the_first_frame_does_not_wait_for_the_network(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        assert pilot.cockpit.desk.live.state == "connecting"
        assert "◌ one" in pilot.line("title")
        assert "connecting to one" in pilot.line("flash")
        assert "Connecting to one" in pilot.text()
        assert "? keys" in pilot.bar()
        await pilot.live(NODES)
        await pilot.sees("● one   vc1 · owner · ada")
        assert pilot.names() == ALL
        await pilot.sees(f"{NODES} nodes")
        await pilot.sees("lag")
        assert pilot.line("flash") == "nodes › all"


async def test_the_table_is_live(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.sees(lambda: "○ off" in pilot.row("compute-0-3"))
        fleet.switch_on(3)
        await pilot.sees(lambda: "● on" in pilot.row("compute-0-3"))
        fleet.define("login-0-0", "vc1", NODES)
        await pilot.sees(lambda: pilot.names() == [*ALL, "login-0-0"])
        fleet.undefine(0)
        await pilot.sees(lambda: pilot.names() == [*ALL[1:], "login-0-0"])


async def test_a_node_that_goes_leaves_the_cursor_on_its_neighbour(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "down", "space")
        await until(lambda: pilot.under_cursor == "compute-0-2")
        assert pilot.marked() == {"compute-0-2"}
        fleet.undefine(2)
        await until(lambda: len(pilot.names()) == NODES - 1)
        assert pilot.under_cursor in ("compute-0-1", "compute-0-3")
        assert pilot.marked() == set()


async def test_a_node_moved_to_another_cluster_is_seen_no_more(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        fleet.adopt("compute-0-0", "vc2", 0)
        await until(lambda: pilot.names() == ALL[1:])


async def test_one_cluster_of_several_is_shown(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    await boss.entitle(ada, "vc2", "operator")
    fleet.define("compute-0-0", "vc2", NODES)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES + 1)
        await pilot.sees("all your clusters")
        await pilot.sees("CLUSTER")
        await pilot.go("cluster vc2")
        await until(lambda: pilot.names() == ["compute-0-0"])
        await pilot.sees("vc2 · operator")
        await pilot.sees("nodes › vc2")
        assert "CLUSTER" not in pilot.text()
        await pilot.go("@vc1")
        await until(lambda: pilot.names() == ALL)
        fleet.adopt("compute-0-1", "vc2", 1)
        await until(lambda: "compute-0-1" not in pilot.names())
        await pilot.go("cluster nonsense")
        await pilot.sees("There is no cluster 'nonsense', or it is not yours. Yours: vc1, vc2.")
        assert len(pilot.names()) == NODES - 1
        await pilot.go("cluster")
        await until(lambda: len(pilot.names()) == NODES + 1)


async def test_a_filter_narrows_as_it_is_typed(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        fleet.switch_on(1)
        fleet.switch_on(10)
        await until(lambda: pilot.node("compute-0-10").state == "on")
        await pilot.press("slash")
        await pilot.write("compute-0-1")
        await until(lambda: pilot.names() == ["compute-0-1", "compute-0-10", "compute-0-11"])
        await pilot.sees(f"3 of {NODES}")
        await pilot.write(" state:on")
        await until(lambda: pilot.names() == ["compute-0-1", "compute-0-10"])
        await pilot.press("enter")
        await pilot.sees("/ compute-0-1 state:on")
        assert pilot.nodes.table.has_focus
        fleet.switch_off(10)
        await until(lambda: pilot.names() == ["compute-0-1"])
        await pilot.press("escape")
        await until(lambda: pilot.names() == ALL)
        assert pilot.nodes.filter_text == ""


async def test_escape_restores_the_filter_before(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.find("compute-0-1")
        await until(lambda: len(pilot.names()) == 3)
        await pilot.press("slash")
        await pilot.write("1")
        await until(lambda: pilot.names() == ["compute-0-11"])
        await pilot.press("escape")
        await until(lambda: len(pilot.names()) == 3)
        assert pilot.nodes.filter_text == "compute-0-1"
        assert pilot.nodes.table.has_focus


async def test_a_filter_that_is_wrong_says_so_and_changes_nothing(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.find("compute-0-1")
        await until(lambda: len(pilot.names()) == 3)
        await pilot.press("slash")
        await pilot.write("(")
        await until(lambda: "is not a regular expression" in pilot.note())
        assert len(pilot.names()) == 3
        await pilot.press("enter")
        await pilot.sees("is not a regular expression")
        assert pilot.nodes.filter_text == "compute-0-1"
        await pilot.go("nodes /state:[")
        await pilot.sees("'[' is not a regular")
        assert pilot.nodes.filter_text == "compute-0-1"


async def test_filters_are_saved_by_name(boss: Airboss, ada: Person) -> None:
    config = knows(ada, boss)
    settings = AppConfig(filters={"ones": "compute-0-1$"})
    async with opened(config, settings) as pilot:
        await pilot.live(NODES)
        await pilot.go("filter ones")
        await until(lambda: pilot.names() == ["compute-0-1"])
        await pilot.go("nodes /compute-0-2")
        await until(lambda: pilot.names() == ["compute-0-2"])
        await pilot.go("filter save twos")
        await pilot.sees("saved as twos")
        await pilot.go("filter")
        await until(lambda: pilot.names() == ALL)
        await pilot.go("filter save empty")
        await pilot.sees("no filter is set")
        await pilot.go("filter nonsense")
        await pilot.sees("there is no filter 'nonsense'. Saved are: ones, twos.")
        await pilot.go("filter forget ones")
        await pilot.sees("app.toml")
    async with opened(config, settings) as pilot:
        await pilot.live(NODES)
        await pilot.press("colon")
        await pilot.write("filter t")
        await pilot.press("tab", "enter")
        await until(lambda: pilot.names() == ["compute-0-2"])
        await pilot.go("filter forget twos")
        await pilot.go("filter twos")
        await pilot.sees("there is no filter 'twos'")


async def test_sorting_leaves_the_cursor_on_its_node(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "down")
        assert pilot.under_cursor == "compute-0-2"
        fleet.switch_on(7)
        await pilot.sees(lambda: pilot.node("compute-0-7").state == "on")
        await pilot.press(">")
        await until(lambda: pilot.nodes.table.sort_column == "name")
        await pilot.press("greater_than_sign")
        await until(lambda: pilot.names()[0] == "compute-0-7", what="what is on first, by state")
        assert pilot.under_cursor == "compute-0-2"
        await pilot.press("tilde")
        await until(lambda: pilot.names()[-1] == "compute-0-7")
        assert pilot.under_cursor == "compute-0-2"
        fleet.switch_on(2)
        await until(lambda: pilot.names().index("compute-0-2") > NODES - 3)
        assert pilot.under_cursor == "compute-0-2"


async def test_marks_by_key_and_by_range(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "space", "down", "down", "ctrl+@")
        await until(lambda: pilot.marked() == {"compute-0-1", "compute-0-2", "compute-0-3"})
        await pilot.sees(f"{NODES} nodes, 3 marked")
        await pilot.find("compute-0-1$")
        await until(lambda: pilot.names() == ["compute-0-1"])
        assert {node.name for node in pilot.nodes.targets()} == {"compute-0-1", "compute-0-2", "compute-0-3"}
        await pilot.press("ctrl+a", "escape")
        await until(lambda: pilot.marked() == set())
        assert pilot.nodes.filter_text == "compute-0-1$", "one thing at a time"
        await pilot.press("escape")
        await until(lambda: pilot.names() == ALL)


async def test_details_are_in_the_pane(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss), size=(100, 40)) as pilot:
        await pilot.live(NODES)
        pane = pilot.nodes.query_one("#pane")
        await until(lambda: pilot.nodes.table.size.height == NODES + 2, what="room for the pane")
        low = pane.size.height
        await pilot.press("down", "enter")
        await until(lambda: pane.size.height > low)
        node = pilot.node("compute-0-1")
        await pilot.sees(f"uuid       {node.id}")
        await pilot.sees("no serial console")
        await pilot.press("escape")
        await until(lambda: pane.size.height == low)


async def test_names_are_copied(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("space", "down", "space", "y")
        assert pilot.app.clipboard == "compute-0-0 compute-0-1"
        await pilot.sees("copied: compute-0-0 compute-0-1")


async def test_an_empty_cluster_says_how_it_gets_nodes(boss: Airboss) -> None:
    bea = await boss.person("bea", "vc2")
    async with opened(knows(bea, boss)) as pilot:
        await pilot.live(0)
        await pilot.sees("None of your clusters has a node.")
        await pilot.press("enter", "space", "y", "escape", "c")
        await pilot.sees("Console: there is no node for it here.")
        await pilot.press("p")
        await pilot.sees("Power: there is no node for it here.")


async def test_a_role_that_changes_is_followed(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.sees("vc1 · owner · ada")
        await boss.admin("key", "remove", "vc1", "ada")
        await until(lambda: pilot.cockpit.desk.live.state != "live" or not pilot.names())
        await pilot.sees(lambda: "owner" not in pilot.line("title") or pilot.cockpit.desk.live.error)


async def test_the_cursor_stays_in_sight_in_a_window_that_is_wide_and_low(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss), size=(160, 9)) as pilot:
        await pilot.live(NODES)
        await pilot.sees(f"{NODES} nodes")
        body, table = pilot.nodes.query_one("#nodes-body"), pilot.nodes.table
        await until(lambda: table.size.height == body.size.height < NODES)
        await pilot.press("end")
        await until(lambda: pilot.under_cursor == ALL[-1])
        await pilot.sees(ALL[-1])
