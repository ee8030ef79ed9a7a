"""Cuts a file of lines into slices, so that reading takes as much memory for a large file as for a small one.

A file that still arrives is read as far as it is there, while the rest arrives.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import ImportGoal

SLICE = 8 << 20
"""Bytes of a slice, about."""


def slices(part: Part, goal: ImportGoal, folder: Path) -> Iterator[Part]:
    """Yield a part in slices that end with a whole line, each written to the folder and removed after its use.

    A small part is yielded as it is, as is one whose columns follow from all of its lines, or whose line breaks are
    more than a byte.
    """
    if goal.needed is None or goal.format.encoding != "utf-8":
        _size(part, None)
        yield part
        return
    if _size(part, SLICE) < SLICE:
        yield part
        return
    lines, place = 0, 0
    with part.local.open("rb") as file:
        while (there := _size(part, place + SLICE)) > place:
            content = file.read(min(SLICE, there - place))
            content += file.readline() if place + len(content) < there else b""
            local = folder / f"{part.local.name}.{place}"
            local.write_bytes(content)
            yield replace(part, local=local, is_slice=True, lines_before=lines)
            local.unlink()
            place += len(content)
            lines += content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")


def _size(part: Part, wanted: int | None) -> int:
    """Wait until so many bytes of a part are there, or all of them; return how many there are."""
    return part.growing.wait(wanted) if part.growing else part.local.stat().st_size
