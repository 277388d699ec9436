"""`make test-crash`: every crash point on three vendors, ours beside stock Django's.

Exits 1 when ours failed anywhere. A single point again:
`python -m tests.sweep --vendor sqlite --kind killed --only k=360`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from tests import servers
from tests.sweep import mariadb
from tests.sweep.table import Tally, show

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Part:
    """A share of the experiments on one world.

    Attributes:
        vendor: Of the targets.
        label: As the table has it.
        arguments: For the worker.
        thin: Every how-many-th point.
        light: The same again for points whose durable state a neighbour has, too.
        shares: Into how many workers it is split.
    """

    vendor: str
    label: str
    arguments: tuple[str, ...] = ()
    thin: int = 1
    light: int = 1
    shares: int = 1


# The slowest first, so that nobody is waited for alone in the end.
NAMES = {"mysql": "MariaDB", "postgresql": "PostgreSQL", "sqlite": "SQLite"}

SCENARIOS = ("repair", "backup", "locked")
KILLS = ("--kinds", "killed,killed in flight,answer lost,rollback killed")


def parts(options: argparse.Namespace) -> list[Part]:
    """What is swept: each vendor on its own, then what two databases or another journal add."""
    thin, light, extra = {"all": (1, 1, 4), "sample": (2, 2, 6), "quick": (30, 2, 8)}[options.level]
    found = []
    for vendor, name in NAMES.items():
        if options.vendor and vendor not in options.vendor:
            continue
        # Each DDL statement is an fsync on MariaDB.
        slow = vendor == "mysql" and options.level == "sample"
        each = thin * 2 if slow else thin
        # A rollback is a run like any other: through the same executor, lock and journal.
        returns = ("--thin-returns", "4" if options.level == "all" else "1")
        found.append(Part(vendor, name, returns, each, light, 1 if options.level == "quick" else 2))
        two = ("--aliases", "default,archive", *KILLS)
        found.append(Part(vendor, f"{name}, two databases", two, thin * extra, light, 1))
        for scenario in SCENARIOS:
            words = ("--scenario", scenario, "--kinds", "killed")
            found.append(Part(vendor, name, words, thin * extra * 3, light, 1))
        if vendor == "mysql":
            restarts = ("--kinds", "server restarted")
            found.append(Part("restarted mysql", name, restarts, max(thin // 3, 1), light, 1))
        if vendor == "postgresql":
            kinds = ("--kinds", f"{KILLS[1]},journal's session ended")
            on_server = ("--journal", "postgresql", *kinds)
            label = f"{name}, journal in it"
            found.append(Part(vendor, label, on_server, thin * extra, light, 1))
            restarts = ("--kinds", "server restarted")
            found.append(Part("restarted", name, restarts, max(thin // 3, 1), light, 1))
    if options.kind or options.only:
        only = ("--kinds", ",".join(options.kind), "--only", options.only)
        # Found again by its number, so nothing is left out.
        thin = 1 if options.only else thin
        plain = [p for p in found if p.label in NAMES.values()]
        plain = [p for p in plain if "--scenario" not in p.arguments]
        return [
            replace(p, arguments=only, thin=thin, shares=1 if options.only else p.shares)
            for p in plain
        ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep, and print the table.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    console = Console(width=None if sys.stdout.isatty() else 150)
    began = time.monotonic()
    tally = Tally()
    with ExitStack() as stack:
        addresses = _servers(stack, options, console)
        work = [
            (part, share)
            for part in parts(options)
            if part.vendor in addresses
            for share in range(part.shares)
        ]
        sweep = _Sweep(options, addresses, tally, console)
        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(lambda item: sweep.run(*item), work))
    show(tally, console)
    seconds = time.monotonic() - began
    if tally.same:
        console.print(
            f"{tally.same} kills left behind exactly what another had: the same databases and the"
            " same journal. From such a state a run was resumed once."
        )
    thinned = "" if options.level == "all" else f" ({options.level}: every n-th point)"
    console.print(
        f"{tally.points} crash points in {seconds:.0f} s{thinned}, seed {options.seed}; "
        f"{len(tally.failures)} failures, {sweep.broken} workers that broke."
    )
    return 1 if tally.failures or sweep.broken or not tally.points else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--vendor", action="append", default=[], choices=list(NAMES))
    parser.add_argument("--kind", action="append", default=[], help="only this kind")
    parser.add_argument("--only", default="", help='only this point ("k=17")')
    parser.add_argument("--log", type=Path, help="every point as a line of JSON, as it comes")
    parser.add_argument(
        "--distinct",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="resume only once from what several kills leave behind alike",
    )
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--quick", dest="level", action="store_const", const="quick")
    level.add_argument("--sample", dest="level", action="store_const", const="sample")
    parser.set_defaults(level="all")
    return parser


def _servers(
    stack: ExitStack, options: argparse.Namespace, console: Console
) -> dict[str, tuple[str, ...]]:
    """Vendor → what a worker has to know of its server."""
    wanted = options.vendor or list(NAMES)
    found: dict[str, tuple[str, ...]] = {"sqlite": ()}
    if "postgresql" in wanted:
        url = os.environ.get(servers.POSTGRES_URL)
        if not url:
            server = stack.enter_context(servers.embedded_postgres())
            url = _url(server)
        found["postgresql"] = ("--server", url)
        # One of its own: what is restarted would disturb the others.
        own = stack.enter_context(servers.embedded_postgres())
        with own.connect() as connection:
            # What was committed has to outlive the server; then it need not outlive the machine.
            connection.execute("ALTER SYSTEM RESET synchronous_commit")
            connection.execute("SELECT pg_reload_conf()")
            data = connection.execute("SHOW data_directory").fetchone()
        binaries = str(servers.embedded_binaries())
        directory = str(data[0]) if data else ""
        found["restarted"] = (
            *("--server", _url(own), "--data-directory", directory, "--binaries", binaries),
        )
    if "mysql" in wanted:
        url = os.environ.get(servers.MYSQL_URL)
        if mariadb.available():
            found["mysql"] = ("--server", stack.enter_context(mariadb.own_server()).url)
            own_mysql = stack.enter_context(mariadb.own_server())
            directory = str(own_mysql.directory)
            found["restarted mysql"] = ("--server", own_mysql.url, "--data-directory", directory)
        elif url:
            found["mysql"] = ("--server", url)
        elif servers.servers_required():
            raise SystemExit(f"No MySQL or MariaDB: set {servers.MYSQL_URL}.")
        else:
            console.print(f"MySQL and MariaDB are left out: {servers.MYSQL_URL} is not set.")
    return found


def _url(server: servers.PostgresServer) -> str:
    address = server.address
    return f"postgresql://{address.user}@/{address.maintenance}?host={address.host}&port={address.port}"


@dataclass
class _Sweep:
    options: argparse.Namespace
    addresses: dict[str, tuple[str, ...]]
    tally: Tally
    console: Console
    broken: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def run(self, part: Part, share: int) -> None:
        """One worker to its end."""
        began = time.monotonic()
        count = 0
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sweep.worker", *self._arguments(part, share)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        for document in _documents(process):
            if document["event"] == "point":
                count += 1
                with self.lock:
                    self.tally.add(part.label, document)
                    if self.options.log:
                        with self.options.log.open("a", encoding="utf-8") as log:
                            log.write(json.dumps({"vendor": part.label, **document}) + "\n")
                    if document["verdict"] != "converged" and not document["stock"]:
                        what = f"{document['kind']} {document['name']}: {document['verdict']}"
                        print(f"{part.label}: {what}", file=sys.stderr, flush=True)
        reader.join()
        code = process.wait()
        with self.lock:
            seconds = time.monotonic() - began
            place = f"{part.label} {share + 1}/{part.shares}"
            print(f"{place}: {count} points in {seconds:.0f} s", file=sys.stderr, flush=True)
            if code:
                self.broken += 1
                self.console.print(f"{place}: the worker broke, exit {code}", style="bold red")
                self.console.print("".join(errors)[-3000:], markup=False, highlight=False)

    def _arguments(self, part: Part, share: int) -> list[str]:
        vendors = {"restarted": "postgresql", "restarted mysql": "mysql"}
        vendor = vendors.get(part.vendor, part.vendor)
        return [
            *("--vendor", vendor, "--seed", str(self.options.seed)),
            *self.addresses[part.vendor],
            *("--share", f"{share}/{part.shares}"),
            *("--thin", str(part.thin), "--thin-light", str(part.light)),
            *(["--distinct"] if self.options.distinct else []),
            *part.arguments,
        ]


def _documents(process: subprocess.Popen[str]) -> Iterator[dict[str, object]]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
