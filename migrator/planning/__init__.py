"""What migrations would do to one database, statement by statement, without doing any of it.

- `making`: `make_plan`, `make_backwards_plan` and `plan_migrations`, the way in.
- `states`: the states in between, rendered as they go.
- `collecting`: lets an operation write its SQL into a list instead of to the database.
- `catalog`: answers what operations look up, as it will be when it is their turn.
- `naming`: names that a server gives to what a statement does not name.
- `describing`: facts about an operation and about a migration's file.
- `following`: the schema and the tables made so far, statement by statement.
"""

from __future__ import annotations

from migrator.planning.making import make_backwards_plan, make_plan, plan_migrations

__all__ = ["make_backwards_plan", "make_plan", "plan_migrations"]
