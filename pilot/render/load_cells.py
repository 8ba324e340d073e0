"""How busy a host is and was, and what an interface carries, as cells of the app's trees."""

from __future__ import annotations

from pilot.records import Host, Node
from pilot.render.hosts import last_hour, rate
from pilot.render.palette import Tone
from pilot.render.sparkline import UNKNOWN
from pilot.render.table import Cell
from pilot.render.times import memory
from pilot.wire import HostLoad, NicLoad

SPARK_CELLS = 8
_BUSY = 90
_MOST = 254


def busy_cell(host: Host, load: HostLoad | None) -> Cell:
    """Its processors in the last hour, and now in percent."""
    if load is None or host.state != "up" or not load.cpu:
        return Cell("")
    now = load.cpu[-1]
    tone: Tone = "dim" if now == UNKNOWN else "busy" if now >= _BUSY else ""
    return Cell(f"{last_hour(load.cpu, SPARK_CELLS)} {_percent(now)}", tone)


def load_cell(host: Host, load: HostLoad | None) -> Cell:
    """The load average of a minute; more than it has processors is much."""
    if load is None or load.load_now is None or host.state != "up":
        return Cell("")
    return Cell(f"{load.load_now:.2f}", "busy" if host.cpus and load.load_now > host.cpus else "")


def net_cell(host: Host, load: HostLoad | None) -> Cell:
    """What its nodes receive and send."""
    if load is None or host.state != "up":
        return Cell("")
    return Cell(f"↓{rate(load.received_now)} ↑{rate(load.sent_now)}", "dim")


def hour_cells(host: Host, load: HostLoad | None) -> list[Cell]:
    """The last hour of a host: processors, memory, load, and what its nodes receive and send."""
    if load is None or not load.cpu:
        return [Cell("last hour  nothing is known yet", "dim")]
    lines = [
        ("cpu", load.cpu, _percent(load.cpu[-1])),
        ("mem", load.memory, memory(load.memory_now) if load.memory_now else ""),
        ("load", load.load, "" if load.load_now is None else f"{load.load_now:.2f}"),
        ("in", _scaled(load.received), rate(load.received_now)),
        ("out", _scaled(load.sent), rate(load.sent_now)),
    ]
    said = [Cell("last hour", "dim")]
    for name, samples, now in lines:
        said += [Cell(f"  {name} ", "dim"), Cell(last_hour(samples, SPARK_CELLS)), Cell(f" {now.strip()}")]
    return said


def carried_cell(node: Node, load: NicLoad | None) -> Cell:
    """What an interface receives and sends, while its node runs."""
    if load is None or node.state != "on":
        return Cell("")
    return Cell(f"↓{rate(load.received_now)} ↑{rate(load.sent_now)}")


def packets_cell(node: Node, load: NicLoad | None) -> Cell:
    """Packets a second, both ways."""
    if load is None or node.state != "on":
        return Cell("")
    return Cell(f"{load.packets_received + load.packets_sent}/s", "dim")


def errors_cell(node: Node, load: NicLoad | None) -> Cell:
    """Packets that failed or were dropped since the node was turned on."""
    if load is None or node.state != "on":
        return Cell("")
    lost = load.errors + load.drops
    return Cell(f"{lost}", "bad" if lost else "dim")


def carried_hour(load: NicLoad) -> list[Cell]:
    """The last hour of an interface."""
    return [
        Cell("last hour", "dim"),
        Cell("  in ", "dim"), Cell(f"{last_hour(_scaled(load.received))} {rate(load.received_now)}"),
        Cell("  out ", "dim"), Cell(f"{last_hour(_scaled(load.sent))} {rate(load.sent_now)}"),
        Cell(f"  {load.errors} errors, {load.drops} dropped", "bad" if load.errors + load.drops else "dim"),
    ]  # fmt: skip


def _percent(sample: int) -> str:
    return "     " if sample == UNKNOWN else f"{sample:>3} %"


def _scaled(samples: bytes) -> bytes:
    """Rates on their logarithmic scale as percent of the largest that one can be."""
    return bytes(one if one == UNKNOWN else one * 100 // _MOST for one in samples)
