"""The first schema of a journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RUN_ID = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")
ALIAS = sa.Text().with_variant(sa.String(128), "mysql", "mariadb")
NAME = sa.Text().with_variant(sa.String(500), "mysql", "mariadb")
WORD = sa.String(32)
DIGEST = sa.String(64)
DOCUMENT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
CONTENT = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER entry_update BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: entries cannot be changed'); END
    """,
    """
    CREATE TRIGGER entry_delete BEFORE DELETE ON entry
    WHEN NOT EXISTS (SELECT 1 FROM pruning WHERE run_id = OLD.run_id)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: entries cannot be deleted'); END
    """,
    # INSERT OR REPLACE deletes without firing the trigger above.
    """
    CREATE TRIGGER entry_replace BEFORE INSERT ON entry
    WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.id)
      OR EXISTS (SELECT 1 FROM entry
                 WHERE run_id = NEW.run_id AND alias = NEW.alias AND seq = NEW.seq)
      OR EXISTS (SELECT 1 FROM entry
                 WHERE run_id = NEW.run_id AND alias = NEW.alias AND kind = NEW.kind
                   AND name = NEW.name AND attempt = NEW.attempt AND phase = NEW.phase)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only: entries cannot be replaced'); END
    """,
)

POSTGRESQL_TRIGGERS = (
    # FROM CURRENT: finds `pruning` whatever search_path the session has that deletes.
    """
    CREATE FUNCTION journal_entry_refuse() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM pruning WHERE run_id = OLD.run_id) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'the journal is append-only: entries cannot be changed or deleted';
    END $$
    """,
    """
    CREATE TRIGGER entry_refuse BEFORE UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION journal_entry_refuse()
    """,
    """
    CREATE TRIGGER entry_refuse_truncate BEFORE TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION journal_entry_refuse()
    """,
)


def upgrade() -> None:
    """Create the tables, and the triggers that make `entry` append-only."""
    op.create_table(
        "run",
        sa.Column("id", RUN_ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("goal", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("opened_at", WORD, nullable=False),
        sa.Column("closed_at", WORD),
        sa.Column("options", DOCUMENT, nullable=False),
        sa.Column("actor", DOCUMENT, nullable=False),
        sa.Column("plan_digest", NAME, nullable=False),
        sa.Column("parent", RUN_ID, nullable=False),
        sa.Column("previous", RUN_ID, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("seal", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_table(
        "target",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("alias", ALIAS, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("vendor", sa.Text, nullable=False),
        sa.Column("server_version", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("leaves_before", DOCUMENT, nullable=False),
        sa.Column("leaves_after", DOCUMENT, nullable=False),
        sa.Column("fingerprint_before", sa.Text, nullable=False),
        sa.Column("fingerprint_after", sa.Text, nullable=False),
        sa.Column("reason", DOCUMENT, nullable=False),
        sa.Column("updated_at", WORD),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("head", DIGEST, nullable=False),
        sa.Column("seal", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "alias", name="pk_target"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_target_run_id"),
    )
    op.create_table(
        "entry",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("alias", ALIAS, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("phase", WORD, nullable=False),
        sa.Column("at", WORD, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("payload", DOCUMENT, nullable=False),
        sa.Column("previous", DIGEST, nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entry"),
        sa.ForeignKeyConstraint(
            ["run_id", "alias"], ["target.run_id", "target.alias"], name="fk_entry_run_id_alias"
        ),
        sa.UniqueConstraint("run_id", "alias", "seq", name="uq_entry_run_id_alias_seq"),
        sa.UniqueConstraint(
            "run_id", "alias", "kind", "name", "attempt", "phase", name="uq_entry_step"
        ),
    )
    op.create_table(
        "snapshot_content",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("content", CONTENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_snapshot_content"),
    )
    op.create_table(
        "snapshot",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("identity", NAME, nullable=False),
        sa.Column("alias", ALIAS, nullable=False),
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("at", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshot"),
        sa.ForeignKeyConstraint(
            ["digest"], ["snapshot_content.digest"], name="fk_snapshot_digest"
        ),
    )
    op.create_index("ix_snapshot_identity", "snapshot", ["identity"])
    op.create_table(
        "pruning",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_pruning"),
    )
    dialect = op.get_bind().dialect.name
    triggers = {"sqlite": SQLITE_TRIGGERS, "postgresql": POSTGRESQL_TRIGGERS}.get(dialect, ())
    for statement in triggers:
        op.execute(sa.text(statement))


def downgrade() -> None:
    """A journal is never taken back: what it says would be lost."""
    raise NotImplementedError
