"""The product and the oracle read the same rows and reject the same lines of generated irregular texts.

The texts are short and consist mostly of separators, quotes and line breaks. `CDP_SYNC_SEED` repeats a run.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import settings

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.normalize import NormalizedPart, normalize
from cdp_sync.importing.reading.records import read_records
from cdp_sync.importing.sources.archives import Part
from cdp_sync.importing.staging.cells import Cells
from cdp_sync.importing.staging.plan import read_part
from cdp_sync.model import FileGoal
from cdp_sync.warehouse import Session
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.oracle.reading import read_table
from cdp_sync_tests.oracle.row import FileFails

TEXTS = settings.default.max_examples // 2
"""Texts of each kind; 2,500 with `--hypothesis-profile=long`."""

PLAIN = ["a", ",", '"', "\n", "\r", " "]
KINDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, PLAIN),
    "few line breaks": ({}, [*"aab,,,", '"', '"', "\n", " "]),
    "windows": ({}, ["a", ",", '"', "\r\n", " "]),
    "two lines at most": ({"max_record_lines": 2}, PLAIN),
    "no header": ({"header": False}, PLAIN),
    "padded": ({"short_rows": "pad"}, PLAIN),
    "comments": ({"comment": "#"}, [*PLAIN, "#", "\n#"]),
    "a trailer": ({"trailer": {"begins_with": "T", "count_field": 2}}, [*PLAIN, "T,1", "\nT,0", "\nT,2\n"]),
    "record types": ({"record_type": {"field": 1, "is": "D"}, "header": False}, [*PLAIN, "\nD,", "\nH,"]),
    "escapes": ({"escape": "\\"}, [*PLAIN, "\\", "\\", "N", "n"]),
    "escapes and comments": ({"escape": "\\", "comment": "#"}, [*PLAIN, "\\", "\\\n", "\n#"]),
    "odd characters": ({}, [*PLAIN, "\x1a", "\0", "\ufeff", "\ufdd1", "\udcff", "é", "\x1f", "#"]),
    "a separator of two": ({"separator": ";;"}, ["a", ";", ";;", '"', "\n", "\r", " "]),
    "tabs": ({"separator": "\t"}, ["a", "\t", '"', "\n", " "]),
    "single quotes": ({"quote": "'", "separator": ";"}, ["a", ";", "'", "\n", '"', " "]),
    "no quotes": ({"quote": ""}, PLAIN),
    "null words": ({"nulls": ["", "a"]}, PLAIN),
    "a header again": ({}, [*PLAIN, "\nh,k\n", "\r\nh,k\r\n"]),
    "trailing separators": ({}, ["a,a,\n", "a,a,\n", "a,a,,\n", '"a,\n",a,\n', '"', ","]),
}
HEADERS = ["h", "h,k", "h,k", "h,k,l", '"h","k"', "h, k", ""]


@dataclass
class Outcome:
    """The rows and rejected lines of a text, or that it failed."""

    rows: list[tuple[int, dict[str, str | None]]] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    failed: bool = False


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Return a session without a warehouse."""
    with duckdb.connect() as connection:
        yield Session(connection)


@pytest.mark.parametrize("kind", KINDS)
def test_generated_texts_are_read_as_by_the_oracle(kind: str, session: Session, tmp_path: Path) -> None:
    """Each line is a row, part of one, rejected with its reason, or skipped by declaration, as in the oracle."""
    form, alphabet = KINDS[kind]
    rng = random.Random(f"{SEED} {kind}")
    for number in range(TEXTS):
        text = generated(rng, form, alphabet)
        goal = goal_of(form)
        read = oracle(text, goal), product(text, goal, session, tmp_path / str(number))
        assert read[0] == read[1], (form, text)


def generated(rng: random.Random, form: dict[str, Any], alphabet: list[str]) -> bytes:
    """Return a text of up to 40 random tokens, after a header that is mostly valid."""
    line_break = "\r\n" if "\r\n" in alphabet else "\n"
    header = rng.choice(HEADERS).replace(",", form.get("separator", ",")).replace('"', form.get("quote", '"'))
    header = header + line_break if header and form.get("header", True) else ""
    body = "".join(rng.choices(alphabet, k=rng.randrange(40)))
    return (header + body).encode("utf-8", "surrogateescape")


def goal_of(form: dict[str, Any]) -> FileGoal:
    """Return a goal that links any column that a text may have."""
    fields = ["h", "column1", "a", ""]
    links = [{"field": name, "property": "id"} for name in fields if name]
    return FileGoal.model_validate({"name": "all", "link": links, "format": form})


def oracle(text: bytes, goal: FileGoal) -> Outcome:
    """Return the oracle's outcome."""
    try:
        table = read_table("a", text, goal)
    except FileFails:
        return Outcome(failed=True)
    rejected = [(entry.line, shown(entry.raw or ""), entry.reason.split(";")[0]) for entry in table.rejected]
    return Outcome([(row.line, row.cells) for row in table.rows], rejected)


def shown(raw: str) -> str:
    """Return the text in the form that the quarantine stores."""
    return re.sub("[\ud800-\udfff\ufdd0-\ufdef]", "?", raw)


def product(text: bytes, goal: FileGoal, session: Session, folder: Path) -> Outcome:
    """Return the product's outcome."""
    folder.mkdir()  # one folder for each text: DuckDB may cache the content of a path
    local = folder / "a"
    local.write_bytes(text)
    try:
        landed = normalize(Part("a", local), goal)
        if landed is None:
            return Outcome()
        if landed.survey.regular:
            return regular(landed, goal, session)
        read_records(session, landed, goal.format)
    except FileRejected:
        return Outcome(failed=True)
    first = landed.body_line
    cells = session.rows(f"select * from {read_part(landed, goal.format)[0]}") if landed.head.columns else []
    lines = [n + first - 1 for (n,) in session.rows("select n from record")]
    rejected = session.rows("""
        select line.n, line.raw, reason from (select unnest(range(n, until + 1)) as n, reason from reject)
        join (select rowid + 1 as n, raw from physical_line) line using (n) order by n""")
    rows = [(line, dict(zip(landed.head.columns, row, strict=True))) for line, row in zip(lines, cells, strict=True)]
    return Outcome(
        rows, [(n + first - 1, shown(raw), reason.split(";")[0].split(", U+")[0]) for n, raw, reason in rejected]
    )


def regular(landed: NormalizedPart, goal: FileGoal, session: Session) -> Outcome:
    """Return the parser's rows of a regular part, after checking that each line is one row."""
    call, values = read_part(landed, goal.format)
    rows = session.rows(f"select {', '.join(Cells(landed.head.columns).types)} from {call}", values)
    assert len(rows) == landed.survey.lines
    named = [dict(zip(landed.head.columns, row, strict=True)) for row in rows]
    return Outcome(list(enumerate(named, start=landed.body_line)))
