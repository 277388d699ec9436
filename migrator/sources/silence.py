"""Keeps the SQL parser from telling the log what it cannot read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """For the duration, sqlglot logs nothing: what is not understood is judged as such."""
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # an assigned level would leave the logger's cache behind
    try:
        yield
    finally:
        logger.setLevel(level)
