"""Indexes."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex, GinIndex, HashIndex
from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db import models

from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.shorthand import (
    NOOP,
    SQL,
    Int,
    M,
    Q,
    alter,
    index,
)

INDEXES = [
    Case("add index", [index("item", "corpus_idx", "serial")], vendors=EVERYWHERE),
    Case(
        "add index concurrently",
        [AddIndexConcurrently("item", models.Index(fields=["serial"], name="corpus_idx"))],
        atomic=False,
    ),
    Case(
        "add index concurrently in a transaction",
        [AddIndexConcurrently("item", models.Index(fields=["serial"], name="corpus_idx"))],
    ),
    Case("add index to small table", [index("small", "corpus_idx", "same")], vendors=EVERYWHERE),
    Case("add index to empty table", [index("empty", "corpus_idx", "name")]),
    Case("add db_index", [alter("item", "serial", Int(db_index=True))]),
    Case("add db_index to small table", [alter("small", "same", Int(default=1, db_index=True))]),
    Case("remove db_index", [alter("item", "indexed", Int(default=0))]),
    Case("add partial index", [index("item", "corpus_idx", "serial", condition=Q(serial__gt=10))]),
    Case("add gin index", [M.AddIndex("item", GinIndex(fields=["data"], name="corpus_gin"))]),
    Case(
        "add gin index concurrently",
        [AddIndexConcurrently("item", GinIndex(fields=["data"], name="corpus_gin"))],
        atomic=False,
    ),
    Case("add brin index", [M.AddIndex("item", BrinIndex(fields=["serial"], name="corpus_brin"))]),
    Case(
        "add hash index concurrently",
        [AddIndexConcurrently("item", HashIndex(fields=["serial"], name="corpus_hash"))],
        atomic=False,
    ),
    Case("remove index", [M.RemoveIndex("item", "item_big_idx")], vendors=EVERYWHERE),
    Case(
        "remove index concurrently", [RemoveIndexConcurrently("item", "item_big_idx")], atomic=False
    ),
    Case(
        "remove index concurrently in a transaction",
        [RemoveIndexConcurrently("item", "item_big_idx")],
    ),
    Case(
        "create index by SQL",
        [SQL("CREATE INDEX corpus_idx ON shop_item (serial)", "DROP INDEX corpus_idx")],
    ),
    Case(
        "create index concurrently by SQL",
        [
            SQL(
                "CREATE INDEX CONCURRENTLY corpus_idx ON shop_item (serial)",
                "DROP INDEX CONCURRENTLY corpus_idx",
            )
        ],
        atomic=False,
    ),
    Case(
        "create index concurrently by SQL in a transaction",
        [
            SQL(
                "CREATE INDEX CONCURRENTLY corpus_idx ON shop_item (serial)",
                "DROP INDEX corpus_idx",
            )
        ],
    ),
    Case(
        "create unique index concurrently over duplicates",
        [
            SQL(
                "CREATE UNIQUE INDEX CONCURRENTLY corpus_idx ON shop_item (same)",
                "DROP INDEX CONCURRENTLY corpus_idx",
            )
        ],
        atomic=False,
    ),
    Case(
        "create unique index concurrently",
        [
            SQL(
                "CREATE UNIQUE INDEX CONCURRENTLY corpus_idx ON shop_item (serial)",
                "DROP INDEX CONCURRENTLY corpus_idx",
            )
        ],
        atomic=False,
    ),
    Case(
        "create index concurrently if not exists, an invalid one does",
        [
            SQL(
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS corpus_idx ON shop_item (serial)",
                "DROP INDEX CONCURRENTLY corpus_idx",
            )
        ],
        atomic=False,
        setup=[
            "CREATE INDEX corpus_idx ON shop_item (serial)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'corpus_idx'::regclass",
        ],
    ),
    Case(
        "two concurrent indexes in one migration",
        [
            AddIndexConcurrently("item", models.Index(fields=["serial"], name="corpus_idx")),
            AddIndexConcurrently("item", models.Index(fields=["same"], name="corpus_idx2")),
        ],
        atomic=False,
    ),
    Case("reindex", [SQL("REINDEX TABLE shop_item", NOOP)]),
    Case(
        "reindex concurrently", [SQL("REINDEX INDEX CONCURRENTLY item_big_idx", NOOP)], atomic=False
    ),
    Case(
        "index_together of old: alter unique_together",
        [M.AlterUniqueTogether("item", {("serial", "same")})],
    ),
    Case(
        "unique_together on small table",
        [M.AlterUniqueTogether("small", {("name", "same")})],
        vendors=EVERYWHERE,
    ),
    Case("unique_together over duplicates", [M.AlterUniqueTogether("small", {("same",)})]),
]
