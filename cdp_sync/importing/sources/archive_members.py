"""Which members of an archive are imported."""

import fnmatch
from collections.abc import Sequence
from pathlib import PurePosixPath

from cdp_sync.model import ImportGoal

_JUNK = ("thumbs.db", "desktop.ini")
_SUFFIXES = ((".csv", ".tsv", ".psv"), (".dat", ".asc", ".txt"), ("",))
"""Of delimited text, the most plausible first."""
_ABOUT = ("readme", "read_me", "license", "licence", "liesmich", "lisezmoi", "leesmij", "manifest", "changelog")
"""How files are called that describe the others."""
_NO_NAME = "\1"
"""Only patterns that name everything name this."""


def chosen(names: Sequence[str], goal: ImportGoal) -> list[str]:
    """Return the members to import, in the order of the archive, given the names of all but its folders.

    What people's computers add is never among them. Of the others, those that `members:` of the goal names. Without it,
    what describes the other members is left out, and of the rest those count that the goal's own pattern names; where
    it names none or tells none apart, those whose suffix is the most plausible for delimited text.
    """
    ordinary = [name for name in names if not _is_junk(name)]
    if goal.member_pattern is not None:
        return [name for name in ordinary if fnmatch.fnmatchcase(_last(name), goal.member_pattern)]
    rows = [name for name in ordinary if _stem(name) not in _ABOUT] or ordinary
    named = [name for name in rows if goal.names_file(_last(name))]
    return named if named and not goal.names_file(_NO_NAME) else _most_plausible(rows)


def _is_junk(name: str) -> bool:
    *folders, last = name.replace("\\", "/").split("/")
    hidden = any(part.startswith(".") and part != "." for part in (*folders, last))
    return hidden or "__MACOSX" in folders or last.lower() in _JUNK


def _most_plausible(names: list[str]) -> list[str]:
    for suffixes in _SUFFIXES:
        if found := [name for name in names if _suffix(name) in suffixes]:
            return found
    return names


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _suffix(name: str) -> str:
    return PurePosixPath(_last(name).lower()).suffix


def _stem(name: str) -> str:
    return PurePosixPath(_last(name).lower()).stem
