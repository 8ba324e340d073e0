"""The tables of airboss's database. Portable: SQLite and PostgreSQL take the same statements.

A change here comes with a migration in `migrations/versions` and a new HEAD.
"""

from __future__ import annotations

import sqlalchemy as sa

HEAD = "0007"
"""The newest migration: what this program reads and writes."""

metadata = sa.MetaData()

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    comment="One row, raised by every change of clusters and signers: a running airboss polls it.",
)

clusters = sa.Table(
    "clusters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("vlan", sa.Integer),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("added", sa.Float, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
)

signers = sa.Table(
    "signers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False, comment="'*' is the site."),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("authority", sa.Boolean, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False, comment="As in OpenSSH's allowed_signers."),
    sa.Column("added", sa.Float, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    sa.UniqueConstraint("cluster", "fingerprint", "authority", name="signers_once"),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
    ),
    sa.Column("time", sa.BigInteger, nullable=False, comment="Microseconds since the epoch."),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("auth", sa.Text, nullable=False),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("targets", sa.Text, nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("intent", sa.BigInteger, nullable=False),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("journal_intent", "intent"),
    sa.Index("journal_time", "time"),
    sa.Index("journal_cluster", "cluster", "id"),
    comment="Append-only. How a record is hashed: pilot.journal.",
)

journal_head = sa.Table(
    "journal_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False, comment="0 before the first record."),
    sa.Column("hash", sa.Text, nullable=False),
    comment="One row, locked by whoever appends.",
)

cordons = sa.Table(
    "cordons",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    comment="Hosts on which no node is started any more.",
)

drainings = sa.Table(
    "drainings",
    metadata,
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("begun", sa.Float, nullable=False),
    sa.Column("key", sa.Text, nullable=False, comment="Of who asked: a public key or certificate, base64."),
    sa.Column("username", sa.Text, nullable=False, comment="The principal of a certificate."),
    sa.Column("verb", sa.Text, nullable=False, comment="How it is turned off."),
    sa.Column("until", sa.Float, nullable=False, comment="At the latest; 0 for no such time."),
    sa.Column("args", sa.Text, nullable=False, comment="The verb's, as JSON."),
    comment="Nodes that are turned off once their HTCondor jobs have ended.",
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("ends", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False, comment="For how long it was given."),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("given", sa.Float, nullable=False),
    sa.Column("warned", sa.Boolean, nullable=False),
    sa.Column("key", sa.Text, nullable=False, comment="Of who gave it: a public key or certificate, base64."),
    sa.Column("username", sa.Text, nullable=False, comment="The principal of a certificate."),
    comment="When nodes are turned off unless somebody renews that.",
)
