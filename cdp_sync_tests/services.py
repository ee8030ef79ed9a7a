"""PostgreSQL and redis from Debian, each on loopback, on a free port and in a temporary folder of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest

_HOST = "127.0.0.1"
_STARTS_WITHIN = 60.0
_NUMBERS = count()


@dataclass(frozen=True)
class Service:
    """A server that runs; it ends with the block that started it."""

    port: int
    process: subprocess.Popen[bytes]
    host: str = _HOST
    user: str = "postgres"

    def stop_for(self) -> None:
        """Let it answer no more, without closing a connection; `go_on` ends that."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        os.kill(self.process.pid, signal.SIGCONT)

    def database_number(self) -> int:
        """Return the number of a database of redis that no other test has."""
        return next(_NUMBERS) % 16

    def database(self, name: str) -> str:
        """Make a database and return how libpq names it: `host=… port=… user=… dbname=…`."""
        self.sql(f'create database "{name}"')
        return f"host={self.host} port={self.port} user={self.user} dbname={name}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement in psql and return what it prints, its rows as lines with `|` between the cells."""
        command = ["psql", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", database, "-XAtqc", statement]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def postgres() -> Iterator[Service]:
    """Start PostgreSQL as a user of its own, or skip the test where it is not installed. It trusts who comes."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed")
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with TemporaryDirectory(prefix="cdp_sync_postgres_") as place:
        if owner:
            named = pwd.getpwnam(owner)
            os.chown(place, named.pw_uid, named.pw_gid)
        data = Path(place, "data")
        subprocess.run(
            [folders[-1] / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, user=owner, cwd=place,
        )  # fmt: skip
        port = _free_port()
        options = {"listen_addresses": _HOST, "unix_socket_directories": "", "fsync": "off", "max_connections": "200"}
        command = [str(folders[-1] / "postgres"), "-D", str(data), "-p", str(port)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with Path(place, "log").open("wb") as log, _running(command, log, owner, place) as process:
            service = Service(port, process)
            _wait_for(service, [folders[-1] / "pg_isready", "-q", "-h", _HOST, "-p", str(port)])
            yield service


@contextmanager
def redis() -> Iterator[Service]:
    """Start redis, or skip the test where it is not installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis is not installed")
    with TemporaryDirectory(prefix="cdp_sync_redis_") as place:
        port = _free_port()
        command = ["redis-server", "--port", str(port), "--bind", _HOST, "--save", "", "--appendonly", "no"]
        with Path(place, "log").open("wb") as log, _running(command, log, None, place) as process:
            service = Service(port, process)
            _wait_for(service, ["redis-cli", "-p", str(port), "ping"])
            yield service


@contextmanager
def _running(
    command: Sequence[object], log: IO[bytes], owner: str | None, place: str
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, user=owner, cwd=place)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)  # PostgreSQL then ends its sessions
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(service: Service, asked: Sequence[object]) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    command = [str(part) for part in asked]
    while subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
        if service.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{command[0]} does not start")
        time.sleep(0.05)  # no event tells that it listens


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
