"""The mutation suite: harm a healthy database in every way, and see what is found and mended.

`python -m tests.mutations` goes through every vendor, two at a time; `python -m tests.mutations
sqlite` through one, in this process; `--sample N` takes every N-th mutation, `--only WORDS` those
whose name has the words, `--state` leaves the repairs out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests import servers

# The slowest first, so that nobody is waited for alone in the end.
VENDORS = ("postgresql", "mysql", "sqlite")


def main(arguments: list[str]) -> int:
    """Go through the vendors named, or all of them.

    Returns:
        0 when every mutation was treated as it should be.
    """
    parser = argparse.ArgumentParser(prog="tests.mutations", description=__doc__)
    parser.add_argument("vendors", nargs="*", choices=[*VENDORS, []])
    parser.add_argument("--sample", type=int, default=1, metavar="N")
    parser.add_argument("--only", default="")
    parser.add_argument("--state", action="store_true")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="vendors at a time")
    options = parser.parse_args(arguments)
    if len(options.vendors) == 1:
        return go_through(options.vendors[0], options)
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = pool.map(lambda vendor: _apart(vendor, arguments), options.vendors or VENDORS)
    return int(any(codes))


def _apart(vendor: str, arguments: list[str]) -> int:
    """One vendor in a process of its own: settings are read once, and each has others."""
    if vendor == "mysql" and not os.environ.get(servers.MYSQL_URL):
        print(f"{vendor}: left out, {servers.MYSQL_URL} is not set")
        return int(servers.servers_required())
    options = [word for word in arguments if word not in VENDORS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations", vendor, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout, end="", flush=True)
    return done.returncode


def go_through(vendor: str, options: argparse.Namespace) -> int:
    """One vendor, in this process."""
    began = time.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutations-")))
        database = _server(vendor, directory, stack).create_database("mutations")
        stack.callback(database.drop)
        os.environ["MUTATIONS_DATABASES"] = json.dumps({"default": database.settings()})
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.mutations.settings"
        import django

        django.setup()
        from django.db import connections

        from tests.mutations.arena import Arena
        from tests.mutations.judge import Judge, show

        stack.callback(connections.close_all)
        judge = Judge(Arena(database))
        mutations = [m for m in judge.mutations() if options.only in str(m)]
        print(f"{vendor}: {len(mutations)} mutations, {time.monotonic() - began:.1f} s", flush=True)
        verdicts = judge.judge(mutations[:: options.sample], mend=not options.state)
        show(vendor, verdicts, began)
    return 1 if verdicts.failures else 0


def _server(vendor: str, directory: Path, stack: ExitStack) -> Any:
    if vendor == "sqlite":
        return servers.SQLiteServer(directory)
    if vendor == "mysql":
        url = os.environ[servers.MYSQL_URL]
        return servers.MySQLServer(servers.Address.parse(url, port=3306, maintenance=""))
    url = os.environ.get(servers.POSTGRES_URL, "")
    if url:
        address = servers.Address.parse(url, port=5432, maintenance="postgres")
        return servers.PostgresServer(address)
    return stack.enter_context(servers.embedded_postgres())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
