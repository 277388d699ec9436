"""A MariaDB server of the sweep's own, in memory: killed and started again whenever it has to be.

What an experiment waits for on a server of the machine is its disk, again and again, and what
is killed here is never the machine: a COMMIT is handed to the operating system, and outlives
the server.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pymysql

PATIENCE = 60.0


@dataclass(frozen=True)
class OwnServer:
    """A server in a directory of its own.

    Attributes:
        directory: Its data and its process id.
        port: On the loopback.
    """

    directory: Path
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"mysql://root@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers; it outlives whoever starts it."""
        subprocess.Popen(
            [
                str(shutil.which("mariadbd")),
                "--no-defaults",
                "--user=root",
                f"--datadir={self.directory}/data",
                # A server that begins removes the temporary tables of any other that has the same.
                f"--tmpdir={self.directory}",
                f"--socket={self.directory}/socket",
                f"--pid-file={self.directory}/pid",
                f"--log-error={self.directory}/log",
                "--bind-address=127.0.0.1",
                f"--port={self.port}",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-flush-method=nosync",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(pymysql.Error), closing(self._connect()):
                return
            if time.monotonic() > deadline:
                raise TimeoutError((self.directory / "log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        number = int((self.directory / "pid").read_text())
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
            deadline = time.monotonic() + PATIENCE
            while not _ended(number) and time.monotonic() < deadline:
                time.sleep(0.01)
        (self.directory / "pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Without a farewell to anybody."""
        self.kill()
        self.start()

    def _connect(self) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root")


def _ended(number: int) -> bool:
    # One whose parent has not asked for it yet is a zombie, which holds neither file nor port.
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def available() -> bool:
    """Whether the programs are there."""
    return bool(shutil.which("mariadbd") and shutil.which("mariadb-install-db"))


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server that is removed at the end."""
    memory = Path("/dev/shm")
    base = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="sweep-mariadb-", dir=base))
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        server = OwnServer(directory, probe.getsockname()[1])
    try:
        subprocess.run(
            [
                str(shutil.which("mariadb-install-db")),
                "--no-defaults",
                "--user=root",
                f"--datadir={directory}/data",
                f"--tmpdir={directory}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        server.start()
        yield server
    finally:
        with suppress(FileNotFoundError):
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)
