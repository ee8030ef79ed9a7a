"""A file of lines in pieces that are not too large to send."""

from collections.abc import Generator
from pathlib import Path
from typing import IO

from cdp_sync.connectors.disk import while_writing

_CHUNK = 1 << 20


def pieces(lines: Path, most: int) -> Generator[Path, None, None]:
    """Yield a file's lines in files of about so many bytes: a piece ends behind the line that reaches them.

    A file that is small enough is yielded itself. Else each piece takes the place of the one before, and none is left
    when the generator is closed.

    Args:
        lines: The file.
        most: Bytes.

    Raises:
        DiskFull: There is no room for a piece.
    """
    if lines.stat().st_size <= most:
        yield lines
        return
    piece = lines.with_name(f"{lines.name}.piece")
    try:
        with lines.open("rb") as source:
            while _fill(piece, source, most):
                yield piece
    finally:
        piece.unlink(missing_ok=True)


def _fill(piece: Path, source: IO[bytes], most: int) -> int:
    """Write the next lines to the piece; return how many bytes they have."""
    size = 0
    with while_writing(piece), piece.open("wb") as target:
        piece.chmod(0o600)  # others must not read it
        while size < most and (lines := source.readlines(min(_CHUNK, most - size))):
            target.writelines(lines)
            size += sum(map(len, lines))
    return size
