"""Another process that locks a DuckDB file until its standard input is closed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Holder:
    """The process that has locked the file."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def release(self) -> None:
        """End the process, which releases the lock."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


@contextmanager
def held(file: Path, access: str = "write") -> Iterator[Holder]:
    """Have another process lock the file within the block, or until `release`."""
    command = [sys.executable, "-c", _HOLD, str(file), access]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder = Holder(process)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.release()
        process.stdout.close()
