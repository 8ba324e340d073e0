"""Roles, and what a signer sees."""

from __future__ import annotations

import pytest

from pilot.agent.policy import View, may, role_in, usable_verbs
from pilot.records import ROLES, AnyRecord, Cluster, Grant, Host, Node, Role
from pilot.verbs import BY_ID


def node(name: str, cluster: str, host: str) -> Node:
    return Node(name, name=name, cluster=cluster, host=host, domain=name, state="on", since=0.0)


RECORDS: list[AnyRecord] = [
    Host("host:h1", name="h1", uri="qemu+ssh://root@h1/system", state="up", since=0.0),
    Host("host:h2", name="h2", uri="qemu+ssh://root@h2/system", state="up", since=0.0),
    Cluster("cluster:vc1", name="vc1"),
    Cluster("cluster:vc2", name="vc2"),
    node("mine", "vc1", "h1"),
    node("theirs", "vc2", "h2"),
    node("nobodys", "", "h2"),
]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_roles_before_it_may(role: Role) -> None:
    for verb in BY_ID.values():
        allowed = may([Grant("vc1", role)], verb, "vc1")
        assert allowed == (ROLES.index(role) >= ROLES.index(verb.role))
        assert not may([Grant("vc1", role)], verb, "vc2")


def test_the_site_grant_holds_everywhere_and_the_strongest_counts() -> None:
    grants = [Grant("*", "viewer"), Grant("vc1", "owner")]
    assert role_in(grants, "vc1") == "owner"
    assert role_in(grants, "vc2") == "viewer"
    assert role_in([], "vc1") is None
    assert "power.off" in usable_verbs(grants)
    assert usable_verbs([Grant("vc1", "viewer")]) == (
        "node.list",
        "watch",
        "events.read",
        "console.tail",
        "console.open",
        "console.log",
        "screen.open",
        "screen.picture",
        "record.list",
        "record.read",
    )


def test_an_owner_sees_the_own_cluster_and_its_hosts_without_their_address() -> None:
    shown = View([Grant("vc1", "owner")]).show_all(RECORDS)
    assert set(shown) == {"host:h1", "cluster:vc1", "mine"}
    host = shown["host:h1"]
    assert isinstance(host, Host)
    assert host.uri == ""


def test_a_site_grant_sees_all_and_one_cluster_if_asked() -> None:
    assert len(View([Grant("*", "viewer")]).show_all(RECORDS)) == len(RECORDS)
    assert set(View([Grant("*", "viewer")], "vc2").show_all(RECORDS)) == {"host:h2", "cluster:vc2", "theirs"}


@pytest.mark.parametrize("cluster", ["", "vc2"])
def test_no_grant_shows_nothing(cluster: str) -> None:
    assert View([], cluster).show_all(RECORDS) == {}


def test_asking_for_somebody_elses_cluster_shows_nothing() -> None:
    assert View([Grant("vc1", "owner")], "vc2").show_all(RECORDS) == {}
