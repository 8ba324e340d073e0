"""The pictures of the app in the documents, from a real demo: `make pictures`.

Builds a demo of its own, opens the app there as a client without a terminal, presses keys, and keeps what the
app draws. Only airboss, its VMs and what they print are seen; nothing is put in by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import picture_svg
from textual.pilot import Pilot

from keys.identity import identities
from pilot.app import PilotApp
from pilot.app_config import AppConfig, ThemeChoice
from pilot.client_config import ClientConfig
from pilot.demo import people
from pilot.demo.account import state_folder
from pilot.demo.guest import LOGIN, PASSWORD
from pilot.demo.progress import Progress
from pilot.demo.site import DemoSite
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.link.trust import KnownHosts
from pilot.live.cockpit import Cockpit
from pilot.live.connecting import Connecting
from pilot.live.sites import LiveSites
from pilot.records import Node, NodeState
from pilot.screens.questions import AppAsker

SMALL, MIDDLE, LARGE = (80, 24), (120, 36), (160, 48)
ZOOM = {SMALL: 0.9, MIDDLE: 0.8, LARGE: 0.75}
WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.1
SAMPLES = 9
"""So many samples of a node's use fill the line that shows it."""
_NAMED = {" ": "space", ":": "colon", "/": "slash", "-": "minus", "@": "at", "|": "vertical_line"}

OF_GUESTS = ("console-people", "broadcast", "panic", "wall", "console-off")
"""Pictures of what guests show: the last tours make them, each of which needs the one before."""

OF_TREES = ("hosts", "vlans", "instances", "slots", "overview", "clusters", "events")
"""Pictures of the trees: one tour makes them."""

Tour = Callable[["Stage"], Awaitable[None]]


class Stage:
    """The app as it runs, with hands and eyes."""

    def __init__(
        self, app: PilotApp, keys: Pilot[int], site: DemoSite, folder: Path, names: Sequence[str]
    ) -> None:
        """Pictures go to `folder`; with `names`, only those."""
        self.app = app
        self.site = site
        self._keys = keys
        self._folder = folder
        self._names = names

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.app.size.width, self.app.size.height

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self._keys.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*(_NAMED.get(character, character) for character in text))

    async def enter(self, line: str) -> None:
        """Type a line and end it; `:` and `/` open theirs."""
        await self.type(line)
        await self.press("enter")

    async def command(self, *keys: str) -> None:
        """Leave the guest, and press keys that are the app's."""
        if self.app.focused is not None:
            await self.press("ctrl+right_square_bracket")
        await self.until(lambda: self.app.focused is None, "the guest is left")
        await self.press(*keys)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Await that something holds.

        Raises:
            AssertionError: it does not come about; with what is on the screen.
        """
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {WAIT_SECONDS:g} s: {what}\n{self.text()}")
            await self._keys.pause(LOOK_SECONDS)

    async def sees(self, text: str) -> None:
        """Await a text on the screen."""
        await self.until(lambda: text in self.text(), f"'{text}' is seen")

    def text(self) -> str:
        """All that is on the screen."""
        compositor = self.app.screen._compositor  # noqa: SLF001 - Textual has no other way to read a screen
        return "\n".join(strip.text for strip in compositor.render_strips())

    def node(self, name: str) -> Node:
        """A node as the app knows it."""
        return next(node for node in self.app.cockpit.desk.nodes() if node.name == name)

    async def becomes(self, name: str, state: NodeState) -> None:
        """Await a node's state."""
        await self.until(lambda: self.node(name).state == state, f"{name} becomes {state}")

    def stop_answering(self, name: str) -> None:
        """Stop a node's QEMU: what a VM that hangs looks like from outside."""
        node = self.node(name)
        host = next(host for host in self.site.hosts if host.name == node.host)
        os.kill(host.qemu_pids()[node.domain], signal.SIGSTOP)

    async def take(self, name: str) -> None:
        """Keep the picture under this name and the size."""
        columns, rows = self.size
        file = f"{name}-{columns}x{rows}.png"
        if self._names and not any(part in file for part in self._names):
            return
        await self._keys.pause()
        svg = self.app.export_screenshot()
        png = await asyncio.to_thread(picture_svg.to_png, svg, ZOOM[self.size])
        (self._folder / file).write_bytes(png)
        print(f"  {file}", file=sys.stderr)


