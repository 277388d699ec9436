"""The process that replays: `python -m migrator.replay.worker`, started by `process`.

The project's own settings are loaded and one entry of DATABASES is changed before anything
else of the project runs, so that nothing of it ever sees the real database under that alias.
Every other alias can be read, and refuses to be written to.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import IO, Any

from migrator.replay.protocol import Request

Say = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Read one request, replay it, say what came of it.

    Returns:
        0 also when the replay failed: the outcome is in what was said.
    """
    say = _speaker()
    request = Request.from_dict(json.loads(sys.stdin.readline()))
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        say({"schema": _replay(request, say)})
    except Exception as error:
        said = getattr(error, "message", "") or " ".join(str(error).split())
        say({"failed": f"{type(error).__name__}: {said}"})
    return 0


def _speaker() -> Say:
    """Keep standard output for ourselves; what anybody else prints there goes to stderr."""
    out: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    return say


def _leave_with_parent() -> None:
    """Standard input ends when the process that waits is gone, however it went."""
    sys.stdin.read()
    os._exit(1)


def _point_alias(request: Request) -> None:
    from django.conf import settings

    overrides = dict((getattr(settings, "MIGRATOR", None) or {}).get("SCRATCH", {}))
    entry = {**settings.DATABASES[request.alias], **overrides.get(request.alias, {})}
    entry.pop("TEMPLATE", None)
    settings.DATABASES[request.alias] = {**entry, "NAME": request.name}


def _replay(request: Request, say: Say) -> dict[str, Any]:
    _install_configurations()
    _point_alias(request)
    import django

    django.setup()
    from django.db import connections

    from migrator.backends import VENDORS, backend_for
    from migrator.replay.migrating import apply_recorded

    connection = connections[request.alias]
    backend = backend_for(connection.vendor)
    with ExitStack() as stack:
        for alias in connections:
            other = connections[alias]
            if alias != request.alias and other.vendor in VENDORS:
                stack.enter_context(backend_for(other.vendor).read_only(other))
        backend.connect(connection)
        apply_recorded(connection, request, say)
        return backend.inspect(connection, schemas=request.schemas).to_dict()


def _install_configurations() -> None:
    """Settings that are classes (django-configurations) want their importer first."""
    if "DJANGO_CONFIGURATION" in os.environ:
        from importlib import import_module

        import_module("configurations.importer").install()


if __name__ == "__main__":
    sys.exit(main())
