"""Imports polluted files with the product and checks each row."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.sides import Delivered, ProductSide
from cdp_sync_tests.pollock.table import ARTICLE, COLUMNS, Cells
from cdp_sync_tests.pollock.writing import Row, Variant

PROPERTIES = tuple(name.lower() for name in COLUMNS)
PROFILES = Profiles(
    properties=[{"name": name, "identifier": place == ARTICLE} for place, name in enumerate(PROPERTIES)]
)

_LINKED = (COLUMNS[ARTICLE], f"column{ARTICLE + 1}")
"""A row without a usable cell here has no identifier and is not imported."""

BATCH = 80
"""The number of files with the same declaration that are imported in one run."""


class Verdict(StrEnum):
    """The outcome of a file."""

    RIGHT = "right"
    """All rows were imported with correct cells."""
    ACCOUNTED = "accounted"
    """All other rows are quarantined by line and reason, or the file failed with a reason."""
    WRONG = "silently wrong"
    """A wrong cell or an extra profile was imported, a row was lost, or the counters do not add up.

    A refused declaration and a run that ends early, so that other files wait, count as well.
    """


@dataclass(frozen=True)
class Judged:
    """A file and its outcome."""

    variant: Variant
    verdict: Verdict
    why: str = ""
    """The problem of a file with the verdict `silently wrong`."""


def goal(form: Mapping[str, Any]) -> FileGoal:
    """Return the goal that a user would declare for files in this format."""
    names = COLUMNS if form.get("header", True) else [f"column{place + 1}" for place in range(len(COLUMNS))]
    columns = [{"field": name, "property": prop} for name, prop in zip(names, PROPERTIES, strict=True)]
    return FileGoal(name="articles", format=form, link=[columns.pop(ARTICLE)], map=columns)


def judge_all(variants: Iterable[Variant]) -> Iterator[Judged]:
    """Yield the verdicts on files; consecutive files with the same declaration are imported together."""
    for _, alike in groupby(variants, key=lambda each: each.form):
        files = list(alike)
        for first in range(0, len(files), BATCH):
            yield from judge(files[first : first + BATCH])


def judge(files: Sequence[Variant]) -> list[Judged]:
    """Return the verdicts on files of one declaration, imported in one run.

    A profile without an article of these files may come from any of them; then each half is imported separately.
    """
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        side = ProductSide(Path(folder))
        contents = [(f"/in/{number}_{each.name}", each.content) for number, each in enumerate(files)]
        try:
            delivered = side.deliver(goal(files[0].form), PROFILES, contents)
        except (CdpSyncError, ValidationError) as error:
            return _halves(files) or [Judged(files[0], Verdict.WRONG, f"{type(error).__name__}: {error}"[:200])]
        landed = _by_file(files, side.profiles())
    if landed[None] and (judged := _halves(files)):
        return judged
    return [
        _judged(each, delivered, path, landed[number] + landed[None])
        for number, (each, (path, _)) in enumerate(zip(files, contents, strict=True))
    ]


def _halves(files: Sequence[Variant]) -> list[Judged]:
    """Return the verdicts on both halves, imported separately; an empty list for a single file."""
    half = len(files) // 2
    return judge(files[:half]) + judge(files[half:]) if half else []


def _by_file(files: Sequence[Variant], profiles: Iterable[Mapping[str, Any]]) -> dict[int | None, list[Cells]]:
    """Return the imported cells by the number of the file with the same article; None for no file."""
    owners = {row.cells[ARTICLE]: number for number, each in enumerate(files) for row in each.rows if row.cells}
    landed: dict[int | None, list[Cells]] = defaultdict(list)
    for profile in profiles:
        cells = tuple(profile[name] or "" for name in PROPERTIES)
        landed[owners.get(cells[ARTICLE])].append(cells)
    return landed


def _judged(variant: Variant, delivered: Delivered, path: str, landed: list[Cells]) -> Judged:
    failed = bool(delivered.failed.get(path))
    entries = [entry for entry in delivered.quarantine if entry.path == path and entry.reason]
    entered = {entry.line for entry in entries if entry.field in (None, *_LINKED)}
    problems = list(_problems(variant, set(landed), entered, failed=failed))
    if not failed and not delivered.counters[path].add_up:
        problems.append("the counters do not add up")
    if problems:
        return Judged(variant, Verdict.WRONG, f"{len(problems)}: {problems[0]}")
    right = not failed and all(row.cells in landed for row in variant.rows)
    return Judged(variant, Verdict.RIGHT if right else Verdict.ACCOUNTED)


def _problems(variant: Variant, landed: set[Cells], entered: set[int], *, failed: bool) -> Iterator[str]:
    """Yield the problems that an import does not report."""
    expected = {row.cells for row in variant.rows}
    for cells in sorted(landed - expected):
        yield f"nobody is {_described(cells, variant.rows)}"
    if failed and landed:
        yield f"{len(landed)} rows landed, and the file failed"
    for row in variant.rows:
        if not failed and row.cells not in landed and not entered & {*range(row.first, row.last + 1)}:
            yield f"the row of line {row.first} vanished"


def _described(cells: Cells, rows: Sequence[Row]) -> str:
    """Return a person that is in no row: the cells that differ from the row with the same article, if any."""
    for row in rows:
        if row.cells and row.cells[ARTICLE] == cells[ARTICLE]:
            differing = [
                f"{name}={cell!r}" for name, cell, right in zip(COLUMNS, cells, row.cells, strict=True) if cell != right
            ]
            return f"line {row.first} with {', '.join(differing)}"[:200]
    return repr(cells)[:200]


def verdicts_by_kind(judged: Iterable[Judged]) -> dict[str, Counter[Verdict]]:
    """Return the number of files by kind of pollution and verdict, in order of kinds."""
    counted: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for each in judged:
        counted[each.variant.kind][each.verdict] += 1
    return counted
