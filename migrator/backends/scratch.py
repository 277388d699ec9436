"""Scratch databases: made beside a target, named after their run, gone when it ends.

Whoever makes one holds a lock in its name for as long as its session (its process, for SQLite)
lives. So a scratch database without such a lock belongs to a run that was killed, and the next
run removes it. A database of another name is never touched.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import reason
from migrator.exceptions import ScratchRefused

PREFIX = "migrator_scratch_"
LONGEST = 63
"""PostgreSQL cuts longer names; MySQL takes one more."""

_OURS = re.compile(rf"{PREFIX}[0-9a-hjkmnp-tv-z]{{13}}_[a-z0-9_]+")


def scratch_name(run_id: str, alias: str) -> str:
    """The name of the scratch database of an alias in a run.

    Args:
        run_id: The run.
        alias: Its alias; what a database name does not take becomes an underscore.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", alias.lower()).strip("_") or "alias"
    return f"{PREFIX}{run_id}_{slug}"[:LONGEST]


def is_scratch_name(name: str) -> bool:
    """Whether a database of that name can only be a scratch database of ours."""
    return len(name) <= LONGEST and _OURS.fullmatch(name) is not None


class ScratchServer(ABC):
    """Where the scratch databases of one target are made, over a session of its own."""

    vendor: ClassVar[str]

    def __init__(self, target: BaseDatabaseWrapper, overrides: Mapping[str, Any]) -> None:
        """Prepare; nothing is connected to yet.

        Args:
            target: The database that a scratch one stands in for. Only read.
            overrides: Keys of its DATABASES entry to use instead (another server, say);
                TEMPLATE is the template of CREATE DATABASE on PostgreSQL.
        """
        self.target = target
        self.template = str(overrides.get("TEMPLATE") or "")
        self.overrides = {key: value for key, value in overrides.items() if key != "TEMPLATE"}
        self.session = target.copy()
        settings = {**self.session.settings_dict, **self.overrides}
        # Django keeps one pool for each alias, whatever NAME and HOST a copy of it has.
        options = {k: v for k, v in (settings.get("OPTIONS") or {}).items() if k != "pool"}
        self.session.settings_dict = {**settings, "OPTIONS": options}

    def database(self, name: str) -> str:
        """What NAME is to be for a connection to the scratch database."""
        return name

    @contextmanager
    def scratch(self, name: str) -> Iterator[None]:
        """A new, empty scratch database for the duration.

        Args:
            name: From `scratch_name`.

        Raises:
            ScratchRefused: It cannot be made.
        """
        try:
            with self._refusing(name):
                self._hold(name)
                self._drop(name)
                self._create(name)
            yield
        finally:
            with suppress(Error, OSError):
                self._drop(name)
            self.close()

    def remove_stale(self) -> tuple[str, ...]:
        """Remove the scratch databases of runs that are no more.

        Returns:
            Their names; one that the role may not remove is left to whoever may.
        """
        removed = []
        for name in self._stale():
            with suppress(Error, OSError):
                self._drop(name)
                removed.append(name)
        return tuple(removed)

    def close(self) -> None:
        """Let go of the session, and of the lock with it."""
        self.session.close()

    @abstractmethod
    def _hold(self, name: str) -> None:
        """Take the lock that says: the owner of this database lives."""

    @abstractmethod
    def _create(self, name: str) -> None:
        """Create it, empty."""

    @abstractmethod
    def _drop(self, name: str) -> None:
        """Remove it, whoever is connected; nothing happens where it is not there."""

    @abstractmethod
    def _stale(self) -> tuple[str, ...]:
        """Names of scratch databases whose owner no longer lives."""

    def _execute(self, *statements: str) -> None:
        with self.session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _rows(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self.session.cursor() as cursor:
            cursor.execute(sql, params or None)
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def _refusing(self, name: str) -> Iterator[None]:
        try:
            yield
        except (Error, OSError) as error:
            raise ScratchRefused(
                f"The scratch database {name} for {self.target.alias!r} cannot be made: "
                f"{reason(self.session, error)}."
            ) from error
