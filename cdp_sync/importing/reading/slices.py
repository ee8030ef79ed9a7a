"""Cuts a file of lines into slices, so that reading takes as much memory for a large file as for a small one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import ImportGoal

SLICE = 16 << 20
"""Bytes of a slice, about."""


def slices(part: Part, goal: ImportGoal, folder: Path) -> Iterator[Part]:
    """Yield a part in slices that end with a whole line, each written to the folder and removed after its use.

    A small part is yielded as it is, as is one whose columns follow from all of its lines, or whose line breaks are
    more than a byte.
    """
    if goal.needed is None or goal.format.encoding != "utf-8" or part.local.stat().st_size <= SLICE:
        yield part
        return
    lines = 0
    with part.local.open("rb") as file:
        for number in count():
            content = file.read(SLICE) + file.readline()
            if not content:
                return
            local = folder / f"{part.local.name}.{number}"
            local.write_bytes(content)
            yield replace(part, local=local, is_slice=True, lines_before=lines)
            local.unlink()
            lines += content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
