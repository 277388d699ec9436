"""Constraints."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    ValidateConstraint,
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
    check,
    unique,
)

CONSTRAINTS = [
    Case("add check", [M.AddConstraint("item", check(Q(same__gte=0)))], vendors=EVERYWHERE),
    Case(
        "add check that rows violate",
        [M.AddConstraint("item", check(Q(signed__gte=0)))],
        vendors=EVERYWHERE,
    ),
    Case("add check not valid", [AddConstraintNotValid("item", check(Q(same__gte=-2147483648)))]),
    Case(
        "validate check",
        [ValidateConstraint("item", "corpus_check")],
        before=[AddConstraintNotValid("item", check(Q(same__gte=-2147483648)))],
    ),
    Case(
        "validate check that rows violate",
        [ValidateConstraint("item", "corpus_check")],
        before=[AddConstraintNotValid("item", check(Q(signed__gte=0)))],
    ),
    Case(
        "add check not valid and validate in one transaction",
        [
            AddConstraintNotValid("item", check(Q(same__gte=-2147483648))),
            ValidateConstraint("item", "corpus_check"),
        ],
    ),
    Case(
        "add check not valid and validate, not atomic",
        [
            AddConstraintNotValid("item", check(Q(same__gte=-2147483648))),
            ValidateConstraint("item", "corpus_check"),
        ],
        atomic=False,
    ),
    Case(
        "add check to small table",
        [M.AddConstraint("small", check(Q(same__gte=-2147483648)))],
        vendors=EVERYWHERE,
    ),
    Case(
        "remove check",
        [M.RemoveConstraint("item", "item_serial_gte_0")],
        vendors=("postgresql", "mysql"),
    ),
    Case("add unique", [M.AddConstraint("item", unique("serial"))], vendors=EVERYWHERE),
    Case(
        "add unique over duplicates", [M.AddConstraint("item", unique("same"))], vendors=EVERYWHERE
    ),
    Case(
        "add unique over duplicates, small table",
        [M.AddConstraint("small", unique("same"))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add unique to small table",
        [M.AddConstraint("small", unique("name", "same"))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add unique with condition",
        [M.AddConstraint("item", unique("serial", condition=Q(serial__gt=10)))],
    ),
    Case(
        "add deferrable unique",
        [M.AddConstraint("item", unique("serial", deferrable=models.Deferrable.DEFERRED))],
    ),
    Case(
        "remove unique",
        [M.RemoveConstraint("small", "small_name_uniq")],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "unique using an index built before",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT corpus_uniq UNIQUE USING INDEX corpus_idx",
                "ALTER TABLE shop_item DROP CONSTRAINT corpus_uniq",
                state_operations=[M.AddConstraint("item", unique("serial"))],
            )
        ],
        setup=["CREATE UNIQUE INDEX corpus_idx ON shop_item (serial)"],
    ),
    Case("field becomes unique", [alter("item", "serial", Int(unique=True))], vendors=EVERYWHERE),
    Case(
        "foreign key by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT corpus_fk FOREIGN KEY (tied_id)"
                " REFERENCES shop_category (id)",
                "ALTER TABLE shop_item DROP CONSTRAINT corpus_fk",
            )
        ],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "foreign key by SQL, orphans",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT corpus_fk FOREIGN KEY (loose_id)"
                " REFERENCES shop_category (id)",
                "ALTER TABLE shop_item DROP CONSTRAINT corpus_fk",
            )
        ],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "foreign key by SQL, not valid",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT corpus_fk FOREIGN KEY (tied_id)"
                " REFERENCES shop_category (id) NOT VALID",
                "ALTER TABLE shop_item DROP CONSTRAINT corpus_fk",
            )
        ],
    ),
    Case(
        "validate foreign key",
        [ValidateConstraint("item", "corpus_fk")],
        setup=[
            (
                "ALTER TABLE shop_item ADD CONSTRAINT corpus_fk FOREIGN KEY (tied_id)"
                " REFERENCES shop_category (id) NOT VALID"
            )
        ],
        before=[
            M.SeparateDatabaseAndState(
                state_operations=[M.AddConstraint("item", check(Q(tied_id__gte=0), "corpus_fk"))]
            )
        ],
    ),
    Case(
        "drop foreign key by SQL",
        [SQL("ALTER TABLE shop_small_labels DROP CONSTRAINT IF EXISTS corpus_fk", NOOP)],
    ),
    Case(
        "exclusion constraint",
        [
            M.AddConstraint(
                "item",
                ExclusionConstraint(
                    name="corpus_excl",
                    index_type="SPGIST",
                    expressions=[
                        (
                            models.Func(
                                "serial",
                                function="int8range",
                                template="int8range(serial, serial + 1)",
                            ),
                            "&&",
                        )
                    ],
                ),
            )
        ],
    ),
    Case(
        "exclusion constraint on empty table",
        [
            M.AddConstraint(
                "empty",
                ExclusionConstraint(
                    name="corpus_excl",
                    index_type="SPGIST",
                    expressions=[
                        (
                            models.Func(
                                "id", function="int8range", template="int8range(id, id + 1)"
                            ),
                            "&&",
                        )
                    ],
                ),
            )
        ],
    ),
]
