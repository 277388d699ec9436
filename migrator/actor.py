"""Who runs this, where and with what; for the journal."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from journal.scrub import hide

PACKAGES = ("django-migrator-journal", "Django", "psycopg", "mysqlclient", "PyMySQL")

# Where a pipeline says how to find it again; the first that is set wins.
CI_URLS = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL", "MIGRATOR_CI_URL")


def describe_actor(base_dir: Path, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """The actor of a run as JSON-ready data; the journal scrubs credentials from it.

    Args:
        base_dir: Root of the project, for its git commit.
        secrets: What is hidden in the arguments, beside what looks like a credential.
    """
    return {
        "user": _user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "argv": hide([Path(sys.argv[0]).name, *sys.argv[1:]], secrets),
        "git_commit": _git_commit(base_dir),
        "ci_url": _ci_url(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def describe_process() -> dict[str, Any]:
    """The process alone, for the claim of a target: enough to tell whether it still lives."""
    pid = os.getpid()
    return {"user": _user(), "host": socket.gethostname(), "pid": pid, "started": _started(pid)}


def is_alive(process: Mapping[str, Any]) -> bool:
    """Whether a process that the journal names is seen to live.

    Args:
        process: As `describe_process` or `describe_actor` gave it.

    Returns:
        False also for a process on another host: it cannot be seen from here. Of one that has
        got the number of another since, as in a container that was restarted, its start tells,
        where the system does.
    """
    pid = process.get("pid")
    if process.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        pass
    then, now = process.get("started"), _started(pid)
    return not (then and now and then != now)


def is_ours(process: Mapping[str, Any]) -> bool:
    """Whether a process that the journal names has the number of this one: it is this one, or
    one that has ended.
    """
    return process.get("host") == socket.gethostname() and process.get("pid") == os.getpid()


def _started(pid: int) -> str:
    """When a process was started, as Linux counts it (proc(5), field 22 of stat); "" elsewhere."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[19] if len(fields) > 19 else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's numeric user has no name
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git_commit(base_dir: Path) -> str:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607  (whatever git the user has)
            cwd=base_dir,
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _ci_url() -> str:
    for name in CI_URLS:
        if os.environ.get(name):
            return os.environ[name]
    server, repository, run = (
        os.environ.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{run}" if run else ""