@asynccontextmanager
async def opened(
    site: DemoSite,
    folder: Path,
    size: tuple[int, int],
    names: Sequence[str],
    theme: ThemeChoice = "dark",
) -> AsyncIterator[Stage]:
    """The app as the owner of vc1 sees it, its list live."""
    config = ClientConfig(site.folder / people.YOU.folder)
    connecting = Connecting(config)
    sites = LiveSites(config, connecting.to, config.find(None))
    app = PilotApp(Cockpit(config, AppConfig(theme=theme), sites))
    connecting.asker = AppAsker(app)
    async with app.run_test(size=size) as keys:
        stage = Stage(app, keys, site, folder, names)
        live = app.cockpit.desk.live
        await stage.until(lambda: live.state == "live" and live.store.complete, "the site is live")
        yield stage


# --- what is shown --------------------------------------------------------------------------------


async def prepare(stage: Stage) -> None:
    """Nodes in several states: some work, one hangs, one is off."""
    for name in ("frontend", "compute-0-0"):
        await stage.becomes(name, "on")
    await stage.enter(":on compute-0-[1-2]")
    await stage.becomes("compute-0-1", "on")
    await stage.becomes("compute-0-2", "on")
    await stage.enter(":compute-0-2")
    await stage.sees("login:")
    stage.stop_answering("compute-0-2")
    await stage.until(lambda: stage.node("compute-0-2").hung_ms, "compute-0-2 hangs")
    await log_in(stage, "compute-0-0", "dd if=/dev/urandom of=/dev/null bs=64k count=20000 &")
    await stage.command("q")
    usage = stage.app.cockpit.desk.live.usage
    await stage.until(lambda: len(usage.cpu(stage.node("compute-0-1").id)) >= SAMPLES, "there is a history")


async def log_in(stage: Stage, name: str, command: str) -> None:
    """Open a node's console, log in if nobody is, and run a command."""
    await stage.enter(f":console {name}")
    await stage.sees("you write")
    await stage.press("enter")
    await stage.until(lambda: {"login:", f"root@{name}:"} & set(_last(stage)), "a prompt")
    if f"root@{name}:" not in _last(stage):
        await stage.enter(LOGIN)
        await stage.sees("Password:")
        await stage.enter(PASSWORD)
    await stage.until(lambda: f"root@{name}:" in _last(stage), "a shell")
    # So that the guest knows how large its screen is.
    await stage.command("s")
    await stage.sees("stty")
    await stage.enter("clear")
    await stage.until(lambda: "stty" not in stage.text().split("Ctrl+]")[0], "a clean screen")
    await stage.enter(command)


def _last(stage: Stage) -> list[str]:
    """The words of the last line that the guest has printed, with a shell's prompt as one of its own."""
    lines = [line.strip() for line in stage.text().splitlines()]
    shown = [line for line in lines if "login:" in line or "root@" in line]
    return shown[-1].replace("~#", " ").split() if shown else []


async def at_nodes(stage: Stage) -> None:
    """The list, the power menu, its dialog, help, and a console."""
    await stage.enter(":compute-0-0")
    await stage.sees("root@compute-0-0")
    await stage.take("nodes")
    await stage.press("space", "down", "space")
    await stage.sees("compute-0-1 login:" if stage.size == SMALL else "root@compute-0-1")
    await stage.press("p")
    await stage.sees("Power: 2 nodes")
    await stage.take("power-menu")
    await stage.press("x")
    await stage.sees("1 HTCondor job would die")
    await stage.take("power-jobs")
    await stage.press("a")
    await stage.until(lambda: getattr(stage.app.screen, "ready", False), "the question has settled")
    await stage.take("power-dialog")
    await stage.press("escape", "escape", "question_mark")
    await stage.sees("Keys")
    await stage.take("help")
    await stage.press("escape")
    await log_in(stage, "compute-0-1", "top")
    await stage.sees("Mem:")
    await stage.take("console")
    await stage.type("q")
    await stage.until(lambda: "root@compute-0-1:" in _last(stage), "the shell again")
    await stage.command("q")


async def at_a_boot(stage: Stage) -> None:
    """A node that boots, beside one where somebody looks at its processes."""
    await log_in(stage, "compute-0-1", "top")
    await stage.sees("Mem:")
    await stage.command("vertical_line")
    await stage.enter("compute-0-3")
    await stage.sees("compute-0-3 · you write")
    await stage.command("p", "o")
    await stage.sees("compute-0-3 login:")
    await stage.press("enter")
    await stage.sees("Ctrl+] leaves")
    await stage.take("console-split")
    await stage.command("q")
    await stage.until(lambda: "compute-0-3 ·" not in stage.text(), "one pane is left")
    await stage.type("q")
    await stage.until(lambda: "root@compute-0-1:" in _last(stage), "the shell again")
    await stage.command("q")


