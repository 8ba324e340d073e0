"""`pilot-agent cluster adopt|release` on domains of private libvirtds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.agent.admin.naming import natural
from pilot.agent.main import main
from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.domain_xml import Membership
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import Exit

Run = Callable[..., tuple[int, str, str]]

ON_TAG = "<interface type='bridge'><source bridge='ovs0'/><virtualport type='openvswitch'/>{tag}</interface>"
BY_BRIDGE = "<interface type='bridge'><source bridge='vlan{vlan}'/></interface>"
BY_DEVICE = "<interface type='direct'><source dev='peth0.{vlan}' mode='bridge'/></interface>"


class Site:
    """Two hosts with domains that are never started, and a configuration that names them."""

    def __init__(self, folder: Path, hosts: list[PrivateHost]) -> None:
        self.config = folder / "agent.toml"
        self.hosts = hosts
        self._connections = {host.name: libvirt.open(host.uri) for host in hosts}
        lines = ['[site]\nname = "test"\nstate = "state"\nlisten = ["127.0.0.1:0"]']
        lines += [f'[[host]]\nname = "{host.name}"\nuri = "{host.uri}"' for host in hosts]
        self.config.write_text("\n".join(lines) + "\n")

    def define(self, host: int, name: str, interface: str = "", vlan: int = 0) -> None:
        tag = f"<vlan><tag id='{vlan}'/></vlan>"
        self._connections[self.hosts[host].name].defineXML(
            f"<domain type='qemu'><name>{name}</name><memory>65536</memory>"
            "<os><type arch='x86_64'>hvm</type></os>"
            f"<devices>{interface.format(vlan=vlan, tag=tag)}"
            f"{'<console type=' + quoteattr('pty') + '/>' if interface else ''}</devices></domain>"
        )

    def membership(self, host: int, name: str) -> Membership | None:
        domain = self._connections[self.hosts[host].name].lookupByName(name)
        return domain_xml.read(domain.XMLDesc()).membership

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


@pytest.fixture
def site(tmp_path: Path, hosts: Callable[..., PrivateHost]) -> Iterator[Site]:
    site = Site(tmp_path, [hosts("container-0-0"), hosts("container-0-1")])
    yield site
    site.close()


@pytest.fixture
def run(site: Site, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in (*words, "--config", site.config)])
        return code, *capsys.readouterr()

    return run


def test_by_vlan_shows_first_and_then_tags(site: Site, run: Run) -> None:
    for number, interface in enumerate((ON_TAG, BY_BRIDGE, BY_DEVICE)):
        site.define(number % 2, f"vi-1-compute-0-{number}", interface, vlan=3)
    site.define(0, "stranger", BY_BRIDGE, vlan=13)
    site.define(1, "vi-1-on-no-vlan")
    run("cluster", "add", "vi-1", "--vlan", 3)

    code, out, _ = run("cluster", "adopt", "vi-1", "--dry-run")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:]] == [f"vi-1-compute-0-{n}" for n in range(3)]
    assert [line.split()[4] for line in out.splitlines()[1:]] == [f"compute-0-{n}" for n in range(3)]
    assert site.membership(0, "vi-1-compute-0-0") is None

    # Nobody is there to be asked: nothing is done.
    code, _, err = run("cluster", "adopt", "vi-1")
    assert (code, "--yes" in err) == (Exit.FAILED, True)
    assert site.membership(0, "vi-1-compute-0-0") is None

    code, _, err = run("cluster", "adopt", "vi-1", "--yes", "--appliance", "compute")
    assert (code, err) == (0, "3 of 3 done\n")
    assert site.membership(1, "vi-1-compute-0-1") == Membership("vi-1", "compute-0-1", "compute")
    assert site.membership(0, "stranger") is None
    code, out, err = run("cluster", "adopt", "vi-1", "--yes")
    assert (code, err) == (0, "nothing is to be changed\n")

    records = [json.loads(line) for line in run("journal", "show", "--json")[1].splitlines()]
    assert [(r["kind"], r["verb"]) for r in records] == [
        ("event", "cluster.add"),
        ("intent", "cluster.adopt"),
        ("outcome", ""),
    ]
    assert [one["result"] for one in records[2]["result"]] == ["done"] * 3
    assert run("journal", "verify")[0] == 0

    code, out, _ = run("cluster", "release", "vi-1", "compute-0-1", "--yes", "--json")
    assert (code, [one["result"] for one in json.loads(out)]) == (0, ["done"])
    assert site.membership(1, "vi-1-compute-0-1") is None
    assert run("cluster", "release", "vi-1", "--all", "--yes")[2] == "2 of 2 done\n"
    assert run("cluster", "release", "vi-1")[0] == Exit.USAGE


def test_nothing_is_taken_from_another_cluster(site: Site, run: Run) -> None:
    site.define(0, "a", BY_BRIDGE, vlan=3)
    site.define(1, "b", BY_BRIDGE, vlan=3)
    run("cluster", "add", "vi-1", "--vlan", 3)
    run("cluster", "add", "vi-2")
    assert run("cluster", "adopt", "vi-2", "a", "--yes")[0] == 0
    code, _, err = run("cluster", "adopt", "vi-1", "--yes")
    assert code == 0
    assert err == "a stays: it is a node of cluster vi-2\n1 of 1 done\n"
    assert site.membership(0, "a") == Membership("vi-2", "a")
    code, _, err = run("cluster", "adopt", "vi-1", "a", "--yes")
    assert (code, "a is a node of cluster vi-2" in err) == (Exit.REFUSED, True)
    assert run("cluster", "adopt", "vi-1", "a", "--yes", "--force")[0] == 0
    assert site.membership(0, "a") == Membership("vi-1", "a")


def test_names(site: Site, run: Run) -> None:
    site.define(0, "vm-10", BY_BRIDGE, vlan=3)
    site.define(1, "vm-9", BY_BRIDGE, vlan=3)
    site.define(1, "vm-10", BY_BRIDGE, vlan=4)
    run("cluster", "add", "vi-1", "--vlan", 3)

    def nodes(*words: str) -> list[str]:
        code, out, err = run("cluster", "adopt", "vi-1", "--dry-run", "--json", *words)
        assert code == 0, err
        return [row["node"] for row in json.loads(out)]

    assert nodes() == ["vm-9", "vm-10"]
    assert nodes("--node-name", "compute-0-{n}") == ["compute-0-0", "compute-0-1"]
    assert nodes("--node-name", "s/^vm-(.*)/compute-0-\\1/") == ["compute-0-9", "compute-0-10"]
    assert nodes("--node-name", "{cluster}.{host}.{domain}")[1] == "vi-1.container-0-0.vm-10"
    for words, message in [
        (["--match", "vm-*"], "would both be node vm-10 of vi-1"),
        (["vm-10"], "several VMs are called 'vm-10'"),
        (["nobody"], "there is no VM 'nobody'"),
        (["--node-name", "{x}"], "there is no {x}"),
        (["--node-name", "s/a"], "is not a substitution"),
        (["--node-name", "s/(/x/"], "--node-name 's/(/x/'"),
        (["--node-name", "a b"], "which is no node's name"),
    ]:
        code, _, err = run("cluster", "adopt", "vi-1", "--yes", *words)
        assert (code, message in err) == (Exit.USAGE, True), err
    # A name of a node that is there already is taken, too; with its host the VM is one of a kind.
    assert run("cluster", "adopt", "vi-1", "vm-10", "--host", "container-0-0", "--yes")[0] == 0
    code, _, err = run("cluster", "adopt", "vi-1", "vm-10", "--host", "container-0-1", "--yes")
    assert "would both be node vm-10" in err


def test_a_host_that_is_down_is_left_out_and_said(site: Site, run: Run) -> None:
    site.define(1, "a", BY_BRIDGE, vlan=3)
    run("cluster", "add", "vi-1", "--vlan", 3)
    site.hosts[0].kill()
    code, _, err = run("cluster", "adopt", "vi-1", "--yes")
    assert code == 0
    assert "host container-0-0 is left out: " in err
    assert site.membership(1, "a") == Membership("vi-1", "a")


def test_check_names_what_is_odd(site: Site, run: Run) -> None:
    run("cluster", "add", "vi-1", "--vlan", 3)
    run("cluster", "add", "vi-2")
    site.define(0, "a", BY_BRIDGE, vlan=3)
    site.define(1, "b", BY_BRIDGE, vlan=3)
    site.define(1, "mute")
    run("cluster", "adopt", "vi-1", "a", "b", "mute", "--yes")
    run("cluster", "add", "vi-3")
    run("cluster", "adopt", "vi-3", "b", "--yes", "--force")
    run("cluster", "remove", "vi-3")
    code, out, _ = run("check", "--json")
    found = {(one["level"], one["what"], one["text"]) for one in json.loads(out)}
    texts = "\n".join(f"{level} {what}: {text}" for level, what, text in sorted(found))
    assert code == 0, texts
    for expected in (
        "ok host container-0-0: QEMU by libvirt ",
        "warn cluster vi-1: no serial console to open: mute on container-0-1",
        "warn cluster vi-1: no screen (VNC) to open: a on container-0-0, mute on container-0-1",
        "warn cluster vi-2: it has no nodes",
        "warn cluster vi-3: b on container-0-1 belong to it, but it is not known here",
        "warn cluster vi-1: no key that is valid now is bound to it",
    ):
        assert expected in texts
    site.hosts[0].kill()
    code, out, _ = run("check")
    assert code == Exit.FAILED
    assert "fail  host container-0-0: " in out


@given(st.lists(st.integers(0, 300)))
def test_natural_order(numbers: list[int]) -> None:
    names = [f"compute-0-{number}" for number in numbers]
    assert sorted(names, key=natural) == [f"compute-0-{number}" for number in sorted(numbers)]
