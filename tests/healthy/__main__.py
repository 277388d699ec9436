"""The healthy project: forty and more popular apps, four databases, and not one false alarm.

`python -m tests.healthy` walks every vendor; `python -m tests.healthy postgresql` one of them,
in the process that the project is loaded into. Needs the packages of requirements.txt, which is
why `make healthy` has a virtual environment of its own. With --large, each of the large
distributions of requirements-large.txt is walked on its own instead.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests import servers
from tests.healthy.walk import FAMILIES, VENDORS, walk, walk_along, walk_there_and_back

WALKS = {"--rollback": walk_there_and_back, "--halfway": walk_along}


def main(arguments: list[str]) -> int:
    """Walk the vendors named, or all of them.

    Args:
        arguments: Names of vendors; one alone is walked in this process. With --rollback, each
            migration goes there and back instead; with --halfway, each database is looked at in
            many places of its history; with --large, every large distribution is walked.

    Returns:
        0 when every one is healthy.
    """
    if "--large" in arguments:
        others = [each for each in arguments if each != "--large"]
        return max(_walk_family(family, others) for family in FAMILIES)
    kind = [each for each in arguments if each in WALKS][:1]
    arguments = [each for each in arguments if each not in WALKS]
    unknown = set(arguments) - set(VENDORS)
    if unknown:
        print(f"Unknown vendor {', '.join(sorted(unknown))}: take {', '.join(VENDORS)}.")
        return 2
    if len(arguments) == 1:
        return (WALKS[kind[0]] if kind else walk)(arguments[0])
    failed: list[str] = []
    walks: dict[str, subprocess.Popen[bytes]] = {}
    for vendor in arguments or VENDORS:
        if vendor == "mysql" and not os.environ.get(servers.MYSQL_URL):
            if servers.servers_required():
                failed.append(vendor)
            print(f"== {vendor}: left out, {servers.MYSQL_URL} is not set")
            continue
        # Settings are read once in a process, and each vendor has its own.
        walks[vendor] = subprocess.Popen([sys.executable, "-m", "tests.healthy", vendor, *kind])
    failed += [vendor for vendor, process in walks.items() if process.wait()]
    print(f"healthy: {'all clean' if not failed else 'not clean on ' + ', '.join(failed)}")
    return 1 if failed else 0


def _walk_family(family: str, arguments: list[str]) -> int:
    """One large distribution, in a process that has it installed."""
    print(f"-- {family}", flush=True)
    command = [sys.executable, "-m", "tests.healthy", *arguments]
    return subprocess.run(command, env={**os.environ, "HEALTHY_GROUP": family}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
