"""The demo: it asserts its own claims; here, that it holds them and cleans up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"


@pytest.mark.slow
@pytest.mark.postgresql
def test_the_demo_plays_to_its_end_and_leaves_no_server_behind() -> None:
    played = subprocess.run(
        [sys.executable, str(DEMO / "play.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "[exit code 1]" in played.stdout  # the drift, and the incomplete run
    assert "No run is incomplete." in played.stdout
    data = str(DEMO / ".run" / "postgres")
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if data in (p.info["cmdline"] or [])]
    assert left == []
