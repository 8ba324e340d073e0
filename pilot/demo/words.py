"""What the demo tells a person: what there is to try, and how a second terminal joins."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from pilot.demo import people
from pilot.demo.guest import LOGIN, PASSWORD
from pilot.demo.plan import HOSTS, PLACES
from pilot.demo.site import DemoSite

TOOLS = "bin"
"""Folder below the demo's with `pilot`, and with a `pilot-agent` that knows the demo's configuration."""

JOIN = "demo-join"
"""The third command there: it prints how another terminal joins."""


def write_tools(site: DemoSite) -> Path:
    """Write the two commands as they are to be called within the demo; gives their folder."""
    folder = site.folder / TOOLS
    folder.mkdir(mode=0o755, exist_ok=True)
    source = shlex.quote(str(Path(__file__).parents[2]))
    python = f"PYTHONPATH={source} exec {shlex.quote(sys.executable)} -m"
    config = f"--config {shlex.quote(str(site.config))}"
    # An airboss that somebody starts again is the demo's to end, too: `exec` keeps pid and start time.
    record = shlex.quote(str(site.folder / "airboss.process"))
    recorded = (
        f'[ "$1" != serve ] || printf \'{{"pid":%d,"started":%d}}\' '
        f'$$ "$(cut -d" " -f22 /proc/$$/stat)" > {record}\n'
    )
    aws = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in site.cloud.environment.items())
    for name, before, command in (
        ("pilot", "", "pilot.cli"),
        ("pilot-agent", aws + recorded, f"pilot.agent.main {config}"),
    ):
        script = folder / name
        script.write_text(f'#!/bin/sh\n{before}{python} {command} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    joining = folder / JOIN
    joining.write_text(f"#!/bin/sh\ncat <<'END'\n{second_terminal(site)}END\n", encoding="utf-8")
    joining.chmod(0o755)
    return folder


def environment(site: DemoSite, person: people.Person) -> dict[str, str]:
    """What the environment of a person's shell has besides the usual; PATH is to be put in front."""
    hosts = {f"HOST{number}": host.uri for number, host in enumerate(site.hosts)}
    return {"PATH": str(site.folder / TOOLS), "PILOT_CONFIG": str(site.folder / person.folder), **hosts}


def introduction(site: DemoSite, seconds: float) -> str:
    """What the person in the demo's shell reads first."""
    kinds = [] if site.cloud.missing() else ["EC2 (moto's server and a stand-in)"]
    if site.pool.real:
        real, what = "libvirt, QEMU, SSH and HTCondor", "that the pool's machines are nodes"
    else:
        real, what = "libvirt, QEMU and SSH", "the HTCondor pool (a file of ads)"
    pretended = "; ".join([*kinds, what])
    return f"""
Rocks Pilot demo: {len(HOSTS)} hosts, 2 clusters, {len(PLACES)} VMs and an airboss, built in {seconds:.1f} s.
Real {real}. Pretended: that the hosts are machines of their own;
{pretended}.
You own the cluster vc1 and have no root on its hosts. Some nodes are booting. Try:

  pilot                                  the full-screen app: ? lists the keys
  pilot nodes                            the nodes of your cluster
  pilot power on compute-0-1 --console   turn one on and see it boot;
                                         log in as {LOGIN}, password {PASSWORD};
                                         Ctrl+] leaves
  pilot screen compute-0-1               what a monitor on it shows, as text
  pilot log compute-0-1 --boot           what it said since then, and when
  pilot power shutdown compute-0-1       press its power button
  pilot power install compute-0-2        boot it from the network once
  pilot hosts; pilot instances; pilot slots; pilot overview
                                         what the nodes stand on, what needs attention
  pilot lease remote-0-2 +8h             have airboss turn an instance off by then
  pilot watch                            every change, as it happens
  pilot-agent serve                      start airboss again, if you have killed it
  pilot-agent journal show               who asked for what, as the site's admin
  pilot --help

Somebody else's terminal, stock ssh, virsh:
`{JOIN}` prints what to paste there.
`exit` ends the demo and removes all of it.
"""


def second_terminal(site: DemoSite) -> str:
    """How other terminals join, as commands to paste."""
    pilot = shlex.quote(str(site.folder / TOOLS / "pilot"))
    lines = ["From another terminal:"]
    for person, who in ((people.YOU, "you, the owner of vc1"), (people.THEM, "the owner of vc2")):
        folder = site.folder / person.folder
        config = shlex.quote(str(folder))
        lines += [
            f"  # as {who}: with pilot, and with nothing but ssh",
            f"  PILOT_CONFIG={config} {pilot} nodes",
            f"  ssh -F {config}/ssh_config airboss list",
            f"  ssh -F {config}/ssh_config -t airboss console compute-0-0",
        ]
    lines += [
        "  # as the root that owners do not have: libvirt itself",
        *(f"  virsh -c '{host.uri}' list --all   # {host.name}" for host in site.hosts),
    ]
    return "\n".join(lines) + "\n"
