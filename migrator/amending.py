"""Puts right what the reverse of a run's migrations has not brought back.

`core.amends` decides; this reads the schema, carries out one statement after the other, and
writes each to the journal before and after it. Cut short, it begins again from the schema as it
is: what is there already is not in the plan any more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from journal import Phase
from migrator.backends import Backend, Lock
from migrator.core.amends import Amend, plan_amends
from migrator.core.events import Emit, RepairApplied, Warned
from migrator.core.limits import Limits
from migrator.core.schema import Schema
from migrator.exceptions import LockLost
from migrator.executor import Contended, LockPatience
from migrator.ledger import Ledger

_KIND = "repair"


@dataclass(frozen=True, slots=True)
class Amending:
    """Brings one database back to the schema from before a run.

    Attributes:
        connection: The target; its lock is held.
        backend: Its vendor.
        ledger: Where each statement is written.
        emit: Gets RepairApplied, and Warned where one is refused.
        limits: How long a statement waits for a lock.
        lock: Looked after before each statement.
    """

    connection: BaseDatabaseWrapper
    backend: Backend
    ledger: Ledger
    emit: Emit
    limits: Limits
    lock: Lock | None = None

    def apply_amends(self, before: Schema, begun: Schema) -> int:
        """Make what is missing as it was, and remove what the way back itself has left.

        What the server refuses (rows that a constraint does not allow) stays as it is and is
        warned of: the migrations are taken back all the same.

        Args:
            before: The schema from before the run.
            begun: As it was when the way back began.

        Returns:
            How many things were put right.

        Raises:
            LockTimedOut: Somebody else's lock was in the way all the time.
            LockLost: Somebody else may have been at work.
        """
        plan = plan_amends(before, begun, self.backend.inspect(self.connection))
        self._reconcile({amend.description for amend in plan})
        if not plan:
            return 0
        patience = LockPatience(
            self.connection, alias=self.ledger.alias, limits=self.limits, emit=self.emit
        )
        with patience.in_force():
            return sum(self._apply(amend, patience) for amend in plan)

    def _reconcile(self, missing: set[str]) -> None:
        """What was begun, and is there: its outcome was lost."""
        last = {entry.name: entry for entry in self.ledger.entries(_KIND)}
        for name, entry in last.items():
            if entry.phase is Phase.INTENT and name not in missing:
                self.ledger.reconciled(_KIND, name, entry.attempt)

    def _apply(self, amend: Amend, patience: LockPatience) -> bool:
        name, sql = amend.description, (f"{amend.sql};",)
        attempt = self.ledger.attempts(_KIND, name)
        began = time.monotonic()

        def once() -> None:
            nonlocal attempt
            attempt += 1
            self._assert_lock()
            self.ledger.intent(_KIND, name, attempt, {"sql": list(sql)})
            try:
                with transaction.atomic(using=self.connection.alias):
                    patience.set_again()
                    with self.connection.cursor() as cursor:
                        cursor.execute(amend.sql, None)
            except DatabaseError as error:
                found = patience.contended(error, attempt)
                payload = {"error": str(error), **(found.payload if found else {})}
                self.ledger.failed(_KIND, name, attempt, payload=payload)
                if found is not None:
                    raise found from error
                raise

        try:
            patience.persist(once)
        except Contended as error:
            raise patience.exhausted(
                error, "What was taken back is kept. Go on with --resume."
            ) from error.__cause__
        except DatabaseError as error:
            self._refused(amend, error)
            return False
        seconds = time.monotonic() - began
        self.ledger.done(_KIND, name, attempt, seconds, {"sql": list(sql)})
        self.emit(RepairApplied(self.ledger.alias, name, sql, seconds))
        return True

    def _refused(self, amend: Amend, error: DatabaseError) -> None:
        what = f"{amend.description[0].lower()}{amend.description[1:]}"
        self.emit(
            Warned(
                self.ledger.alias,
                f"The rollback could not {what}: {str(error).partition(chr(10))[0]}",
                f"Look at the rows, then do it by hand: {amend.sql};",
            )
        )

    def _assert_lock(self) -> None:
        if self.lock is not None and not self.lock.held():
            raise LockLost(
                f"The lock of {self.ledger.alias} was lost while the rollback was ending.",
                hint="What was taken back is kept. Go on with --resume.",
            )
