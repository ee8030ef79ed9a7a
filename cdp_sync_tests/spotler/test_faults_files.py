"""A faults file gives back what was refused, character for character, in the format of the import."""

import random
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import Format, Profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.workbooks import xlsx
from cdp_sync_tests.spotler import contacts
from cdp_sync_tests.spotler.contacts import Exchange, exchange
from cdp_sync_tests.trail.importer import check_adds_up

AWKWARD = (
    'say "hi"', '"', '""', "a;b", "a,b", "a|b\tc", "0171", " padded ",
    "\u00a0x\u00a0", "Jürgen €", "'", "=1+1", "#1", "-- x",
    "\\", "\\N", "a\\;b", "\\n", "x:", ":x", "::", "null", "-", "1,5", "2026-11-28T10:00:00+01:00", "sep=;", "\ufeffx",
)  # fmt: skip
BROKEN = ("line\nbreak", "x\n#y\n--z", "x\r\ny", "\n", "tab\t\n\t")
"""Texts of several lines."""
FORMATS: dict[str, dict[str, Any]] = {
    "comma": {},
    "semicolon": {"separator": ";"},
    "two characters": {"separator": "::"},
    "utf-16": {"separator": ";", "encoding": "utf-16"},
    "windows-1252": {"separator": ";", "encoding": "windows-1252"},
    "comments": {"separator": ";", "comment": "#"},
    "long comments": {"separator": ";", "comment": "--"},
    "another quote": {"separator": ";", "quote": "'"},
    "escaped": {"separator": ";", "escape": "\\"},
    "escaped without quotes": {"separator": ";", "quote": "", "escape": "\\"},
    "without quotes": {"separator": "|", "quote": ""},
    "lines before the header": {"separator": ";", "skip_rows": 2},
    "words for no value": {"separator": ";", "nulls": ["", "-", "null"]},
}
COLUMNS = ["Note", "Email", "FirstName"]
PROPERTIES = [*contacts.PROPERTIES, {"name": "note"}]
PROFILES = Profiles.model_validate({"properties": PROPERTIES})


def written(form: Format, rows: list[list[str]]) -> bytes:
    """Return a file as a careful system writes it: everything in quotes, or else with backslashes."""
    return "".join(
        [*["\r\n"] * form.skip_rows, *(form.separator.join(_cell(cell, form) for cell in row) + "\r\n" for row in rows)]
    ).encode(form.encoding)


def _cell(text: str, form: Format) -> str:
    if form.escape:
        for sign, escaped in (("\\", "\\\\"), (form.separator, "\\" + form.separator), ("\r", "\\r"), ("\n", "\\n")):
            text = text.replace(sign, escaped)
    return f"{form.quote}{text.replace(form.quote, form.quote * 2)}{form.quote}" if form.quote else text


def fits(text: str, form: Format) -> bool:
    """Return whether the format has a way to write a text."""
    try:
        text.encode(form.encoding)
    except UnicodeEncodeError:
        return False
    plain = not any(sign in text for sign in (form.separator, "\r", "\n"))
    return bool(form.quote or form.escape) or plain


def importer(folder: Path, form: dict[str, Any]) -> Exchange:
    """Return an importer of texts."""
    declared = contacts.declared(
        format=form, map=[{"field": "FirstName", "property": "first_name"}, {"field": "Note", "property": "note"}]
    )
    connection = exchange(declared)
    [goal] = connection.import_profiles
    return Exchange(folder, goal.importing(connection, PROFILES), PROFILES, connection="spotler")


@pytest.mark.parametrize("name", [*FORMATS, "workbook"])
def test_refused_texts_come_back_unchanged(name: str, tmp_path: Path) -> None:
    """Rows that are refused for want of a name are handed in again where it may be empty: each has its text."""
    form = {"type": "xlsx"} if name == "workbook" else FORMATS[name]
    refusing, taking = (importer(tmp_path / part, form) for part in ("refusing", "taking"))
    declared = refusing.goal.format
    texts = [text for text in (*AWKWARD, *BROKEN) if fits(text, declared) and (name != "workbook" or "\r" not in text)]
    random.Random(SEED).shuffle(texts)
    rows = [[text, f"p{number}@x.nl", ""] for number, text in enumerate(texts)]

    def write(rows: list[list[str]]) -> bytes:
        return xlsx(rows) if name == "workbook" else written(declared, rows)

    right = write([COLUMNS, ["", "r@x.nl", "Rob"]])
    file = "contacts.xlsx" if name == "workbook" else "contacts.csv"
    refusing.learn(right, file)
    taking.learn(right, file, empty=("FirstName",))
    report, faults = refusing.hand_in({file: write([COLUMNS, *rows])})
    check_adds_up(report)
    assert report.counters.rows_rejected == len(rows)
    again, rest = taking.hand_in({f"{file}.faults.csv": faults[file]})
    check_adds_up(again)
    assert (again.state, again.counters.rows_applied, rest) == ("success", len(rows), {}), again.message
    values = [None if text in declared.nulls or not text.strip() else text for text in texts]
    assert taking.column("note") == {f"p{number}@x.nl": value for number, value in enumerate(values)}
