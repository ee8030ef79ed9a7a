"""Splits a file of lines into parts that are small enough to send."""

from collections.abc import Generator
from pathlib import Path
from typing import IO

from cdp_sync.connectors.disk import while_writing

_CHUNK = 1 << 20


def split_lines(lines: Path, most: int) -> Generator[Path, None, None]:
    """Yield a file's lines in files of about so many bytes: a part ends with the line that reaches them.

    A file that is small enough is yielded itself. Else each part replaces the one before, and none is left
    when the generator is closed. `most` is in bytes.

    Raises:
        DiskFull: There is no room for a part.
    """
    if lines.stat().st_size <= most:
        yield lines
        return
    part = lines.with_name(f"{lines.name}.part")
    try:
        with lines.open("rb") as source:
            while _fill(part, source, most):
                yield part
    finally:
        part.unlink(missing_ok=True)


def _fill(part: Path, source: IO[bytes], most: int) -> int:
    """Write the next lines to the part; return how many bytes they have."""
    size = 0
    with while_writing(part), part.open("wb") as target:
        part.chmod(0o600)  # others must not read it
        while size < most and (lines := source.readlines(min(_CHUNK, most - size))):
            target.writelines(lines)
            size += sum(map(len, lines))
    return size
