"""Changes to clusters and signers, each one transaction: rows, generation and journal event together.

These are the admin commands' hands. A running airboss sees the generation rise and reads anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from keys import signers as signer_lines
from keys import sshsig
from keys.signers import SignerLine
from pilot import journal
from pilot.agent import journal_chain, schema
from pilot.agent.database import Database
from pilot.agent.registry import SITE, ClusterEntry, SignerEntry, read_clusters, read_signers
from pilot.agent.settings import NAME
from pilot.errors import RefusedError, UsageError
from pilot.records import Role

Change = Literal["added", "updated", "unchanged"]


class Actor(msgspec.Struct, frozen=True):
    """Who runs an admin command."""

    name: str
    """The UNIX user; through sudo, the one who called it."""
    uid: int
    """Of the process."""


class Editor:
    """An admin's pen."""

    def __init__(self, database: Database, actor: Actor, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._actor = actor
        self._clock = clock

    def add_cluster(self, name: str, vlan: int | None, protected: bool) -> Change:
        """Add a cluster, or set its VLAN and protection anew.

        Raises:
            UsageError: not a name, not a VLAN, or another cluster has it.
        """
        if not NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' is not a cluster's name", "Letters, digits, '.', '_' and '-'; 63 at most."
            )
        if vlan is not None and not 0 < vlan < 4095:
            raise UsageError(f"{vlan} is not a VLAN", "VLANs are from 1 to 4094.")
        table = schema.clusters
        with self._database.write() as connection:
            known = {cluster.name: cluster for cluster in read_clusters(connection)}
            other = next((c for c in known.values() if c.vlan == vlan and c.name != name), None)
            if vlan is not None and other:
                raise UsageError(f"VLAN {vlan} is cluster {other.name}'s", "A VLAN carries one cluster.")
            new = {"vlan": vlan, "protected": protected}
            if name not in known:
                change: Change = "added"
                row = {"name": name, "added": self._clock(), "added_by": self._actor.name}
                connection.execute(table.insert().values(**row, **new))
            elif (known[name].vlan, known[name].protected) == (vlan, protected):
                return "unchanged"
            else:
                change = "updated"
                connection.execute(table.update().where(table.c.name == name).values(**new))
            self._changed(connection, "cluster.add", name, args=new, result=change)
        return change

    def remove_cluster(self, name: str, with_keys: bool) -> int:
        """Remove a cluster, and its signers `with_keys`. Its nodes run on, and keep their tags.

        Returns:
            How many signers went with it.

        Raises:
            RefusedError: it has signers, and `with_keys` is not given.
            UsageError: there is no such cluster.
        """
        table = schema.signers
        with self._database.write() as connection:
            require_cluster(connection, name)
            bound = [
                row.fingerprint for row in connection.execute(table.select().where(table.c.cluster == name))
            ]
            if bound and not with_keys:
                raise RefusedError(
                    f"cluster {name} has keys bound to it ({len(bound)})",
                    "Remove them with it: --keys. `pilot-agent key list` shows them.",
                )
            connection.execute(table.delete().where(table.c.cluster == name))
            connection.execute(schema.clusters.delete().where(schema.clusters.c.name == name))
            self._changed(connection, "cluster.remove", name, args={"keys": with_keys}, result=bound)
        return len(bound)

    def add_signers(self, cluster: str, role: Role, lines: Iterable[SignerLine]) -> list[Change]:
        """Entitle keys in a cluster, or at the `SITE`; all or none. A key that is there is updated.

        Raises:
            UsageError: there is no such cluster, or the role does not fit.
        """
        if role == "admin" and cluster != SITE:
            raise UsageError(
                "role admin is the site's", "Give it with --site, or another role in the cluster."
            )
        with self._database.write() as connection:
            if cluster != SITE:
                require_cluster(connection, cluster)
            return [self._add_signer(connection, cluster, role, line) for line in lines]

    def _add_signer(self, connection: Connection, cluster: str, role: Role, line: SignerLine) -> Change:
        table = schema.signers
        fingerprint = sshsig.fingerprint(line.key_blob)
        identity = {
            "cluster": cluster,
            "fingerprint": fingerprint,
            "authority": line.cert_authority,
        }
        new = {"role": role, "principal": principal_of(line), "line": signer_lines.format_line(line)}
        where = sa.and_(*(table.c[name] == value for name, value in identity.items()))
        old = connection.execute(table.select().where(where)).mappings().first()
        if old is None:
            change: Change = "added"
            by = {"added": self._clock(), "added_by": self._actor.name}
            connection.execute(table.insert().values(**identity, **new, **by))
        elif all(old[name] == value for name, value in new.items()):
            return "unchanged"
        else:
            change = "updated"
            connection.execute(table.update().where(where).values(**new))
        args = {"role": role, "line": new["line"]}
        self._changed(connection, "key.add", cluster, [fingerprint], args=args, result=change)
        return change

    def remove_signers(self, cluster: str, fits: Callable[[SignerEntry], bool]) -> list[SignerEntry]:
        """Take from a cluster, or the `SITE`, the signers that fit; gives those that went.

        Raises:
            UsageError: there is no such cluster.
        """
        with self._database.write() as connection:
            if cluster != SITE:
                require_cluster(connection, cluster)
            gone = [entry for entry in read_signers(connection, cluster) if fits(entry)]
            for entry in gone:
                connection.execute(schema.signers.delete().where(schema.signers.c.id == entry.id))
                line = signer_lines.format_line(entry.line)
                self._changed(
                    connection,
                    "key.remove",
                    cluster,
                    [entry.fingerprint],
                    args={"line": line},
                    result="removed",
                )
        return gone

    def begin(self, verb: str, cluster: str, targets: Iterable[str], args: Mapping[str, object]) -> int:
        """Journal what is about to be done elsewhere than in the database, such as tags on domains.

        Returns:
            The record's id, for `end`.
        """
        with self._database.write() as connection:
            return self._record(connection, "intent", verb, cluster, targets, args, None)

    def end(self, intent: int, result: object) -> None:
        """Journal what came of it."""
        outcome = journal.outcome(self._clock(), intent, result)
        with self._database.write() as connection:
            journal_chain.append(connection, [outcome])

    def _changed(
        self,
        connection: Connection,
        verb: str,
        cluster: str,
        targets: Iterable[str] = (),
        *,
        args: Mapping[str, object],
        result: object,
    ) -> None:
        connection.execute(schema.generation.update().values(value=schema.generation.c.value + 1))
        self._record(connection, "event", verb, cluster, targets, args, result)

    def _record(
        self,
        connection: Connection,
        kind: journal.Kind,
        verb: str,
        cluster: str,
        targets: Iterable[str],
        args: Mapping[str, object],
        result: object,
    ) -> int:
        entry = journal.entry(
            self._clock(),
            kind,
            principal=self._actor.name,
            auth="admin",
            cluster=cluster,
            verb=verb,
            targets=list(targets),
            args={**args, "uid": self._actor.uid},
            result=result,
        )
        return journal_chain.append(connection, [entry])[0].id


def principal_of(line: SignerLine) -> str:
    """What to call who signs with this line's key: its first principal that is no pattern."""
    if line.cert_authority:
        return ",".join(line.principals)
    plain = (name for name in line.principals if not set("*?!") & set(name))
    return next(plain, line.comment or sshsig.fingerprint(line.key_blob))


def require_cluster(connection: Connection, name: str) -> ClusterEntry:
    """The cluster of this name.

    Raises:
        UsageError: there is none.
    """
    known = {cluster.name: cluster for cluster in read_clusters(connection)}
    if name not in known:
        raise UsageError(
            f"there is no cluster '{name}'",
            f"There are: {', '.join(known)}." if known else "Add it: pilot-agent cluster add NAME",
        )
    return known[name]
