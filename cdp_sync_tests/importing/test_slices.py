"""A file of lines is read in slices: no line is lost, doubled or counted otherwise, whatever arrives when."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable.goals import UserImport
from cdp_sync.importing.reading import slices as slicing
from cdp_sync.importing.reading.slices import slices
from cdp_sync.importing.sources.archives import Part

LINES = b'{"a":1}\n{"a":2}\r\n\n{"a":3}\r{"a":4}\n{"long":"' + b"x" * 50 + b'"}\n{"a":5}'
GOAL: dict[str, Any] = {"name": "users", "link": [{"field": "email", "property": "email"}]}


class Arrived:
    """A file of which a reader gets to see two lines more each time."""

    def __init__(self, content: bytes) -> None:
        ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
        self._ends = [*ends[1::2], len(content)]

    def wait(self, size: int | None) -> int:
        """Return where the lines end that are there by now."""
        return self._ends[-1] if size is None else next((end for end in self._ends if end >= size), self._ends[-1])

    def end(self) -> tuple[int, str]:
        """Return the size."""
        return self._ends[-1], "x"


@pytest.mark.parametrize("growing", [False, True], ids=["whole", "arriving"])
@pytest.mark.parametrize("size", [1, 8, 20, 1000])
def test_slices_are_the_file(size: int, growing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends with a whole line and knows how many lines are before it, of all kinds of line break."""
    monkeypatch.setattr(slicing, "SLICE", size)
    file = tmp_path / "users.json"
    file.write_bytes(LINES)
    part = Part("users", file, growing=Arrived(LINES) if growing else None)
    found = [(each.local.read_bytes(), each.lines_before) for each in slices(part, UserImport(**GOAL), tmp_path)]
    assert b"".join(content for content, _ in found) == LINES
    assert all(content.endswith(b"\n") for content, _ in found[:-1])
    before = b""
    for content, lines in found:
        assert lines == len(before.splitlines())
        before += content
    assert sorted(tmp_path.iterdir()) == [file]


def test_columns_that_follow_from_all_lines_need_them_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As detected fields do."""
    monkeypatch.setattr(slicing, "SLICE", 8)
    file = tmp_path / "users.json"
    file.write_bytes(LINES)
    part = Part("users", file)
    assert list(slices(part, UserImport(**GOAL, map_detected={}), tmp_path)) == [part]