async def at_what_was_asked(stage: Stage) -> None:
    """Something that went wrong for one node of two, and something that is held for a moment."""
    await stage.enter(":pause compute-0-[1-2]")
    await stage.until(lambda: not stage.app.cockpit.desk.activities.open, "paused")
    await stage.enter(":resume compute-0-1")
    await stage.until(lambda: not stage.app.cockpit.desk.activities.open, "resumed")
    await stage.enter(":shutdown compute-0-3")
    await stage.until(lambda: getattr(stage.app.screen, "ready", False), "the question has settled")
    await stage.press("y")
    await stage.enter(":activity")
    await stage.sees("shutdown compute-0-3")
    await stage.take("activity")
    await stage.press("u", "down", "down")
    await stage.sees("compute-0-2")
    await stage.take("activity-failed")
    await stage.enter(":journal")
    await stage.until(lambda: "console.open" in stage.text(), "the journal is read")
    await stage.take("journal")
    await stage.press("v")
    await stage.sees("The journal was checked")
    await stage.take("journal-verified")


async def at_trees(stage: Stage) -> None:
    """What the nodes stand on, and what needs attention."""
    await stage.enter(":hosts")
    await stage.sees("● up")
    await stage.take("hosts")
    await stage.enter(":vlans")
    await stage.sees("plugged in")
    await stage.take("vlans")
    await stage.enter(":remote-0-2")
    await stage.enter(":instances")
    await stage.sees("workers")
    await stage.sees("idle ")
    await stage.press("down", "down", "down")
    await stage.take("instances")
    await stage.enter(":slots")
    await stage.sees("draining")
    await stage.press("plus")
    await stage.sees("13.0  you")
    await stage.take("slots")
    await stage.enter(":overview")
    await stage.sees("lease")
    await stage.sees("hung")
    await stage.take("overview")
    await stage.enter(":clusters")
    await stage.sees("health")
    await stage.take("clusters")
    await stage.enter(":events")
    await stage.sees("leased by")
    await stage.take("events")
    await stage.enter(":nodes")


async def at_a_panic(stage: Stage) -> None:
    """What a crashed node said last, read from its screen."""
    await log_in(stage, "compute-0-1", "sysctl -w kernel.panic=0; clear > /dev/tty1")
    await stage.enter("echo c > /proc/sysrq-trigger")
    await stage.sees("end Kernel panic")
    await stage.command("q")
    await stage.enter(":screen compute-0-1")
    await stage.sees("text 100 %")
    await stage.sees("end Kernel panic")
    await stage.take("panic")
    await stage.command("q")


async def at_the_wall(stage: Stage) -> None:
    """The screens of all nodes, with the crashed one among them."""
    await stage.enter(":wall")
    await stage.sees("end Kernel panic")
    await stage.sees("compute-0-0 login:")
    await stage.take("wall")
    await stage.press("q")


@asynccontextmanager
async def company(site: DemoSite, person: people.Person, node: str) -> AsyncIterator[ConsoleStream]:
    """Somebody else who types at a node's console, too."""
    config = ClientConfig(site.folder / person.folder)
    place = config.find(None)
    signers = await identities([Path(place.key)], False, None)
    link = await Link.connect(place, signers, KnownHosts(config.known_hosts))
    try:
        stream = await link.console(node, people.YOU.cluster, "join")
        reading = asyncio.create_task(_read(stream))
        try:
            yield stream
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            stream.close()
    finally:
        await link.close()


async def _read(stream: ConsoleStream) -> None:
    async for _ in stream:
        pass


async def at_a_shared_console(stage: Stage) -> None:
    """Two people at a console: what one says, and who is there."""
    await log_in(stage, "compute-0-0", "uptime")
    await stage.sees("load average")
    async with company(stage.site, people.ADMIN, "compute-0-0") as other:
        await stage.sees("has joined")
        other.chat("is it short of memory?")
        await stage.sees("is it short")
        other.type(b"free -m\n")
        await stage.sees("Swap:")
        await stage.command("m")
        await stage.enter("no, it is not")
        await stage.command("w")
        await stage.sees("At compute-0-0")
        await stage.until(lambda: "typed nothing" not in stage.text(), "it is told that both have typed")
        await stage.take("console-people")
        await stage.press("escape")
    await stage.command("q")


