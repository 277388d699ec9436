"""What the SQL parser cannot read is told by a finding, never by a line in somebody's log."""

from __future__ import annotations

import logging

import pytest

from migrator.sources.parsed import read_script


def test_nothing_is_logged_of_what_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("sqlglot")
    assert logger.isEnabledFor(logging.WARNING)  # asked once, the logger remembers the answer
    read_script("ALTER SYSTEM SET work_mem = '1MB'; VACUUM FULL thing", "postgresql")
    assert caplog.messages == []
    assert logger.isEnabledFor(logging.WARNING)
