"""Who may ask for what, and who sees what. Knows roles and clusters, and nothing of hypervisors."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from pilot.records import (
    ROLES,
    AnyRecord,
    Cluster,
    Grant,
    Host,
    Instance,
    Machine,
    Node,
    Role,
    Source,
    role_covers,
)
from pilot.verbs import VERBS, Verb

SITE = "*"
"""The cluster of a grant that holds for the whole site."""


def strongest(roles: Iterable[Role]) -> Role | None:
    """The role that may do most."""
    return max(roles, key=ROLES.index, default=None)


def role_in(grants: Iterable[Grant], cluster: str) -> Role | None:
    """The role that these grants give in a cluster; None if they give none."""
    return strongest(grant.role for grant in grants if grant.cluster in (cluster, SITE))


def may(grants: Iterable[Grant], verb: Verb, cluster: str) -> bool:
    """Whether these grants allow a verb in a cluster."""
    role = role_in(grants, cluster)
    return role is not None and role_covers(role, verb.role)


def is_site_admin(grants: Iterable[Grant]) -> bool:
    """Whether these grants are good for the site itself, not only for its clusters."""
    return any(grant.cluster == SITE and grant.role == "admin" for grant in grants)


def usable_verbs(grants: Iterable[Grant]) -> tuple[str, ...]:
    """Ids of the verbs that the grants allow in at least one cluster."""
    role = strongest(grant.role for grant in grants)
    return tuple(verb.id for verb in VERBS if role is not None and role_covers(role, verb.role))


class View:
    """What a signer sees of the inventory, narrowed to one cluster if asked.

    Nodes and clusters that a grant covers; hosts that carry such a node, without their address and
    libvirt's words on it. Only a grant for the site shows domains that belong to no cluster, and hosts whole.
    """

    def __init__(self, grants: Iterable[Grant], cluster: str = "") -> None:
        self._site = any(grant.cluster == SITE for grant in grants)
        self._clusters = frozenset(grant.cluster for grant in grants)
        self._cluster = cluster

    @property
    def sees_site(self) -> bool:
        """Whether the whole site is in view, hosts and all."""
        return self._site and not self._cluster

    @property
    def of_site(self) -> bool:
        """Whether the grants are for the site, whatever is in view."""
        return self._site

    def sees_cluster(self, name: str) -> bool:
        """Whether the cluster, and so its nodes, are in view."""
        if self._cluster and name != self._cluster:
            return False
        return self._site or (name != "" and name in self._clusters)

    def show(self, record: AnyRecord, hosts_in_view: Container[str]) -> AnyRecord | None:
        """The record as it is shown, None if it is not.

        `hosts_in_view` are the names of the hosts that carry a node in view.
        """
        if isinstance(record, Node):
            return record if self.sees_cluster(record.cluster) else None
        if isinstance(record, Cluster):
            return record if self.sees_cluster(record.name) else None
        if isinstance(record, Instance | Machine):
            return record if self.sees_cluster(record.cluster) else None
        if self.sees_site:
            return record
        if isinstance(record, Host):
            shown = record.name in hosts_in_view
            return msgspec.structs.replace(record, uri="", words="", cordon=None) if shown else None
        if isinstance(record, Source):
            return msgspec.structs.replace(record, words="")
        return None

    def show_all(self, records: Iterable[AnyRecord]) -> dict[str, AnyRecord]:
        """All records in view, by id."""
        everything = list(records)
        hosts = self.hosts_in_view(everything)
        shown = ((record.id, self.show(record, hosts)) for record in everything)
        return {record_id: record for record_id, record in shown if record is not None}

    def hosts_in_view(self, records: Iterable[AnyRecord]) -> frozenset[str]:
        """Names of the hosts that carry a node in view."""
        if self.sees_site:
            return frozenset(record.name for record in records if isinstance(record, Host))
        return frozenset(r.host for r in records if isinstance(r, Node) and self.sees_cluster(r.cluster))
