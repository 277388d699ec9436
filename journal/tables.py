"""The tables of a journal, and how records become rows.

Times, options, actors and payloads are stored as text (ISO 8601 in UTC; canonical JSON), so
that what was hashed is what is stored, on every server alike. Created by alembic
(journal/migrations); a test keeps the two the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

from journal.chain import canonical, format_time, parse_time
from journal.exceptions import JournalCorrupt
from journal.records import Entry, Phase, Run, RunStatus, Target, TargetStatus

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# COLLATE "C": the order of ids is the order of time, whatever the language of the database.
RunId = String(16).with_variant(String(16, collation="C"), "postgresql")
# A server that indexes only text of limited length gets limits; the others need none.
Alias = Text().with_variant(String(128), "mysql", "mariadb")
Name = Text().with_variant(String(500), "mysql", "mariadb")
Word = String(32)
Digest = String(64)
Document = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
Content = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
Counter = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER keys

run = Table(
    "run",
    metadata,
    Column("id", RunId, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("goal", Word, nullable=False),
    Column("status", Word, nullable=False),
    Column("opened_at", Word, nullable=False),
    Column("closed_at", Word),
    Column("options", Document, nullable=False),
    Column("actor", Document, nullable=False),
    Column("plan_digest", Name, nullable=False),
    Column("parent", RunId, nullable=False),
    Column("previous", RunId, nullable=False),
    Column("digest", Digest, nullable=False),
    Column("seal", Digest, nullable=False),
)

target = Table(
    "target",
    metadata,
    Column("run_id", RunId, ForeignKey("run.id"), nullable=False),
    Column("alias", Alias, nullable=False),
    Column("position", Integer, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("server_version", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("status", Word, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("leaves_before", Document, nullable=False),
    Column("leaves_after", Document, nullable=False),
    Column("fingerprint_before", Text, nullable=False),
    Column("fingerprint_after", Text, nullable=False),
    Column("reason", Document, nullable=False),
    Column("updated_at", Word),
    Column("seq", Integer, nullable=False),
    Column("head", Digest, nullable=False),
    Column("seal", Digest, nullable=False),
    PrimaryKeyConstraint("run_id", "alias"),
)

entry = Table(
    "entry",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("run_id", RunId, nullable=False),
    Column("alias", Alias, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Word, nullable=False),
    Column("name", Name, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("phase", Word, nullable=False),
    Column("at", Word, nullable=False),
    Column("seconds", Double),
    Column("payload", Document, nullable=False),
    Column("previous", Digest, nullable=False),
    Column("hash", Digest, nullable=False),
    ForeignKeyConstraint(["run_id", "alias"], ["target.run_id", "target.alias"]),
    UniqueConstraint("run_id", "alias", "seq"),
    UniqueConstraint("run_id", "alias", "kind", "name", "attempt", "phase", name="uq_entry_step"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("identity", Name, nullable=False),
    Column("alias", Alias, nullable=False),
    Column("run_id", RunId, nullable=False),  # no foreign key: it may outlive its run
    Column("digest", Digest, ForeignKey("snapshot_content.digest"), nullable=False),
    Column("at", Word, nullable=False),
    Index(None, "identity"),
)

snapshot_content = Table(
    "snapshot_content",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("content", Content, nullable=False),  # zlib over canonical JSON
)

# The way round "append-only": entries of a run that is named here may be deleted. Pruning
# names its runs, deletes, and takes the names out again, in one transaction; so no other
# connection ever sees a name here, and an ordinary DELETE is refused.
pruning = Table("pruning", metadata, Column("run_id", RunId, primary_key=True))


# -- records to rows -----------------------------------------------------------


def run_row(record: Run) -> dict[str, Any]:
    """The row of a run."""
    return {
        "id": record.id,
        "kind": record.kind,
        "goal": record.goal,
        "status": record.status.value,
        "opened_at": format_time(record.opened_at),
        "closed_at": None if record.closed_at is None else format_time(record.closed_at),
        "options": canonical(record.options),
        "actor": canonical(record.actor),
        "plan_digest": record.plan_digest,
        "parent": record.parent,
        "previous": record.previous,
        "digest": record.digest,
        "seal": record.seal,
    }


def target_row(record: Target) -> dict[str, Any]:
    """The row of a target, but for its position."""
    return {
        "run_id": record.run_id,
        "alias": record.alias,
        "vendor": record.vendor,
        "server_version": record.server_version,
        "identity": record.identity,
        "state": record.state,
        "status": record.status.value,
        "epoch": record.epoch,
        "leaves_before": canonical(list(record.leaves_before)),
        "leaves_after": canonical(list(record.leaves_after)),
        "fingerprint_before": record.fingerprint_before,
        "fingerprint_after": record.fingerprint_after,
        "reason": record.reason,
        "updated_at": None if record.updated_at is None else format_time(record.updated_at),
        "seq": record.seq,
        "head": record.head,
        "seal": record.seal,
    }


def entry_row(record: Entry) -> dict[str, Any]:
    """The row of an entry, but for its id."""
    return {
        "run_id": record.run_id,
        "alias": record.alias,
        "seq": record.seq,
        "epoch": record.epoch,
        "kind": record.kind,
        "name": record.name,
        "attempt": record.attempt,
        "phase": record.phase.value,
        "at": format_time(record.at),
        "seconds": record.seconds,
        "payload": canonical(record.payload),
        "previous": record.previous,
        "hash": record.hash,
    }


# -- rows to records -----------------------------------------------------------


def run_of(row: Row[Any]) -> Run:
    """The run of a row.

    Raises:
        JournalCorrupt: The row cannot be read.
    """
    try:
        return Run(
            id=row.id,
            kind=row.kind,
            goal=row.goal,
            status=RunStatus(row.status),
            opened_at=parse_time(row.opened_at),
            closed_at=None if row.closed_at is None else parse_time(row.closed_at),
            options=_mapping(row.options),
            actor=_mapping(row.actor),
            plan_digest=row.plan_digest,
            parent=row.parent,
            previous=row.previous,
            digest=row.digest,
            seal=row.seal,
        )
    except (TypeError, ValueError) as error:
        raise unreadable(f"the run {row.id}") from error


def target_of(row: Row[Any]) -> Target:
    """The target of a row.

    Raises:
        JournalCorrupt: The row cannot be read.
    """
    try:
        return Target(
            run_id=row.run_id,
            alias=row.alias,
            vendor=row.vendor,
            server_version=row.server_version,
            identity=row.identity,
            state=row.state,
            status=TargetStatus(row.status),
            epoch=row.epoch,
            leaves_before=tuple(json.loads(row.leaves_before)),
            leaves_after=tuple(json.loads(row.leaves_after)),
            fingerprint_before=row.fingerprint_before,
            fingerprint_after=row.fingerprint_after,
            reason=row.reason,
            updated_at=None if row.updated_at is None else parse_time(row.updated_at),
            seq=row.seq,
            head=row.head,
            seal=row.seal,
        )
    except (TypeError, ValueError) as error:
        raise unreadable(f"the target {row.alias} of run {row.run_id}") from error


def entry_of(row: Row[Any]) -> Entry:
    """The entry of a row.

    Raises:
        JournalCorrupt: The row cannot be read.
    """
    try:
        return Entry(
            run_id=row.run_id,
            alias=row.alias,
            seq=row.seq,
            epoch=row.epoch,
            kind=row.kind,
            name=row.name,
            attempt=row.attempt,
            phase=Phase(row.phase),
            at=parse_time(row.at),
            seconds=row.seconds,
            payload=_mapping(row.payload),
            previous=row.previous,
            hash=row.hash,
        )
    except (TypeError, ValueError) as error:
        raise unreadable(f"entry {row.seq} of {row.alias} in run {row.run_id}") from error


def unreadable(what: str) -> JournalCorrupt:
    """The error for a row whose content makes no sense."""
    return JournalCorrupt(
        f"The journal is damaged: {what} cannot be read.",
        hint="`migrator journal verify` says what else does not hold; restore the journal from a "
        "backup, or set it aside: a fresh run converges without it.",
    )


def _mapping(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value
