"""Errors of this machine's disk, as our errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdp_sync.errors import NO_ROOM, DiskFull, Terminal


@contextmanager
def while_reading(source: Path) -> Iterator[None]:
    """Translate failures to read a file of this machine.

    Raises:
        Terminal: It cannot be read.
    """
    try:
        yield
    except OSError as problem:
        raise Terminal(
            f"{source} cannot be read: {_text(problem)}.", remedy="Check that it is there and its permissions."
        ) from None


@contextmanager
def while_writing(target: Path) -> Iterator[None]:
    """Translate failures of this machine's disk.

    Raises:
        DiskFull: No room, or beyond a quota or the largest size of a file.
        Terminal: The file cannot be written for another reason.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno in NO_ROOM:
            raise disk_full(target, _text(problem)) from None
        raise Terminal(
            f"{target} cannot be written: {_text(problem)}.", remedy="Check the folder and its permissions."
        ) from None


def disk_full(target: Path, why: str) -> DiskFull:
    """Return the error of a file that does not fit."""
    return DiskFull(
        f"{target.name} does not fit on the disk: {why}.",
        remedy=f"Make room in {target.parent} and run again.",
    )


def _text(problem: OSError) -> str:
    return problem.strerror or "the disk failed"