async def at_a_broadcast(stage: Stage) -> None:
    """Four consoles that are typed at together; one answers something else."""
    await stage.enter(":on compute-0-[1,3]")
    for name in ("compute-0-1", "compute-0-3"):
        await stage.becomes(name, "on")
    for name, server in (("frontend", 1), ("compute-0-0", 1), ("compute-0-1", 1), ("compute-0-3", 9)):
        await log_in(stage, name, f"killall -q dd; echo nameserver 10.1.1.{server} > /etc/resolv.conf")
        # What the shell says of a job that has ended, it says before the next prompt.
        await stage.until(lambda: stage.text().count("root@") >= 2, "it is done")
        await stage.enter("clear")
        await stage.until(lambda: "resolv" not in stage.text(), "a clean screen")
        await stage.command("q")
    await stage.enter(":broadcast compute-0-[0,1,3] frontend")
    await stage.until(lambda: getattr(stage.app.screen, "ready", False), "the question has settled")
    await stage.press("y")
    await stage.until(lambda: stage.text().count("root@") >= 4, "four shells")
    await stage.enter("cat /etc/resolv.conf")
    await stage.sees("10.1.1.9")
    await stage.sees("differ")
    await stage.take("broadcast")
    await stage.command("q")


async def at_what_is_left(stage: Stage) -> None:
    """The console of a node that is off: what it said before it died."""
    await stage.enter(":off compute-0-1")
    await stage.until(lambda: getattr(stage.app.screen, "ready", False), "the question has settled")
    await stage.press("y")
    await stage.becomes("compute-0-1", "off")
    await stage.enter(":console compute-0-1")
    await stage.sees("turned off")
    await stage.take("console-off")
    await stage.command("q")


def only_nodes(name: str) -> Tour:
    """The list, in another theme."""

    async def tour(stage: Stage) -> None:
        await stage.enter(":compute-0-0")
        await stage.sees("root@compute-0-0")
        await stage.press("space", "down", "space", "down")
        await stage.sees("compute-0-2 login:")
        await stage.take(name)

    return tour


async def make(site: DemoSite, folder: Path, names: Sequence[str]) -> None:
    """Make the pictures whose file names have one of `names` in them; all without any."""
    await site.turn_on()
    await site.lease()
    tours: list[tuple[tuple[int, int], ThemeChoice, Tour]] = [(MIDDLE, "dark", prepare)]
    if not names or set(names) & set(OF_TREES):
        tours.append((MIDDLE, "dark", at_trees))
    if not names or not set(names) <= {*OF_GUESTS, *OF_TREES}:
        tours += [
            (SMALL, "dark", at_nodes),
            (LARGE, "dark", at_nodes),
            (LARGE, "dark", at_a_boot),
            (MIDDLE, "dark", at_what_was_asked),
            (MIDDLE, "light", only_nodes("light")),
            (MIDDLE, "terminal", only_nodes("16-colours")),
        ]
    if not names or set(names) & set(OF_GUESTS):
        tours += [
            (MIDDLE, "dark", at_a_shared_console),
            (MIDDLE, "dark", at_a_broadcast),
            (MIDDLE, "dark", at_a_panic),
            (LARGE, "dark", at_the_wall),
            (MIDDLE, "dark", at_what_is_left),
        ]
    for size, theme, tour in tours:
        async with opened(site, folder, size, names, theme) as stage:
            await tour(stage)


def main() -> None:
    """Build a demo, make the pictures, and remove the demo."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", nargs="*", help="only pictures whose file names have this in them")
    short = state_folder().with_name("rp-pictures")
    parser.add_argument("--state", type=Path, default=short, help="folder of the demo, a short path")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "pictures", help="where they go")
    args = parser.parse_args()
    # Colours as in a good terminal, whatever this one is.
    os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
    os.environ.pop("NO_COLOR", None)
    args.to.mkdir(exist_ok=True)
    progress = Progress()
    site = DemoSite(args.state.absolute(), progress)
    try:
        site.build()
        asyncio.run(make(site, args.to, args.name))
    finally:
        progress.say("Ending the demo.")
        site.stop()


if __name__ == "__main__":
    main()
