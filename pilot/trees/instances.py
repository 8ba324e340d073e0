"""EC2 instances by region and by the VPC or cluster that they are in."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import AnyRecord, Instance, Source
from pilot.render.natural import natural_key
from pilot.trees.entries import Entry, below


def by_network(record: AnyRecord) -> Iterable[Entry]:
    """The lines of a record: region, VPC, subnet, instance."""
    if isinstance(record, Source) and record.type == "ec2":
        yield _region(record.name, record)
    elif isinstance(record, Instance):
        region = _region(f"{record.account}/{record.region}")
        vpc = below(region, f"{region.key}/{record.vpc}", (0, record.vpc), record.vpc or "no VPC", None)
        name = record.subnet or "no subnet"
        subnet = below(vpc, f"{vpc.key}/{record.subnet}", (0, record.subnet), name, None)
        yield from (region, vpc, subnet, _instance(subnet, record))


def by_cluster(record: AnyRecord) -> Iterable[Entry]:
    """The lines of a record: region, cluster, instance."""
    if isinstance(record, Source) and record.type == "ec2":
        yield _region(record.name, record)
    elif isinstance(record, Instance):
        region = _region(f"{record.account}/{record.region}")
        step = (0 if record.cluster else 1, natural_key(record.cluster))
        key, name = f"{region.key}/{record.cluster}", record.cluster or "no cluster"
        cluster = below(region, key, step, name, None)
        yield from (region, cluster, _instance(cluster, record))


def _region(name: str, record: Source | None = None) -> Entry:
    return Entry(f"source:ec2/{name}", ((0, natural_key(name)),), (), name, record)


def _instance(branch: Entry, record: Instance) -> Entry:
    name = record.id.removeprefix("instance:")
    step = (0, f"{natural_key(record.name)}\0{name}")
    return below(branch, record.id, step, name, record, node=record.node)
